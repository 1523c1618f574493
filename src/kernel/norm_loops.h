/* SPDX-License-Identifier: MIT
 *
 * Runs of normalisation over vectors, written over the names of lanes.h and included by norm.c once
 * an element type and level. It leaves NAME(norm), a table of functions of one run.
 */

enum { NAME(PIECE) = 1024 };

/* Of all lanes in double, in pairs. */
INLINE double NAME(wide_sum)(vec v)
{
    double sum[LANES];
    UNROLL for (size_t k = 0; k < LANES; k++)
    {
        sum[k] = (double)v[k];
    }
    UNROLL for (size_t half = LANES / 2; half > 0; half /= 2)
    {
        UNROLL for (size_t k = 0; k < half; k++)
        {
            sum[k] += sum[k + half];
        }
    }
    return sum[0];
}

/* out[0] += sum (x - shift), out[1] += sum (x - shift)^2 */
static KERNEL void NAME(moments)(const void *from, size_t n, double shift, double out[2])
{
    const vec s = NAME(splat)((REAL)shift), none = NAME(splat)(0);
    for (size_t start = 0; start < n; start += NAME(PIECE)) {
        const REAL *x = (const REAL *)from + start;
        const size_t count = n - start < NAME(PIECE) ? n - start : NAME(PIECE);
        vec a[2] = {none, none}, b[2] = {none, none};
        size_t i = 0;
        for (; count < LANES && i < count; i++) { /* adding up lanes would take longer */
            const REAL d = x[i] - (REAL)shift;
            out[0] += (double)d;
            out[1] += (double)(d * d);
        }
        if (count < LANES)
            return;
        for (; i + 2 * LANES <= count; i += 2 * LANES) {
            UNROLL for (size_t k = 0; k < 2; k++)
            {
                const vec d = NAME(load)(x + i + k * LANES) - s;
                a[k] += d;
                b[k] = NAME(fma)(d, d, b[k]);
            }
        }
        for (; i < count; i += LANES) {
            const vec d = NAME(keep)(NAME(load_part)(x + i, count - i) - s, count - i, none);
            a[0] += d;
            b[0] = NAME(fma)(d, d, b[0]);
        }
        out[0] += NAME(wide_sum)(a[0] + a[1]);
        out[1] += NAME(wide_sum)(b[0] + b[1]);
    }
}

/* out[0] += sum g, out[1] += sum g (x - shift) */
static KERNEL void NAME(products)(const void *gradient, const void *from, size_t n, double shift,
                                  double out[2])
{
    const vec s = NAME(splat)((REAL)shift), none = NAME(splat)(0);
    for (size_t start = 0; start < n; start += NAME(PIECE)) {
        const REAL *x = (const REAL *)from + start, *g = (const REAL *)gradient + start;
        const size_t count = n - start < NAME(PIECE) ? n - start : NAME(PIECE);
        vec a[2] = {none, none}, b[2] = {none, none};
        size_t i = 0;
        for (; count < LANES && i < count; i++) {
            out[0] += (double)g[i];
            out[1] += (double)(g[i] * (x[i] - (REAL)shift));
        }
        if (count < LANES)
            return;
        for (; i + 2 * LANES <= count; i += 2 * LANES) {
            UNROLL for (size_t k = 0; k < 2; k++)
            {
                const vec d = NAME(load)(g + i + k * LANES);
                a[k] += d;
                b[k] = NAME(fma)(d, NAME(load)(x + i + k * LANES) - s, b[k]);
            }
        }
        for (; i < count; i += LANES) {
            const vec d = NAME(load_part)(g + i, count - i); /* 0 behind */
            a[0] += d;
            b[0] = NAME(fma)(d, NAME(keep)(NAME(load_part)(x + i, count - i) - s, count - i, none),
                             b[0]);
        }
        out[0] += NAME(wide_sum)(a[0] + a[1]);
        out[1] += NAME(wide_sum)(b[0] + b[1]);
    }
}

/* y = a (x - mean) + b */
static KERNEL void NAME(affine)(const void *from, size_t n, double mean, double a, double b,
                                void *to)
{
    const REAL *x = from;
    REAL *y = to;
    const vec m = NAME(splat)((REAL)mean), va = NAME(splat)((REAL)a), vb = NAME(splat)((REAL)b);
    for (size_t i = 0; i < n; i += LANES) {
        const vec v = NAME(fma)(NAME(load_part)(x + i, n - i) - m, va, vb);
        NAME(store_part)(y + i, v, n - i);
    }
}

/* dx = a g + b (x - mean) + c */
static KERNEL void NAME(combine)(const void *gradient, const void *from, size_t n, double mean,
                                 double a, double b, double c, void *to)
{
    const REAL *x = from, *g = gradient;
    REAL *dx = to;
    const vec m = NAME(splat)((REAL)mean), va = NAME(splat)((REAL)a), vb = NAME(splat)((REAL)b);
    const vec vc = NAME(splat)((REAL)c);
    for (size_t i = 0; i < n; i += LANES) {
        const vec d = NAME(fma)(NAME(load_part)(x + i, n - i) - m, vb, vc);
        NAME(store_part)(dx + i, NAME(fma)(NAME(load_part)(g + i, n - i), va, d), n - i);
    }
}

