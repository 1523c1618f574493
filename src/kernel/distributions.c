/* SPDX-License-Identifier: MIT */
#include "kernel/distributions.h"

#include <math.h>
#include <stdbool.h>

#include "kernel/ziggurat_exponential.h"

/* log k! */
static double log_factorial(double k)
{
    int sign;
    return lgamma_r(k + 1, &sign);
}

static double standard_exponential(peri_rng *rng)
{
    for (;;) {
        /* 3 bits are left out, 8 choose the layer, 53 are the place in it. */
        const uint64_t word = peri_random_next64(rng) >> 3, place = word >> 8;
        const size_t layer = word & 0xff;
        const double x = (double)place * peri_ziggurat_exp_w[layer];
        if (place < peri_ziggurat_exp_k[layer])
            return x;
        if (layer == 0)
            return PERI_ZIGGURAT_EXP_R - log(1.0 - peri_random_uniform(rng));
        const double low = peri_ziggurat_exp_f[layer], high = peri_ziggurat_exp_f[layer - 1];
        if ((high - low) * peri_random_uniform(rng) + low < exp(-x))
            return x;
    }
}

double peri_draw_exponential(peri_rng *rng, double scale)
{
    return scale * standard_exponential(rng);
}

static double gamma_below_one(peri_rng *rng, double shape)
{
    for (;;) {
        const double u = peri_random_uniform(rng), v = standard_exponential(rng);
        if (u <= 1.0 - shape) {
            const double x = pow(u, 1.0 / shape);
            if (x <= v)
                return x;
        } else {
            const double y = -log((1.0 - u) / shape);
            const double x = pow(1.0 - shape + shape * y, 1.0 / shape);
            if (x <= v + y)
                return x;
        }
    }
}

static double standard_gamma(peri_rng *rng, double shape)
{
    if (shape == 1.0)
        return standard_exponential(rng);
    if (shape == 0.0)
        return 0.0;
    if (shape < 1.0)
        return gamma_below_one(rng, shape);
    const double b = shape - 1.0 / 3.0, c = 1.0 / sqrt(9 * b);
    for (;;) {
        double x, v;
        do {
            x = peri_random_normal(rng);
            v = 1.0 + c * x;
        } while (v <= 0.0);
        v = v * v * v;
        const double u = peri_random_uniform(rng);
        if (u < 1.0 - 0.0331 * (x * x) * (x * x))
            return b * v;
        if (log(u) < 0.5 * x * x + b * (1.0 - v + log(v)))
            return b * v;
    }
}

double peri_draw_gamma(peri_rng *rng, double shape, double scale)
{
    return scale * standard_gamma(rng, shape);
}

double peri_draw_beta(peri_rng *rng, double a, double b)
{
    if (a > 1.0 || b > 1.0) {
        const double x = standard_gamma(rng, a), y = standard_gamma(rng, b);
        return x / (x + y);
    }
    enum { PATIENCE = 1000 };
    for (int k = 0;; k++) {
        const double u = peri_random_uniform(rng), v = peri_random_uniform(rng);
        const double x = pow(u, 1.0 / a), y = pow(v, 1.0 / b);
        if (x + y <= 1.0 && x + y > 0.0)
            return x / (x + y);
        if (k >= PATIENCE && u > 0 && v > 0) /* powers too small for a double: by logarithms */
            return 1 / (1 + exp(log(v) / b - log(u) / a));
    }
}

double peri_draw_chisquare(peri_rng *rng, double df)
{
    return 2.0 * standard_gamma(rng, df / 2.0);
}

double peri_draw_f(peri_rng *rng, double df1, double df2)
{
    const double above = peri_draw_chisquare(rng, df1) * df2;
    return above / (peri_draw_chisquare(rng, df2) * df1);
}

double peri_draw_student_t(peri_rng *rng, double df)
{
    const double above = peri_random_normal(rng), below = standard_gamma(rng, df / 2);
    return sqrt(df / 2) * above / sqrt(below);
}

