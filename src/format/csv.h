/* SPDX-License-Identifier: MIT
 *
 * Tables as text: one row a line (LF, CRLF or CR), fields separated by commas, tabs, semicolons,
 * bars or blanks, a field optionally in double quotes. UTF-8, a byte order mark is skipped. Empty
 * lines are skipped, and lines that begin with the comment's byte.
 *
 * Names. A first line in which no field is a number holds the names of the columns, but for one
 * of nothing else than words for missing values. A number in quotes is a name where the row below
 * has that column without quotes (so it is written). Without such a line the last comment before
 * the first row holds the names when its fields are as many as the columns and not all numbers.
 *
 * Nothing vanishes. A line that begins with # is none to skip where its first field is an error
 * word of a spreadsheet (#N/A, #DIV/0!): that is a row. One among the rows with as many fields,
 * whose first is no number, is refused, unless it was said what a comment is.
 *
 * Fields are numbers as peri_number_parse() says (nan and inf too; no hexadecimal; beyond the
 * range of a double is refused), whole ones exactly or not at all; or text, when all columns are
 * kept as cells. A bad field and a row that is longer or shorter than the first are refused with
 * line and column.
 */
#ifndef PERIGEE_FORMAT_CSV_H
#define PERIGEE_FORMAT_CSV_H

#include "format/source.h"

typedef struct {
    char separator; /* ' ': runs of blanks; 0: chosen from the first line that is no comment */
    uint64_t skip;  /* lines that are not looked at */
    int comment;    /* the byte, -1: none, -2: # as said above */
    int header;     /* whether the first line holds names; -1: see above */
    char decimal, thousands;  /* thousands 0: none */
    bool missing;             /* empty fields and words become NaN */
    const char *const *words; /* which, instead of the usual ones; NULL */
    size_t nwords;
    bool text;  /* keep cells, and not numbers */
    bool exact; /* refuse whole numbers that dtype cannot hold */
    int dtype;
    /* the columns to take, in order, by name or else by number from 0; none: all */
    const char *const *names;
    const size_t *numbers;
    size_t ntaken;
} peri_csv_options;

typedef struct {
    size_t at, length; /* in `text` */
    uint64_t line;
} peri_csv_cell;

typedef struct {
    peri_source *source;
    peri_csv_options options;
    size_t rows, columns; /* of what was taken */
    double *values;       /* rows x columns, or */
    size_t nvalues, values_room;
    peri_csv_cell *cells; /* rows x columns */
    size_t ncells, cells_room;
    char *text;
    size_t text_length, text_room;
    char *names; /* of the columns taken, one after another, each ended by NUL; all or none */
    size_t nnames, names_length, names_room;

    /* while it is read */
    size_t width;              /* fields of a row in the file; 0: not known yet */
    size_t *place, place_room; /* of field j among those taken, counted from 1; 0: not taken */
    char *field;
    size_t field_room;
    char *head; /* the fields of a line that may be names, as `names` */
    size_t nhead, head_length, head_room;
    unsigned char *quoted; /* whether they were in quotes */
    size_t quoted_room;
} peri_csv;

void peri_csv_init(peri_csv *c, peri_source *source, const peri_csv_options *options);
void peri_csv_close(peri_csv *c);

/* Reads all of it. */
peri_io peri_csv_read(peri_csv *c, peri_fault *fault);

/* Of kept cells: whether all of column j are numbers (or missing), which then go to out. */
peri_io peri_csv_column(const peri_csv *c, size_t j, double *out, bool *numbers, peri_fault *fault);

/* Whether these are letters for a missing value that is usually written so: NA, NULL, #N/A ... */
bool peri_csv_is_missing(const char *text, size_t length);

/* Whether text without quotes in the first line is taken for a name. */
bool peri_csv_is_name(const char *text, size_t length);

#endif