/* y = (x - mean) rstd w + b along a row. */
static KERNEL void NAME(row)(const void *from, size_t n, double mean, double rstd, const void *w,
                             const void *b, void *to)
{
    const REAL *x = from;
    REAL *y = to;
    const vec m = NAME(splat)((REAL)mean), r = NAME(splat)((REAL)rstd);
    for (size_t i = 0; i < n; i += LANES) {
        vec v = (NAME(load_part)(x + i, n - i) - m) * r;
        if (w != NULL)
            v *= NAME(load_part)((const REAL *)w + i, n - i);
        if (b != NULL)
            v += NAME(load_part)((const REAL *)b + i, n - i);
        NAME(store_part)(y + i, v, n - i);
    }
}

/* dx of a row; dw += g xhat and db += g, both whole rows. */
static KERNEL void NAME(row_back)(const void *gradient, const void *from, size_t n, double mean,
                                  double rstd, const void *weights, void *to, void *dweights,
                                  void *dbias)
{
    const REAL *x = from, *g = gradient, *w = weights;
    REAL *dx = to, *dw = dweights, *db = dbias;
    const vec m = NAME(splat)((REAL)mean), r = NAME(splat)((REAL)rstd);
    vec sum = NAME(splat)(0), product = NAME(splat)(0);
    for (size_t i = 0; i < n; i += LANES) {
        vec h = NAME(load_part)(g + i, n - i);
        const vec hat = (NAME(load_part)(x + i, n - i) - m) * r;
        NAME(store_part)(dw + i, NAME(fma)(h, hat, NAME(load_part)(dw + i, n - i)), n - i);
        NAME(store_part)(db + i, h + NAME(load_part)(db + i, n - i), n - i);
        if (w != NULL)
            h *= NAME(load_part)(w + i, n - i);
        sum += h;
        product = NAME(fma)(h, hat, product);
    }
    const vec a = NAME(splat)((REAL)(NAME(wide_sum)(sum) / (double)n));
    const vec b = NAME(splat)((REAL)(NAME(wide_sum)(product) / (double)n));
    for (size_t i = 0; i < n; i += LANES) {
        vec h = NAME(load_part)(g + i, n - i);
        const vec hat = (NAME(load_part)(x + i, n - i) - m) * r;
        if (w != NULL)
            h *= NAME(load_part)(w + i, n - i);
        NAME(store_part)(dx + i, r * (h - a - hat * b), n - i);
    }
}

/* The same for up to LANES channels beside each other, whose rows are `apart` elements apart. Sums
 * are of 64 rows at a time; out[0] and out[1] are rows of LANES. */
static KERNEL void NAME(columns)(const void *gradient, const void *from, size_t rows, size_t apart,
                                 size_t count, const double *shift, double *out)
{
    const REAL *x = from, *g = gradient;
    REAL part[LANES] = {0};
    for (size_t k = 0; k < count; k++)
        part[k] = (REAL)shift[k];
    const vec s = NAME(load)(part);
    for (size_t start = 0; start < rows; start += 64) {
        vec a = NAME(splat)(0), b = NAME(splat)(0);
        for (size_t r = start; r < rows && r < start + 64; r++) {
            const vec d = NAME(load_part)(x + r * apart, count) - s;
            const vec v = g == NULL ? d : NAME(load_part)(g + r * apart, count);
            a += v;
            b = NAME(fma)(v, d, b);
        }
        for (size_t k = 0; k < count; k++) {
            out[k] += (double)a[k];
            out[LANES + k] += (double)b[k];
        }
    }
}

/* y = a g + b (x - mean) + c, each of a, b, c and mean a row of channels; g may be NULL. */
static KERNEL void NAME(columns_combine)(const void *gradient, const void *from, size_t rows,
                                         size_t apart, size_t count, const double *mean,
                                         const double *const coefficients[3], void *to)
{
    const REAL *x = from, *g = gradient;
    REAL *y = to, part[4][LANES] = {{0}};
    for (size_t k = 0; k < count; k++) {
        part[3][k] = (REAL)mean[k];
        for (size_t i = 0; i < 3; i++)
            part[i][k] = (REAL)coefficients[i][k];
    }
    const vec a = NAME(load)(part[0]), b = NAME(load)(part[1]), c = NAME(load)(part[2]);
    const vec m = NAME(load)(part[3]);
    for (size_t r = 0; r < rows; r++) {
        vec v = NAME(fma)(NAME(load_part)(x + r * apart, count) - m, b, c);
        if (g != NULL)
            v = NAME(fma)(NAME(load_part)(g + r * apart, count), a, v);
        NAME(store_part)(y + r * apart, v, count);
    }
}

static const norm_functions NAME(norm) = {
    LANES,     NAME(moments),  NAME(products), NAME(affine),          NAME(combine),
    NAME(row), NAME(row_back), NAME(columns),  NAME(columns_combine),
};
