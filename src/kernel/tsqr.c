/* SPDX-License-Identifier: MIT
 *
 * A block is row-major, so the 8 numbers of a row in one panel are one vector: a column's dot
 * products with all columns of its panel take one pass over the rows, one multiply-add a row, and
 * so does its elimination. A panel is applied to 8 columns at a time in the same way.
 *
 * The inner loops exist in three copies, chosen at run time: AVX-512, AVX2 with FMA, and plain.
 */
#include "kernel/tsqr.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/simd.h"

enum {
    PANEL = 8,
    TILE = PANEL * PANEL,
    SLOTS = 8,                 /* blocks in work at once */
    BLOCK_DOUBLES = 96 * 1024, /* of a block, if that is not too few rows */
    BLOCK_RATIO = 8,           /* rows of a block are at least this many times n */
    WIDE = 160,                /* columns from which panels are gathered for gemm, */
    GATHER = 64                /* so many columns at a time */
};

typedef double lanes __attribute__((vector_size(64)));
typedef double lanes_anywhere __attribute__((vector_size(64), aligned(8)));

#define INLINE static inline __attribute__((always_inline))
/* At -O3 gcc 12 takes loops over lanes apart before it sees that each is one instruction: 20 times
 * the time. */
#ifndef __clang__
#pragma GCC optimize("O2")
#endif

/* Vectors stay within this file, where all of it is inlined: no ABI is touched. */
#pragma GCC diagnostic ignored "-Wpsabi"

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t padded(size_t n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
}

/* c + x y in each lane; one rounding where the CPU has the instruction. */
INLINE void add_product(lanes *c, const lanes *x, const lanes *y, const bool fused)
{
    if (fused)
        for (int l = 0; l < PANEL; l++)
            (*c)[l] = __builtin_fma((*x)[l], (*y)[l], (*c)[l]);
    else
        *c += *x * *y;
}

INLINE lanes spread(double x)
{
    const lanes first = {x};
    return __builtin_shufflevector(first, first, 0, 0, 0, 0, 0, 0, 0, 0);
}

/* ---- one panel ---------------------------------------------------------------------------- */

/* T of the compact WY form from the Gram matrix of V, both (k,k). */
static void form_t(size_t k, const double *gram, const double *tau, double *t)
{
    memset(t, 0, k * k * sizeof *t);
    for (size_t j = 0; j < k; j++) {
        t[j * k + j] = tau[j];
        for (size_t i = 0; i < j; i++) {
            double sum = 0;
            for (size_t l = i; l < j; l++)
                sum += t[i * k + l] * gram[l * k + j];
            t[i * k + j] = -tau[j] * sum;
        }
    }
}

/* w = V^T C for the 8 columns of V and one or two groups of 8 of C, a tile of w each. Rows are ld
 * apart. */
INLINE void project(size_t m, const double *v, const double *c, size_t ld, double *w,
                    const int groups, const bool fused)
{
    lanes sum[2][PANEL];
#pragma GCC unroll 8
    for (int l = 0; l < PANEL; l++)
        sum[0][l] = sum[1][l] = spread(0);
    for (size_t i = 0; i < m; i++) {
        const lanes row0 = *(const lanes_anywhere *)(c + i * ld);
        const lanes row1 = groups > 1 ? *(const lanes_anywhere *)(c + i * ld + PANEL) : (lanes){0};
        const double *vi = v + i * ld;
#pragma GCC unroll 8
        for (int l = 0; l < PANEL; l++) {
            const lanes x = spread(vi[l]);
            add_product(&sum[0][l], &x, &row0, fused);
            if (groups > 1)
                add_product(&sum[1][l], &x, &row1, fused);
        }
    }
#pragma GCC unroll 8
    for (int l = 0; l < PANEL; l++) {
        *(lanes_anywhere *)(w + l * PANEL) = sum[0][l];
        if (groups > 1)
            *(lanes_anywhere *)(w + TILE + l * PANEL) = sum[1][l];
    }
}

