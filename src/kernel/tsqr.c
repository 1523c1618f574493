/* SPDX-License-Identifier: MIT
 *
 * A block is row-major, so the 8 numbers of a row in one panel are one vector: a column's dot
 * products with all columns of its panel take one pass over the rows, one multiply-add a row, and
 * so does its elimination. A panel is applied to 8 columns at a time in the same way.
 *
 * The inner loops stand in tsqr_loops.h, one copy for each level of instructions.
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
    GATHER = 64,               /* so many columns at a time */
    PIECE = 64,                /* rows a panel is applied to at a time, */
    PASS = 256                 /* and columns */
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t padded(size_t n)
{
    return (n + PANEL - 1) / PANEL * PANEL;
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

/* A block (m,ld) at `a`, with columns to carry from np on. top (n,ld) receives R and the first n
 * rows of the carried columns; t has a tile for each panel. */
typedef struct {
    size_t m, n, np, ld;
    double *a, *top, *t;
} block;

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

typedef struct {
    void (*factor_panels)(const block *b, size_t first, size_t last, size_t stop);
    bool (*load_block)(const wave *w, size_t row, size_t m, double *a, double *most);
} loops;

#define LANES_BITS  64
#define LANES_BYTES 16
#include "kernel/lanes.h"
#include "kernel/tsqr_loops.h"
#if PERI_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"
#include "kernel/tsqr_loops.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"
#include "kernel/tsqr_loops.h"
static const loops *const tables[3] = {&loops_f64_16, &loops_f64_32, &loops_f64_64};
#else
static const loops *const tables[3] = {&loops_f64_16};
#endif

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
        tables[peri_isa()]->factor_panels(b, 0, b->np, b->ld);
        return;
    }
    for (size_t first = 0; first < b->np; first += GATHER) {
        const size_t last = min_size(first + GATHER, b->np);
        tables[peri_isa()]->factor_panels(b, first, last, last);
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
        w->bad[slot] =
            tables[peri_isa()]->load_block(w, start, end - start, a, w->colmax + slot * f->ld);
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
