/* SPDX-License-Identifier: MIT
 *
 * Pairs are walked in blocks of ROWS rows; within a block in chunks of CHUNK columns, whose
 * features, transposed, stay in the nearest cache. Nothing of size n x n is ever made. With
 * AVX-512 the products x_i.x_j, the exponential and the sums are one loop over registers of 8
 * pairs; else the products of a chunk come from BLAS. A small graph keeps its products, as one
 * row of pairs: at 15 nodes they are half of the work, and its rows fill no register.
 */
#include "kernel/graph.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/vmath.h"

#if PERI_X86
#include <immintrin.h>
#endif

enum { ROWS = 64, CHUNK = 256, GROUP = 4, CHUNK_WORDS = CHUNK / 64 };

/* A product of up to this many factors in (1, 2] is finite. */
enum { FACTORS = 960 };

/* Graphs of up to this many nodes keep their products: one lane of the narrowest registers holds
 * the factors of all their pairs. */
enum { FLAT = 64 };
_Static_assert(FLAT *(FLAT - 1) / 2 / 4 + 1 <= FACTORS, "one product a lane");

/* ---- edges ---------------------------------------------------------------------------------- */

static inline double element(const peri_view *E, size_t i, size_t j)
{
    const ptrdiff_t at = (ptrdiff_t)i * E->stride[0] + (ptrdiff_t)j * E->stride[1];
    return E->dtype == PERI_F32 ? (double)((const float *)E->data)[at]
                                : ((const double *)E->data)[at];
}

static bool bit_at(const uint64_t *row, size_t j)
{
    return row[j / 64] >> (j % 64) & 1;
}

enum { TILE = 64 };

/* Names the first element of E that is not as it should be, if there is one. */
static peri_status find_fault(const peri_view *E, peri_facts *facts)
{
    for (size_t i = 0; i < E->shape[0]; i++)
        for (size_t j = i; j < E->shape[1]; j++) {
            const double e = element(E, i, j);
            if (e == element(E, j, i) && (e == 0.0 || (e == 1.0 && i != j)))
                continue;
            const bool other = (e == 0.0 || e == 1.0) && i != j;
            const size_t row = other ? j : i, column = other ? i : j;
            *facts = (peri_facts){"E", "0 or 1", 2, {row, column}, element(E, row, column)};
            if (i == j)
                facts->wanted = "0: no node is its own neighbour";
            else if (facts->got == 0.0 || facts->got == 1.0)
                facts->wanted = "the same as across the diagonal: E is symmetric";
            return isfinite(facts->got) ? PERI_ERR_VALUE : PERI_ERR_NONFINITE;
        }
    return PERI_OK;
}

/* TILE numbers as bits; false where one is neither 0 nor 1 (or is -0, which is looked at again). */
static bool tile_row(const double *e, uint64_t *bits)
{
    const uint64_t one = 0x3ff0000000000000u;
    uint64_t ones = 0, wrong = 0;
    for (size_t k = 0; k < TILE; k++) {
        uint64_t word;
        memcpy(&word, e + k, sizeof word);
        const uint64_t bit = word >> 61 & 1;
        ones |= bit << k;
        wrong |= word ^ (one & -bit);
    }
    *bits = ones;
    return wrong == 0;
}

#if PERI_X86
PERI_AVX512 static bool tile_row_avx512(const double *e, uint64_t *bits)
{
    const __m512d one = _mm512_set1_pd(1.0), zero = _mm512_setzero_pd();
    uint64_t ones = 0, either = 0;
    for (unsigned k = 0; k < TILE; k += 8) {
        const __m512d v = _mm512_loadu_pd(e + k);
        const uint64_t here = _mm512_cmp_pd_mask(v, one, _CMP_EQ_OQ);
        ones |= here << k;
        either |= (here | _mm512_cmp_pd_mask(v, zero, _CMP_EQ_OQ)) << k;
    }
    *bits = ones;
    return either == UINT64_MAX;
}
#endif

