/* SPDX-License-Identifier: MIT
 *
 * The opcodes. One that needs several events sets `again` and runs anew at the next call, its
 * progress in `cursor` and `work`; its operands stay on the stack until it is through. */
#include "format/pickle.h"

#include <string.h>

#include "format/number.h"
#include "format/pickle_machine.h"
#include "format/text.h"

/* n (1 to 8) bytes, little-endian. */
static peri_io take_number(peri_pickle *p, size_t n, uint64_t *out, peri_fault *fault)
{
    const unsigned char *bytes;
    const peri_io status = peri_source_need(p->source, n, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)bytes[i] << 8 * i;
    peri_source_skip(p->source, n);
    return PERI_IO_OK;
}

/* A line without its newline, in p->line, *length long. */
static peri_io take_line(peri_pickle *p, size_t *length, peri_fault *fault)
{
    *length = 0;
    for (;;) {
        const unsigned char *bytes;
        size_t count;
        peri_io status = peri_source_peek(p->source, 1, &bytes, &count, fault);
        if (status != PERI_IO_OK)
            return status;
        if (count == 0)
            return peri_fail(fault, PERI_IO_BAD, p->source->position, "the file ends early");
        const unsigned char *newline = memchr(bytes, '\n', count);
        const size_t n = newline != NULL ? (size_t)(newline - bytes) : count;
        status = peri_pickle_grow(p, &p->line, &p->line_room, *length, n + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        memcpy(p->line + *length, bytes, n);
        *length += n;
        p->line[*length] = 0;
        peri_source_skip(p->source, n + (newline != NULL));
        if (newline != NULL)
            return PERI_IO_OK;
    }
}
/* n bytes of the source as a string, blob or array. */
static peri_io take_bytes(peri_pickle *p, uint64_t n, bool text, event *e, bool *made,
                          peri_fault *fault)
{
    peri_io status = peri_source_claim(p->source, n, "a string of the pickle claims", fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t length = (size_t)n;
    if (!text) {
        status = peri_pickle_predict_array(p, length, e, made, fault);
        if (status != PERI_IO_OK || *made)
            return status;
    }
    const unsigned char *bytes = (const unsigned char *)"";
    if (length <= PERI_PICKLE_SHORT) {
        status = peri_source_need(p->source, length, &bytes, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    status = peri_pickle_make_string(p, (const char *)bytes, length, text, e, fault);
    if (status != PERI_IO_OK)
        return status;
    *made = true;
    if (length <= PERI_PICKLE_SHORT)
        peri_source_skip(p->source, length);
    else
        p->fill.from_source = true;
    return PERI_IO_OK;
}
/* Undoes repr() of Python 2's str, in place. False when an escape is damaged. */
static bool unescape(char *s, size_t n, size_t *length)
{
    static const char letters[] = "\\'\"abfnrtv", meant[] = "\\'\"\a\b\f\n\r\t\v";
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\\') {
            s[out++] = s[i];
            continue;
        }
        if (++i == n)
            return false;
        const char *found = memchr(letters, s[i], sizeof letters - 1);
        if (found != NULL) {
            s[out++] = meant[found - letters];
        } else if (s[i] == 'x') {
            const int high = n - i < 3 ? -1 : peri_hex_digit(s[i + 1]);
            const int low = n - i < 3 ? -1 : peri_hex_digit(s[i + 2]);
            if (high < 0 || low < 0)
                return false;
            s[out++] = (char)(high * 16 + low);
            i += 2;
        } else if (s[i] >= '0' && s[i] <= '7') {
            int code = 0, digits = 0;
            while (digits < 3 && i < n && s[i] >= '0' && s[i] <= '7') {
                code = code * 8 + (s[i++] - '0');
                digits++;
            }
            i--;
            s[out++] = (char)code;
        } else {
            s[out++] = '\\';
            s[out++] = s[i];
        }
    }
    *length = out;
    return true;
}

/* raw-unicode-escape to UTF-8; out holds 2 * n. False when an escape is damaged. */
static bool unescape_unicode(const char *s, size_t n, char *out, size_t *length)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t digits = s[i] != '\\' || i + 1 >= n ? 0
                              : s[i + 1] == 'u'          ? 4
                              : s[i + 1] == 'U'          ? 8
                                                         : 0;
        if (digits == 0) {
            used += peri_utf8_put((unsigned char)s[i], out + used);
            continue;
        }
        uint32_t c = 0;
        if (n - i < digits + 2)
            return false;
        for (size_t d = 0; d < digits; d++) {
            const int h = peri_hex_digit(s[i + 2 + d]);
            if (h < 0 || c > 0x10ffff)
                return false;
            c = c << 4 | (uint32_t)h;
        }
        if (c > 0x10ffff)
            return false;
        used += peri_utf8_put(c, out + used);
        i += digits + 1;
    }
    *length = used;
    return true;
}
static peri_io op_stack_global(peri_pickle *p, peri_fault *fault)
{
    const peri_io status = peri_pickle_want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value module = p->stack[p->depth - 2], name = p->stack[p->depth - 1];
    if (!peri_pickle_is(p, module, STRING) || !peri_pickle_is(p, name, STRING))
        return peri_pickle_refuse(p, "the pickle is damaged: a name must be text", fault);
    p->depth -= 2;
    return peri_pickle_push_global(
        p, peri_pickle_object_of(p, module)->bytes, peri_pickle_object_of(p, module)->length,
        peri_pickle_object_of(p, name)->bytes, peri_pickle_object_of(p, name)->length, fault);
}
static peri_io op_text_line(peri_pickle *p, bool unicode, event *e, bool *made, peri_fault *fault)
{
    size_t n;
    peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    *made = true;
    if (unicode) {
        status = peri_pickle_grow(p, &p->text, &p->text_room, 0, 2 * n + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        if (!unescape_unicode(p->line, n, p->text, &n))
            return peri_pickle_refuse(p, "the pickle is damaged: an escape in a string", fault);
        return peri_pickle_make_string(p, p->text, n, true, e, fault);
    }
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    if (n < 2 || p->line[0] != p->line[n - 1] || (p->line[0] != '\'' && p->line[0] != '"'))
        return peri_pickle_refuse(p, "the pickle is damaged: a string without quotes", fault);
    size_t length;
    if (!unescape(p->line + 1, n - 2, &length))
        return peri_pickle_refuse(p, "the pickle is damaged: an escape in a string", fault);
    return peri_pickle_make_string(p, p->line + 1, length, false, e, fault);
}

static peri_io op_number_line(peri_pickle *p, int op, peri_fault *fault)
{
    size_t n;
    const peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    value v = {.tag = PERI_PICKLE_INT};
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    if (op == 'F') {
        v.tag = PERI_PICKLE_FLOAT;
        if (!peri_number_parse(p->line, n, &v.as.f))
            return peri_pickle_refuse(p, "the pickle is damaged: a number", fault);
        return peri_pickle_push(p, v, fault);
    }
    if (op == 'I' && n == 2 && p->line[0] == '0' && (p->line[1] == '0' || p->line[1] == '1')) {
        v.tag = PERI_PICKLE_BOOL;
        v.as.i = p->line[1] == '1';
        return peri_pickle_push(p, v, fault);
    }
    if (op == 'L' && n > 0 && p->line[n - 1] == 'L')
        n--;
    if (peri_integer_parse(p->line, n, &v.as.i))
        return peri_pickle_push(p, v, fault);
    for (size_t i = n > 0 && (p->line[0] == '-' || p->line[0] == '+'); i < n || n == 0; i++)
        if (n == 0 || p->line[i] < '0' || p->line[i] > '9')
            return peri_pickle_refuse(p, "the pickle is damaged: a number", fault);
    return peri_pickle_refuse(p, "an integer of the pickle does not fit 64 bits with sign", fault);
}

static peri_io op_long(peri_pickle *p, size_t width, peri_fault *fault)
{
    uint64_t n;
    peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (width == 4 && n > INT32_MAX)
        return peri_pickle_refuse(p, "the pickle is damaged: an integer of negative length", fault);
    if (n > 1024)
        return peri_pickle_refuse(p, "an integer of the pickle does not fit 64 bits with sign",
                                  fault);
    const unsigned char *bytes;
    status = peri_source_need(p->source, (size_t)n, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    uint64_t bits = 0;
    const bool negative = n > 0 && bytes[n - 1] >= 0x80;
    if (negative)
        bits = UINT64_MAX;
    for (size_t i = 0; i < n && i < 8; i++)
        bits = (bits & ~((uint64_t)0xff << 8 * i)) | (uint64_t)bytes[i] << 8 * i;
    bool fits = n <= 8 || (bits >> 63 != 0) == negative;
    for (size_t i = 8; i < n; i++)
        fits = fits && bytes[i] == (negative ? 0xff : 0);
    if (!fits)
        return peri_pickle_refuse(p, "an integer of the pickle does not fit 64 bits with sign",
                                  fault);
    peri_source_skip(p->source, (size_t)n);
    return peri_pickle_push(p, (value){.tag = PERI_PICKLE_INT, .as.i = (int64_t)bits}, fault);
}

static peri_io op_int(peri_pickle *p, size_t width, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    const int64_t i = width == 4 ? (int32_t)(uint32_t)n : (int64_t)n;
    return peri_pickle_push(p, (value){.tag = PERI_PICKLE_INT, .as.i = i}, fault);
}

static peri_io op_float(peri_pickle *p, peri_fault *fault)
{
    const unsigned char *bytes;
    const peri_io status = peri_source_need(p->source, 8, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    value v = {.tag = PERI_PICKLE_FLOAT};
    memcpy(&v.as.f, &bits, 8);
    peri_source_skip(p->source, 8);
    return peri_pickle_push(p, v, fault);
}

static peri_io op_bytes(peri_pickle *p, size_t width, bool sign, bool text, event *e, bool *made,
                        peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (sign && n > INT32_MAX)
        return peri_pickle_refuse(p, "the pickle is damaged: a string of negative length", fault);
    return take_bytes(p, n, text, e, made, fault);
}

static peri_io op_memo(peri_pickle *p, size_t width, bool put, peri_fault *fault)
{
    uint64_t index;
    const peri_io status = take_number(p, width, &index, fault);
    if (status != PERI_IO_OK)
        return status;
    return put ? peri_pickle_memo_put(p, index, fault) : peri_pickle_memo_get(p, index, fault);
}

static peri_io op_memo_line(peri_pickle *p, bool put, peri_fault *fault)
{
    size_t n;
    int64_t index;
    const peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    if (!peri_integer_parse(p->line, n, &index) || index < 0)
        return peri_pickle_refuse(p, "the pickle is damaged: a place in its memory", fault);
    return put ? peri_pickle_memo_put(p, (uint64_t)index, fault)
               : peri_pickle_memo_get(p, (uint64_t)index, fault);
}

static peri_io op_global(peri_pickle *p, peri_fault *fault)
{
    size_t n, name;
    peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    status = peri_pickle_grow(p, &p->text, &p->text_room, 0, n + 1, 1, fault);
    if (status != PERI_IO_OK)
        return status;
    memcpy(p->text, p->line, n);
    status = take_line(p, &name, fault);
    if (status != PERI_IO_OK)
        return status;
    if (name > 0 && p->line[name - 1] == '\r')
        name--;
    return peri_pickle_push_global(p, p->text, n, p->line, name, fault);
}

static peri_io op_mark(peri_pickle *p, peri_fault *fault)
{
    if (p->nmarks >= PERI_PICKLE_DEPTH)
        return peri_pickle_too_deep(p, fault);
    const peri_io status =
        peri_pickle_grow(p, &p->marks, &p->marks_room, p->nmarks, 1, sizeof *p->marks, fault);
    if (status == PERI_IO_OK)
        p->marks[p->nmarks++] = p->depth;
    return status;
}

static peri_io op_pop(peri_pickle *p, peri_fault *fault)
{
    if (p->nmarks > 0 && p->marks[p->nmarks - 1] == p->depth) {
        p->nmarks--;
        return PERI_IO_OK;
    }
    const peri_io status = peri_pickle_want(p, 1, fault);
    if (status == PERI_IO_OK)
        p->depth--;
    return status;
}

static peri_io op_put(peri_pickle *p, int op, event *e, bool *made, peri_fault *fault)
{
    const kind k = op == 'a' || op == 'e' ? LIST : DICT;
    const bool marked = op == 'e' || op == 'u';
    const peri_io status =
        marked ? peri_pickle_want_mark(p, 1, fault) : peri_pickle_want(p, k == LIST ? 2 : 3, fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t n = marked ? peri_pickle_above_mark(p) : k == LIST ? 1 : 2;
    return peri_pickle_put_items(p, op, k, n, marked, e, made, fault);
}

/* LIST and DICT of protocol 0 take their contents from the stack: they become an empty container
 * under the mark, and then APPENDS or SETITEMS. */
static peri_io op_collect(peri_pickle *p, kind k, event *e, bool *made, peri_fault *fault)
{
    peri_io status = peri_pickle_want_mark(p, 0, fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t mark = p->marks[p->nmarks - 1], n = p->depth - mark;
    status = peri_pickle_make_container(p, k, e, made, fault);
    if (status != PERI_IO_OK)
        return status;
    const value container = p->stack[p->depth - 1];
    memmove(p->stack + mark + 1, p->stack + mark, n * sizeof *p->stack);
    p->stack[mark] = container;
    p->marks[p->nmarks - 1] = mark + 1;
    p->again = k == LIST ? 'e' : 'u';
    return PERI_IO_OK;
}

static peri_io op_stop(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    if (p->depth != 1 || p->nmarks != 0)
        return peri_pickle_refuse(p, "the pickle is damaged: it ends in the middle", fault);
    const value v = p->stack[0];
    const peri_io status = peri_pickle_surface(p, v, e, made, fault);
    if (status != PERI_IO_OK || *made) {
        p->again = '.';
        return status;
    }
    *made = true;
    *e = (event){.kind = PERI_PICKLE_DONE, .value = v};
    return PERI_IO_OK;
}

static peri_io op_frame(peri_pickle *p, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, 8, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    return peri_source_claim(p->source, n, "a frame of the pickle claims", fault);
}

static peri_io op_protocol(peri_pickle *p, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, 1, &n, fault);
    if (status == PERI_IO_OK && n > 5)
        return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                "a pickle of this protocol is not known:", "%d", (int)n);
    return status;
}

static peri_io op_tuple(peri_pickle *p, int op, peri_fault *fault)
{
    if (op == 't') {
        const peri_io status = peri_pickle_want_mark(p, 0, fault);
        if (status != PERI_IO_OK)
            return status;
        const size_t n = peri_pickle_above_mark(p);
        p->nmarks--;
        return peri_pickle_make_tuple(p, n, fault);
    }
    const size_t n = op == ')' ? 0 : (size_t)(op - 0x84);
    const peri_io status = peri_pickle_want(p, n, fault);
    return status == PERI_IO_OK ? peri_pickle_make_tuple(p, n, fault) : status;
}

static peri_io not_data(const peri_pickle *p, int op, peri_fault *fault)
{
    static const struct {
        unsigned char op;
        const char *name;
    } known[] = {
        {'i', "an object (INST)"},
        {'o', "an object (OBJ)"},
        {0x81, "an object (NEWOBJ)"},
        {0x92, "an object (NEWOBJ_EX)"},
        {'P', "a persistent id"},
        {'Q', "a persistent id"},
        {0x82, "an extension code"},
        {0x83, "an extension code"},
        {0x84, "an extension code"},
        {0x8f, "a set"},
        {0x90, "a set"},
        {0x91, "a frozenset"},
        {0x97, "a buffer outside of it"},
        {0x98, "a buffer outside of it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].op == op)
            return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                    "only numbers, text, containers and NumPy arrays are read from"
                                    " a pickle, and this one holds",
                                    "%s", known[i].name);
    return peri_fail_format(fault, PERI_IO_BAD, p->place, "the pickle is damaged: no opcode is",
                            "0x%02x", (unsigned)op);
}

/* INST and NEWOBJ name a class: say which. */
static peri_io op_inst(peri_pickle *p, peri_fault *fault)
{
    const peri_io status = op_global(p, fault);
    return status == PERI_IO_OK ? not_data(p, 'i', fault) : status;
}

static peri_io run(peri_pickle *p, int op, event *e, bool *made, peri_fault *fault)
{
    switch (op) {
    case '(':
        return op_mark(p, fault);
    case '.':
        return op_stop(p, e, made, fault);
    case '0':
        return op_pop(p, fault);
    case '1': {
        const peri_io status = peri_pickle_want_mark(p, 0, fault);
        if (status == PERI_IO_OK)
            p->depth = p->marks[--p->nmarks];
        return status;
    }
    case '2': {
        const peri_io status = peri_pickle_want(p, 1, fault);
        return status == PERI_IO_OK ? peri_pickle_push(p, p->stack[p->depth - 1], fault) : status;
    }
    case 'N':
        return peri_pickle_push(p, (value){.tag = PERI_PICKLE_NONE}, fault);
    case 0x88:
    case 0x89:
        return peri_pickle_push(p, (value){.tag = PERI_PICKLE_BOOL, .as.i = op == 0x88}, fault);
    case 'F':
    case 'I':
    case 'L':
        return op_number_line(p, op, fault);
    case 'J':
        return op_int(p, 4, fault);
    case 'K':
        return op_int(p, 1, fault);
    case 'M':
        return op_int(p, 2, fault);
    case 0x8a:
        return op_long(p, 1, fault);
    case 0x8b:
        return op_long(p, 4, fault);
    case 'G':
        return op_float(p, fault);
    case 'S':
    case 'V':
        return op_text_line(p, op == 'V', e, made, fault);
    case 'T':
        return op_bytes(p, 4, true, false, e, made, fault);
    case 'U':
    case 'C':
        return op_bytes(p, 1, false, false, e, made, fault);
    case 'B':
        return op_bytes(p, 4, false, false, e, made, fault);
    case 0x8e:
    case 0x96:
        return op_bytes(p, 8, false, false, e, made, fault);
    case 'X':
        return op_bytes(p, 4, false, true, e, made, fault);
    case 0x8c:
        return op_bytes(p, 1, false, true, e, made, fault);
    case 0x8d:
        return op_bytes(p, 8, false, true, e, made, fault);
    case ']':
        return peri_pickle_make_container(p, LIST, e, made, fault);
    case '}':
        return peri_pickle_make_container(p, DICT, e, made, fault);
    case 'l':
        return op_collect(p, LIST, e, made, fault);
    case 'd':
        return op_collect(p, DICT, e, made, fault);
    case 'a':
    case 'e':
    case 's':
    case 'u':
        return op_put(p, op, e, made, fault);
    case ')':
    case 't':
    case 0x85:
    case 0x86:
    case 0x87:
        return op_tuple(p, op, fault);
    case 'c':
        return op_global(p, fault);
    case 0x93:
        return op_stack_global(p, fault);
    case 'i':
        return op_inst(p, fault);
    case 'R':
        return peri_pickle_reduce(p, e, made, fault);
    case 'b':
        return peri_pickle_build(p, e, made, fault);
    case 'p':
    case 'g':
        return op_memo_line(p, op == 'p', fault);
    case 'q':
    case 'h':
        return op_memo(p, 1, op == 'q', fault);
    case 'r':
    case 'j':
        return op_memo(p, 4, op == 'r', fault);
    case 0x94:
        return peri_pickle_memo_put(p, p->memo_n, fault);
    case 'Q':
        return p->torch ? peri_pickle_storage(p, fault) : not_data(p, op, fault);
    case 0x80:
        return op_protocol(p, fault);
    case 0x95:
        return op_frame(p, fault);
    default:
        return not_data(p, op, fault);
    }
}

peri_io peri_pickle_next(peri_pickle *p, event *e, peri_fault *fault)
{
    bool made = false;
    while (!made) {
        int op = p->again;
        p->again = -1;
        if (op < 0) {
            const unsigned char *bytes;
            p->place = p->source->position;
            const peri_io status = peri_source_need(p->source, 1, &bytes, fault);
            if (status != PERI_IO_OK)
                return status;
            op = bytes[0];
            peri_source_skip(p->source, 1);
        }
        const peri_io status = run(p, op, e, &made, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    return PERI_IO_OK;
}

bool peri_pickle_sniff(const unsigned char *bytes, size_t count)
{
    if (count >= 2 && bytes[0] == 0x80)
        return bytes[1] <= 5;
    return count >= 1 && memchr("(]}lcNIFLSVKJMGXU)\x8a", bytes[0], 18) != NULL;
}