/* C -= V w. */
INLINE void deflate(size_t m, const double *v, double *c, size_t ld, const double *w,
                    const int groups, const bool fused)
{
    lanes minus[2][PANEL];
#pragma GCC unroll 8
    for (int l = 0; l < PANEL; l++) {
        minus[0][l] = -*(const lanes_anywhere *)(w + l * PANEL);
        minus[1][l] = groups > 1 ? -*(const lanes_anywhere *)(w + TILE + l * PANEL) : (lanes){0};
    }
    for (size_t i = 0; i < m; i++) {
        lanes row0 = *(const lanes_anywhere *)(c + i * ld), odd0 = spread(0);
        lanes row1 = groups > 1 ? *(const lanes_anywhere *)(c + i * ld + PANEL) : (lanes){0};
        lanes odd1 = odd0;
        const double *vi = v + i * ld;
#pragma GCC unroll 8
        for (int l = 0; l < PANEL; l += 2) {
            const lanes x = spread(vi[l]), y = spread(vi[l + 1]);
            add_product(&row0, &x, &minus[0][l], fused);
            add_product(&odd0, &y, &minus[0][l + 1], fused);
            if (groups > 1) {
                add_product(&row1, &x, &minus[1][l], fused);
                add_product(&odd1, &y, &minus[1][l + 1], fused);
            }
        }
        *(lanes_anywhere *)(c + i * ld) = row0 + odd0;
        if (groups > 1)
            *(lanes_anywhere *)(c + i * ld + PANEL) = row1 + odd1;
    }
}

/* C -= V T^T V^T C. */
INLINE void eliminate(size_t m, const double *v, const double t[TILE], double *c, size_t ld,
                      const int groups, const bool fused)
{
    double w[2 * TILE], tw[2 * TILE];
    project(m, v, c, ld, w, groups, fused);
    for (int at = 0; at < groups * TILE; at += TILE)
        for (int l = 0; l < PANEL; l++) { /* row l of T^T w */
            lanes sum = spread(0);
            for (int q = 0; q <= l; q++) {
                const lanes x = spread(t[q * PANEL + l]);
                const lanes y = *(const lanes_anywhere *)(w + at + q * PANEL);
                add_product(&sum, &x, &y, fused);
            }
            *(lanes_anywhere *)(tw + at + l * PANEL) = sum;
        }
    deflate(m, v, c, ld, tw, groups, fused);
}

/* s = the dot products of column j below its diagonal with each column of the panel there. */
INLINE lanes dot_columns(size_t m, const double *a, size_t ld, const int j, const bool fused)
{
    lanes s = spread(0);
    for (size_t i = (size_t)j + 1; i < m; i++) {
        const lanes y = *(const lanes_anywhere *)(a + i * ld), x = spread(y[j]);
        add_product(&s, &x, &y, fused);
    }
    return s;
}

/* One row of the panel: becomes v in column j, loses v w to its right; s gains what column j + 1
 * adds to its dot products. */
INLINE void reflect_row(double *at, const int j, double scale, const lanes *minus, lanes *s,
                        const bool fused)
{
    lanes y = *(const lanes_anywhere *)at;
    const double v = scale * y[j];
    const lanes x = spread(v);
    add_product(&y, &x, minus, fused);
    y[j] = v;
    *(lanes_anywhere *)at = y;
    if (j + 1 < PANEL) {
        const lanes next = spread(y[j + 1]);
        add_product(s, &next, &y, fused);
    }
}

