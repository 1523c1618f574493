/* SPDX-License-Identifier: MIT
 *
 * Probabilities are computed from deviances, so that nothing large cancels (Loader, "Fast and
 * accurate computation of binomial probabilities", 2000); log B(a, b) with Stirling's error in
 * place of gamma functions (DiDonato & Morris, ACM TOMS 708, 1992); I_x(a, b) by the continued
 * fraction (DLMF 8.17.22), evaluated by Lentz's method on the side where it converges fast.
 * Inverses are Newton's method on the logarithm of the smaller tail over log x or logit x, where it
 * is concave, within a bracket.
 */
#include "kernel/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "kernel/stats.h"

static const double half_log_2pi = 0.91893853320467274178;

static double lgamma_of(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* log Gamma(a + b) - log Gamma(b); a > 0, b >= 10. */
static double rise(double a, double b)
{
    const double s = peri_stats_stirling_error(a + b) - peri_stats_stirling_error(b);
    return s + (b - 0.5) * log1p(a / b) + a * log(a + b) - a;
}

double peri_special_betaln(double a, double b)
{
    if (!(a > 0) || !(b > 0) || isinf(a) || isinf(b))
        return NAN;
    if (a > b)
        return peri_special_betaln(b, a);
    if (b < 10)
        return lgamma_of(a) + lgamma_of(b) - lgamma_of(a + b);
    if (a < 10)
        return lgamma_of(a) - rise(a, b);
    const double s = peri_stats_stirling_error(a) + peri_stats_stirling_error(b) -
                     peri_stats_stirling_error(a + b);
    return half_log_2pi - 0.5 * log(b) + s + (a - 0.5) * log(a / (a + b)) - b * log1p(a / b);
}

double peri_special_log_poisson(double k, double m)
{
    if (!(k > -1) || !(m >= 0))
        return NAN;
    if (isinf(k) || isinf(m))
        return isinf(k) && isinf(m) ? NAN : -HUGE_VAL;
    if (m == 0)
        return k == 0 ? 0 : k > 0 ? -HUGE_VAL : HUGE_VAL;
    if (k > 15)
        return -peri_stats_stirling_error(k) - peri_stats_deviance(k, m) - half_log_2pi -
               0.5 * log(k);
    return k * log(m) - m - lgamma_of(k + 1);
}

/* log(Gamma(a+b+1) / (Gamma(a+1) Gamma(b+1)) x^a y^b) with y = 1 - x, both known to the last digit;
 * a, b >= 0. */
static double log_choose(double a, double b, double x, double y)
{
    const double log_x = y < 0.5 ? log1p(-y) : log(x), log_y = x < 0.5 ? log1p(-x) : log(y);
    if (a == 0)
        return b == 0 ? 0 : b * log_y;
    if (b == 0)
        return a * log_x;
    if (x == 0 || y == 0)
        return -HUGE_VAL;
    const double n = a + b, least = fmin(a, b), most = fmax(a, b);
    if (least < 1) {
        const double ratio = most >= 10 ? rise(least, most + 1) - lgamma_of(least + 1)
                                        : lgamma_of(n + 1) - lgamma_of(a + 1) - lgamma_of(b + 1);
        return ratio + a * log_x + b * log_y;
    }
    const double s =
        peri_stats_stirling_error(n) - peri_stats_stirling_error(a) - peri_stats_stirling_error(b);
    return s - peri_stats_deviance(a, n * x) - peri_stats_deviance(b, n * y) - half_log_2pi -
           0.5 * (log(least) + log1p(-least / n));
}

double peri_special_log_binomial(double k, double n, double p)
{
    if (!(k >= 0) || !(k <= n) || !(p >= 0) || !(p <= 1) || isinf(n))
        return NAN;
    return log_choose(k, n - k, p, 1 - p);
}

/* The part of I_x(a, b) beside x^a y^b / (a B(a, b)). */
static double fraction(double a, double b, double x)
{
    const double tiny = DBL_MIN / DBL_EPSILON;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    enum { MOST = 200000 };
    for (int k = 1; k < MOST; k++) {
        const double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        const double odd = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        const double factor = d * c;
        h *= factor;
        if (fabs(factor - 1) <= DBL_EPSILON)
            break;
    }
    return h;
}

/* I_x(a, b), or what lacks to 1, for y = 1 - x. */
static double beta_share(double a, double b, double x, double y, bool upper)
{
    if (x <= 0)
        return upper ? 1 : 0;
    if (y <= 0)
        return upper ? 0 : 1;
    /* x^a y^b / B(a, b) */
    const double front = exp(log_choose(a, b, x, y) + log(a) - log1p(a / b));
    if (x < (a + 1) / (a + b + 2)) {
        const double lower = front / a * fraction(a, b, x);
        return upper ? 1 - lower : lower;
    }
    const double above = front / b * fraction(b, a, y);
    return upper ? above : 1 - above;
}

double peri_special_beta_i(double a, double b, double x, bool upper)
{
    if (!(a > 0) || !(b > 0) || !(x >= 0) || !(x <= 1) || isinf(a) || isinf(b))
        return NAN;
    return beta_share(a, b, x, 1 - x, upper);
}

/* What a step of Newton's method on the logarithm of a tail needs: the tail at u and its
 * derivative by u. */
typedef void tail(double a, double b, double u, bool upper, double *value, double *slope);

/* The u at which the tail is p, which lies between lo and hi. */
static double solve(tail *f, double a, double b, double p, bool upper, double u, double lo,
                    double hi)
{
    for (int k = 0; k < 200; k++) {
        double value, slope;
        f(a, b, u, upper, &value, &slope);
        const bool below = upper ? value > p : value < p; /* the answer lies above u */
        if (below)
            lo = u;
        else
            hi = u;
        double step = value > 0 && slope > 0 ? (log(p) - log(value)) * value / slope : NAN;
        step = upper ? -step : step;
        double next = u + step;
        if (!(next > lo && next < hi))
            next = lo + (hi - lo) / 2;
        if (fabs(next - u) <= 0x1p-52 * fmax(1, fabs(u)) || hi - lo <= 0x1p-52 * fabs(u))
            return next;
        u = next;
    }
    return u;
}

/* u = log x */
static void gamma_tail(double a, double ignored, double u, bool upper, double *value, double *slope)
{
    (void)ignored;
    const double x = exp(u);
    *value = upper ? peri_stats_gamma_q(a, x) : peri_stats_gamma_p(a, x);
    *slope = exp(peri_special_log_poisson(a, x)) * a;
}

double peri_special_gamma_inverse(double a, double p, bool upper)
{
    if (!(a > 0) || isinf(a) || !(p >= 0) || !(p <= 1))
        return NAN;
    if (p == (upper ? 1 : 0))
        return 0;
    if (p == (upper ? 0 : 1))
        return HUGE_VAL;
    /* The smaller tail is the exact one. */
    if (p > 0.5) {
        const double other = 1 - p;
        const double at = upper ? peri_stats_gamma_p(a, a) : peri_stats_gamma_q(a, a);
        if (other <= at || other < 0.25) {
            p = other;
            upper = !upper;
        }
    }
    const double z = peri_special_normal_quantile(upper ? 1 - p : p);
    const double cube = 1 - 1 / (9 * a) + z / (3 * sqrt(a)); /* Wilson & Hilferty */
    double u = log(a) + 3 * log(cube);
    if (a < 1 || !(cube > 0.2)) {
        const double low = (log(upper ? 1 - p : p) + lgamma_of(a + 1)) / a;
        u = !upper || low < 0 ? low : log(a);
    }
    if (upper && p < 1e-3 && a < 20)
        u = fmax(u, log(-log(p)));
    u = isfinite(u) ? u : log(a);
    if (u < -745 && !upper)
        return exp((log(p) + lgamma_of(a + 1)) / a);
    return exp(solve(gamma_tail, a, 0, p, upper, u, -1500, 710));
}

/* u = logit x */
static void beta_tail(double a, double b, double u, bool upper, double *value, double *slope)
{
    const double x = 1 / (1 + exp(-u)), y = 1 / (1 + exp(u));
    *value = beta_share(a, b, x, y, upper);
    *slope = exp(log_choose(a, b, x, y) + log(a) - log1p(a / b));
}

double peri_special_beta_inverse(double a, double b, double p)
{
    if (!(a > 0) || !(b > 0) || isinf(a) || isinf(b) || !(p >= 0) || !(p <= 1))
        return NAN;
    if (p == 0 || p == 1)
        return p;
    const double middle = log(a / b);
    bool upper = false;
    double share, slope;
    beta_tail(a, b, middle, false, &share, &slope);
    if (p > share && p > 0.5) {
        p = 1 - p;
        upper = true;
    }
    double u = middle;
    /* In a tail the share is nearly a power. */
    const double low = upper ? -(log(p) + log(b) + peri_special_betaln(a, b)) / b
                             : (log(p) + log(a) + peri_special_betaln(a, b)) / a;
    if (isfinite(low) && (upper ? low > middle : low < middle))
        u = low;
    u = fmin(fmax(u, -700), 700);
    u = solve(beta_tail, a, b, p, upper, u, -1480, 740);
    return u < -700 ? exp(u) : 1 / (1 + exp(-u));
}

double peri_special_normal_quantile(double p)
{
    if (!(p >= 0) || !(p <= 1))
        return NAN;
    if (p == 0 || p == 1)
        return p == 0 ? -HUGE_VAL : HUGE_VAL;
    if (p == 0.5)
        return 0;
    const double q = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(q));
    /* Abramowitz & Stegun 26.2.23, within 4.5e-4, then Halley's method */
    double z = (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) -
               t;
    for (int k = 0; k < 3; k++) {
        const double share = 0.5 * erfc(-z * M_SQRT1_2);
        const double density = exp(-0.5 * z * z - half_log_2pi);
        const double u = density > 0 ? (share / q - 1) * (q / density) : 0;
        z -= u / (1 + 0.5 * z * u);
    }
    return p < 0.5 ? z : 0 - z;
}

