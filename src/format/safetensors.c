/* SPDX-License-Identifier: MIT
 *
 * The scanner walks the header once; names are unescaped where they stand. */
#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/npy.h"
#include "format/text.h"

void peri_safetensors_init(peri_safetensors *t, peri_source *source)
{
    memset(t, 0, sizeof *t);
    t->source = source;
}

void peri_safetensors_close(peri_safetensors *t)
{
    if (t->source == NULL)
        return;
    peri_give(&t->source->memory, t->header, t->room);
    peri_give(&t->source->memory, t->tensors, t->tensors_room * sizeof *t->tensors);
    memset(t, 0, sizeof *t);
}

bool peri_safetensors_sniff(const unsigned char *bytes, size_t count)
{
    /* A header is less than 4 GiB long, and no text has NUL bytes. */
    return count >= 10 && memcmp(bytes + 4, "\0\0\0\0", 4) == 0 && bytes[8] == '{' &&
           (bytes[9] == '"' || bytes[9] == '}' || bytes[9] == ' ' || bytes[9] == '\n') &&
           (bytes[0] | bytes[1] | bytes[2] | bytes[3]) != 0;
}

typedef struct {
    char *text;
    size_t length, at;
    peri_fault *fault;
} scanner;

static peri_io refuse(const scanner *h, const char *reason)
{
    peri_fail(h->fault, PERI_IO_BAD, 8 + (uint64_t)h->at, reason);
    return PERI_IO_BAD;
}

static peri_io damaged(const scanner *h)
{
    return refuse(h, "the header of the safetensors is damaged");
}

static void skip_space(scanner *h)
{
    while (h->at < h->length && (h->text[h->at] == ' ' || h->text[h->at] == '\t' ||
                                 h->text[h->at] == '\n' || h->text[h->at] == '\r'))
        h->at++;
}

static bool take(scanner *h, char c)
{
    skip_space(h);
    if (h->at >= h->length || h->text[h->at] != c)
        return false;
    h->at++;
    return true;
}

/* A string, unescaped in place and ended by NUL. */
static peri_io take_string(scanner *h, char **out, size_t *length)
{
    if (!take(h, '"'))
        return damaged(h);
    char *const start = h->text + h->at;
    size_t n = 0;
    for (;;) {
        if (h->at >= h->length || (unsigned char)h->text[h->at] < ' ')
            return damaged(h);
        const char c = h->text[h->at++];
        if (c == '"')
            break;
        if (c != '\\') {
            start[n++] = c;
            continue;
        }
        static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const char e = h->at < h->length ? h->text[h->at] : 0;
        const char *found = e != 0 ? strchr(letters, e) : NULL;
        if (found != NULL) {
            start[n++] = meant[found - letters];
            h->at++;
            continue;
        }
        size_t used;
        uint32_t code;
        if (e != 'u' ||
            !peri_json_escape(h->text + h->at + 1, h->length - h->at - 1, &code, &used) ||
            code == 0)
            return damaged(h);
        h->at += 1 + used;
        n += peri_utf8_put(code, start + n); /* no longer than its escape */
    }
    start[n] = 0; /* over the quote, or before it */
    if (!peri_utf8_valid(start, n))
        return refuse(h, "a name of the safetensors is not UTF-8");
    *out = start;
    *length = n;
    return PERI_IO_OK;
}

static peri_io take_integer(scanner *h, uint64_t *out)
{
    skip_space(h);
    const size_t from = h->at;
    uint64_t n = 0;
    while (h->at < h->length && h->text[h->at] >= '0' && h->text[h->at] <= '9') {
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(h->text[h->at] - '0'), &n))
            return refuse(h, "a number of the safetensors is too large");
        h->at++;
    }
    if (h->at == from || (h->text[from] == '0' && h->at > from + 1))
        return damaged(h);
    *out = n;
    return PERI_IO_OK;
}

static peri_io take_shape(scanner *h, peri_layout *l)
{
    if (!take(h, '['))
        return damaged(h);
    l->ndim = 0;
    if (take(h, ']'))
        return PERI_IO_OK;
    do {
        uint64_t n;
        const peri_io status = take_integer(h, &n);
        if (status != PERI_IO_OK)
            return status;
        if (l->ndim == PERI_MAX_NDIM)
            return refuse(h, "the array has more than 32 axes");
        if (n > PTRDIFF_MAX)
            return refuse(h, "an extent of the shape is too large");
        l->shape[l->ndim++] = (size_t)n;
    } while (take(h, ','));
    return take(h, ']') ? PERI_IO_OK : damaged(h);
}