/* Eliminates column j of the panel. s: dot_columns of j, on return those of j + 1. */
INLINE void reflect(size_t m, double *a, size_t ld, const int j, double r[TILE], double tau[PANEL],
                    lanes *s, const bool fused)
{
    double *row = a + (size_t)j * ld;
    const double alpha = row[j], below = (*s)[j];
    for (int k = j; k < PANEL; k++)
        r[j * PANEL + k] = row[k];
    tau[j] = 0;
    if (below == 0) { /* nothing to eliminate: H_j = I */
        if (j + 1 < PANEL)
            *s = dot_columns(m, a, ld, j + 1, fused);
        return;
    }
    const double beta = -copysign(sqrt(alpha * alpha + below), alpha);
    const double scale = 1 / (alpha - beta);
    tau[j] = (beta - alpha) / beta;
    r[j * PANEL + j] = beta;
    lanes minus = spread(0);
    for (int k = j + 1; k < PANEL; k++) {
        minus[k] = -tau[j] * (row[k] + scale * (*s)[k]);
        r[j * PANEL + k] = row[k] += minus[k];
    }
    lanes even = spread(0), odd = even, ignored = even;
    size_t i = (size_t)j + 1;
    if (i < m)
        reflect_row(a + i * ld, j, scale, &minus, &ignored, fused);
    for (i++; i + 2 <= m; i += 2) {
        reflect_row(a + i * ld, j, scale, &minus, &even, fused);
        reflect_row(a + (i + 1) * ld, j, scale, &minus, &odd, fused);
    }
    if (i < m)
        reflect_row(a + i * ld, j, scale, &minus, &even, fused);
    *s = even + odd;
}

/* Factors the panel a (m,8), rows ld apart: V replaces it, its triangle goes to r, T to t. */
INLINE void factor_panel(size_t m, double *a, size_t ld, double r[TILE], double t[TILE],
                         const bool fused)
{
    double tau[PANEL] = {0}, gram[TILE];
    memset(r, 0, TILE * sizeof *r);
    lanes s = dot_columns(m, a, ld, 0, fused);
#pragma GCC unroll 8
    for (int j = 0; j < PANEL; j++)
        if ((size_t)j < m)
            reflect(m, a, ld, j, r, tau, &s, fused);
    for (size_t j = 0; j < min_size(PANEL, m); j++)
        for (size_t k = j; k < PANEL; k++)
            a[j * ld + k] = j == k;
    project(m, a, a, ld, gram, 1, fused);
    form_t(PANEL, gram, tau, t);
}

/* A block (m,ld) at `a`, with columns to carry from np on. top (n,ld) receives R and the first n
 * rows of the carried columns; t has a tile for each panel. */
typedef struct {
    size_t m, n, np, ld;
    double *a, *top, *t;
} block;

/* Factors the panels of columns first..last-1 and applies them to the columns up to `stop`. */
INLINE void factor_panels(const block *b, size_t first, size_t last, size_t stop, const bool fused)
{
    const size_t ld = b->ld;
    for (size_t j = first; j < last && j < b->m; j += PANEL) {
        double r[TILE], *t = b->t + j / PANEL * TILE, *v = b->a + j * ld + j;
        const size_t rows = b->m - j, kept = min_size(min_size(b->n - j, PANEL), rows);
        factor_panel(rows, v, ld, r, t, fused);
        for (size_t i = 0; i < kept; i++)
            memcpy(b->top + (j + i) * ld + j, r + i * PANEL, PANEL * sizeof *r);
        for (size_t k = j + PANEL; k < stop;) {
            const size_t groups = k + PANEL < stop ? 2 : 1;
            double *c = b->a + j * ld + k;
            if (groups == 2)
                eliminate(rows, v, t, c, ld, 2, fused);
            else
                eliminate(rows, v, t, c, ld, 1, fused);
            for (size_t i = 0; i < kept; i++)
                memcpy(b->top + (j + i) * ld + k, c + i * ld, groups * PANEL * sizeof *c);
            k += groups * PANEL;
        }
    }
}

#if PERI_X86
static PERI_AVX512 void factor_panels_512(const block *b, size_t first, size_t last, size_t stop)
{
    factor_panels(b, first, last, stop, true);
}

static PERI_AVX2 void factor_panels_256(const block *b, size_t first, size_t last, size_t stop)
{
    factor_panels(b, first, last, stop, true);
}
#endif

static void factor_panels_any(const block *b, size_t first, size_t last, size_t stop)
{
#if PERI_X86
    if (peri_isa() == PERI_ISA_AVX512) {
        factor_panels_512(b, first, last, stop);
        return;
    }
    if (peri_isa() >= PERI_ISA_AVX2) {
        factor_panels_256(b, first, last, stop);
        return;
    }
#endif
    factor_panels(b, first, last, stop, false);
}

