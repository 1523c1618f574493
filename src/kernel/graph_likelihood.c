/* SPDX-License-Identifier: MIT
 *
 * Pairs are walked in blocks of BLOCK rows; within a block in chunks of CHUNK columns, whose
 * features, transposed, stay in the nearest cache. Nothing of size n x n is ever made: the products
 * x_i.x_j of four rows, the exponential and the sums are loops over registers of pairs. A small
 * graph keeps its products, as one row of pairs: at 15 nodes they are half of the work, and its
 * rows fill no register.
 */
#include "kernel/graph.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "kernel/graph_pairs.h"
#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/vmath.h"

#if PERI_X86
#include <immintrin.h>
#endif

enum { BLOCK = 64, CHUNK = 256, GROUP = 4, CHUNK_WORDS = CHUNK / 64 };

/* A product of up to this many factors in (1, 2] is finite. */
enum { FACTORS = 960 };

static size_t block_count(size_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

size_t peri_graph_work(const peri_graph *g)
{
    return g->s != NULL ? 0 : g->m * padded(g->n) + 8 * block_count(g->n);
}

/* Xt (m,padded(n)), zeros behind n. */
static void transpose(const peri_graph *g, double *xt)
{
    const size_t N = padded(g->n);
    for (size_t k = 0; k < g->m; k++) {
        for (size_t i = 0; i < g->n; i++)
            xt[k * N + i] = g->x[i * g->m + k];
        for (size_t i = g->n; i < N; i++)
            xt[k * N + i] = 0.0;
    }
}

/* Where a row stands in its list of neighbours, chunk after chunk. */
typedef struct {
    const peri_graph *g;
    size_t next[BLOCK];
} lists;

static void open_lists(lists *l, const peri_graph *g, size_t row, size_t rows)
{
    l->g = g;
    if (g->bits == NULL)
        for (size_t r = 0; r < rows; r++)
            l->next[r] = g->start[row + r];
}

/* The edges of row `row` (the r-th of its block) in columns j0..j1 as bits; j0 % CHUNK = 0 and
 * chunks come in order. */
static void take_bits(lists *l, size_t r, size_t row, size_t j0, size_t j1,
                      uint64_t out[CHUNK_WORDS])
{
    const peri_graph *g = l->g;
    if (g->bits != NULL) {
        const size_t W = peri_graph_words(g->n), first = j0 / 64;
        for (size_t w = 0; w < CHUNK_WORDS; w++)
            out[w] = first + w < W ? g->bits[row * W + first + w] : 0;
        return;
    }
    memset(out, 0, CHUNK_WORDS * sizeof *out);
    size_t at = l->next[r];
    for (; at < g->start[row + 1] && g->to[at] < j1; at++)
        out[(g->to[at] - j0) / 64] |= (uint64_t)1 << (g->to[at] - j0) % 64;
    l->next[r] = at;
}

typedef struct {
    const peri_graph *g;
    const double *xt;
    double a, b;
    peri_graph_sums *parts;
    const peri_stop *stop;
} job;

/* ---- below AVX-512 --------------------------------------------------------------------------- */

/* A four of edges as the sign that makes u of z: minus where there is none. */
#define SIGN(e) ((e) ? 0.0 : -0.0)
#define SIGNS(e)                                                                                   \
    {                                                                                              \
        SIGN((e)&1), SIGN((e)&2), SIGN((e)&4), SIGN((e)&8)                                         \
    }
#define SIGNS4(e) SIGNS(e), SIGNS(e + 1), SIGNS(e + 2), SIGNS(e + 3)
static const double signs[16][4] = {SIGNS4(0), SIGNS4(4), SIGNS4(8), SIGNS4(12)};

/* The lanes that count, as ones. */
#define COUNT(e, k) ((e) >> (k)&1 ? UINT64_MAX : 0)
#define COUNTS(e)                                                                                  \
    {                                                                                              \
        COUNT(e, 0), COUNT(e, 1), COUNT(e, 2), COUNT(e, 3)                                         \
    }
#define COUNTS4(e) COUNTS(e), COUNTS(e + 1), COUNTS(e + 2), COUNTS(e + 3)
static const uint64_t counted[16][4] = {COUNTS4(0), COUNTS4(4), COUNTS4(8), COUNTS4(12)};

#define LANES_BITS  64
#define LANES_BYTES 16
#include "kernel/lanes.h"
#include "kernel/likelihood_loops.h"
#if PERI_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"
#include "kernel/likelihood_loops.h"
#endif

/* ---- AVX-512 -------------------------------------------------------------------------------- */

#if PERI_X86

PERI_BEGIN_AVX512
#include "kernel/vmath_avx512.h"

#define ALL(x)        _mm512_set1_pd(x)
#define FMA(a, b, c)  _mm512_fmadd_pd(a, b, c)
#define FNMA(a, b, c) _mm512_fnmadd_pd(a, b, c)

typedef struct {
    __m512d positive, q, ga, gb, haa, hab, hbb;
} tally8;

/* Eight pairs: s their products, e their edges, valid which of them count. */
static inline __attribute__((always_inline)) void add8(__m512d s, __mmask8 e, __mmask8 valid,
                                                       __m512d a, __m512d b, tally8 *sum)
{
    const __m512d z = FMA(a, s, b), size = abs8(z), one = ALL(1.0);
    /* u < 0: the pair is as the model does not expect it. */
    const __mmask8 below =
        (__mmask8)((_mm512_movepi64_mask(_mm512_castpd_si512(z)) ^ (__mmask8)~e) & valid);
    const __m512d t = _mm512_maskz_mov_pd(valid, exp8(_mm512_or_pd(z, ALL(-0.0))));
    const __m512d inverse = _mm512_div_pd(one, _mm512_add_pd(one, t));
    const __m512d small = _mm512_mul_pd(t, inverse), h = _mm512_mul_pd(small, inverse);
    const __m512d r = _mm512_mask_mov_pd(small, below, inverse);
    const __m512d d = _mm512_mask_sub_pd(r, (__mmask8)~e, _mm512_setzero_pd(), r);
    const __m512d hs = _mm512_mul_pd(h, s);
    sum->positive = _mm512_mask_add_pd(sum->positive, below, sum->positive, size);
    sum->q = FMA(t, _mm512_add_pd(one, sum->q), sum->q);
    sum->ga = FMA(d, s, sum->ga);
    sum->gb = _mm512_add_pd(sum->gb, d);
    sum->hbb = _mm512_add_pd(sum->hbb, h);
    sum->hab = _mm512_add_pd(sum->hab, hs);
    sum->haa = FMA(hs, s, sum->haa);
}

/* Which of the columns j..j+7 lie behind row i and before n. */
static inline __mmask8 behind(size_t i, size_t j, size_t n)
{
    unsigned mask = 0xff;
    if (j <= i)
        mask = i + 1 - j < 8 ? 0xffu << (i + 1 - j) & 0xff : 0;
    if (n - j < 8)
        mask &= 0xffu >> (8 - (n - j));
    return (__mmask8)mask;
}

/* s (4, CHUNK): products of four rows from i on with the 16 columns from j on. */
static inline void products16(const peri_graph *g, const double *xt, size_t i, size_t j, double *s)
{
    const size_t N = padded(g->n), m = g->m;
    const double *x = g->x + i * m, *column = xt + j;
    const __m512d zero = _mm512_setzero_pd();
    __m512d a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    for (size_t k = 0; k < m; k++, column += N) {
        const __m512d a = _mm512_loadu_pd(column), b = _mm512_loadu_pd(column + 8);
        const __m512d x0 = ALL(x[k]), x1 = ALL(x[m + k]);
        a0 = FMA(x0, a, a0);
        b0 = FMA(x0, b, b0);
        a1 = FMA(x1, a, a1);
        b1 = FMA(x1, b, b1);
        const __m512d x2 = ALL(x[2 * m + k]), x3 = ALL(x[3 * m + k]);
        a2 = FMA(x2, a, a2);
        b2 = FMA(x2, b, b2);
        a3 = FMA(x3, a, a3);
        b3 = FMA(x3, b, b3);
    }
    _mm512_storeu_pd(s, a0);
    _mm512_storeu_pd(s + 8, b0);
    _mm512_storeu_pd(s + CHUNK, a1);
    _mm512_storeu_pd(s + CHUNK + 8, b1);
    _mm512_storeu_pd(s + 2 * CHUNK, a2);
    _mm512_storeu_pd(s + 2 * CHUNK + 8, b2);
    _mm512_storeu_pd(s + 3 * CHUNK, a3);
    _mm512_storeu_pd(s + 3 * CHUNK + 8, b3);
}

/* One row, eight columns; the same sums in the same order. */
static inline void products8(const peri_graph *g, const double *xt, size_t i, size_t j, double *s)
{
    const size_t N = padded(g->n);
    __m512d sum = _mm512_setzero_pd();
    for (size_t k = 0; k < g->m; k++)
        sum = FMA(ALL(g->x[i * g->m + k]), _mm512_loadu_pd(xt + j + k * N), sum);
    _mm512_storeu_pd(s, sum);
}

/* `rows` (1 to GROUP) rows from i on, columns [j0, j1); bits (GROUP, CHUNK_WORDS). */
static void group8(const job *w, size_t i, size_t rows, size_t j0, size_t j1,
                   const uint64_t bits[GROUP * CHUNK_WORDS], tally8 *sum)
{
    const peri_graph *g = w->g;
    const __m512d a = ALL(w->a), b = ALL(w->b);
    const size_t from = i + 1 > j0 ? (i + 1) / 8 * 8 : j0, to = padded(j1);
    double s[GROUP * CHUNK];
    size_t done = from;
    if (rows == GROUP)
        for (; done + 16 <= to; done += 16)
            products16(g, w->xt, i, done, s + (done - from));
    for (; done < to; done += 8)
        for (size_t r = 0; r < rows; r++)
            products8(g, w->xt, i + r, done, s + r * CHUNK + (done - from));
    tally8 held = *sum;
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *edges = (const uint8_t *)(bits + r * CHUNK_WORDS);
        for (size_t j = from; j < to; j += 8)
            add8(_mm512_loadu_pd(s + r * CHUNK + (j - from)), edges[(j - j0) / 8],
                 behind(i + r, j, g->n), a, b, &held);
    }
    *sum = held;
}

