/* SPDX-License-Identifier: MIT
 *
 * What softmax and attention do along a row, over the names of lanes.h.
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
    const vec zero = NAME(splat)(0);
    vec m = least, odd = zero; /* odd: NaN once a NaN was seen */
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vec v = NAME(load)(x + i);
        odd += v * zero;
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

/* exp(y) for a log-probability, which rounding may leave just above 0. */
INLINE vec NAME(probability)(vec y)
{
    return NAME(exp_negative)(NAME(upper)(y, NAME(splat)((REAL)1e-3)));
}
