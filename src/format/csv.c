/* SPDX-License-Identifier: MIT
 *
 * One pass, a byte after the other out of the source's window. */
#include "format/csv.h"

#include <string.h>

#include "format/number.h"

enum { FIELD_MAX = 4096 };

void peri_csv_init(peri_csv *c, peri_source *source, char separator)
{
    memset(c, 0, sizeof *c);
    c->source = source;
    c->separator = separator;
}

void peri_csv_close(peri_csv *c)
{
    if (c->source == NULL)
        return;
    const peri_memory *m = &c->source->memory;
    peri_give(m, c->values, c->values_room * sizeof *c->values);
    peri_give(m, c->names, c->names_room);
    peri_give(m, c->field, c->field_room);
    memset(c, 0, sizeof *c);
}

typedef struct {
    peri_csv *csv;
    const unsigned char *bytes, *start, *end; /* what of the window is not read yet */
    uint64_t line, column;                    /* of the field being read, from 1 */
    bool commented;                           /* the names came from a line with # */
    peri_fault *fault;
} reader;

static uint64_t place(const reader *r)
{
    return r->csv->source->position + (uint64_t)(r->bytes - r->start);
}

static peri_io refuse(reader *r, const char *reason, const char *text, size_t length)
{
    peri_fail_text(r->fault, PERI_IO_BAD, place(r), reason, text, length);
    r->fault->line = r->line;
    r->fault->column = r->column;
    return PERI_IO_BAD;
}

/* The next byte without taking it, or -1 at the end. */
static peri_io look(reader *r, int *c)
{
    if (r->bytes == r->end) {
        size_t count;
        peri_source_skip(r->csv->source, (size_t)(r->bytes - r->start));
        const peri_io status = peri_source_peek(r->csv->source, 1, &r->bytes, &count, r->fault);
        if (status != PERI_IO_OK)
            return status;
        r->start = r->bytes;
        r->end = r->bytes + count;
        if (count == 0) {
            *c = -1;
            return PERI_IO_OK;
        }
    }
    *c = *r->bytes;
    return PERI_IO_OK;
}

static peri_io grow(reader *r, void *block_address, size_t *room, size_t wanted, size_t size)
{
    if (wanted <= *room)
        return PERI_IO_OK;
    const peri_memory *m = &r->csv->source->memory;
    const size_t more = wanted > *room * 2 ? wanted + 64 : *room * 2;
    if (more > r->csv->source->limit / size + 64)
        return peri_fail_format(r->fault, PERI_IO_LIMIT, place(r),
                                "the table needs more than max_bytes,", "%llu",
                                (unsigned long long)r->csv->source->limit);
    void *block;
    memcpy(&block, block_address, sizeof block);
    block = m->call(m->ud, block, *room * size, more * size);
    if (block == NULL)
        return peri_fail_memory(r->fault);
    memcpy(block_address, &block, sizeof block);
    *room = more;
    return PERI_IO_OK;
}

/* Counts separators in what the window shows of the first line. */
static peri_io choose_separator(reader *r)
{
    int c;
    const peri_io status = look(r, &c);
    if (status != PERI_IO_OK || r->csv->separator != 0)
        return status;
    r->csv->separator = ' ';
    static const char candidates[] = {',', '\t', ';'};
    for (size_t i = 0; i < sizeof candidates; i++) {
        bool quoted = false;
        for (const unsigned char *p = r->bytes;
             p < r->end && (quoted || (*p != '\n' && *p != '\r')); p++) {
            quoted ^= *p == '"';
            if (!quoted && *p == (unsigned char)candidates[i]) {
                r->csv->separator = candidates[i];
                return PERI_IO_OK;
            }
        }
    }
    return PERI_IO_OK;
}

static bool is_blank(const reader *r, int c)
{
    return c == ' ' || (c == '\t' && r->csv->separator != '\t');
}

static peri_io skip_blanks(reader *r, int *c)
{
    for (;;) {
        const peri_io status = look(r, c);
        if (status != PERI_IO_OK || !is_blank(r, *c))
            return status;
        r->bytes++;
    }
}