/* The logarithm of the product over all lanes; lanes are joined first where the product of all
 * is sure to be finite. */
static void close_product8(tally8 *sum, size_t factors, double *loglik)
{
    double q[8];
    _mm512_storeu_pd(q, sum->q);
    sum->q = _mm512_setzero_pd();
    size_t lanes = 8;
    for (; lanes > 1 && factors * 2 <= FACTORS; factors *= 2) {
        lanes /= 2;
        for (size_t l = 0; l < lanes; l++)
            q[l] += q[l + lanes] + q[l] * q[l + lanes];
    }
    for (size_t l = 0; l < lanes; l++)
        *loglik -= log1p(q[l]);
}

static void close_sums8(tally8 *sum, size_t factors, peri_graph_sums *out)
{
    close_product8(sum, factors, &out->loglik);
    out->loglik -= _mm512_reduce_add_pd(sum->positive);
    out->gradient[0] = _mm512_reduce_add_pd(sum->ga);
    out->gradient[1] = _mm512_reduce_add_pd(sum->gb);
    out->hessian[0] = -_mm512_reduce_add_pd(sum->haa);
    out->hessian[1] = -_mm512_reduce_add_pd(sum->hab);
    out->hessian[2] = -_mm512_reduce_add_pd(sum->hbb);
}

