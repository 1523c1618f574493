/* SPDX-License-Identifier: MIT
 *
 * Tail probabilities.
 *
 *     Q(a, x) = Gamma(a, x) / Gamma(a),  the chi-square tail P(X > x) with df degrees = Q(df/2,
 * x/2)
 *
 * relative error about 1e-13 wherever the result is a normal number.
 */
#ifndef PERIGEE_KERNEL_STATS_H
#define PERIGEE_KERNEL_STATS_H

#include "kernel/view.h"

/* a > 0, x any; 1 for x <= 0, NaN for NaN. */
double peri_stats_gamma_q(double a, double x);

/* P(a, x) = 1 - Q(a, x), without cancellation where it is small. a > 0; 0 for x <= 0. */
double peri_stats_gamma_p(double a, double x);

/* log Gamma(a+1) less Stirling's (a + 1/2) log a - a + log(2 pi)/2; a > 0. */
double peri_stats_stirling_error(double a);

/* a log(a/x) + x - a without cancellation where x is near a; both above 0. */
double peri_stats_deviance(double a, double x);

/* df > 0. */
double peri_stats_chi2_sf(double x, double df);

/* The same for each element; x and dst contiguous, of one size and dtype. */
void peri_stats_chi2_sf_each(const peri_view *x, double df, const peri_view *dst);

#endif