/* count elements of row i from column j on as bits; false where one is neither 0 nor 1. */
static bool row_bits(const peri_view *E, size_t i, size_t j, size_t count, uint64_t *bits)
{
    if (count == TILE && E->dtype == PERI_F64 && E->stride[1] == 1) {
        const double *e = (const double *)E->data + (ptrdiff_t)i * E->stride[0] + (ptrdiff_t)j;
#if PERI_X86
        if (peri_isa() >= PERI_ISA_AVX512)
            return tile_row_avx512(e, bits);
#endif
        if (tile_row(e, bits))
            return true;
    }
    uint64_t ones = 0, zeros = 0;
    for (size_t k = 0; k < count; k++) {
        const double e = element(E, i, j + k);
        ones |= (uint64_t)(e == 1.0) << k;
        zeros |= (uint64_t)(e == 0.0) << k;
    }
    *bits = ones;
    return (ones | zeros) == UINT64_MAX >> (64 - count);
}

/* Transposes a 64 x 64 tile of bits in place: halves, quarters, ... change places (Warren,
 * Hacker's Delight, 7-3). Bit j of t[i] is the element. */
static void transpose_tile(uint64_t t[TILE])
{
    uint64_t mask = 0x00000000ffffffffu;
    for (unsigned width = 32; width != 0; width >>= 1, mask ^= mask << width)
        for (unsigned k = 0; k < TILE; k = (k + width + 1) & ~width) {
            const uint64_t change = (t[k] >> width ^ t[k + width]) & mask;
            t[k] ^= change << width;
            t[k + width] ^= change;
        }
}

/* Rows [row, row + TILE) of word w, as far as there are rows. */
static void take_tile(const uint64_t *bits, size_t n, size_t row, size_t w, uint64_t t[TILE])
{
    for (size_t r = 0; r < TILE; r++)
        t[r] = row + r < n ? bits[(row + r) * peri_graph_words(n) + w] : 0;
}

peri_status peri_graph_pack(const peri_view *E, uint64_t *bits, size_t *edges, peri_facts *facts)
{
    /* All of E once, row by row, as memory likes it; then the bits against their transpose. */
    const size_t n = E->shape[0], W = peri_graph_words(n);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        for (size_t w = 0; w < W; w++) {
            const size_t left = n - w * TILE;
            good &= row_bits(E, i, w * TILE, left < TILE ? left : TILE, &bits[i * W + w]);
        }
    *edges = 0;
    for (size_t v = 0; v < W; v++) {
        for (size_t w = v; w < W; w++) {
            uint64_t tile[TILE], across[TILE];
            take_tile(bits, n, v * TILE, w, tile);
            take_tile(bits, n, w * TILE, v, across);
            transpose_tile(across);
            good &= memcmp(tile, across, sizeof tile) == 0;
        }
        for (size_t i = v * TILE; i < n && i < (v + 1) * TILE; i++) { /* j > i stays */
            good &= !bit_at(bits + i * W, i);
            bits[i * W + v] &= ~(uint64_t)1 << i % 64;
            for (size_t w = v; w < W; w++)
                *edges += (size_t)__builtin_popcountll(bits[i * W + w]);
        }
    }
    if (!good)
        return find_fault(E, facts);
    for (size_t i = TILE; i < n; i++)
        memset(bits + i * W, 0, i / TILE * sizeof *bits);
    return PERI_OK;
}

static peri_status refuse_edge(size_t row, size_t column, double got, const char *wanted,
                               peri_facts *facts)
{
    *facts = (peri_facts){"edges", wanted, 2, {row, column}, got};
    return isfinite(got) ? PERI_ERR_VALUE : PERI_ERR_NONFINITE;
}