static void block_avx512(const job *w, size_t row, size_t rows, peri_graph_sums *out)
{
    const peri_graph *g = w->g;
    lists l;
    open_lists(&l, g, row, rows);
    const __m512d zero = _mm512_setzero_pd();
    tally8 sum = {zero, zero, zero, zero, zero, zero, zero};
    size_t factors = 0;
    for (size_t j0 = row / CHUNK * CHUNK; j0 < g->n; j0 += CHUNK) {
        const size_t j1 = g->n - j0 < CHUNK ? g->n : j0 + CHUNK;
        for (size_t r = 0; r < rows; r += GROUP) {
            const size_t count = rows - r < GROUP ? rows - r : GROUP;
            if (row + r + 1 >= j1)
                continue;
            uint64_t bits[GROUP * CHUNK_WORDS];
            for (size_t k = 0; k < count; k++)
                take_bits(&l, r + k, row + r + k, j0, j1, bits + k * CHUNK_WORDS);
            const size_t more = count * ((j1 - j0 + 7) / 8);
            if (factors + more > FACTORS) {
                close_product8(&sum, factors, &out->loglik);
                factors = 0;
            }
            factors += more;
            group8(w, row + r, count, j0, j1, bits, &sum);
        }
        if (peri_stop_requested(w->stop))
            return;
    }
    close_sums8(&sum, factors, out);
}