static peri_io take_offsets(scanner *h, peri_tensor *t)
{
    if (!take(h, '['))
        return damaged(h);
    peri_io status = take_integer(h, &t->begin);
    if (status == PERI_IO_OK && !take(h, ','))
        return damaged(h);
    if (status == PERI_IO_OK)
        status = take_integer(h, &t->end);
    if (status == PERI_IO_OK && !take(h, ']'))
        return damaged(h);
    return status;
}

/* What the file calls its elements: bytes of one, and the kind where it can be an array's. */
static const struct {
    char name[8], kind;
    unsigned char size;
} dtypes[] = {{"F64", 'f', 8},  {"F32", 'f', 4},   {"F16", 'f', 2},   {"BF16", 'B', 2},
              {"I64", 'i', 8},  {"I32", 'i', 4},   {"I16", 'i', 2},   {"I8", 'i', 1},
              {"U64", 'u', 8},  {"U32", 'u', 4},   {"U16", 'u', 2},   {"U8", 'u', 1},
              {"BOOL", 'b', 1}, {"F8_E4M3", 0, 1}, {"F8_E5M2", 0, 1}, {"C64", 0, 8}};

static bool find_dtype(const char *name, peri_tensor *t, size_t *size)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strncmp(dtypes[i].name, name, sizeof dtypes[i].name) == 0 &&
            strlen(name) <= sizeof dtypes[i].name) {
            const size_t n = strlen(name) < 7 ? strlen(name) : 7;
            memcpy(t->dtype, name, n);
            t->dtype[n] = 0;
            *size = dtypes[i].size;
            t->layout.element =
                (peri_element){dtypes[i].kind, dtypes[i].size,
                               __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ && dtypes[i].size > 1};
            return true;
        }
    return false;
}

static peri_io take_tensor(scanner *h, peri_tensor *t)
{
    static const char *const keys[] = {"dtype", "shape", "data_offsets"};
    unsigned seen = 0;
    size_t size = 0;
    if (!take(h, '{'))
        return damaged(h);
    do {
        char *key;
        size_t length;
        peri_io status = take_string(h, &key, &length);
        if (status != PERI_IO_OK)
            return status;
        unsigned k = 0;
        while (k < 3 && strcmp(keys[k], key) != 0)
            k++;
        if (k == 3 || (seen & 1u << k) != 0 || !take(h, ':'))
            return damaged(h);
        seen |= 1u << k;
        if (k == 0) {
            status = take_string(h, &key, &length);
            if (status == PERI_IO_OK && !find_dtype(key, t, &size))
                return peri_fail_text(h->fault, PERI_IO_BAD, 8 + (uint64_t)h->at,
                                      "the safetensors have a dtype that is not known:", key,
                                      length);
        } else {
            status = k == 1 ? take_shape(h, &t->layout) : take_offsets(h, t);
        }
        if (status != PERI_IO_OK)
            return status;
    } while (take(h, ','));
    if (!take(h, '}') || seen != 7)
        return damaged(h);
    if (!peri_layout_measure(&t->layout))
        return refuse(h, "the shape is larger than any memory");
    if (t->end < t->begin || t->end - t->begin != (uint64_t)t->layout.size * size)
        return peri_fail_text(h->fault, PERI_IO_BAD, 8 + (uint64_t)h->at,
                              "the bytes of a tensor do not fill its shape:", t->name,
                              strlen(t->name));
    return PERI_IO_OK;
}

static peri_io take_metadata(scanner *h)
{
    if (!take(h, '{'))
        return damaged(h);
    if (take(h, '}'))
        return PERI_IO_OK;
    do {
        char *text;
        size_t length;
        peri_io status = take_string(h, &text, &length);
        if (status == PERI_IO_OK && !take(h, ':'))
            return damaged(h);
        if (status == PERI_IO_OK)
            status = take_string(h, &text, &length);
        if (status != PERI_IO_OK)
            return status;
    } while (take(h, ','));
    return take(h, '}') ? PERI_IO_OK : damaged(h);
}

