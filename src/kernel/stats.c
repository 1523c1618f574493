/* SPDX-License-Identifier: MIT
 *
 * Four ways to the regularised upper incomplete gamma function, each where it converges fast and
 * loses nothing:
 *   a < 1, x < 1      1 - x^a / Gamma(1+a) + the rest of the alternating series (small a would
 *                     make 1 - P cancel)
 *   x < a + 1         1 - P, P by the power series
 *   x >= a + 1        Legendre's continued fraction, evaluated by Lentz's method
 *   a > 1e8           Temme's uniform expansion, whose first terms suffice there
 * The factor x^a e^-x / Gamma(a+1) is a Poisson probability, computed from deviances as in
 * Loader, "Fast and accurate computation of binomial probabilities", 2000. Continued fraction and
 * series: Abramowitz & Stegun 6.5.29, 6.5.31; Temme 1979.
 */
#include "kernel/stats.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

double peri_stats_stirling_error(double a)
{
    if (a <= 15)
        return lgamma(a + 1) - ((a + 0.5) * log(a) - a + 0.91893853320467274178);
    const double s = 1 / (a * a);
    return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s / 1188)))) / a;
}

double peri_stats_deviance(double a, double x)
{
    const double d = a - x;
    if (!(fabs(d) < 0.1 * (a + x)))
        return a * log(a / x) + x - a;
    const double v = d / (a + x);
    double sum = d * v, power = 2 * a * v;
    for (int k = 3;; k += 2) {
        power *= v * v;
        const double next = sum + power / k;
        if (next == sum)
            return sum;
        sum = next;
    }
}

/* x^a e^-x / Gamma(a+1) */
static double poisson(double a, double x)
{
    if (a > 15)
        return exp(-peri_stats_stirling_error(a) - peri_stats_deviance(a, x)) / sqrt(2 * M_PI * a);
    const double half = exp(-x / 2); /* e^-x may be subnormal where the product is not */
    return half * (pow(x, a) / tgamma(a + 1)) * half;
}

/* log Gamma(1 + a) = -gamma a + zeta(2)/2 a^2 - zeta(3)/3 a^3 + ... where 1 + a would round */
static double log_gamma_1p(double a)
{
    static const double zeta[] = {0.822467033424113218,  0.400685634386531428, 0.270580808427784548,
                                  0.207385551028673985,  0.16955717699740819,  0.144049896768846118,
                                  0.125509669524743042,  0.11133426586956469,  0.100099457512781809,
                                  0.0909540171458290422, 0.083353840546109004};
    if (a > 0.05)
        return lgamma(1 + a);
    double sum = 0;
    for (size_t k = sizeof zeta / sizeof *zeta; k-- > 0;)
        sum = zeta[k] - a * sum;
    return a * (a * sum - 0.57721566490153286);
}

static double small_a(double a, double x)
{
    const double start = a * log(x) - log_gamma_1p(a);
    double term = 1, sum = 0;
    for (int k = 1; k < 200; k++) {
        term *= -x / k;
        const double next = sum + term / (a + k);
        if (next == sum)
            break;
        sum = next;
    }
    return -expm1(start) - exp(start) * a * sum;
}

static double lower_series(double a, double x)
{
    double term = 1, sum = 1;
    for (double k = 1; term > sum * (DBL_EPSILON / 4); k++) {
        term *= x / (a + k);
        sum += term;
    }
    return poisson(a, x) * sum;
}

static double continued_fraction(double a, double x)
{
    const double tiny = DBL_MIN / DBL_EPSILON;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (double k = 1; k < 1e6; k++) {
        const double numerator = -k * (k - a);
        b += 2;
        d = numerator * d + b;
        c = b + numerator / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        const double factor = d * c;
        h *= factor;
        if (fabs(factor - 1) <= DBL_EPSILON)
            break;
    }
    return poisson(a, x) * a * h;
}

static double temme(double a, double x, bool upper)
{
    const double half_square = peri_stats_deviance(a, x) / a; /* eta^2 / 2 */
    const double eta = copysign(sqrt(2 * half_square), x - a);
    const double c0 =
        -1.0 / 3 + eta * (1.0 / 12 + eta * (-2.0 / 135 + eta * (1.0 / 864 + eta / 2835)));
    const double rest = exp(-a * half_square) / sqrt(2 * M_PI * a) * c0;
    return upper ? 0.5 * erfc(eta * sqrt(a / 2)) + rest : 0.5 * erfc(-eta * sqrt(a / 2)) - rest;
}

double peri_stats_gamma_q(double a, double x)
{
    if (isnan(a) || isnan(x))
        return NAN;
    if (x <= 0)
        return 1;
    if (isinf(x))
        return isinf(a) ? NAN : 0;
    if (isinf(a))
        return 1;
    if (a > 1e8) {
        /* 0.1 relative is more than 1000 standard deviations away */
        if (fabs(x - a) > 0.1 * a)
            return x > a ? 0 : 1;
        return temme(a, x, true);
    }
    if (a < 1 && x < 1)
        return small_a(a, x);
    if (x < a + 1)
        return 1 - lower_series(a, x);
    return continued_fraction(a, x);
}

double peri_stats_gamma_p(double a, double x)
{
    if (isnan(a) || isnan(x))
        return NAN;
    if (x <= 0)
        return 0;
    if (isinf(x))
        return isinf(a) ? NAN : 1;
    if (isinf(a))
        return 0;
    if (a > 1e8)
        return fabs(x - a) > 0.1 * a ? x > a : temme(a, x, false);
    if (a < 1 && x < 1) {
        const double factor = exp(a * log(x) - log_gamma_1p(a));
        double term = 1, sum = 0;
        for (int k = 1; k < 200; k++) {
            term *= -x / k;
            const double next = sum + term / (a + k);
            if (next == sum)
                break;
            sum = next;
        }
        return factor * (1 + a * sum);
    }
    return x < a + 1 ? lower_series(a, x) : 1 - continued_fraction(a, x);
}

double peri_stats_chi2_sf(double x, double df)
{
    return peri_stats_gamma_q(df / 2, x / 2);
}

void peri_stats_chi2_sf_each(const peri_view *x, double df, const peri_view *dst)
{
    const size_t n = peri_view_size(x);
    for (size_t i = 0; i < n; i++)
        peri_put(dst, (ptrdiff_t)i, peri_stats_chi2_sf(peri_get(x, (ptrdiff_t)i), df));
}
