/* SPDX-License-Identifier: MIT
 *
 * The inner loops of tsqr.c over the names of lanes.h for f64, included there once for each level.
 * The 8 numbers of a row in one panel are PARTS registers. */

#undef PARTS
#undef COLUMNS
#undef GROUP
#undef EACH_PART

#define PARTS (PANEL / LANES)
/* COLUMNS of V times GROUP registers of C at a time: so many sums stay in registers. */
#define COLUMNS (LANES_BYTES == 64 ? 8 : 4)
#define GROUP   3
#define EACH_PART                                                                                  \
    UNROLL                                                                                         \
    for (int q = 0; q < PARTS; q++)

/* w (8,ldw) += V^T C over m rows: `columns` of V from v on, and `group` registers of C. */
INLINE void NAME(project_tile)(size_t m, const double *v, const double *c, size_t ld, double *w,
                               size_t ldw, const int columns, const int group)
{
    vec sum[8][GROUP];
    UNROLL
    for (int l = 0; l < columns; l++) {
        UNROLL
        for (int g = 0; g < group; g++)
            sum[l][g] = NAME(load)(w + (size_t)l * ldw + (size_t)g * LANES);
    }
    for (size_t i = 0; i < m; i++, v += ld, c += ld) {
        vec row[GROUP];
        UNROLL
        for (int g = 0; g < group; g++)
            row[g] = NAME(load)(c + (size_t)g * LANES);
        UNROLL
        for (int l = 0; l < columns; l++) {
            const vec x = NAME(splat)(v[l]);
            UNROLL
            for (int g = 0; g < group; g++)
                sum[l][g] = NAME(fma)(x, row[g], sum[l][g]);
        }
    }
    UNROLL
    for (int l = 0; l < columns; l++) {
        UNROLL
        for (int g = 0; g < group; g++)
            NAME(store)(w + (size_t)l * ldw + (size_t)g * LANES, sum[l][g]);
    }
}

/* The same for all 8 of V and `count` of C, a multiple of LANES. */
KERNEL static void NAME(project)(size_t m, const double *v, const double *c, size_t ld,
                                 size_t count, double *w, size_t ldw)
{
    size_t k = 0;
    for (; k + GROUP * LANES <= count; k += GROUP * LANES)
        for (size_t h = 0; h < PANEL; h += COLUMNS)
            NAME(project_tile)(m, v + h, c + k, ld, w + h * ldw + k, ldw, COLUMNS, GROUP);
    for (; k < count; k += LANES)
        NAME(project_tile)(m, v, c + k, ld, w + k, ldw, PANEL, 1);
}

/* C -= V w over m rows. */
INLINE void NAME(deflate_tile)(size_t m, const double *v, double *c, size_t ld, const double *w,
                               size_t ldw, const int columns, const int group)
{
    vec minus[8][2];
    UNROLL
    for (int l = 0; l < columns; l++) {
        UNROLL
        for (int g = 0; g < group; g++)
            minus[l][g] = -NAME(load)(w + (size_t)l * ldw + (size_t)g * LANES);
    }
    for (size_t i = 0; i < m; i++, v += ld, c += ld) {
        vec row[2], odd[2];
        UNROLL
        for (int g = 0; g < group; g++) {
            row[g] = NAME(load)(c + (size_t)g * LANES);
            odd[g] = NAME(splat)(v[1]) * minus[1][g];
        }
        UNROLL
        for (int l = 0; l < columns; l++) {
            const vec x = NAME(splat)(v[l]);
            UNROLL
            for (int g = 0; g < group; g++)
                if (l % 2 == 0)
                    row[g] = NAME(fma)(x, minus[l][g], row[g]);
                else if (l > 1)
                    odd[g] = NAME(fma)(x, minus[l][g], odd[g]);
        }
        UNROLL
        for (int g = 0; g < group; g++)
            NAME(store)(c + (size_t)g * LANES, row[g] + odd[g]);
    }
}

KERNEL static void NAME(deflate)(size_t m, const double *v, double *c, size_t ld, size_t count,
                                 const double *w, size_t ldw)
{
    size_t k = 0;
    for (; k + 2 * LANES <= count; k += 2 * LANES)
        for (size_t h = 0; h < PANEL; h += COLUMNS)
            NAME(deflate_tile)(m, v + h, c + k, ld, w + h * ldw + k, ldw, COLUMNS, 2);
    for (; k < count; k += LANES)
        NAME(deflate_tile)(m, v, c + k, ld, w + k, ldw, PANEL, 1);
}