static peri_io more_tensors(peri_safetensors *t, peri_fault *fault)
{
    if (t->n < t->tensors_room)
        return PERI_IO_OK;
    const size_t room = t->tensors_room == 0 ? 16 : t->tensors_room * 2;
    if (room * sizeof *t->tensors > t->source->limit)
        return peri_fail_format(fault, PERI_IO_LIMIT, PERI_NO_BYTE,
                                "the header needs more than max_bytes,", "%llu",
                                (unsigned long long)t->source->limit);
    void *grown =
        t->source->memory.call(t->source->memory.ud, t->tensors,
                               t->tensors_room * sizeof *t->tensors, room * sizeof *t->tensors);
    if (grown == NULL)
        return peri_fail_memory(fault);
    t->tensors = grown;
    t->tensors_room = room;
    return PERI_IO_OK;
}

static peri_io scan(peri_safetensors *t, scanner *h)
{
    bool metadata = false;
    if (!take(h, '{'))
        return damaged(h);
    if (!take(h, '}')) {
        do {
            char *name;
            size_t length;
            peri_io status = take_string(h, &name, &length);
            if (status == PERI_IO_OK && !take(h, ':'))
                return damaged(h);
            if (status == PERI_IO_OK && strcmp(name, "__metadata__") == 0) {
                status = metadata ? damaged(h) : take_metadata(h);
                metadata = true;
            } else if (status == PERI_IO_OK) {
                status = more_tensors(t, h->fault);
                if (status == PERI_IO_OK) {
                    peri_tensor *tensor = &t->tensors[t->n++];
                    memset(tensor, 0, sizeof *tensor);
                    tensor->name = name;
                    status = take_tensor(h, tensor);
                }
            }
            if (status != PERI_IO_OK)
                return status;
        } while (take(h, ','));
        if (!take(h, '}'))
            return damaged(h);
    }
    skip_space(h);
    return h->at == h->length ? PERI_IO_OK : damaged(h);
}

static int by_place(const void *a, const void *b)
{
    const peri_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const peri_tensor *)a)->name, ((const peri_tensor *)b)->name);
}

/* No name twice, no hole, no byte of two, and nothing beyond the file. */
static peri_io check_order(peri_safetensors *t, peri_fault *fault)
{
    if (t->n > 1)
        qsort(t->tensors, t->n, sizeof *t->tensors, by_name);
    for (size_t i = 1; i < t->n; i++)
        if (strcmp(t->tensors[i - 1].name, t->tensors[i].name) == 0)
            return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE, "two tensors are named",
                                  t->tensors[i].name, strlen(t->tensors[i].name));
    if (t->n > 1)
        qsort(t->tensors, t->n, sizeof *t->tensors, by_place);
    uint64_t end = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (t->tensors[i].begin != end)
            return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                  "a tensor does not begin where the one before it ends:",
                                  t->tensors[i].name, strlen(t->tensors[i].name));
        end = t->tensors[i].end;
    }
    return peri_source_claim(t->source, end, "the tensors need", fault);
}

peri_io peri_safetensors_open(peri_safetensors *t, peri_fault *fault)
{
    const unsigned char *bytes;
    peri_io status = peri_source_need(t->source, 8, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > PERI_TENSOR_HEADER_MAX || length < 2)
        return peri_fail_format(fault, PERI_IO_BAD, 0, "the header of the safetensors claims",
                                "%llu bytes; 2 to %d are read", (unsigned long long)length,
                                PERI_TENSOR_HEADER_MAX);
    peri_source_skip(t->source, 8);
    status = peri_source_claim(t->source, length, "the header of the safetensors claims", fault);
    if (status != PERI_IO_OK)
        return status;
    t->header = peri_take(&t->source->memory, (size_t)length);
    if (t->header == NULL)
        return peri_fail_memory(fault);
    t->length = t->room = (size_t)length;
    status = peri_source_read(t->source, t->header, t->length, fault);
    if (status != PERI_IO_OK)
        return status;
    t->data = t->source->position;
    scanner h = {t->header, t->length, 0, fault};
    if (h.text[0] != '{')
        return damaged(&h);
    status = scan(t, &h);
    return status == PERI_IO_OK ? check_order(t, fault) : status;
}