static size_t scratch_doubles(size_t np, size_t ld)
{
    return np >= WIDE ? GATHER * ld + 2 * GATHER * GATHER : 0;
}

/* Applies the panels of columns first..last-1, as one, to all columns from `last` on. */
static void eliminate_rest(const block *b, size_t first, size_t last, double *scratch)
{
    const size_t ld = b->ld, k = last - first, rest = ld - last;
    if (b->m <= first || rest == 0)
        return;
    const size_t rows = b->m - first;
    double *v = b->a + first * ld + first, *c = b->a + first * ld + last;
    double *w = scratch, *gram = w + GATHER * ld, *t = gram + GATHER * GATHER, tau[GATHER];
    for (size_t i = 0; i < k; i++) {
        tau[i] = b->t[(first + i) / PANEL * TILE + i % PANEL * (PANEL + 1)];
        /* R lies here, which top holds too; V is 0 */
        const size_t from = (i / PANEL + 1) * PANEL;
        if (i < rows && from < k)
            memset(v + i * ld + from, 0, (k - from) * sizeof *v);
    }
    const int ki = (int)k, mi = (int)rows, ci = (int)rest, li = (int)ld;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ki, ki, mi, 1, v, li, v, li, 0, gram, ki);
    form_t(k, gram, tau, t);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, ki, ci, mi, 1, v, li, c, li, 0, w, ci);
    cblas_dtrmm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, ki, ci, 1, t, ki, w,
                ci);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, mi, ci, ki, -1, v, li, w, ci, 1, c, li);
    for (size_t i = 0; i < min_size(min_size(b->n - first, k), rows); i++)
        memcpy(b->top + (first + i) * ld + last, c + i * ld, rest * sizeof *c);
}

static void factor_block(const block *b, double *scratch)
{
    memset(b->top, 0, b->n * b->ld * sizeof *b->top);
    if (b->np < WIDE) {
        factor_panels_any(b, 0, b->np, b->ld);
        return;
    }
    for (size_t first = 0; first < b->np; first += GATHER) {
        const size_t last = min_size(first + GATHER, b->np);
        factor_panels_any(b, first, last, last);
        eliminate_rest(b, first, last, scratch);
    }
}

/* ---- the tree ----------------------------------------------------------------------------- */

static size_t count_blocks(size_t m, size_t n, size_t ld)
{
    size_t rows = BLOCK_DOUBLES / ld;
    if (rows < BLOCK_RATIO * n)
        rows = BLOCK_RATIO * n;
    const size_t blocks = m / rows;
    return blocks > 0 ? blocks : 1;
}

/* The first row of block b of nblocks over m rows. */
static size_t block_start(size_t m, size_t nblocks, size_t b)
{
    const size_t rows = m / nblocks, longer = m % nblocks;
    return b * rows + min_size(b, longer);
}

/* Lays the levels out from `work` (NULL: only measures). Returns the bytes. */
static size_t lay_out(peri_tsqr *f, char *work)
{
    size_t bytes = 0, m = f->m;
    const size_t tiles = f->np / PANEL * TILE;
    bool overflow = false;
    char *base = work;
#define TAKE(pointer, count)                                                                       \
    do {                                                                                           \
        size_t taken_ = 0;                                                                         \
        if (base != NULL)                                                                          \
            (pointer) = (double *)(void *)(base + bytes);                                          \
        overflow |= __builtin_mul_overflow((size_t)(count), sizeof(double), &taken_) ||            \
                    taken_ > SIZE_MAX / 4;                                                         \
        overflow |= __builtin_add_overflow(bytes, (taken_ + 63) / 64 * 64, &bytes);                \
    } while (0)
    f->nlevels = 0;
    for (;;) {
        const int at = f->nlevels++;
        const size_t nblocks = count_blocks(m, f->n, f->ld);
        const bool keep = at > 0 || f->stored;
        const size_t largest = m / nblocks + (m % nblocks != 0), slots = min_size(nblocks, SLOTS);
        f->level[at].m = m;
        f->level[at].nblocks = nblocks;
        size_t vcount = 0;
        overflow |= __builtin_mul_overflow(keep ? m : slots * largest, f->ld, &vcount);
        TAKE(f->level[at].v, vcount);
        TAKE(f->level[at].t, (keep ? nblocks : slots) * tiles);
        if (nblocks == 1 || overflow)
            break;
        m = nblocks * f->n;
    }
    TAKE(f->r, f->n * f->ld);
    TAKE(f->scratch, SLOTS * scratch_doubles(f->np, f->ld));
#undef TAKE
    return overflow ? SIZE_MAX : bytes;
}

