/* SPDX-License-Identifier: MIT
 *
 * One pass, a byte after the other out of the source's window. */
#include "format/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/number.h"
#include "kernel/dtype.h"

enum { FIELD_MAX = 64 * 1024 };

void peri_csv_init(peri_csv *c, peri_source *source, const peri_csv_options *options)
{
    memset(c, 0, sizeof *c);
    c->source = source;
    c->options = *options;
}

void peri_csv_close(peri_csv *c)
{
    if (c->source == NULL)
        return;
    const peri_memory *m = &c->source->memory;
    peri_give(m, c->values, c->values_room * sizeof *c->values);
    peri_give(m, c->cells, c->cells_room * sizeof *c->cells);
    peri_give(m, c->text, c->text_room);
    peri_give(m, c->names, c->names_room);
    peri_give(m, c->place, c->place_room * sizeof *c->place);
    peri_give(m, c->field, c->field_room);
    peri_give(m, c->head, c->head_room);
    peri_give(m, c->quoted, c->quoted_room);
    memset(c, 0, sizeof *c);
}

typedef struct {
    peri_csv *csv;
    const unsigned char *bytes, *start, *end; /* what of the window is not read yet */
    uint64_t line, column;                    /* of the field being read, from 1 */
    bool quoted;                              /* whether that field was in quotes */
    bool named;                               /* `head` is a line of names, */
    bool remarked;                            /* or a comment that may be */
    bool undecided; /* `head` is the first row, which may be names by its quotes */
    uint64_t head_line;
    peri_fault *fault;
} reader;

static uint64_t place(const reader *r)
{
    return r->csv->source->position + (uint64_t)(r->bytes - r->start);
}

static peri_io refuse_as(reader *r, peri_io kind, const char *reason, const char *text,
                         size_t length)
{
    peri_fail_text(r->fault, kind, place(r), reason, text, length);
    r->fault->line = r->line;
    r->fault->column = r->column;
    return kind;
}

static peri_io refuse(reader *r, const char *reason, const char *text, size_t length)
{
    return refuse_as(r, PERI_IO_BAD, reason, text, length);
}

