/* SPDX-License-Identifier: MIT
 *
 * Draws from the usual distributions: the streams of NumPy's Generator, draw for draw.
 *
 * Each function returns one number and takes as many words from the generator as its method needs,
 * which is part of the stream. Parameters are as named and must be valid; what is valid stands
 * beside each. Counts are whole numbers in a double.
 */
#ifndef PERIGEE_KERNEL_DISTRIBUTIONS_H
#define PERIGEE_KERNEL_DISTRIBUTIONS_H

#include <stddef.h>

#include "kernel/random.h"

/* Marsaglia & Tsang 2000 (the ziggurat). */
double peri_draw_exponential(peri_rng *rng, double scale); /* scale >= 0 */

/* Marsaglia & Tsang 2000 (rejection from a cubed normal); below shape 1 Ahrens & Dieter 1974. */
double peri_draw_gamma(peri_rng *rng, double shape, double scale); /* both >= 0 */

/* Johnk 1964 where a and b are at most 1, else the share of one gamma in two. */
double peri_draw_beta(peri_rng *rng, double a, double b); /* both > 0 */

double peri_draw_chisquare(peri_rng *rng, double df);              /* df > 0 */
double peri_draw_f(peri_rng *rng, double df1, double df2);         /* both > 0 */
double peri_draw_student_t(peri_rng *rng, double df);              /* df > 0 */
double peri_draw_cauchy(peri_rng *rng, double loc, double scale);  /* scale >= 0 */
double peri_draw_laplace(peri_rng *rng, double loc, double scale); /* scale >= 0 */
double peri_draw_logistic(peri_rng *rng, double loc, double scale);
double peri_draw_lognormal(peri_rng *rng, double mean, double sd);
double peri_draw_weibull(peri_rng *rng, double shape, double scale); /* both >= 0 */

/* Hoermann 1993 (PTRS) from 10 on, below the product of uniforms. */
double peri_draw_poisson(peri_rng *rng, double rate); /* 0 <= rate <= 2^52 */

/* Kachitvichyanukul & Schmeiser 1988 (BTPE) where n min(p, 1-p) > 30, else inversion. */
double peri_draw_binomial(peri_rng *rng, double n, double p); /* n whole, <= 2^52; p in [0, 1] */

double peri_draw_negative_binomial(peri_rng *rng, double n, double p); /* n > 0, 0 < p <= 1 */
double peri_draw_geometric(peri_rng *rng, double p);                   /* 0 < p <= 1; from 1 on */

/* How often each of k outcomes comes in n trials; p as peri_random_check_weights accepts it. */
void peri_draw_multinomial(peri_rng *rng, double n, size_t k, const double *p, double *out);

/* A point of the simplex; alpha > 0. Where all are below 0.1, by breaking a stick, for which gammas
 * would be 0. */
void peri_draw_dirichlet(peri_rng *rng, size_t k, const double *alpha, double *out);

#endif
