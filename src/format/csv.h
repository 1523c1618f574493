/* SPDX-License-Identifier: MIT
 *
 * Tables of numbers as text: one row a line (LF, CRLF or CR), fields separated by commas, tabs,
 * semicolons or blanks, a field optionally in double quotes. UTF-8, a byte order mark is skipped.
 * Empty lines and lines that begin with # are skipped. A first line in which no field is a number
 * holds the names of the columns; one that begins with # does when its fields are as many as the
 * columns below (NumPy's savetxt writes that).
 *
 * Every field of a row is a number as peri_number_parse() says (nan and inf too; no hexadecimal,
 * no decimal comma; beyond the range of a double is refused). An empty field, a bad one and a row
 * that is longer or shorter than the first are refused with line and column.
 */
#ifndef PERIGEE_FORMAT_CSV_H
#define PERIGEE_FORMAT_CSV_H

#include "format/source.h"

typedef struct {
    peri_source *source;
    char separator; /* ',', '\t', ';' or ' ' (runs of blanks); 0: chosen from the first line */
    size_t rows, columns;
    double *values; /* rows x columns */
    size_t nvalues, values_room;
    char *names; /* one after another, each ended by NUL */
    size_t nnames, names_length, names_room;
    char *field;
    size_t field_room;
} peri_csv;

void peri_csv_init(peri_csv *c, peri_source *source, char separator);
void peri_csv_close(peri_csv *c);

/* Reads all of it. */
peri_io peri_csv_read(peri_csv *c, peri_fault *fault);

#endif