/* C -= V T^T V^T C for `count` columns. Rows go in pieces that stay in the first-level cache while
 * all columns of C pass. */
KERNEL static void NAME(eliminate)(size_t m, const double *v, const double t[TILE], double *c,
                                   size_t ld, size_t count)
{
    _Alignas(64) double w[PANEL * PASS], tw[PANEL * PASS];
    for (size_t k = 0; k < count; k += PASS) {
        const size_t n = min_size(count - k, PASS);
        for (size_t l = 0; l < PANEL; l++)
            memset(w + l * PASS, 0, n * sizeof *w);
        for (size_t i = 0; i < m; i += PIECE)
            NAME(project)(min_size(m - i, PIECE), v + i * ld, c + k + i * ld, ld, n, w, PASS);
        for (size_t j = 0; j < n; j += LANES)
            for (size_t l = 0; l < PANEL; l++) { /* row l of T^T w */
                vec sum = NAME(splat)(0);
                for (size_t q = 0; q <= l; q++)
                    sum =
                        NAME(fma)(NAME(splat)(t[q * PANEL + l]), NAME(load)(w + q * PASS + j), sum);
                NAME(store)(tw + l * PASS + j, sum);
            }
        for (size_t i = 0; i < m; i += PIECE)
            NAME(deflate)(min_size(m - i, PIECE), v + i * ld, c + k + i * ld, ld, n, tw, PASS);
    }
}

/* s += the products of element j of a row with the whole row. */
INLINE void NAME(dot_row)(const double *at, const int j, vec s[PARTS])
{
    const vec x = NAME(splat)(at[j]);
    EACH_PART
    s[q] = NAME(fma)(x, NAME(load)(at + q * LANES), s[q]);
}

/* s = the dot products of column j below its diagonal with each column of the panel there. */
INLINE void NAME(dot_columns)(size_t m, const double *a, size_t ld, const int j, vec s[PARTS])
{
    vec even[PARTS], odd[PARTS];
    EACH_PART
    even[q] = odd[q] = NAME(splat)(0);
    size_t i = (size_t)j + 1;
    for (; i + 2 <= m; i += 2) {
        NAME(dot_row)(a + i * ld, j, even);
        NAME(dot_row)(a + (i + 1) * ld, j, odd);
    }
    if (i < m)
        NAME(dot_row)(a + i * ld, j, even);
    EACH_PART
    s[q] = even[q] + odd[q];
}

/* One row of the panel: becomes v in column j, loses v w to its right; s gains what column j + 1
 * adds to its dot products. */
INLINE void NAME(reflect_row)(double *at, const int j, vec scale, const vec minus[PARTS],
                              vec s[PARTS])
{
    vec y[PARTS];
    const vec v = scale * NAME(splat)(at[j]);
    EACH_PART
    y[q] = NAME(fma)(v, minus[q], NAME(load)(at + q * LANES));
    y[j / LANES][j % LANES] = v[j % LANES];
    EACH_PART
    NAME(store)(at + q * LANES, y[q]);
    if (j + 1 < PANEL) {
        const vec next = NAME(splat)(y[(j + 1) / LANES][(j + 1) % LANES]);
        EACH_PART
        s[q] = NAME(fma)(next, y[q], s[q]);
    }
}

/* Eliminates column j of the panel. s: dot_columns of j, on return those of j + 1. */
INLINE void NAME(reflect)(size_t m, double *a, size_t ld, const int j, double r[TILE],
                          double tau[PANEL], vec s[PARTS])
{
    double *row = a + (size_t)j * ld, below[PANEL], with[PANEL] = {0};
    EACH_PART
    NAME(store)(below + q * LANES, s[q]);
    const double alpha = row[j];
    for (int k = j; k < PANEL; k++)
        r[j * PANEL + k] = row[k];
    tau[j] = 0;
    if (below[j] == 0) { /* nothing to eliminate: H_j = I */
        if (j + 1 < PANEL)
            NAME(dot_columns)(m, a, ld, j + 1, s);
        return;
    }
    const double beta = -copysign(sqrt(alpha * alpha + below[j]), alpha);
    const double scale = 1 / (alpha - beta);
    tau[j] = (beta - alpha) / beta;
    r[j * PANEL + j] = beta;
    for (int k = j + 1; k < PANEL; k++) {
        with[k] = -tau[j] * (row[k] + scale * below[k]);
        r[j * PANEL + k] = row[k] += with[k];
    }
    const vec scales = NAME(splat)(scale);
    vec minus[PARTS], even[PARTS], odd[PARTS], ignored[PARTS];
    EACH_PART
    {
        minus[q] = NAME(load)(with + q * LANES);
        even[q] = odd[q] = ignored[q] = NAME(splat)(0);
    }
    size_t i = (size_t)j + 1;
    if (i < m)
        NAME(reflect_row)(a + i * ld, j, scales, minus, ignored);
    for (i++; i + 2 <= m; i += 2) {
        NAME(reflect_row)(a + i * ld, j, scales, minus, even);
        NAME(reflect_row)(a + (i + 1) * ld, j, scales, minus, odd);
    }
    if (i < m)
        NAME(reflect_row)(a + i * ld, j, scales, minus, even);
    EACH_PART
    s[q] = even[q] + odd[q];
}