/* Takes a line's end that look() has shown. */
static peri_io end_line(reader *r, int c)
{
    r->line++;
    r->column = 1;
    if (c == -1)
        return PERI_IO_OK;
    r->bytes++;
    if (c == '\r') {
        const peri_io status = look(r, &c);
        if (status != PERI_IO_OK)
            return status;
        if (c == '\n')
            r->bytes++;
    }
    return PERI_IO_OK;
}

static peri_io put(reader *r, size_t *n, int c)
{
    if (*n == FIELD_MAX)
        return refuse(r, "a field is longer than 4096 bytes", "", 0);
    r->csv->field[(*n)++] = (char)c;
    r->bytes++;
    return PERI_IO_OK;
}

static peri_io take_quoted(reader *r, size_t *n)
{
    int c;
    const uint64_t line = r->line;
    r->bytes++;
    for (;;) {
        peri_io status = look(r, &c);
        if (status != PERI_IO_OK)
            return status;
        if (c == -1) {
            r->line = line;
            return refuse(r, "a quoted field does not end", "", 0);
        }
        if (c == '"') {
            r->bytes++;
            status = look(r, &c);
            if (status != PERI_IO_OK)
                return status;
            if (c != '"')
                return PERI_IO_OK;
        }
        status = put(r, n, c);
        if (status != PERI_IO_OK)
            return status;
    }
}

/* A field into csv->field, without the blanks around it. *next is the byte that ends it: the
 * separator (taken), a line's end or -1 (not taken). */
static peri_io take_field(reader *r, size_t *length, int *next)
{
    const int separator = (unsigned char)r->csv->separator;
    size_t n = 0;
    int c;
    *length = 0;
    peri_io status = skip_blanks(r, &c);
    if (status != PERI_IO_OK)
        return status;
    if (c == '"') {
        status = take_quoted(r, &n);
        if (status == PERI_IO_OK)
            status = skip_blanks(r, &c);
        if (status != PERI_IO_OK)
            return status;
        *length = n;
        if (c != -1 && c != '\n' && c != '\r' && c != separator && separator != ' ')
            return refuse(r, "something follows a quoted field:", r->csv->field, n);
    } else {
        for (;;) {
            status = look(r, &c);
            if (status != PERI_IO_OK)
                return status;
            if (c == -1 || c == '\n' || c == '\r' || c == separator ||
                (separator == ' ' && is_blank(r, c)))
                break;
            status = put(r, &n, c);
            if (status != PERI_IO_OK)
                return status;
        }
        while (n > 0 && is_blank(r, r->csv->field[n - 1]))
            n--;
        *length = n;
    }
    if (separator == ' ') {
        status = skip_blanks(r, &c);
        if (status != PERI_IO_OK)
            return status;
        *next = c == -1 || c == '\n' || c == '\r' ? c : ' ';
        return PERI_IO_OK;
    }
    if (c == separator)
        r->bytes++;
    *next = c;
    return PERI_IO_OK;
}

static peri_io add_name(reader *r, size_t length)
{
    peri_csv *c = r->csv;
    if (memchr(c->field, 0, length) != NULL)
        return refuse(r, "a name holds a NUL byte", "", 0);
    const peri_io status = grow(r, &c->names, &c->names_room, c->names_length + length + 1, 1);
    if (status != PERI_IO_OK)
        return status;
    memcpy(c->names + c->names_length, c->field, length);
    c->names_length += length;
    c->names[c->names_length++] = 0;
    c->nnames++;
    return PERI_IO_OK;
}

static peri_io bad_field(reader *r, size_t length)
{
    if (length == 0)
        return refuse(r, "an empty field; write nan where a value is missing", "", 0);
    return refuse(r, "this field is not a number:", r->csv->field, length);
}

static peri_io add_value(reader *r, double v)
{
    peri_csv *c = r->csv;
    const peri_io status = grow(r, &c->values, &c->values_room, c->nvalues + 1, sizeof *c->values);
    if (status == PERI_IO_OK)
        c->values[c->nvalues++] = v;
    return status;
}

/* The first line: every field is kept as a name and, where it can be, as a value; then it is
 * either all names or all numbers. */
