/* SPDX-License-Identifier: MIT
 *
 * The derivatives of log gamma:
 *     psi_n(x) = d^(n+1)/dx^(n+1) log |Gamma(x)|,   psi_0 = digamma.
 */
#ifndef PERIGEE_KERNEL_POLYGAMMA_H
#define PERIGEE_KERNEL_POLYGAMMA_H

/* psi_n(x) for n >= 0. x is moved up by the recurrence psi_n(x) = psi_n(x+1) - (-1)^n n! / x^(n+1)
 * until it is 15 + n, where the asymptotic series (Abramowitz & Stegun 6.3.18, 6.4.11) is used.
 * NaN at 0, -1, -2, ..., below -1e4 (where the recurrence is long) and for n above 20; relative
 * error a few 1e-15 for x > 0. */
double peri_polygamma(int n, double x);

#endif
