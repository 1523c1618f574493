/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, the same in every locale.
 */
#ifndef PERIGEE_FORMAT_NUMBER_H
#define PERIGEE_FORMAT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PERI_NUMBER_MAX = 400 }; /* the longest text that is a number */

/* A whole text such as "-1.5e3", "nan", "inf" or "-Infinity" (letters in either case; no
 * hexadecimal, no blanks), rounded to nearest. False when it is not one, or when it is a finite
 * number larger than any double. */
bool peri_number_parse(const char *text, size_t length, double *out);

/* A whole text of an optional sign and digits that fits. */
bool peri_integer_parse(const char *text, size_t length, int64_t *out);

/* From peri_number_enter to peri_number_leave, which takes what it gave, this thread writes and
 * reads numbers as in the "C" locale, whoever does it. */
void *peri_number_enter(void);
void peri_number_leave(void *before);

/* Makes what printf wrote of one number the same in every locale: its decimal point is '.'. Returns
 * the new length. */
size_t peri_number_point(char *text);

/* The shortest decimal text that reads back as v ("nan", "inf", "-inf" for the rest). */
enum { PERI_NUMBER_ROOM = 32 };
size_t peri_number_format(double v, char out[PERI_NUMBER_ROOM]);
size_t peri_number_format_f32(float v, char out[PERI_NUMBER_ROOM]);

#endif