static peri_io take_first(reader *r)
{
    peri_csv *c = r->csv;
    size_t n = 0, bad = 0, bad_at = 0;
    int next;
    do {
        size_t length;
        double v = 0;
        const size_t at = c->names_length;
        peri_io status = take_field(r, &length, &next);
        if (status == PERI_IO_OK)
            status = add_name(r, length);
        if (status != PERI_IO_OK)
            return status;
        n++;
        r->column++;
        if (peri_number_parse(c->field, length, &v)) {
            status = add_value(r, v);
            if (status != PERI_IO_OK)
                return status;
        } else if (bad == 0) {
            bad = n;
            bad_at = at;
        }
    } while (next != -1 && next != '\n' && next != '\r');
    if (c->nvalues > 0 && bad > 0) {
        r->column = bad;
        const size_t length = strlen(c->names + bad_at);
        memcpy(c->field, c->names + bad_at, length);
        return bad_field(r, length);
    }
    if (c->nvalues > 0) {
        c->columns = n;
        c->rows = 1;
        c->nnames = c->names_length = 0;
    } else if (c->names_length == n) {
        return bad_field(r, 0);
    }
    return end_line(r, next);
}

static peri_io take_row(reader *r)
{
    peri_csv *c = r->csv;
    size_t n = 0;
    int next;
    do {
        size_t length;
        double v;
        peri_io status = take_field(r, &length, &next);
        if (status != PERI_IO_OK)
            return status;
        if (c->columns > 0 && n == c->columns)
            return refuse(r, "the row is longer than the first", "", 0);
        if (!peri_number_parse(c->field, length, &v))
            return bad_field(r, length);
        status = add_value(r, v);
        if (status != PERI_IO_OK)
            return status;
        n++;
        r->column++;
    } while (next != -1 && next != '\n' && next != '\r');
    r->column = n;
    if (c->columns > 0 && n < c->columns)
        return refuse(r, "the row is shorter than the first", "", 0);
    if (c->columns == 0 && c->nnames != n) {
        if (!r->commented)
            return refuse(r, "the row has not as many fields as there are names", "", 0);
        c->nnames = c->names_length = 0; /* that was a remark */
    }
    c->columns = n;
    c->rows++;
    return end_line(r, next);
}

/* A line that begins with #: the names, if it is the first. */
static peri_io take_comment(reader *r)
{
    int c = 0;
    r->bytes++;
    const bool first = r->csv->rows == 0 && r->csv->nnames == 0;
    while (first) {
        size_t length;
        const peri_io status = take_field(r, &length, &c);
        if (status != PERI_IO_OK)
            return status;
        const peri_io added = add_name(r, length);
        if (added != PERI_IO_OK)
            return added;
        if (c == -1 || c == '\n' || c == '\r') {
            r->commented = true;
            return end_line(r, c);
        }
    }
    for (;;) {
        const peri_io status = look(r, &c);
        if (status != PERI_IO_OK)
            return status;
        if (c == -1 || c == '\n' || c == '\r')
            return end_line(r, c);
        r->bytes++;
    }
}

static peri_io skip_mark(reader *r)
{
    const unsigned char *bytes;
    size_t count;
    const peri_io status = peri_source_peek(r->csv->source, 3, &bytes, &count, r->fault);
    if (status == PERI_IO_OK && count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        peri_source_skip(r->csv->source, 3);
    return status;
}

peri_io peri_csv_read(peri_csv *csv, peri_fault *fault)
{
    static const unsigned char nothing[1];
    reader r = {csv, nothing, nothing, nothing, 1, 1, false, fault};
    peri_io status = grow(&r, &csv->field, &csv->field_room, FIELD_MAX, 1);
    if (status == PERI_IO_OK)
        status = skip_mark(&r);
    if (status == PERI_IO_OK)
        status = choose_separator(&r);
    while (status == PERI_IO_OK) {
        int c;
        r.column = 1;
        status = csv->separator == '\t' ? look(&r, &c) : skip_blanks(&r, &c);
        if (status != PERI_IO_OK || c == -1)
            break;
        if (c == '\n' || c == '\r')
            status = end_line(&r, c);
        else if (c == '#')
            status = take_comment(&r);
        else
            status = csv->rows == 0 && csv->nnames == 0 ? take_first(&r) : take_row(&r);
    }
    if (status == PERI_IO_OK && csv->rows == 0)
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, "the table has no rows of numbers");
    return status;
}