static peri_tsqr describe(size_t m, size_t n, size_t p, bool store)
{
    peri_tsqr f = {.m = m, .n = n, .p = p, .stored = store};
    f.np = padded(n);
    f.ld = f.np + padded(p);
    /* Rows a multiple of 512 bytes apart would meet in few sets of the cache. */
    if (f.ld % 64 == 0)
        f.ld += PANEL;
    return f;
}

/* The scratch for colmax of the blocks in work follows the levels. */
static size_t colmax_bytes(const peri_tsqr *f)
{
    return SLOTS * f->ld * sizeof(double);
}

size_t peri_tsqr_work(size_t m, size_t n, size_t p, bool store)
{
    if (n > INT_MAX / 2 || p > INT_MAX / 2)
        return SIZE_MAX;
    peri_tsqr f = describe(m, n, p, store);
    size_t bytes = lay_out(&f, NULL);
    if (bytes == SIZE_MAX || __builtin_add_overflow(bytes, colmax_bytes(&f), &bytes))
        return SIZE_MAX;
    return bytes;
}

typedef struct {
    const peri_tsqr *f;
    int level;
    size_t first; /* block of this wave's block 0 */
    const double *X, *B, *scale;
    size_t ldx, ldb;
    double *top;    /* of all blocks, (nblocks n, ld) */
    double *colmax; /* (SLOTS, ld) */
    bool bad[SLOTS];
} wave;

/* to = from * scale over n numbers; most keeps the largest magnitudes. Whether one is not finite.
 */
static bool load_row(double *to, const double *from, const double *scale, size_t n, double *most)
{
    double bad = 0;
    for (size_t j = 0; j < n; j++) {
        const double x = from[j], size = fabs(x);
        bad += x * 0; /* NaN where x is not finite */
        most[j] = size > most[j] ? size : most[j];
        to[j] = scale ? x * scale[j] : x;
    }
    return bad != 0;
}

INLINE bool load_row_lanes(double *to, const double *from, size_t n, double *most)
{
    lanes bad = spread(0);
    size_t j = 0;
    for (; j + PANEL <= n; j += PANEL) {
        const lanes x = *(const lanes_anywhere *)(from + j);
        lanes high = *(const lanes_anywhere *)(most + j);
        bad += x * 0;
        for (int l = 0; l < PANEL; l++) {
            const double size = fabs(x[l]);
            high[l] = size > high[l] ? size : high[l];
        }
        *(lanes_anywhere *)(most + j) = high;
        *(lanes_anywhere *)(to + j) = x;
    }
    double sum = 0;
    for (int l = 0; l < PANEL; l++)
        sum += bad[l];
    return load_row(to + j, from + j, NULL, n - j, most + j) || sum != 0;
}

INLINE bool load_block(const wave *w, size_t row, size_t m, double *a, double *most)
{
    const peri_tsqr *f = w->f;
    bool bad = false;
    for (size_t i = 0; i < m; i++, a += f->ld) {
        const double *x = w->X + (row + i) * w->ldx;
        if (w->scale == NULL)
            bad |= load_row_lanes(a, x, f->n, most);
        else
            bad |= load_row(a, x, w->scale, f->n, most);
        for (size_t j = f->n; j < f->np; j++)
            a[j] = 0;
        if (f->p > 0)
            bad |= load_row(a + f->np, w->B + (row + i) * w->ldb,
                            w->scale != NULL ? w->scale + f->n : NULL, f->p, most + f->np);
        for (size_t j = f->np + f->p; j < f->ld; j++)
            a[j] = 0;
    }
    return bad;
}