static void flat_avx512(const peri_graph *g, double a, double b, peri_graph_sums *out)
{
    const __m512d zero = _mm512_setzero_pd(), va = ALL(a), vb = ALL(b);
    tally8 sum = {zero, zero, zero, zero, zero, zero, zero};
    const uint8_t *edges = (const uint8_t *)g->e;
    const size_t pairs = pair_count(g->n), whole = pairs / 8;
    for (size_t k = 0; k < whole; k++)
        add8(_mm512_loadu_pd(g->s + 8 * k), edges[k], 0xff, va, vb, &sum);
    if (pairs % 8 != 0)
        add8(_mm512_loadu_pd(g->s + 8 * whole), edges[whole], (__mmask8)(0xffu >> (8 - pairs % 8)),
             va, vb, &sum);
    close_sums8(&sum, whole + 1, out);
}

PERI_END

#endif

/* ---- the likelihood ------------------------------------------------------------------------- */

static void run_block(void *context, size_t block)
{
    const job *w = context;
    const size_t row = block * BLOCK, rows = w->g->n - row < BLOCK ? w->g->n - row : BLOCK;
    peri_graph_sums *out = &w->parts[block];
    memset(out, 0, sizeof *out);
    if (peri_stop_requested(w->stop))
        return;
#if PERI_X86
    if (peri_isa() >= PERI_ISA_AVX512) {
        block_avx512(w, row, rows, out);
        return;
    }
    if (peri_isa() == PERI_ISA_AVX2) {
        block_f64_32(w, row, rows, out);
        return;
    }
#endif
    block_f64_16(w, row, rows, out);
}

static void add_sums(peri_graph_sums *sums, const peri_graph_sums *more)
{
    sums->loglik += more->loglik;
    for (int i = 0; i < 2; i++)
        sums->gradient[i] += more->gradient[i];
    for (int i = 0; i < 3; i++)
        sums->hessian[i] += more->hessian[i];
}

/* The sums of one graph in *all, which is 0; unfinished where `stop` was requested. */
static void sum_graph(const peri_graph *g, double a, double b, peri_graph_sums *all, double *work,
                      const peri_stop *stop)
{
    if (g->n < 2)
        return;
    if (g->s != NULL) {
#if PERI_X86
        if (peri_isa() >= PERI_ISA_AVX512) {
            flat_avx512(g, a, b, all);
            return;
        }
        if (peri_isa() == PERI_ISA_AVX2) {
            flat_f64_32(g, a, b, all);
            return;
        }
#endif
        flat_f64_16(g, a, b, all);
        return;
    }
    double *xt = work;
    job w = {g, xt, a, b, (peri_graph_sums *)(work + g->m * padded(g->n)), stop};
    transpose(g, xt);
    const size_t blocks = block_count(g->n);
    if (g->n <= 4 * BLOCK) /* too few to wake a thread for; the same blocks all the same */
        for (size_t k = 0; k < blocks; k++)
            run_block(&w, k);
    else
        peri_pool_run(blocks, run_block, &w);
    for (size_t k = 0; k < blocks; k++)
        add_sums(all, &w.parts[k]);
}