double peri_draw_cauchy(peri_rng *rng, double loc, double scale)
{
    const double above = peri_random_normal(rng);
    return loc + scale * (above / peri_random_normal(rng));
}

/* A uniform number that is not 0. */
static double positive_uniform(peri_rng *rng)
{
    double u;
    do
        u = peri_random_uniform(rng);
    while (u == 0.0);
    return u;
}

double peri_draw_laplace(peri_rng *rng, double loc, double scale)
{
    const double u = positive_uniform(rng);
    return u >= 0.5 ? loc - scale * log(2.0 - u - u) : loc + scale * log(u + u);
}

double peri_draw_logistic(peri_rng *rng, double loc, double scale)
{
    const double u = positive_uniform(rng);
    return loc + scale * log(u / (1.0 - u));
}

double peri_draw_lognormal(peri_rng *rng, double mean, double sd)
{
    return exp(mean + sd * peri_random_normal(rng));
}

double peri_draw_weibull(peri_rng *rng, double shape, double scale)
{
    return shape == 0.0 ? 0.0 : scale * pow(standard_exponential(rng), 1.0 / shape);
}

/* Transformed rejection. */
static double poisson_large(peri_rng *rng, double rate)
{
    const double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
    const double log_rate = log(rate);
    for (;;) {
        const double u = peri_random_uniform(rng) - 0.5, v = peri_random_uniform(rng);
        const double us = 0.5 - fabs(u);
        const double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= v_r)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <=
            -rate + k * log_rate - log_factorial(k))
            return k;
    }
}

double peri_draw_poisson(peri_rng *rng, double rate)
{
    if (rate >= 10)
        return poisson_large(rng, rate);
    if (rate == 0)
        return 0;
    const double end = exp(-rate);
    double product = 1, k = 0;
    while ((product *= peri_random_uniform(rng)) > end)
        k++;
    return k;
}

/* Counts up the distribution function; p <= 1/2, n p <= 30. Beyond the bound, which rounding may
 * reach, it begins again. */
static double binomial_small(peri_rng *rng, double n, double p)
{
    const double q = 1.0 - p, none = exp(n * log(q)), mean = n * p;
    const double bound = floor(fmin(n, mean + 10.0 * sqrt(mean * q + 1)));
    double k = 0, mass = none, u = peri_random_uniform(rng);
    while (u > mass) {
        k++;
        if (k > bound) {
            k = 0;
            mass = none;
            u = peri_random_uniform(rng);
        } else {
            u -= mass;
            mass = (n - k + 1) * p * mass / (k * q);
        }
    }
    return k;
}

/* The correction of Stirling's formula for log (x - 1)! as BTPE has it. */
static double stirling(double x)
{
    const double s = x * x;
    return (13680. - (462. - (132. - (99. - 140. / s) / s) / s) / s) / x / 166320.;
}

/* Whether BTPE takes y for the height v; m is the mode. */
static bool binomial_takes(double n, double r, double q, double m, double xm, double y, double v)
{
    const double nrq = n * r * q, k = fabs(y - m), s = r / q;
    if (k <= 20 || k >= nrq / 2.0 - 1) {
        const double a = s * (n + 1);
        double ratio = 1.0;
        for (double i = m + 1; i <= y; i++)
            ratio *= a / i - s;
        for (double i = y + 1; i <= m; i++)
            ratio /= a / i - s;
        return v <= ratio;
    }
    const double rho = k / nrq * ((k * (k / 3.0 + 0.625) + 0.16666666666666666) / nrq + 0.5);
    const double t = -k * k / (2 * nrq), height = log(v);
    if (height < t - rho)
        return true;
    if (height > t + rho)
        return false;
    const double x1 = y + 1, f1 = m + 1, z = n + 1 - m, w = n - y + 1;
    return height <= xm * log(f1 / x1) + (n - m + 0.5) * log(z / w) +
                         (y - m) * log(w * r / (x1 * q)) + stirling(f1) + stirling(z) +
                         stirling(x1) + stirling(w);
}