peri_io peri_safetensors_goto(peri_safetensors *t, size_t i, peri_fault *fault)
{
    return peri_source_advance(t->source, t->data + t->tensors[i].begin - t->source->position,
                               fault);
}

/* ---- writing -------------------------------------------------------------------------------- */

static const char *dtype_name(int dtype)
{
    switch ((peri_dtype)dtype) {
    case PERI_F64:
        return "F64";
    case PERI_F32:
        return "F32";
    case PERI_BOOL:
        return "BOOL";
    case PERI_U8:
        return "U8";
    }
    return "";
}

/* A string that grows. */
typedef struct {
    const peri_memory *memory;
    char *text;
    size_t used, room;
    bool failed;
} builder;

static void add(builder *b, const char *text, size_t n)
{
    if (n > b->room - b->used && !b->failed) {
        const size_t room = (b->room + n) * 2;
        char *grown = b->memory->call(b->memory->ud, b->text, b->room, room);
        if (grown == NULL) {
            b->failed = true;
            return;
        }
        b->text = grown;
        b->room = room;
    }
    if (b->failed)
        return;
    memcpy(b->text + b->used, text, n);
    b->used += n;
}

static void add_text(builder *b, const char *text)
{
    add(b, text, strlen(text));
}

static void add_number(builder *b, uint64_t v)
{
    char text[24];
    add(b, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v));
}

static void add_quoted(builder *b, const char *text)
{
    add(b, "\"", 1);
    for (const char *p = text; *p != 0; p++) {
        char escape[8];
        if ((unsigned char)*p < ' ')
            add(b, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *p));
        else if (*p == '"' || *p == '\\')
            add(b, escape, (size_t)snprintf(escape, sizeof escape, "\\%c", *p));
        else
            add(b, p, 1);
    }
    add(b, "\"", 1);
}

static peri_io put_bytes(void *ud, const void *data, size_t n, peri_fault *fault)
{
    return peri_writer_write(ud, data, n, fault);
}

/* Wide elements come first, so that each tensor is aligned; then the given order. */
static peri_io write_all(peri_writer *w, builder *b, size_t n, const char *const names[],
                         const peri_view arrays[], peri_fault *fault)
{
    static const size_t widths[] = {8, 4, 2, 1};
    uint64_t at = 0;
    add_text(b, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t i = 0; i < n; i++) {
            const peri_view *a = &arrays[i];
            if (peri_dtype_size(a->dtype) != widths[k])
                continue;
            add_text(b, ",");
            add_quoted(b, names[i]);
            add_text(b, ":{\"dtype\":\"");
            add_text(b, dtype_name(a->dtype));
            add_text(b, "\",\"shape\":[");
            for (int axis = 0; axis < a->ndim; axis++) {
                add_text(b, axis > 0 ? "," : "");
                add_number(b, a->shape[axis]);
            }
            add_text(b, "],\"data_offsets\":[");
            add_number(b, at);
            at += (uint64_t)peri_view_size(a) * widths[k];
            add_text(b, ",");
            add_number(b, at);
            add_text(b, "]}");
        }
    add_text(b, "}");
    while (b->used % 8 != 0 && !b->failed)
        add_text(b, " ");
    if (b->failed)
        return peri_fail_memory(fault);
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)b->used >> 8 * i);
    peri_io status = peri_writer_write(w, length, 8, fault);
    if (status == PERI_IO_OK)
        status = peri_writer_write(w, b->text, b->used, fault);
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t i = 0; i < n && status == PERI_IO_OK; i++)
            if (peri_dtype_size(arrays[i].dtype) == widths[k])
                status = peri_npy_put_elements(&arrays[i], put_bytes, w, fault);
    return status;
}

peri_io peri_safetensors_write(peri_writer *w, size_t n, const char *const names[],
                               const peri_view arrays[], const peri_memory *memory,
                               peri_fault *fault)
{
    for (size_t i = 0; i < n; i++)
        if (!peri_utf8_valid(names[i], strlen(names[i])) || strcmp(names[i], "__metadata__") == 0)
            return peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE,
                                  "no safetensors can have the name", names[i], strlen(names[i]));
    builder b = {.memory = memory};
    const peri_io status = write_all(w, &b, n, names, arrays, fault);
    peri_give(memory, b.text, b.room);
    return status;
}