double peri_special(peri_ew op, const double x[3])
{
    switch ((int)op) {
    case PERI_EW_ERFC:
        return erfc(x[0]);
    case PERI_EW_NDTRI:
        return peri_special_normal_quantile(x[0]);
    case PERI_EW_BETALN:
        return peri_special_betaln(x[0], x[1]);
    case PERI_EW_LOG_POISSON:
        return peri_special_log_poisson(x[0], x[1]);
    case PERI_EW_GAMMAINC:
        return x[0] > 0 && x[1] >= 0 ? peri_stats_gamma_p(x[0], x[1]) : NAN;
    case PERI_EW_GAMMAINCC:
        return x[0] > 0 && x[1] >= 0 ? peri_stats_gamma_q(x[0], x[1]) : NAN;
    case PERI_EW_GAMMAINCINV:
        return peri_special_gamma_inverse(x[0], x[1], false);
    case PERI_EW_GAMMAINCCINV:
        return peri_special_gamma_inverse(x[0], x[1], true);
    case PERI_EW_LOG_BINOMIAL:
        return peri_special_log_binomial(x[0], x[1], x[2]);
    case PERI_EW_BETAINC:
        return peri_special_beta_i(x[0], x[1], x[2], false);
    case PERI_EW_BETAINCC:
        return peri_special_beta_i(x[0], x[1], x[2], true);
    case PERI_EW_BETAINCINV:
        return peri_special_beta_inverse(x[0], x[1], x[2]);
    default:
        return NAN;
    }
}
