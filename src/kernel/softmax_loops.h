/* SPDX-License-Identifier: MIT
 *
 * Rows of softmax over vectors, written over the names of lanes.h and included by softmax.c and
 * attention.c once an element type and level. It leaves functions of one row.
 */

/* exp(x) for x <= 0, and 0 from where it would be subnormal; a NaN stays. */
INLINE vec NAME(exp_negative)(vec x)
{
    const REAL far = LANES_BITS == 32 ? -87 : -708;
    vec scale, minus1;
    NAME(exp_parts)(NAME(lower)(x, NAME(splat)(far)), &scale, &minus1);
    const vec e = NAME(fma)(scale, minus1, scale);
    return (vec)((NAME(integers))e & ~(NAME(integers))(x < NAME(splat)(far)));
}

/* The largest element; NaN where there is one. */
INLINE REAL NAME(row_max)(const REAL *x, size_t n)
{
    const vec least = NAME(splat)(-(REAL)INFINITY);
    vec m = least, odd = NAME(splat)(0); /* odd: NaN once a NaN was seen */
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vec v = NAME(load)(x + i);
        odd += v - v;
        m = NAME(lower)(m, v);
    }
    REAL most = -(REAL)INFINITY;
    for (size_t k = 0; k < LANES; k++)
        most = m[k] > most ? m[k] : most;
    bool nan = false;
    for (size_t k = 0; k < LANES; k++)
        nan = nan || odd[k] != odd[k];
    for (; i < n; i++) {
        nan = nan || x[i] != x[i];
        most = x[i] > most ? x[i] : most;
    }
    /* an infinity made `odd` NaN too */
    if (nan)
        for (size_t k = 0; k < n; k++)
            if (x[k] != x[k])
                return x[k];
    return most;
}

/* The vector of x at i, -inf behind the end of the row. */
INLINE vec NAME(load_row)(const REAL *x, size_t i, size_t n)
{
    if (i + LANES <= n)
        return NAME(load)(x + i);
    REAL part[LANES];
    for (size_t k = 0; k < LANES; k++)
        part[k] = i + k < n ? x[i + k] : -(REAL)INFINITY;
    return NAME(load)(part);
}

/* sum_j exp(x_j - most); the terms go to y unless it is NULL. */
INLINE REAL NAME(row_exp)(const REAL *x, size_t n, REAL most, REAL *y)
{
    const vec shift = NAME(splat)(most);
    vec sum = NAME(splat)(0);
    for (size_t i = 0; i < n; i += LANES) {
        const vec e = NAME(exp_negative)(NAME(load_row)(x, i, n) - shift);
        sum += e;
        if (y != NULL)
            NAME(store_part)(y + i, e, n - i);
    }
    return NAME(sum)(sum);
}

INLINE void NAME(row_scale)(REAL *y, size_t n, REAL by)
{
    const vec b = NAME(splat)(by);
    for (size_t i = 0; i < n; i += LANES)
        NAME(store_part)(y + i, NAME(load_part)(y + i, n - i) * b, n - i);
}

INLINE REAL NAME(row_dot)(const REAL *x, const REAL *y, size_t n)
{
    vec sum = NAME(splat)(0);
    for (size_t i = 0; i < n; i += LANES)
        sum = NAME(fma)(NAME(load_part)(x + i, n - i), NAME(load_part)(y + i, n - i), sum);
    return NAME(sum)(sum);
}

INLINE REAL NAME(row_sum)(const REAL *x, size_t n)
{
    vec sum = NAME(splat)(0);
    for (size_t i = 0; i < n; i += LANES)
        sum += NAME(load_part)(x + i, n - i);
    return NAME(sum)(sum);
}

INLINE REAL NAME(row_logsumexp)(const REAL *x, size_t n)
{
    const REAL most = NAME(row_max)(x, n);
    if (!isfinite(most))
        return most;
    return most + (REAL)log((double)NAME(row_exp)(x, n, most, NULL));
}

static KERNEL void NAME(softmax)(const void *from, size_t n, void *to)
{
    const REAL most = NAME(row_max)(from, n);
    const REAL sum = NAME(row_exp)(from, n, most, to);
    NAME(row_scale)(to, n, 1 / sum);
}

static KERNEL void NAME(log_softmax)(const void *from, size_t n, void *to)
{
    const REAL *x = from;
    REAL *y = to;
    const vec l = NAME(splat)(NAME(row_logsumexp)(x, n));
    for (size_t i = 0; i < n; i += LANES)
        NAME(store_part)(y + i, NAME(load_part)(x + i, n - i) - l, n - i);
}