peri_status peri_graph_lists(const double *edges, size_t k, size_t n, size_t *start, uint32_t *to,
                             size_t *work, peri_facts *facts)
{
    size_t *order = work, *count = work + k;
    for (size_t r = 0; r < k; r++)
        for (size_t c = 0; c < 2; c++) {
            const double node = edges[2 * r + c];
            if (!(node >= 1.0 && node <= (double)n) || node != floor(node))
                return refuse_edge(r, c, node, "the number of a node, 1 to n", facts);
            if (c == 1 && node == edges[2 * r])
                return refuse_edge(r, c, node, "another node: none is its own neighbour", facts);
        }
    /* Stable counting sort by the greater end, then by the lesser. */
    memset(count, 0, (n + 1) * sizeof *count);
    for (size_t r = 0; r < k; r++)
        count[(size_t)fmax(edges[2 * r], edges[2 * r + 1])]++;
    for (size_t i = 1; i <= n; i++)
        count[i] += count[i - 1];
    for (size_t r = k; r-- > 0;)
        order[--count[(size_t)fmax(edges[2 * r], edges[2 * r + 1])]] = r;
    memset(start, 0, (n + 1) * sizeof *start);
    for (size_t r = 0; r < k; r++)
        start[(size_t)fmin(edges[2 * r], edges[2 * r + 1])]++;
    for (size_t i = 1; i <= n; i++)
        start[i] += start[i - 1];
    for (size_t i = 0; i <= n; i++)
        count[i] = i > 0 ? start[i - 1] : 0;
    for (size_t at = 0; at < k; at++) {
        const size_t r = order[at];
        const size_t low = (size_t)fmin(edges[2 * r], edges[2 * r + 1]);
        const uint32_t high = (uint32_t)fmax(edges[2 * r], edges[2 * r + 1]) - 1;
        const size_t slot = count[low]++;
        if (slot > start[low - 1] && to[slot - 1] == high)
            return refuse_edge(r, 0, edges[2 * r], "an edge that is not listed before", facts);
        to[slot] = high;
    }
    return PERI_OK;
}

void peri_graph_unpack(const uint64_t *bits, size_t n, double *out)
{
    const size_t W = peri_graph_words(n);
    for (size_t i = 0; i < n; i++)
        for (size_t w = i / 64; w < W; w++)
            for (uint64_t word = bits[i * W + w]; word != 0; word &= word - 1) {
                *out++ = (double)(i + 1);
                *out++ = (double)(64 * w + (size_t)__builtin_ctzll(word) + 1);
            }
}

/* ---- walking the pairs ---------------------------------------------------------------------- */

static size_t padded(size_t n)
{
    return (n + 7) / 8 * 8;
}

static size_t pair_count(size_t n)
{
    return n < 2 ? 0 : n * (n - 1) / 2;
}

static size_t block_count(size_t n)
{
    return (n + ROWS - 1) / ROWS;
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
    size_t next[ROWS];
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

/* ---- any CPU -------------------------------------------------------------------------------- */

typedef double v4 __attribute__((vector_size(32)));
typedef uint64_t w4 __attribute__((vector_size(32)));

typedef struct {
    v4 positive, q, ga, gb, haa, hab, hbb;
    size_t factors;
} tally;

static const w4 sign_bit = {1ull << 63, 1ull << 63, 1ull << 63, 1ull << 63};

/* A four of edges as the sign that makes u of z: minus where there is none. */
#define SIGN(e) ((e) ? 0.0 : -0.0)
#define SIGNS(e)                                                                                   \
    {                                                                                              \
        SIGN((e)&1), SIGN((e)&2), SIGN((e)&4), SIGN((e)&8)                                         \
    }
#define SIGNS4(e) SIGNS(e), SIGNS(e + 1), SIGNS(e + 2), SIGNS(e + 3)
static const double signs[16][4] = {SIGNS4(0), SIGNS4(4), SIGNS4(8), SIGNS4(12)};

#define SIMD(name) name##_base
#include "kernel/graph_loops.h"
#undef SIMD

#if PERI_X86
PERI_BEGIN_AVX2
#define SIMD(name) name##_avx2
#include "kernel/graph_loops.h"
#undef SIMD
PERI_END
#else
#define add_row_avx2 add_row_base
#endif

static double lanes(const v4 *v)
{
    return ((*v)[0] + (*v)[1]) + ((*v)[2] + (*v)[3]);
}

static void close_product(tally *t, double *loglik)
{
    for (int l = 0; l < 4; l++)
        *loglik -= log1p(t->q[l]);
    memset(&t->q, 0, sizeof t->q);
    t->factors = 0;
}

/* Adds what is held to *out, whose sums but the likelihood are still 0. */
static void close_sums(tally *sum, peri_graph_sums *out)
{
    close_product(sum, &out->loglik);
    out->loglik -= lanes(&sum->positive);
    out->gradient[0] = lanes(&sum->ga);
    out->gradient[1] = lanes(&sum->gb);
    out->hessian[0] = -lanes(&sum->haa);
    out->hessian[1] = -lanes(&sum->hab);
    out->hessian[2] = -lanes(&sum->hbb);
}

/* Products of rows [row, row + rows) with columns [j0, j1): s (rows, CHUNK). */
static void products(const peri_graph *g, size_t row, size_t rows, size_t j0, size_t j1, double *s)
{
    const int m = (int)g->m;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)(j1 - j0), m, 1.0,
                g->x + row * g->m, m, g->x + j0 * g->m, m, 0.0, s, CHUNK);
}