/* Factors the panel a (m,8), rows ld apart: V replaces it, its triangle goes to r, T to t. */
KERNEL static void NAME(factor_panel)(size_t m, double *a, size_t ld, double r[TILE],
                                      double t[TILE])
{
    double tau[PANEL] = {0}, gram[TILE] = {0};
    memset(r, 0, TILE * sizeof *r);
    vec s[PARTS];
    NAME(dot_columns)(m, a, ld, 0, s);
    UNROLL
    for (int j = 0; j < PANEL; j++)
        if ((size_t)j < m)
            NAME(reflect)(m, a, ld, j, r, tau, s);
    for (size_t j = 0; j < min_size(PANEL, m); j++)
        for (size_t k = j; k < PANEL; k++)
            a[j * ld + k] = j == k;
    NAME(project)(m, a, a, ld, PANEL, gram, PANEL);
    form_t(PANEL, gram, tau, t);
}

/* Factors the panels of columns first..last-1 and applies them to the columns up to `stop`. */
KERNEL static void NAME(factor_panels)(const block *b, size_t first, size_t last, size_t stop)
{
    const size_t ld = b->ld;
    for (size_t j = first; j < last && j < b->m; j += PANEL) {
        double r[TILE], *t = b->t + j / PANEL * TILE, *v = b->a + j * ld + j;
        const size_t rows = b->m - j, kept = min_size(min_size(b->n - j, PANEL), rows);
        const size_t rest = stop - j - PANEL;
        NAME(factor_panel)(rows, v, ld, r, t);
        NAME(eliminate)(rows, v, t, v + PANEL, ld, rest);
        for (size_t i = 0; i < kept; i++) {
            double *top = b->top + (j + i) * ld + j;
            memcpy(top, r + i * PANEL, PANEL * sizeof *r);
            memcpy(top + PANEL, v + i * ld + PANEL, rest * sizeof *r);
        }
    }
}

/* to = from * scale (where there is one) over n numbers; most keeps the largest magnitudes. What it
 * returns is not 0 where a number is not finite. */
INLINE double NAME(load_row)(double *to, const double *from, const double *scale, size_t n,
                             double *most)
{
    vec bad = NAME(splat)(0);
    size_t j = 0;
    for (; j + LANES <= n; j += LANES) {
        const vec x = NAME(load)(from + j);
        bad += x * NAME(splat)(0);
        NAME(store)(most + j, NAME(lower)(NAME(lower)(-x, x), NAME(load)(most + j)));
        NAME(store)(to + j, scale ? x * NAME(load)(scale + j) : x);
    }
    double sum = NAME(sum)(bad);
    for (; j < n; j++) {
        const double x = from[j], size = fabs(x);
        sum += x * 0;
        most[j] = size > most[j] ? size : most[j];
        to[j] = scale ? x * scale[j] : x;
    }
    return sum;
}

/* Rows of X and B into a block, with zeros to fill panels. Whether one is not finite. */
KERNEL static bool NAME(load_block)(const wave *w, size_t row, size_t m, double *a, double *most)
{
    const peri_tsqr *f = w->f;
    const double *scale = w->scale, *scale_b = scale != NULL ? scale + f->n : NULL;
    double bad = 0;
    for (size_t i = 0; i < m; i++, a += f->ld) {
        const double *x = w->X + (row + i) * w->ldx;
        bad += scale == NULL ? NAME(load_row)(a, x, NULL, f->n, most)
                             : NAME(load_row)(a, x, scale, f->n, most);
        for (size_t j = f->n; j < f->np; j++)
            a[j] = 0;
        if (f->p > 0)
            bad +=
                NAME(load_row)(a + f->np, w->B + (row + i) * w->ldb, scale_b, f->p, most + f->np);
        for (size_t j = f->np + f->p; j < f->ld; j++)
            a[j] = 0;
    }
    return bad != 0;
}

static const loops NAME(loops) = {NAME(factor_panels), NAME(load_block)};
