/* SPDX-License-Identifier: MIT
 *
 * Edges: packed as bits from a matrix, as lists from rows of ends, and back; how many each node
 * has, and triangles; the pairs of a graph one by one.
 */
#include "kernel/graph.h"

#include <math.h>
#include <string.h>

#include "kernel/graph_pairs.h"
#include "kernel/simd.h"

#if PERI_X86
#include <immintrin.h>
#endif

static inline double element(const peri_view *E, size_t i, size_t j)
{
    const ptrdiff_t at = (ptrdiff_t)i * E->stride[0] + (ptrdiff_t)j * E->stride[1];
    return peri_get(E, at);
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
PERI_AVX2 static bool tile_row_avx2(const double *e, uint64_t *bits)
{
    const __m256d one = _mm256_set1_pd(1.0), zero = _mm256_setzero_pd();
    __m256d good = _mm256_cmp_pd(zero, zero, _CMP_EQ_OQ);
    uint64_t ones = 0;
    for (unsigned k = 0; k < TILE; k += 4) {
        const __m256d v = _mm256_loadu_pd(e + k), here = _mm256_cmp_pd(v, one, _CMP_EQ_OQ);
        ones |= (uint64_t)(unsigned)_mm256_movemask_pd(here) << k;
        good = _mm256_and_pd(good, _mm256_or_pd(here, _mm256_cmp_pd(v, zero, _CMP_EQ_OQ)));
    }
    *bits = ones;
    return _mm256_movemask_pd(good) == 15;
}

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
    if (count == TILE && peri_is_f64(E->dtype) && E->stride[1] == 1) {
        const double *e = (const double *)E->data + (ptrdiff_t)i * E->stride[0] + (ptrdiff_t)j;
#if PERI_X86
        if (peri_isa() >= PERI_ISA_AVX512)
            return tile_row_avx512(e, bits);
        if (peri_isa() == PERI_ISA_AVX2)
            return tile_row_avx2(e, bits);
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

/* ---- pairs ---------------------------------------------------------------------------------- */

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
    return n <= PERI_GRAPH_FLAT ? padded(pair_count(n)) : 0;
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