enum { BAND = 16 };

static void block_any(const job *w, size_t row, size_t rows, peri_graph_sums *out)
{
    const peri_graph *g = w->g;
    double s[BAND * CHUNK], u[CHUNK], t[CHUNK];
    lists l;
    open_lists(&l, g, row, rows);
    tally sum;
    memset(&sum, 0, sizeof sum);
    const bool avx2 = peri_isa() >= PERI_ISA_AVX2;
    for (size_t j0 = row / CHUNK * CHUNK; j0 < g->n; j0 += CHUNK) {
        const size_t j1 = g->n - j0 < CHUNK ? g->n : j0 + CHUNK;
        for (size_t band = 0; band < rows; band += BAND) {
            const size_t count = rows - band < BAND ? rows - band : BAND;
            products(g, row + band, count, j0, j1, s);
            for (size_t r = 0; r < count; r++) {
                const size_t i = row + band + r, from = j0 > i ? 0 : i + 1 - j0, to = j1 - j0;
                if (from >= to)
                    continue;
                uint64_t bits[CHUNK_WORDS];
                take_bits(&l, band + r, i, j0, j1, bits);
                if (sum.factors + CHUNK / 4 > FACTORS)
                    close_product(&sum, &out->loglik);
                sum.factors += CHUNK / 4;
                double *line = s + r * CHUNK;
                for (size_t j = to; j % 4 != 0; j++)
                    line[j] = 0.0;
                (avx2 ? add_row_avx2 : add_row_base)(line, bits, from, to, w->a, w->b, u, t, &sum);
            }
        }
        if (peri_stop_requested(w->stop))
            return;
    }
    close_sums(&sum, out);
}

static void flat_any(const peri_graph *g, double a, double b, peri_graph_sums *out)
{
    double u[CHUNK], t[CHUNK];
    tally sum;
    memset(&sum, 0, sizeof sum);
    const bool avx2 = peri_isa() >= PERI_ISA_AVX2;
    const size_t pairs = pair_count(g->n);
    for (size_t j = 0; j < pairs; j += CHUNK) {
        const size_t to = pairs - j < CHUNK ? pairs - j : CHUNK;
        (avx2 ? add_row_avx2 : add_row_base)(g->s + j, g->e + j / 64, 0, to, a, b, u, t, &sum);
    }
    close_sums(&sum, out);
}

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
    const size_t row = block * ROWS, rows = w->g->n - row < ROWS ? w->g->n - row : ROWS;
    peri_graph_sums *out = &w->parts[block];
    memset(out, 0, sizeof *out);
    if (peri_stop_requested(w->stop))
        return;
#if PERI_X86
    if (peri_isa() >= PERI_ISA_AVX512) {
        block_avx512(w, row, rows, out);
        return;
    }
