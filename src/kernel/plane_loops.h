/* SPDX-License-Identifier: MIT
 *
 * Rows of pooling and upsampling over vectors, written over the names of lanes.h and included by
 * plane.c once an element type and level. It leaves NAME(plane), the table of them.
 */

/* One row of Y: x is the staged row of the window's first element; tap[k] is where element k is. */
static KERNEL void NAME(max_row)(const void *from, const size_t *tap, size_t taps, size_t n,
                                 void *to, uint16_t *which)
{
    const REAL *x = from;
    REAL *y = to;
    const vec all = NAME(splat)((REAL)INFINITY);
    for (size_t i = 0; i < n; i += LANES) {
        vec most = NAME(load_part)(x + tap[0] + i, n - i);
        NAME(integers) place = {0}, k = {0};
        for (size_t t = 1; t < taps; t++) {
            const vec v = NAME(load_part)(x + tap[t] + i, n - i);
            k += 1;
            /* more, or NaN where there was none */
            const NAME(integers) take = ~(v <= most) & (most <= all);
            most = (vec)((take & (NAME(integers))v) | (~take & (NAME(integers))most));
            place = (take & k) | (~take & place);
        }
        NAME(store_part)(y + i, most, n - i);
        for (size_t l = 0; which != NULL && l < LANES && i + l < n; l++)
            which[i + l] = (uint16_t)place[l];
    }
}

/* y = scale (sum of the taps) */
static KERNEL void NAME(sum_row)(const void *from, const size_t *tap, size_t taps, size_t n,
                                 double scale, void *to)
{
    const REAL *x = from;
    REAL *y = to;
    for (size_t i = 0; i < n; i += LANES) {
        vec sum = NAME(load_part)(x + tap[0] + i, n - i);
        for (size_t t = 1; t < taps; t++)
            sum += NAME(load_part)(x + tap[t] + i, n - i);
        NAME(store_part)(y + i, sum * NAME(splat)((REAL)scale), n - i);
    }
}

/* y = a x + b z; z may be NULL, and y one of both. */
static KERNEL void NAME(mix)(size_t n, double a, const void *x, double b, const void *z, void *to)
{
    REAL *y = to;
    const vec va = NAME(splat)((REAL)a), vb = NAME(splat)((REAL)b);
    for (size_t i = 0; i < n; i += LANES) {
        vec v = va * NAME(load_part)((const REAL *)x + i, n - i);
        if (z != NULL)
            v = NAME(fma)(vb, NAME(load_part)((const REAL *)z + i, n - i), v);
        NAME(store_part)(y + i, v, n - i);
    }
}

/* The sum of g goes to each tap of x: x[tap[t] + i] += scale g[i]. */
static KERNEL void NAME(spread_row)(const void *gradient, const size_t *tap, size_t taps, size_t n,
                                    double scale, void *to)
{
    const REAL *g = gradient;
    const vec by = NAME(splat)((REAL)scale);
    for (size_t t = 0; t < taps; t++) {
        REAL *x = (REAL *)to + tap[t];
        for (size_t i = 0; i < n; i += LANES) {
            const vec v =
                NAME(fma)(by, NAME(load_part)(g + i, n - i), NAME(load_part)(x + i, n - i));
            NAME(store_part)(x + i, v, n - i);
        }
    }
}

/* out[i] = x[at[i]] */
static void NAME(pick)(size_t n, const void *x, const uint32_t *at, void *out)
{
    for (size_t i = 0; i < n; i++)
        ((REAL *)out)[i] = ((const REAL *)x)[at[i]];
}

#if LANES == 16
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif LANES == 8
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15
#elif LANES == 4
#define EVENS 0, 2, 4, 6
#define ODDS  1, 3, 5, 7
#else
#define EVENS 0, 2
#define ODDS  1, 3
#endif

/* out[at[i]] = the sum of its x[i]; `at` is floor(i count / n), so it never falls. */
static KERNEL void NAME(put)(size_t n, const void *from, const uint32_t *at, void *out)
{
    const REAL *x = from;
    REAL *sums = out;
    const size_t count = (size_t)at[n - 1] + 1;
    size_t i = 0, o = 0;
    if (n == 2 * count) /* pairs, as at[i] = floor(i count / n) */
        for (; o + LANES <= count; o += LANES, i += 2 * LANES) {
            const vec a = NAME(load)(x + i), b = NAME(load)(x + i + LANES);
            NAME(store)
            (sums + o, __builtin_shufflevector(a, b, EVENS) + __builtin_shufflevector(a, b, ODDS));
        }
    while (i < n) {
        const uint32_t here = at[i];
        REAL sum = x[i++];
        while (i < n && at[i] == here)
            sum += x[i++];
        sums[here] = sum;
    }
}
#undef EVENS
#undef ODDS

/* out[i] = x[at[i]] + t[i] (x[next[i]] - x[at[i]]), as (1 - t) and t */
static void NAME(between)(size_t n, const void *from, const uint32_t *at, const uint32_t *next,
                          const void *weight, void *to)
{
    const REAL *x = from, *t = weight;
    REAL *y = to;
    for (size_t i = 0; i < n; i++)
        y[i] = (1 - t[i]) * x[at[i]] + t[i] * x[next[i]];
}

/* The adjoint: what falls between the same two is summed before it is added. */
static void NAME(share)(size_t n, const void *gradient, const uint32_t *at, const uint32_t *next,
                        const void *weight, void *to)
{
    const REAL *g = gradient, *t = weight;
    REAL *dx = to;
    for (size_t i = 0; i < n;) {
        const uint32_t here = at[i], there = next[i];
        REAL a = 0, b = 0;
        for (; i < n && at[i] == here; i++) {
            a += (1 - t[i]) * g[i];
            b += t[i] * g[i];
        }
        dx[here] += a;
        dx[there] += b;
    }
}

static const peri_plane_functions NAME(plane) = {NAME(max_row),    NAME(sum_row), NAME(mix),
                                                 NAME(spread_row), NAME(pick),    NAME(put),
                                                 NAME(between),    NAME(share)};
