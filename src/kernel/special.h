/* SPDX-License-Identifier: MIT
 *
 * Special functions behind the usual distributions, beside those of stats.h. Relative error about
 * 1e-13 for parameters up to 1e6, a few 1e-12 up to 1e9 (some of that is the argument's own
 * rounding); NaN outside the domain.
 */
#ifndef PERIGEE_KERNEL_SPECIAL_H
#define PERIGEE_KERNEL_SPECIAL_H

#include "kernel/ops.h"

/* log B(a, b) = log Gamma(a) + log Gamma(b) - log Gamma(a + b); a, b > 0. */
double peri_special_betaln(double a, double b);

/* k log m - m - log Gamma(k + 1): the logarithm of a Poisson probability; k > -1, m >= 0. */
double peri_special_log_poisson(double k, double m);

/* The logarithm of a binomial probability, k of n; 0 <= k <= n, 0 <= p <= 1. */
double peri_special_log_binomial(double k, double n, double p);

/* I_x(a, b), the share of the beta distribution below x; a, b > 0. `upper`: 1 - I_x(a, b). */
double peri_special_beta_i(double a, double b, double x, bool upper);

/* The x with I_x(a, b) = p. */
double peri_special_beta_inverse(double a, double b, double p);

/* The x with P(a, x) = p; with `upper` Q(a, x) = p. */
double peri_special_gamma_inverse(double a, double p, bool upper);

/* The z below which a standard normal number is with probability p. */
double peri_special_normal_quantile(double p);

/* Row `op` of ops.h, one of those from PERI_EW_SPECIAL on. */
double peri_special(peri_ew op, const double x[3]);

#endif