#endif
    block_any(w, row, rows, out);
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
#endif
        flat_any(g, a, b, all);
        return;
    }
    double *xt = work;
    job w = {g, xt, a, b, (peri_graph_sums *)(work + g->m * padded(g->n)), stop};
    transpose(g, xt);
    const size_t blocks = block_count(g->n);
    if (g->n <= 4 * ROWS) /* too few to wake a thread for; the same blocks all the same */
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
    for (size_t row = 0; row < g->n; row += ROWS) {
        const size_t rows = g->n - row < ROWS ? g->n - row : ROWS;
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

static double dot(const double *x, const double *y, size_t m)
{
    double sum = 0.0;
    for (size_t k = 0; k < m; k++)
        sum += x[k] * y[k];
    return sum;
}

/* Whether (i, j) is an edge; called for j = i + 1, i + 2, ... with the same *next, which starts as
 * first_of(g, i). */
static bool next_edge(const peri_graph *g, size_t i, size_t j, size_t *next)
{
    if (g->bits != NULL)
        return bit_at(g->bits + i * peri_graph_words(g->n), j);
    const bool edge = *next < g->start[i + 1] && g->to[*next] == j;
    *next += edge;
    return edge;
}

static size_t first_of(const peri_graph *g, size_t i)
{
    return g->bits != NULL ? 0 : g->start[i];
}

void peri_graph_pairs(const peri_graph *g, double *s, double *e)
{
    for (size_t i = 0; i < g->n; i++) {
        size_t next = first_of(g, i);
        for (size_t j = i + 1; j < g->n; j++) {
            *s++ = dot(g->x + i * g->m, g->x + j * g->m, g->m);
            *e++ = next_edge(g, i, j, &next) ? 1.0 : 0.0;
        }
    }
}

size_t peri_graph_flat(size_t n)
{
    return n <= FLAT ? padded(pair_count(n)) : 0;
}

void peri_graph_flatten(const peri_graph *g, double *s, uint64_t *e)
{
    const size_t size = peri_graph_flat(g->n);
    memset(e, 0, peri_graph_words(size) * sizeof *e);
    size_t p = 0;
    for (size_t i = 0; i < g->n; i++) {
        size_t next = first_of(g, i);
        for (size_t j = i + 1; j < g->n; j++, p++) {
            s[p] = dot(g->x + i * g->m, g->x + j * g->m, g->m);
            e[p / 64] |= (uint64_t)next_edge(g, i, j, &next) << p % 64;
        }
    }
    for (; p < size; p++)
        s[p] = 0.0;
}

void peri_graph_draw(const double *x, size_t n, size_t m, double a, double b, peri_rng *rng,
                     double *E)
{
    double u[CHUNK];
    for (size_t i = 0; i < n; i++) {
        E[i * n + i] = 0.0;
        for (size_t j0 = i + 1; j0 < n; j0 += CHUNK) {
            const size_t count = n - j0 < CHUNK ? n - j0 : CHUNK;
            peri_random_uniforms(rng, count, u);
            for (size_t j = j0; j < j0 + count; j++) {
                const double z = a * dot(x + i * m, x + j * m, m) + b;
                const double t = exp(-fabs(z));
                const double p = z >= 0.0 ? 1.0 / (1.0 + t) : t / (1.0 + t);
                E[i * n + j] = E[j * n + i] = u[j - j0] < p ? 1.0 : 0.0;
            }
        }
    }
}

/* ---- figures of a graph --------------------------------------------------------------------- */

void peri_graph_count(const uint64_t *bits, size_t n, double *degrees, double *triangles,
                      uint64_t *work)
{
    const size_t W = peri_graph_words(n);
    /* Both halves, so that the neighbours of a node are one row. */
    memcpy(work, bits, n * W * sizeof *work);
    for (size_t i = 0; i < n; i++)
        for (size_t w = i / 64; w < W; w++)
            for (uint64_t word = bits[i * W + w]; word != 0; word &= word - 1) {
                const size_t j = 64 * w + (size_t)__builtin_ctzll(word);
                work[j * W + i / 64] |= (uint64_t)1 << i % 64;
            }
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t degree = 0;
        for (size_t w = 0; w < W; w++)
            degree += (size_t)__builtin_popcountll(work[i * W + w]);
        degrees[i] = (double)degree;
        for (size_t w = i / 64; w < W; w++)
            for (uint64_t word = bits[i * W + w]; word != 0; word &= word - 1) {
                const size_t j = 64 * w + (size_t)__builtin_ctzll(word);
                /* Common neighbours after j: each triangle once. */
                for (size_t v = j / 64; v < W; v++)
                    found += (size_t)__builtin_popcountll(bits[i * W + v] & bits[j * W + v]);
            }
    }
    *triangles = (double)found;
}