/* The next byte without taking it, or -1 at the end. */
static peri_io look(reader *r, int *c)
{
    if (r->bytes == r->end) {
        size_t count;
        peri_source_skip(r->csv->source, (size_t)(r->bytes - r->start));
        r->start = r->bytes;
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

static bool ends_line(int c)
{
    return c == -1 || c == '\n' || c == '\r';
}

static bool is_blank(const reader *r, int c)
{
    return c == ' ' || (c == '\t' && r->csv->options.separator != '\t');
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

/* Goes to the line's end without looking. */
static peri_io skip_line(reader *r)
{
    for (;;) {
        int c;
        const peri_io status = look(r, &c);
        if (status != PERI_IO_OK)
            return status;
        if (ends_line(c))
            return end_line(r, c);
        r->bytes++;
    }
}

/* ---- the separator -------------------------------------------------------------------------- */

/* The byte that begins a comment, or -1. */
static int comment_of(const reader *r)
{
    return r->csv->options.comment == -2 ? '#' : r->csv->options.comment;
}

/* Whether a separator can be c. */
static bool may_separate(const reader *r, char c)
{
    return c != r->csv->options.decimal && c != r->csv->options.thousands && c != comment_of(r);
}

static bool is_in_line(const unsigned char *p, const unsigned char *end, char c)
{
    bool quoted = false;
    for (; p < end && (quoted || (*p != '\n' && *p != '\r')); p++) {
        quoted ^= *p == '"';
        if (!quoted && *p == (unsigned char)c)
            return true;
    }
    return false;
}

/* What stands in the first line that is neither empty nor a comment, as far as the window shows
 * it; else in the last comment. */
static peri_io choose_separator(reader *r)
{
    static const char candidates[] = {',', '\t', ';', '|'};
    if (r->csv->options.separator != 0)
        return PERI_IO_OK;
    const unsigned char *p;
    size_t count;
    peri_source_skip(r->csv->source, (size_t)(r->bytes - r->start));
    const peri_io status = peri_source_peek(r->csv->source, PERI_WINDOW, &p, &count, r->fault);
    if (status != PERI_IO_OK)
        return status;
    r->bytes = r->start = p;
    const unsigned char *end = r->end = p + count;
    while (p < end) {
        const unsigned char *q = p;
        while (q < end && (*q == ' ' || *q == '\t'))
            q++;
        if (q < end && *q != '\n' && *q != '\r' && *q != comment_of(r))
            break;
        while (q < end && *q != '\n' && *q != '\r')
            q++;
        if (q == end)
            break;
        p = q + 1;
    }
    r->csv->options.separator = ' ';
    for (size_t i = 0; i < sizeof candidates; i++)
        if (may_separate(r, candidates[i]) && is_in_line(p, end, candidates[i])) {
            r->csv->options.separator = candidates[i];
            break;
        }
    return PERI_IO_OK;
}

/* ---- fields --------------------------------------------------------------------------------- */

static peri_io put(reader *r, size_t *n, int c)
{
    if (*n == FIELD_MAX)
        return refuse(r, "a field is longer than 65536 bytes", "", 0);
    if (*n == r->csv->field_room) {
        const peri_io status = grow(r, &r->csv->field, &r->csv->field_room, *n + 1, 1);
        if (status != PERI_IO_OK)
            return status;
    }
    r->csv->field[(*n)++] = (char)c;
    r->bytes++;
    return PERI_IO_OK;
}

static peri_io take_quoted(reader *r, size_t *n)
{
    int c;
    const uint64_t line = r->line;
    r->bytes++;
    r->quoted = true;
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

/* Where comments may follow a row: goes to the line's end. */
static peri_io drop_comment(reader *r, int *c)
{
    while (r->csv->options.comment >= 0 && *c == r->csv->options.comment) {
        peri_io status = PERI_IO_OK;
        while (status == PERI_IO_OK && !ends_line(*c)) {
            r->bytes++;
            status = look(r, c);
        }
        return status;
    }
    return PERI_IO_OK;
}

/* A field into csv->field, without the blanks around it. *next is the byte that ends it: the
 * separator (taken), a line's end or -1 (not taken). */
static peri_io take_field(reader *r, size_t *length, int *next)
{
    const int separator = (unsigned char)r->csv->options.separator;
    const int comment = r->csv->options.comment;
    size_t n = 0;
    int c;
    *length = 0;
    r->quoted = false;
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
        if (!ends_line(c) && c != separator && separator != ' ' && c != comment)
            return refuse(r, "something follows a quoted field:", r->csv->field, n);
    } else {
        for (;;) {
            status = look(r, &c);
            if (status != PERI_IO_OK)
                return status;
            if (ends_line(c) || c == separator || c == comment ||
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
    status = drop_comment(r, &c);
    if (status != PERI_IO_OK)
        return status;
    if (separator == ' ') {
        status = skip_blanks(r, &c);
        if (status == PERI_IO_OK)
            status = drop_comment(r, &c);
        *next = ends_line(c) ? c : ' ';
        return status;
    }
    if (c == separator)
        r->bytes++;
    *next = c;
    return PERI_IO_OK;
}

/* ---- what a field is ------------------------------------------------------------------------ */

static bool is_one_of(const char *text, size_t length, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
            return true;
    return false;
}

bool peri_csv_is_missing(const char *text, size_t length)
{
    static const char *const usual[] = {
        "",    "NA",  "N/A",  "n/a",  "#N/A",   "#NA",     "<NA>",    "NULL",     "null",    "None",
        "NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "#N/A N/A"};
    return is_one_of(text, length, usual, sizeof usual / sizeof *usual);
}

static bool is_missing(const peri_csv *c, const char *text, size_t length)
{
    if (c->options.words == NULL)
        return peri_csv_is_missing(text, length);
    return length == 0 || is_one_of(text, length, c->options.words, c->options.nwords);
}

/* An error word of a spreadsheet: #N/A, or # and capitals up to ! or ?. */
static bool is_error_word(const char *text, size_t length)
{
    if (length < 3 || text[0] != '#')
        return false;
    if (peri_csv_is_missing(text, length))
        return true;
    for (size_t i = 1; i + 1 < length; i++)
        if ((text[i] < 'A' || text[i] > 'Z') && (text[i] < '0' || text[i] > '9') &&
            text[i] != '/' && text[i] != '_')
            return false;
    return text[length - 1] == '!' || text[length - 1] == '?';
}

/* Takes the marks of thousands out and puts a point where the decimal mark is. False when the
 * marks do not stand at every third digit. */
static bool plain(const peri_csv *c, const char *text, size_t length, char *out, size_t *n)
{
    const char decimal = c->options.decimal, thousands = c->options.thousands;
    size_t digits = 0;
    bool marked = false, whole = true;
    *n = 0;
    for (size_t i = 0; i < length; i++) {
        const char ch = text[i];
        if (whole && thousands != 0 && ch == thousands) {
            if (digits == 0 || digits > 3 || (marked && digits != 3))
                return false;
            marked = true;
            digits = 0;
            continue;
        }
        if (ch >= '0' && ch <= '9') {
            digits += whole;
        } else if (ch != '-' && ch != '+') {
            if (marked && whole && digits != 3)
                return false;
            whole = false;
            if (ch == '.' && decimal != '.')
                return false;
        }
        out[(*n)++] = ch == decimal ? '.' : ch;
    }
    return !marked || !whole || digits == 3;
}

/* Whether the digits are those of v: whole numbers are to be kept exactly. */
static bool is_exact(const peri_csv *c, const char *text, size_t length, double v)
{
    char shown[PERI_NUMBER_MAX + 8];
    for (size_t i = 0; i < length; i++)
        if ((text[i] < '0' || text[i] > '9') && (i > 0 || (text[i] != '-' && text[i] != '+')))
            return true; /* not whole, or not written so */
    double held;
    char room[sizeof(double)];
    peri_write(c->options.dtype, room, v);
    held = peri_read(c->options.dtype, room);
    if (!isfinite(held))
        return false;
    const bool negative = text[0] == '-';
    if (text[0] == '-' || text[0] == '+') {
        text++;
        length--;
    }
    while (length > 1 && text[0] == '0') {
        text++;
        length--;
    }
    const int n = snprintf(shown, sizeof shown, "%.0f", fabs(held));
    return (size_t)n == length && memcmp(shown, text, length) == 0 &&
           (held == 0 || negative == (held < 0));
}

typedef enum { NUMBER, INEXACT, MISSING, WORD } meaning;

static meaning understand(const peri_csv *c, const char *text, size_t length, double *v)
{
    char bare[PERI_NUMBER_MAX + 1];
    if (c->options.missing && is_missing(c, text, length)) {
        *v = NAN;
        return peri_is_real(c->options.dtype) ? MISSING : INEXACT;
    }
    if (c->options.decimal != '.' || c->options.thousands != 0) {
        size_t n;
        if (length > PERI_NUMBER_MAX || !plain(c, text, length, bare, &n))
            return WORD;
        text = bare;
        length = n;
    }
    if (length == 0 || !peri_number_parse(text, length, v))
        return WORD;
    if (!peri_is_real(c->options.dtype)) {
        if (!c->options.exact)
            *v = rint(*v);
        return c->options.exact && !peri_fits(c->options.dtype, *v) ? INEXACT : NUMBER;
    }
    /* Fifteen digits fit any double; f32 and smaller have fewer. */
    if (c->options.exact && (length > 15 || peri_dtype_size(c->options.dtype) < 8) &&
        !is_exact(c, text, length, *v))
        return INEXACT;
    return NUMBER;
}

static peri_io bad_field(reader *r, meaning what, const char *text, size_t length)
{
    if (what == INEXACT) {
        refuse_as(r, PERI_IO_INEXACT, "cannot hold it exactly", text, length);
        return PERI_IO_INEXACT;
    }
    if (length == 0)
        return refuse(
            r, "an empty field; write nan where a value is missing, or give {missing=true}", "", 0);
    return refuse(r, "this field is not a number:", text, length);
}

/* ---- columns -------------------------------------------------------------------------------- */

static peri_io no_column(reader *r, const char *name)
{
    r->column = 1;
    return refuse(r, "the table has no column of that name:", name, strlen(name));
}

/* The rows have `width` fields: which of them are taken, and where to. */
static peri_io choose_columns(reader *r, size_t width)
{
    peri_csv *c = r->csv;
    const peri_csv_options *o = &c->options;
    const peri_io status = grow(r, &c->place, &c->place_room, width, sizeof *c->place);
    if (status != PERI_IO_OK)
        return status;
    c->width = width;
    c->columns = o->ntaken > 0 ? o->ntaken : width;
    for (size_t j = 0; j < width; j++)
        c->place[j] = o->ntaken > 0 ? 0 : j + 1;
    for (size_t k = 0; k < o->ntaken; k++) {
        size_t at = width;
        if (o->names != NULL) {
            const char *name = c->head;
            for (size_t j = 0; r->named && j < c->nhead; j++) {
                if (strcmp(name, o->names[k]) == 0) {
                    if (at < width)
                        return refuse(r, "two columns have that name:", name, strlen(name));
                    at = j;
                }
                name += strlen(name) + 1;
            }
            if (at >= width)
                return no_column(r, o->names[k]);
        } else {
            at = o->numbers[k];
            if (at >= width) {
                char text[32];
                snprintf(text, sizeof text, "%zu of %zu", at + 1, width);
                return refuse(r, "the table has no such column:", text, strlen(text));
            }
        }
        if (c->place[at] != 0)
            return refuse(r, "a column is to be taken twice", "", 0);
        c->place[at] = k + 1;
    }
    return PERI_IO_OK;
}

/* Whether field j (from 0) counts when it is asked what a line is. */
static bool is_taken(const peri_csv *c, size_t j)
{
    if (c->options.ntaken == 0 || c->options.names != NULL)
        return true;
    for (size_t k = 0; k < c->options.ntaken; k++)
        if (c->options.numbers[k] == j)
            return true;
    return false;
}

/* The names in `head` become those of what is taken. */
static peri_io keep_names(reader *r)
{
    peri_csv *c = r->csv;
    for (size_t k = 1; k <= c->columns; k++) {
        const char *name = c->head;
        size_t j = 0;
        while (c->place[j] != k) {
            name += strlen(name) + 1;
            j++;
        }
        const size_t n = strlen(name) + 1;
        const peri_io status = grow(r, &c->names, &c->names_room, c->names_length + n, 1);
        if (status != PERI_IO_OK)
            return status;
        memcpy(c->names + c->names_length, name, n);
        c->names_length += n;
        c->nnames++;
    }
    return PERI_IO_OK;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static peri_io add_head(reader *r, size_t length)
{
    peri_csv *c = r->csv;
    if (memchr(c->field, 0, length) != NULL)
        return refuse(r, "a name holds a NUL byte", "", 0);
    peri_io status = grow(r, &c->head, &c->head_room, c->head_length + length + 1, 1);
    if (status == PERI_IO_OK)
        status = grow(r, &c->quoted, &c->quoted_room, c->nhead + 1, 1);
    if (status != PERI_IO_OK)
        return status;
    memcpy(c->head + c->head_length, c->field, length);
    c->head_length += length;
    c->head[c->head_length++] = 0;
    c->quoted[c->nhead++] = r->quoted;
    return PERI_IO_OK;
}

/* A line's fields into `head`. *next is what ends it, not taken. */
static peri_io take_head(reader *r, int *next)
{
    r->csv->nhead = r->csv->head_length = 0;
    do {
        size_t length;
        peri_io status = take_field(r, &length, next);
        if (status == PERI_IO_OK)
            status = add_head(r, length);
        if (status != PERI_IO_OK)
            return status;
        r->column++;
    } while (!ends_line(*next));
    return PERI_IO_OK;
}

/* Whether this was meant as a number: 1e999, 1.2.3, 1,5. Dates and 25% are names. */
static bool is_like_number(const char *text, size_t length)
{
    bool digit = false;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const bool e = c == 'e' || c == 'E';
        digit = digit || (c >= '0' && c <= '9');
        if ((c == '-' || c == '+') && i > 0 && strchr("eE+-", text[i - 1]) == NULL)
            return false;
        if ((c < '0' || c > '9') && c != '.' && c != ',' && c != '-' && c != '+' && !(e && digit))
            return false;
    }
    return digit;
}

bool peri_csv_is_name(const char *text, size_t length)
{
    double v;
    return !peri_number_parse(text, length, &v) && !peri_csv_is_missing(text, length) &&
           !is_like_number(text, length);
}

/* What a line is, by those of its fields that are taken. */
typedef struct {
    size_t fields, numbers, quoted_numbers, missing, words, first_bad;
} tally;

static tally count_head(const peri_csv *c)
{
    tally t = {0};
    const char *name = c->head;
    for (size_t j = 0; j < c->nhead; j++) {
        const size_t n = strlen(name);
        double v;
        if (is_taken(c, j)) {
            const meaning what = understand(c, name, n, &v);
            t.fields++;
            if (what == NUMBER || what == INEXACT || (!c->quoted[j] && is_like_number(name, n))) {
                t.numbers++;
                t.quoted_numbers += c->quoted[j];
            } else if (!c->quoted[j] && (what == MISSING || peri_csv_is_missing(name, n) ||
                                         is_error_word(name, n))) {
                t.missing++;
            } else {
                t.words++;
            }
            if (what == WORD && t.first_bad == 0)
                t.first_bad = j + 1;
        }
        name += n + 1;
    }
    return t;
}

static peri_io add_cell(reader *r, size_t to, const char *text, size_t length)
{
    peri_csv *c = r->csv;
    const peri_io status = grow(r, &c->text, &c->text_room, c->text_length + length, 1);
    if (status != PERI_IO_OK)
        return status;
    if (length > 0)
        memcpy(c->text + c->text_length, text, length);
    c->cells[to] = (peri_csv_cell){c->text_length, length, r->line};
    c->text_length += length;
    return PERI_IO_OK;
}

/* Field j of row c->rows. */
static peri_io add_field(reader *r, size_t j, const char *text, size_t length)
{
    peri_csv *c = r->csv;
    if (c->place[j] == 0)
        return PERI_IO_OK;
    const size_t to = c->rows * c->columns + c->place[j] - 1;
    if (c->options.text)
        return add_cell(r, to, text, length);
    double v;
    const meaning what = understand(c, text, length, &v);
    if (what == INEXACT || what == WORD)
        return bad_field(r, what, text, length);
    c->values[to] = v;
    return PERI_IO_OK;
}

/* Room for a row. */
static peri_io begin_row(reader *r)
{
    peri_csv *c = r->csv;
    const size_t n = (c->rows + 1) * c->columns;
    const peri_io status = c->options.text
                               ? grow(r, &c->cells, &c->cells_room, n, sizeof *c->cells)
                               : grow(r, &c->values, &c->values_room, n, sizeof *c->values);
    if (status == PERI_IO_OK)
        *(c->options.text ? &c->ncells : &c->nvalues) = n;
    return status;
}

/* The line in `head` is the first row. */
static peri_io head_is_row(reader *r)
{
    peri_csv *c = r->csv;
    peri_io status = begin_row(r);
    const uint64_t line = r->line;
    r->line = r->head_line;
    const char *text = c->head;
    for (size_t j = 0; j < c->nhead && status == PERI_IO_OK; j++) {
        const size_t n = strlen(text);
        r->column = j + 1;
        status = add_field(r, j, text, n);
        text += n + 1;
    }
    if (status == PERI_IO_OK)
        r->line = line;
    c->rows++;
    return status;
}

/* The first line that is neither empty nor a comment: names, or a row, or that the next row will
 * say. */
static peri_io take_first(reader *r)
{
    peri_csv *c = r->csv;
    const bool remarked = r->remarked;
    /* The remark's names are kept aside while the line is read in its place. */
    char *remark = NULL;
    size_t remark_room = 0, remark_length = 0, nremark = 0;
    if (remarked) {
        remark = c->head;
        remark_room = c->head_room;
        remark_length = c->head_length;
        nremark = c->nhead;
        c->head = NULL;
        c->head_room = 0;
    }
    int next = -1;
    r->head_line = r->line;
    peri_io status = take_head(r, &next);
    const tally t = count_head(c);
    const bool told = remarked && nremark == c->nhead && t.numbers > 0; /* by the remark */
    bool names =
        c->options.header == 1 || (c->options.header < 0 && c->options.names != NULL && !told);
    if (status == PERI_IO_OK && !names && c->options.header < 0) {
        if (t.numbers == 0 && t.words > 0)
            names = true;
        else if (t.numbers > 0 && t.numbers == t.quoted_numbers && t.missing == 0)
            r->undecided = true;
    }
    if (status == PERI_IO_OK && !names && !r->undecided && t.first_bad > 0 && t.numbers > 0 &&
        !c->options.text) {
        const char *text = c->head;
        for (size_t j = 1; j < t.first_bad; j++)
            text += strlen(text) + 1;
        r->column = t.first_bad;
        status = bad_field(r, WORD, text, strlen(text));
    }
    if (status == PERI_IO_OK && names)
        r->named = true;
    else if (status == PERI_IO_OK && !r->undecided) {
        const size_t width = c->nhead;
        /* The names by which columns are taken may be the remark's. */
        if (c->options.header < 0 && remarked && nremark == width) {
            char *line = c->head;
            const size_t line_room = c->head_room, line_length = c->head_length;
            c->head = remark;
            c->head_room = remark_room;
            c->head_length = remark_length;
            r->named = true;
            status = choose_columns(r, width);
            if (status == PERI_IO_OK)
                status = keep_names(r);
            remark = c->head;
            c->head = line;
            c->head_room = line_room;
            c->head_length = line_length;
        } else {
            status = choose_columns(r, width);
        }
        if (status == PERI_IO_OK)
            status = head_is_row(r);
    }
    r->remarked = false;
    peri_give(&c->source->memory, remark, remark_room);
    return status == PERI_IO_OK ? end_line(r, next) : status;
}

/* Now that a row has been read: the line above it was names where a number in quotes has none
 * below. */
static peri_io decide(reader *r, const unsigned char *quoted_below, size_t width)
{
    peri_csv *c = r->csv;
    const char *name = c->head;
    size_t names = 0, rows = 0, words = 0;
    double v;
    for (size_t j = 0; j < c->nhead && j < width; j++) {
        const bool number = understand(c, name, strlen(name), &v) != WORD;
        if (is_taken(c, j)) {
            names += number && !quoted_below[j];
            rows += number && quoted_below[j];
            words += !number;
        }
        name += strlen(name) + 1;
    }
    if (rows > 0 && names + words > 0 && !(names == 0 && c->options.text))
        return refuse(r,
                      "it is not clear whether the first line holds names; {header=true} or "
                      "{header=false} says so",
                      "", 0);
    r->undecided = false;
    r->named = names > 0;
    return PERI_IO_OK;
}

/* What is known before the first row's fields are read: the columns, and a row that was undecided.
 */
static peri_io settle(reader *r, size_t width)
{
    peri_csv *c = r->csv;
    if (c->width > 0)
        return PERI_IO_OK;
    if (r->named && c->nhead != width)
        return refuse(r, "the row has not as many fields as there are names", "", 0);
    peri_io status = choose_columns(r, width);
    if (status == PERI_IO_OK && r->named)
        status = keep_names(r);
    else if (status == PERI_IO_OK)
        status = head_is_row(r);
    return status;
}

/* The second line of those that count is read whole before it is clear what the first one was. */
static peri_io take_second(reader *r)
{
    peri_csv *c = r->csv;
    peri_csv line = {.source = c->source, .options = c->options};
    reader sub = *r;
    sub.csv = &line;
    line.field = c->field;
    line.field_room = c->field_room;
    int next = -1;
    peri_io status = take_head(&sub, &next);
    c->field = line.field;
    c->field_room = line.field_room;
    r->bytes = sub.bytes;
    r->start = sub.start;
    r->end = sub.end;
    r->line = sub.line;
    const size_t width = line.nhead;
    r->column = width;
    if (status == PERI_IO_OK && r->undecided)
        status = decide(r, line.quoted, width);
    if (status == PERI_IO_OK && c->nhead != width && !r->named)
        status = refuse(r,
                        width < c->nhead ? "the row is shorter than the first"
                                         : "the row is longer than the first",
                        "", 0);
    if (status == PERI_IO_OK)
        status = settle(r, width);
    if (status == PERI_IO_OK)
        status = begin_row(r);
    const char *text = line.head;
    for (size_t j = 0; j < width && status == PERI_IO_OK; j++) {
        const size_t n = strlen(text);
        r->column = j + 1;
        status = add_field(r, j, text, n);
        text += n + 1;
    }
    c->rows += status == PERI_IO_OK;
    peri_give(&c->source->memory, line.head, line.head_room);
    peri_give(&c->source->memory, line.quoted, line.quoted_room);
    return status == PERI_IO_OK ? end_line(r, next) : status;
}

static peri_io take_row(reader *r)
{
    peri_csv *c = r->csv;
    size_t n = 0;
    int next;
    peri_io status = begin_row(r);
    if (status != PERI_IO_OK)
        return status;
    do {
        size_t length;
        status = take_field(r, &length, &next);
        if (status != PERI_IO_OK)
            return status;
        if (n == c->width)
            return refuse(r, "the row is longer than the first", "", 0);
        status = add_field(r, n, c->field, length);
        if (status != PERI_IO_OK)
            return status;
        n++;
        r->column++;
    } while (!ends_line(next));
    r->column = n;
    if (n < c->width)
        return refuse(r, "the row is shorter than the first", "", 0);
    c->rows++;
    return end_line(r, next);
}

/* ---- comments ------------------------------------------------------------------------------- */

/* Whether the line that begins here with # has an error word as its first field, as far as the
 * window shows it. */
static bool is_error_row(const reader *r)
{
    const unsigned char *p = r->bytes;
    while (p < r->end && *p != '\n' && *p != '\r' &&
           *p != (unsigned char)r->csv->options.separator &&
           (r->csv->options.separator != ' ' || *p != '\t'))
        p++;
    size_t n = (size_t)(p - r->bytes);
    while (n > 0 && is_blank(r, r->bytes[n - 1]))
        n--;
    return is_error_word((const char *)r->bytes, n);
}

/* The bytes of a line are together in the window from here on, as far as it holds. */
static peri_io show_line(reader *r)
{
    size_t count;
    peri_source_skip(r->csv->source, (size_t)(r->bytes - r->start));
    const peri_io status = peri_source_peek(r->csv->source, 4096, &r->bytes, &count, r->fault);
    r->start = r->bytes;
    r->end = r->bytes + count;
    return status;
}

/* A comment among the rows that looks like one of them: refused, since what it holds would be
 * lost. It is not taken. */
static peri_io check_comment(reader *r)
{
    const peri_csv *c = r->csv;
    const size_t width = c->width > 0 ? c->width : r->named || r->undecided ? c->nhead : 0;
    if (c->options.comment != -2 || width < 2)
        return PERI_IO_OK;
    const char separator = c->options.separator;
    size_t fields = 0, numbers = 0;
    double v;
    const unsigned char *p = r->bytes + 1;
    for (;;) {
        while (p < r->end && is_blank(r, *p))
            p++;
        const unsigned char *q = p;
        while (q < r->end && *q != '\n' && *q != '\r' && *q != (unsigned char)separator &&
               (separator != ' ' || !is_blank(r, *q)))
            q++;
        size_t n = (size_t)(q - p);
        while (n > 0 && is_blank(r, p[n - 1]))
            n--;
        const meaning what = understand(c, (const char *)p, n, &v);
        if (fields == 0 && (what == NUMBER || what == INEXACT || n == 0))
            return PERI_IO_OK; /* a row that somebody took out, or a remark */
        fields += n > 0 || separator != ' ';
        numbers += what == NUMBER || what == INEXACT || what == MISSING;
        if (q == r->end || *q == '\n' || *q == '\r')
            break;
        p = q + 1;
    }
    if (fields != width || (numbers == 0 && !c->options.text))
        return PERI_IO_OK;
    r->column = 1;
    size_t n = 0;
    while (r->bytes + n < r->end && n < 40 && r->bytes[n] != '\n' && r->bytes[n] != '\r')
        n++;
    return refuse(r,
                  "this line begins with # and looks like a row; {comment=\"#\"} skips it, "
                  "{comment=false} reads it:",
                  (const char *)r->bytes, n);
}

/* A line that begins with the comment's byte. Before the first row it may hold names. */
static peri_io take_comment(reader *r)
{
    peri_csv *c = r->csv;
    peri_io status = check_comment(r);
    if (status != PERI_IO_OK)
        return status;
    if (c->width > 0 || r->named || r->undecided)
        return skip_line(r);
    const int comment = c->options.comment;
    int next = -1;
    r->bytes++;
    c->options.comment = -1; /* a second one in the line is text */
    status = take_head(r, &next);
    c->options.comment = comment;
    if (status == PERI_IO_BAD) { /* an unfinished quote: then it is a remark */
        c->nhead = c->head_length = 0;
        return skip_line(r);
    }
    if (status != PERI_IO_OK)
        return status;
    const tally t = count_head(c);
    r->remarked = t.numbers < t.fields;
    return end_line(r, next);
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

static peri_io take_line(reader *r)
{
    const peri_csv *c = r->csv;
    if (c->width > 0)
        return take_row(r);
    if (r->named || r->undecided)
        return take_second(r);
    return take_first(r);
}

peri_io peri_csv_read(peri_csv *csv, peri_fault *fault)
{
    static const unsigned char nothing[1];
    reader r = {.csv = csv,
                .bytes = nothing,
                .start = nothing,
                .end = nothing,
                .line = 1,
                .column = 1,
                .fault = fault};
    peri_io status = grow(&r, &csv->field, &csv->field_room, 64, 1);
    if (status == PERI_IO_OK)
        status = skip_mark(&r);
    for (uint64_t i = 0; i < csv->options.skip && status == PERI_IO_OK; i++)
        status = skip_line(&r);
    if (status == PERI_IO_OK)
        status = choose_separator(&r);
    while (status == PERI_IO_OK) {
        int c;
        r.column = 1;
        status = skip_blanks(&r, &c);
        if (status != PERI_IO_OK || c == -1)
            break;
        if (ends_line(c)) {
            status = end_line(&r, c);
            continue;
        }
        bool comment = c == comment_of(&r);
        if (comment && csv->options.comment == -2) {
            status = show_line(&r);
            comment = !is_error_row(&r);
        }
        if (status == PERI_IO_OK)
            status = comment ? take_comment(&r) : take_line(&r);
    }
    if (status == PERI_IO_OK && r.undecided)
        status = settle(&r, csv->nhead);
    if (status == PERI_IO_OK && csv->rows == 0)
        return peri_fail(fault, PERI_IO_BAD, PERI_NO_BYTE, "the table has no rows of numbers");
    return status;
}

peri_io peri_csv_column(const peri_csv *c, size_t j, double *out, bool *numbers, peri_fault *fault)
{
    *numbers = false;
    for (size_t i = 0; i < c->rows; i++) {
        const peri_csv_cell *cell = &c->cells[i * c->columns + j];
        const char *text = cell->length > 0 ? c->text + cell->at : "";
        const meaning what = understand(c, text, cell->length, &out[i]);
        if (what == WORD)
            return PERI_IO_OK;
        if (what == INEXACT) {
            peri_fail_text(fault, PERI_IO_INEXACT, PERI_NO_BYTE, "cannot hold it exactly", text,
                           cell->length);
            fault->line = cell->line;
            fault->column = j + 1;
            return PERI_IO_INEXACT;
        }
    }
    *numbers = true;
    return PERI_IO_OK;
}