#if PERI_X86
static PERI_AVX512 bool load_block_512(const wave *w, size_t row, size_t m, double *a, double *most)
{
    return load_block(w, row, m, a, most);
}
#endif

static bool load_block_any(const wave *w, size_t row, size_t m, double *a, double *most)
{
#if PERI_X86
    if (peri_isa() == PERI_ISA_AVX512)
        return load_block_512(w, row, m, a, most);
#endif
    return load_block(w, row, m, a, most);
}

static void run_block(void *context, size_t slot)
{
    wave *w = context;
    const peri_tsqr *f = w->f;
    const size_t b = w->first + slot, m = f->level[w->level].m;
    const size_t nblocks = f->level[w->level].nblocks, tiles = f->np / PANEL * TILE;
    const size_t start = block_start(m, nblocks, b), end = block_start(m, nblocks, b + 1);
    const bool keep = w->level > 0 || f->stored;
    const size_t largest = m / nblocks + (m % nblocks != 0);
    double *a = f->level[w->level].v + (keep ? start : slot * largest) * f->ld;
    double *t = f->level[w->level].t + (keep ? b : slot) * tiles;
    if (w->level == 0) {
        w->bad[slot] = load_block_any(w, start, end - start, a, w->colmax + slot * f->ld);
        if (w->bad[slot])
            return;
    }
    const block part = {end - start, f->n, f->np, f->ld, a, w->top + b * f->n * f->ld, t};
    factor_block(&part, f->scratch + slot * scratch_doubles(f->np, f->ld));
}

static peri_status find_bad(const peri_tsqr *f, const wave *w, peri_facts *facts)
{
    for (size_t i = 0; i < f->m; i++) {
        for (size_t j = 0; j < f->n + f->p; j++) {
            const double x = j < f->n ? w->X[i * w->ldx + j] : w->B[i * w->ldb + (j - f->n)];
            if (isfinite(x))
                continue;
            *facts = (peri_facts){.arg = j < f->n ? "X" : "y", .nindex = 2, .got = x};
            facts->index[0] = i;
            facts->index[1] = j < f->n ? j : j - f->n;
            return PERI_ERR_NONFINITE;
        }
    }
    return PERI_OK;
}

peri_status peri_tsqr_factor(peri_tsqr *f, size_t m, size_t n, size_t p, const double *X,
                             size_t ldx, const double *scale, const double *B, size_t ldb,
                             bool store, void *work, double *colmax, const peri_stop *stop,
                             peri_facts *facts)
{
    *f = describe(m, n, p, store);
    const size_t bytes = lay_out(f, work);
    wave w = {.f = f, .X = X, .B = B, .scale = scale, .ldx = ldx, .ldb = ldb};
    w.colmax = (double *)(void *)((char *)work + bytes);
    memset(w.colmax, 0, colmax_bytes(f));
    /* With one thread each block reuses the memory, still in the cache, of the one before. */
    const size_t at_once = store ? SLOTS : min_size((size_t)peri_threads(0), SLOTS);
    for (w.level = 0; w.level < f->nlevels; w.level++) {
        const size_t nblocks = f->level[w.level].nblocks;
        w.top = w.level + 1 < f->nlevels ? f->level[w.level + 1].v : f->r;
        for (w.first = 0; w.first < nblocks; w.first += at_once) {
            const size_t count = min_size(nblocks - w.first, at_once);
            peri_pool_run(count, run_block, &w);
            for (size_t slot = 0; w.level == 0 && slot < count; slot++)
                if (w.bad[slot])
                    return find_bad(f, &w, facts);
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    }
    for (size_t j = 0; j < n + p; j++) {
        colmax[j] = 0;
        for (size_t slot = 0; slot < SLOTS; slot++) {
            const double size = w.colmax[slot * f->ld + (j < n ? j : f->np + j - n)];
            colmax[j] = size > colmax[j] ? size : colmax[j];
        }
    }
    return PERI_OK;
}

/* ---- Q ------------------------------------------------------------------------------------ */

/* c (m,q) becomes (I - V T' V^T) c, T' = T^T or T. w is (8,q). */
static void apply_panel(size_t m, const double *v, size_t ld, const double *t, bool transpose,
                        double *c, size_t q, double *w)
{
    memset(w, 0, PANEL * q * sizeof *w);
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < q; k++)
            for (size_t l = 0; l < PANEL; l++)
                w[k * PANEL + l] += v[i * ld + l] * c[i * q + k];
    for (size_t k = 0; k < q; k++) {
        double tw[PANEL] = {0};
        for (int i = 0; i < PANEL; i++)
            for (int l = 0; l < PANEL; l++)
                tw[i] +=
                    (transpose ? t[l * PANEL + i] : t[i * PANEL + l]) * w[k * PANEL + (size_t)l];
        memcpy(w + k * PANEL, tw, sizeof tw);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < q; k++) {
            double sum = 0;
            for (size_t l = 0; l < PANEL; l++)
                sum += v[i * ld + l] * w[k * PANEL + l];
            c[i * q + k] -= sum;
        }
}