typedef double v8 __attribute__((vector_size(64)));

static double total(const v8 *v)
{
    double sum = 0.0;
    for (int l = 0; l < 8; l++)
        sum += (*v)[l];
    return sum;
}

peri_status peri_graph_layout(size_t n, const double *edges, size_t k, size_t iterations,
                              double *pos, double *work, const peri_stop *stop)
{
    if (n == 0)
        return PERI_OK;
    /* In units that leave a node without edges about 1.8 of room, an edge about 1.6. */
    const double gravity = 1.0, pull = 0.25;
    const size_t N = padded(n);
    double *x = work, *y = x + N, *fx = y + N, *fy = fx + N;
    const double side = sqrt((double)n);
    for (size_t i = 0; i < N; i++) {
        x[i] = i < n ? pos[2 * i] * side : 1e9; /* the padding pushes from far away */
        y[i] = i < n ? pos[2 * i + 1] * side : 1e9;
    }
    for (size_t round = 0; round < iterations; round++) {
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        double middle[2] = {0.0, 0.0};
        for (size_t i = 0; i < n; i++) {
            middle[0] += x[i] / (double)n;
            middle[1] += y[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            v8 sx = {0}, sy = {0};
            for (size_t j = 0; j < N; j += 8) {
                v8 dx, dy;
                memcpy(&dx, x + j, sizeof dx);
                memcpy(&dy, y + j, sizeof dy);
                dx = x[i] - dx;
                dy = y[i] - dy;
                const v8 push = 1.0 / (dx * dx + dy * dy + 1e-6);
                sx += dx * push;
                sy += dy * push;
            }
            fx[i] = total(&sx) - gravity * (x[i] - middle[0]);
            fy[i] = total(&sy) - gravity * (y[i] - middle[1]);
        }
        for (size_t e = 0; e < k; e++) {
            const size_t i = (size_t)edges[2 * e] - 1, j = (size_t)edges[2 * e + 1] - 1;
            const double dx = x[i] - x[j], dy = y[i] - y[j], d = pull * sqrt(dx * dx + dy * dy);
            fx[i] -= d * dx;
            fy[i] -= d * dy;
            fx[j] += d * dx;
            fy[j] += d * dy;
        }
        /* No node moves further than the temperature, which falls to 0. */
        const double left = 1.0 - (double)round / (double)iterations;
        const double heat = 0.1 * (side + 1.0) * left * left;
        for (size_t i = 0; i < n; i++) {
            const double force = sqrt(fx[i] * fx[i] + fy[i] * fy[i]);
            const double reach = force > heat ? heat / force : 1.0;
            x[i] += reach * fx[i] * (force > heat ? 1.0 : 0.2);
            y[i] += reach * fy[i] * (force > heat ? 1.0 : 0.2);
        }
    }
    double lo[2] = {x[0], y[0]}, hi[2] = {x[0], y[0]};
    for (size_t i = 0; i < n; i++) {
        lo[0] = fmin(lo[0], x[i]);
        hi[0] = fmax(hi[0], x[i]);
        lo[1] = fmin(lo[1], y[i]);
        hi[1] = fmax(hi[1], y[i]);
    }
    const double extent = fmax(hi[0] - lo[0], hi[1] - lo[1]);
    const double scale = extent > 0.0 ? 1.0 / extent : 0.0;
    for (size_t i = 0; i < n; i++) {
        pos[2 * i] = 0.5 + (x[i] - 0.5 * (lo[0] + hi[0])) * scale;
        pos[2 * i + 1] = 0.5 + (y[i] - 0.5 * (lo[1] + hi[1])) * scale;
    }
    return PERI_OK;
}