peri_status peri_graph_loglik(const peri_graph *graphs, size_t count, double a, double b,
                              peri_graph_sums *sums, double *work, const peri_stop *stop)
{
    for (size_t i = 0; i < count; i++) {
        peri_graph_sums one = {0};
        sum_graph(&graphs[i], a, b, &one, work, stop);
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        add_sums(sums, &one);
    }
    return PERI_OK;
}

peri_status peri_graph_ascend(const peri_graph *graphs, size_t count, double lr, double at[2],
                              double *last, double *work, const peri_stop *stop)
{
    for (size_t i = 0; i < count; i++) {
        peri_graph_sums one = {0};
        sum_graph(&graphs[i], at[0], at[1], &one, work, stop);
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        at[0] += lr * one.gradient[0];
        at[1] += lr * one.gradient[1];
        *last = one.loglik;
    }
    return PERI_OK;
}

enum { BAND = 16 };

/* Products of rows [row, row + rows) with columns [j0, j1): s (rows, CHUNK). */
static void products(const peri_graph *g, size_t row, size_t rows, size_t j0, size_t j1, double *s)
{
    const int m = (int)g->m;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)(j1 - j0), m, 1.0,
                g->x + row * g->m, m, g->x + j0 * g->m, m, 0.0, s, CHUNK);
}

/* Takes product s of a pair, with an edge or without, into range; which is known too late to be
 * branched on. */
static inline void widen(double range[4], double s, bool edge)
{
    const double low[] = {edge ? HUGE_VAL : s, edge ? s : HUGE_VAL};
    const double high[] = {edge ? -HUGE_VAL : s, edge ? s : -HUGE_VAL};
    for (int k = 0; k < 2; k++) {
        range[2 * k] = low[k] < range[2 * k] ? low[k] : range[2 * k];
        range[2 * k + 1] = high[k] > range[2 * k + 1] ? high[k] : range[2 * k + 1];
    }
}

peri_status peri_graph_range(const peri_graph *g, double range[4], const peri_stop *stop)
{
    if (g->s != NULL) {
        double held[4];
        memcpy(held, range, sizeof held);
        for (size_t j = 0; j < pair_count(g->n); j++)
            widen(held, g->s[j], bit_at(g->e, j));
        memcpy(range, held, sizeof held);
        return PERI_OK;
    }
    double s[BAND * CHUNK];
    lists l;
    for (size_t row = 0; row < g->n; row += BLOCK) {
        const size_t rows = g->n - row < BLOCK ? g->n - row : BLOCK;
        open_lists(&l, g, row, rows);
        for (size_t j0 = row / CHUNK * CHUNK; j0 < g->n; j0 += CHUNK) {
            const size_t j1 = g->n - j0 < CHUNK ? g->n : j0 + CHUNK;
            for (size_t band = 0; band < rows; band += BAND) {
                const size_t count = rows - band < BAND ? rows - band : BAND;
                products(g, row + band, count, j0, j1, s);
                for (size_t r = 0; r < count; r++) {
                    const size_t i = row + band + r;
                    uint64_t bits[CHUNK_WORDS];
                    take_bits(&l, band + r, i, j0, j1, bits);
                    for (size_t j = j0 > i ? 0 : i + 1 - j0; j < j1 - j0; j++)
                        widen(range, s[r * CHUNK + j], bit_at(bits, j));
                }
            }
        }
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    return PERI_OK;
}