size_t peri_tsqr_apply_work(const peri_tsqr *f, size_t q)
{
    size_t rows = PANEL;
    for (int level = 1; level < f->nlevels; level++)
        rows += f->level[level].m;
    return rows * q * sizeof(double);
}

/* Between calls what belongs to the level above lies in the first n rows of the blocks below. */
static void move_tops(const peri_tsqr *f, int level, double *below, double *above, size_t q,
                      bool up)
{
    const size_t nblocks = f->level[level].nblocks, count = f->n * q;
    for (size_t b = 0; b < nblocks; b++) {
        double *place = below + block_start(f->level[level].m, nblocks, b) * q;
        memcpy(up ? above + b * count : place, up ? place : above + b * count,
               count * sizeof *above);
    }
}

void peri_tsqr_apply(const peri_tsqr *f, bool transpose, double *top, double *c, size_t q,
                     void *work)
{
    double *panel = work, *vector[PERI_TSQR_LEVELS + 1] = {c};
    double *next = panel + PANEL * q;
    for (int level = 1; level < f->nlevels; level++) {
        vector[level] = next;
        next += f->level[level].m * q;
    }
    vector[f->nlevels] = top;
    const size_t n = f->n, row = q * sizeof(double), panels = f->np / PANEL;
    if (!transpose)
        for (int level = 0; level + 1 < f->nlevels; level++)
            move_tops(f, level, vector[level], vector[level + 1], q, true);
    for (int step = 0; step < f->nlevels; step++) {
        const int level = transpose ? step : f->nlevels - 1 - step;
        const size_t m = f->level[level].m, nblocks = f->level[level].nblocks;
        for (size_t b = 0; b < nblocks; b++) {
            const size_t start = block_start(m, nblocks, b);
            const size_t rows = block_start(m, nblocks, b + 1) - start;
            const double *v = f->level[level].v + start * f->ld;
            const double *t = f->level[level].t + b * panels * TILE;
            double *part = vector[level] + start * q, *above = vector[level + 1] + b * n * q;
            if (!transpose)
                memcpy(part, above, n * row);
            for (size_t k = 0; k < panels; k++) {
                const size_t j = transpose ? k : panels - 1 - k;
                if (rows > j * PANEL)
                    apply_panel(rows - j * PANEL, v + j * PANEL * f->ld + j * PANEL, f->ld,
                                t + j * TILE, transpose, part + j * PANEL * q, q, panel);
            }
            if (transpose)
                memcpy(above, part, n * row);
        }
    }
    if (transpose)
        for (int level = f->nlevels - 2; level >= 0; level--)
            move_tops(f, level, vector[level], vector[level + 1], q, false);
}
