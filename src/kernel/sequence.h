/* SPDX-License-Identifier: MIT
 *
 * Numbers at equal distances. Each element is computed from the ends, so errors do not add up. */
#ifndef PERIGEE_KERNEL_SEQUENCE_H
#define PERIGEE_KERNEL_SEQUENCE_H

#include <stddef.h>

/* How many of a, a + step, ... do not pass b, as a whole number or inf; 0 where a does. One that
 * passes it by no more than the roundings of a, b and step counts as b. All are finite, step not 0.
 */
double peri_range_count(double a, double b, double step);

/* x (n): a + i step, none beyond b. */
void peri_range(double a, double b, double step, size_t n, double *x);

/* x (n): from a to b, both included. */
void peri_linspace(double a, double b, size_t n, double *x);

#endif