static KERNEL void NAME(softmax_back)(const void *result, const void *gradient, size_t n, void *to)
{
    const REAL *y = result, *g = gradient;
    REAL *dx = to;
    const vec s = NAME(splat)(NAME(row_dot)(g, y, n));
    for (size_t i = 0; i < n; i += LANES) {
        const vec d = NAME(load_part)(y + i, n - i) * (NAME(load_part)(g + i, n - i) - s);
        NAME(store_part)(dx + i, d, n - i);
    }
}

/* exp(y) for a log-probability, which rounding may leave just above 0. */
INLINE vec NAME(probability)(vec y)
{
    return NAME(exp_negative)(NAME(upper)(y, NAME(splat)((REAL)1e-3)));
}

static KERNEL void NAME(log_softmax_back)(const void *result, const void *gradient, size_t n,
                                          void *to)
{
    const REAL *y = result, *g = gradient;
    REAL *dx = to;
    const vec s = NAME(splat)(NAME(row_sum)(g, n));
    for (size_t i = 0; i < n; i += LANES) {
        const vec p = NAME(probability)(NAME(load_row)(y, i, n));
        NAME(store_part)(dx + i, NAME(load_part)(g + i, n - i) - p * s, n - i);
    }
}

static KERNEL void NAME(logsumexp)(const void *from, size_t n, void *to)
{
    *(REAL *)to = NAME(row_logsumexp)(from, n);
}

/* dx = g exp(x - l) sum t - g t, where t is `low` everywhere, and in addition high at `chosen`, or
 * high T. */
INLINE void NAME(row_cross_back)(const REAL *x, REAL l, size_t n, const REAL *T, size_t chosen,
                                 REAL low, REAL high, REAL sum, REAL g, REAL *dx)
{
    const vec shift = NAME(splat)(l), by = NAME(splat)(g * sum);
    const vec base = NAME(splat)(-g * low), top = NAME(splat)(-g * high);
    for (size_t i = 0; i < n; i += LANES) {
        vec d = NAME(fma)(NAME(probability)(NAME(load_row)(x, i, n) - shift), by, base);
        if (T != NULL)
            d = NAME(fma)(top, NAME(load_part)(T + i, n - i), d);
        NAME(store_part)(dx + i, d, n - i);
    }
    if (T == NULL)
        dx[chosen] -= g * high;
}

static KERNEL void NAME(logsumexp_back)(const void *x, const void *l, const void *g, size_t n,
                                        void *dx)
{
    NAME(row_cross_back)(x, *(const REAL *)l, n, NULL, 0, 0, 0, 1, *(const REAL *)g, dx);
}

static KERNEL void NAME(cross)(const peri_cross_row *r)
{
    const REAL *x = r->x, *T = r->T;
    const size_t n = r->n;
    REAL *dx = r->dx;
    if (T == NULL && r->chosen >= n) {
        if (r->loss != NULL)
            *r->loss = 0;
        if (r->l != NULL && r->forward)
            *(REAL *)r->l = 0;
        if (dx != NULL)
            memset(dx, 0, n * sizeof *dx);
        return;
    }
    const REAL low = (REAL)(r->smoothing / (double)n), high = (REAL)(1 - r->smoothing);
    const REAL sum = T == NULL ? 1 : high * NAME(row_sum)(T, n) + low * (REAL)n;
    REAL l = r->forward ? NAME(row_logsumexp)(x, n) : *(const REAL *)r->l;
    if (r->forward && r->l != NULL)
        *(REAL *)r->l = l;
    if (r->loss != NULL) {
        double loss = (double)high * (T == NULL ? (double)l - (double)x[r->chosen] : 0);
        for (size_t j = 0; j < n && T != NULL; j++) /* a probability of 0 takes nothing from -inf */
            if (T[j] != 0)
                loss += (double)(high * T[j]) * ((double)l - (double)x[j]);
        if (low != 0)
            loss += (double)low * ((double)l * (double)n - (double)NAME(row_sum)(x, n));
        *r->loss = loss;
    }
    if (dx != NULL) {
        const REAL g = r->g != NULL ? *(const REAL *)r->g : (REAL)r->scale;
        NAME(row_cross_back)(x, l, n, T, r->chosen, low, high, sum, g, dx);
    }
}