/* Four regions under the histogram's hat: a triangle, a parallelogram and two tails. */
static double binomial_large(peri_rng *rng, double n, double r)
{
    const double q = 1.0 - r, fm = n * r + r, m = floor(fm);
    const double p1 = floor(2.195 * sqrt(n * r * q) - 4.6 * q) + 0.5;
    const double xm = m + 0.5, xl = xm - p1, xr = xm + p1, c = 0.134 + 20.5 / (15.3 + m);
    const double left = (fm - xl) / (fm - xl * r), right = (xr - fm) / (xr * q);
    const double laml = left * (1.0 + left / 2.0), lamr = right * (1.0 + right / 2.0);
    const double p2 = p1 * (1.0 + 2.0 * c), p3 = p2 + c / laml, p4 = p3 + c / lamr;
    for (;;) {
        const double u = peri_random_uniform(rng) * p4;
        double v = peri_random_uniform(rng), y;
        if (u <= p1)
            return floor(xm - p1 * v + u);
        if (u <= p2) {
            const double x = xl + (u - p1) / c;
            v = v * c + 1.0 - fabs(m - x + 0.5) / p1;
            if (v > 1.0)
                continue;
            y = floor(x);
        } else if (u <= p3) {
            y = floor(xl + log(v) / laml);
            if (y < 0 || v == 0.0)
                continue;
            v = v * (u - p2) * laml;
        } else {
            y = floor(xr - log(v) / lamr);
            if (y > n || v == 0.0)
                continue;
            v = v * (u - p3) * lamr;
        }
        if (binomial_takes(n, r, q, m, xm, y, v))
            return y;
    }
}

double peri_draw_binomial(peri_rng *rng, double n, double p)
{
    if (n == 0 || p == 0)
        return 0;
    const double r = p <= 0.5 ? p : 1.0 - p;
    const double k = r * n <= 30.0 ? binomial_small(rng, n, r) : binomial_large(rng, n, r);
    return p <= 0.5 ? k : n - k;
}

double peri_draw_negative_binomial(peri_rng *rng, double n, double p)
{
    return peri_draw_poisson(rng, peri_draw_gamma(rng, n, (1 - p) / p));
}

double peri_draw_geometric(peri_rng *rng, double p)
{
    if (p < 0.333333333333333333333333)
        return ceil(-standard_exponential(rng) / log1p(-p));
    const double q = 1.0 - p, u = peri_random_uniform(rng);
    double k = 1, mass = p, sum = p;
    while (u > sum) {
        mass *= q;
        sum += mass;
        k++;
    }
    return k;
}

void peri_draw_multinomial(peri_rng *rng, double n, size_t k, const double *p, double *out)
{
    double rest = n, share = 1.0;
    for (size_t j = 0; j < k; j++)
        out[j] = 0;
    for (size_t j = 0; j + 1 < k; j++) {
        /* The last outcomes may find a share that rounding has made too small. */
        const double part = p[j] < share ? p[j] / share : 1.0;
        out[j] = peri_draw_binomial(rng, rest, part);
        rest -= out[j];
        if (rest <= 0)
            return;
        share -= p[j];
    }
    if (k > 0)
        out[k - 1] = rest;
}

void peri_draw_dirichlet(peri_rng *rng, size_t k, const double *alpha, double *out)
{
    double most = 0, sum = 0;
    for (size_t j = 0; j < k; j++)
        most = alpha[j] > most ? alpha[j] : most;
    if (most >= 0.1) {
        for (size_t j = 0; j < k; j++)
            sum += out[j] = standard_gamma(rng, alpha[j]);
        const double scale = 1 / sum;
        for (size_t j = 0; j < k; j++)
            out[j] *= scale;
        return;
    }
    for (size_t j = k; j-- > 0;) /* out[j]: the sum of those from j on */
        out[j] = sum += alpha[j];
    double stick = 1.0;
    for (size_t j = 0; j + 1 < k; j++) {
        const double part = peri_draw_beta(rng, alpha[j], out[j + 1]);
        out[j] = stick * part;
        stick *= 1.0 - part;
    }
    if (k > 0)
        out[k - 1] = stick;
}
