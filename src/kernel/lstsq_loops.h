/* SPDX-License-Identifier: MIT
 *
 * The pass of lstsq.c over the rows of M in double-double, over the names of lanes.h for f64;
 * included there once for each level. */

/* x y - p, exactly: by one fma, or by Dekker's splitting where the CPU has none. */
INLINE vec NAME(product_error)(vec x, vec y, vec p)
{
#if LANES_BYTES > 16
    return NAME(fma)(x, y, -p);
#else
    const vec split = NAME(splat)(134217729); /* 2^27 + 1 */
    const vec cx = x * split, cy = y * split;
    const vec xh = cx - (cx - x), yh = cy - (cy - y);
    const vec xl = x - xh, yl = y - yh;
    return ((xh * yh - p) + xh * yl + xl * yh) + xl * yl;
#endif
}

/* hi + lo += x + x_lo */
INLINE void NAME(add_pair)(vec *hi, vec *lo, vec x, vec x_lo)
{
    const vec s = *hi + x, z = s - *hi;
    *lo += ((*hi - (s - z)) + (x - z)) + x_lo;
    *hi = s;
}

/* hi + lo += x y */
INLINE void NAME(add_product)(vec *hi, vec *lo, vec x, vec y)
{
    const vec p = x * y;
    NAME(add_pair)(hi, lo, p, NAME(product_error)(x, y, p));
}

/* LANES elements of a row of M from column j, scaled; zeros beyond its end. */
INLINE vec NAME(take)(const pass *a, const double *row, size_t j, const bool scaled)
{
    const size_t left = a->k - j;
    const vec x = NAME(load_part)(row + j, left);
    return scaled ? x * NAME(load_part)(a->scale + j, left) : x;
}

/* *f + *f_lo -= M y for one row and one right side; y has zeros beyond its end. */
INLINE void NAME(minus_row)(const pass *a, const double *row, const double *y, double *f,
                            double *f_lo, const bool scaled)
{
    vec hi[2], lo[2];
    hi[0] = hi[1] = lo[0] = lo[1] = NAME(splat)(0);
    size_t j = 0;
    for (; j + LANES < a->k; j += 2 * LANES) {
        NAME(add_product)(&hi[0], &lo[0], NAME(take)(a, row, j, scaled), NAME(load)(y + j));
        NAME(add_product)
        (&hi[1], &lo[1], NAME(take)(a, row, j + LANES, scaled), NAME(load)(y + j + LANES));
    }
    if (j < a->k)
        NAME(add_product)(&hi[0], &lo[0], NAME(take)(a, row, j, scaled), NAME(load)(y + j));
    NAME(add_pair)(&hi[0], &lo[0], hi[1], lo[1]);
    double h[LANES], l[LANES];
    NAME(store)(h, hi[0]);
    NAME(store)(l, lo[0]);
    UNROLL
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        UNROLL
        for (size_t i = 0; i < half; i++)
            add_exact(&h[i], &l[i], h[i + half], l[i + half]);
    }
    add_exact(f, f_lo, -h[0], -l[0]);
}

INLINE void NAME(rows)(const pass *a, size_t start, size_t end, double *ghi, double *glo,
                       const bool scaled)
{
    for (size_t i = start; i < end; i++)
        for (size_t q = 0; q < a->p; q++) {
            const double *row = a->M + i * a->k;
            double f = 0, f_lo = 0;
            if (a->F != NULL)
                f = a->F[i * a->p + q] * (scaled ? a->scale[a->k + q] : 1);
            if (a->r != NULL)
                add_exact(&f, &f_lo, -a->r[i * a->p + q], 0);
            NAME(minus_row)(a, row, a->y + q * a->kp, &f, &f_lo, scaled);
            const double rounded = f + f_lo;
            a->f[i * a->p + q] = rounded;
            if (!a->want_g)
                continue;
            const double u = a->r != NULL ? a->r[i * a->p + q] : rounded;
            const double u_lo = a->r != NULL ? 0 : (f - rounded) + f_lo;
            const vec minus = NAME(splat)(-u), minus_lo = NAME(splat)(-u_lo);
            double *to_hi = ghi + q * a->kp, *to_lo = glo + q * a->kp;
            for (size_t j = 0; j < a->k; j += LANES) {
                const vec m = NAME(take)(a, row, j, scaled);
                vec gh = NAME(load)(to_hi + j);
                vec gl = NAME(fma)(m, minus_lo, NAME(load)(to_lo + j));
                NAME(add_product)(&gh, &gl, m, minus);
                NAME(store)(to_hi + j, gh);
                NAME(store)(to_lo + j, gl);
            }
        }
}

/* Rows start..end-1; hi + lo (p,kp) += their part of M^T r or M^T f. */
KERNEL static void NAME(run_rows)(const pass *a, size_t start, size_t end, double *ghi, double *glo)
{
    if (a->scale != NULL)
        NAME(rows)(a, start, end, ghi, glo, true);
    else
        NAME(rows)(a, start, end, ghi, glo, false);
}
