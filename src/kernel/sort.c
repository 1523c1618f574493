/* SPDX-License-Identifier: MIT
 *
 * The key of a floating-point number x is its bits with the sign bit flipped when x >= 0 and all
 * bits flipped when x < 0: unsigned order of keys is the order of numbers. Zeros get the key of
 * +0 and NaNs the largest key, which puts them last.
 */
#include "kernel/sort.h"

#include <math.h>
#include <string.h>

#include "kernel/simd.h"

#if PERI_X86
#include <immintrin.h>
#endif

enum {
    INSERTION_MAX = 16, /* a run the insertion sort takes */
    RANK_MAX = 48,      /* a run the sort by ranks takes */
    MERGE_MAX = 160,    /* up to it the merge sort beats the radix sort's tables */
    LINEAR_MAX = 16384, /* up to it two passes over equal bins beat the radix sort */
    GROUP_MAX = 48,     /* elements in one such bin that are still sorted by insertion */
    DIGITS = 256
};

static const uint64_t LOW32 = 0xffffffffu;

static uint64_t key64(double x)
{
    uint64_t bits;
    x += 0.0; /* -0 becomes +0 */
    memcpy(&bits, &x, sizeof bits);
    const uint64_t key = bits ^ ((uint64_t)((int64_t)bits >> 63) | 0x8000000000000000u);
    return x != x ? UINT64_MAX : key;
}

static uint32_t key32(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t key = bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
    return x != x ? UINT32_MAX : key;
}

static double from_key64(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key ^ 0x8000000000000000u : ~key;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float from_key32(uint32_t key)
{
    const uint32_t bits = key >> 31 ? key ^ 0x80000000u : ~key;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- sorting 64-bit words ------------------------------------------------------------------ */

static void insertion_sort(uint64_t *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const uint64_t x = a[i];
        size_t k = i;
        while (k > 0 && a[k - 1] > x) {
            a[k] = a[k - 1];
            k--;
        }
        a[k] = x;
    }
}

#if PERI_X86
/* Two ways to sort n <= RANK_MAX different words by counting for each how many are smaller: n^2
 * comparisons but no branch to guess wrong. */

/* The ranks of the words in `blocks` registers from a + at on, and the words; `blocks` is a
 * constant where this is inlined. AVX2 compares signed numbers, so top bits are flipped. */
PERI_AVX2 static inline __attribute__((always_inline)) void
rank_fours(const uint64_t *a, size_t n, size_t at, size_t blocks, uint64_t *words, uint64_t *place)
{
    const __m256i top = _mm256_set1_epi64x(INT64_MIN), last = _mm256_set1_epi64x(INT64_MAX);
    __m256i word[4], rank[4];
    _Pragma("GCC unroll 4") for (size_t k = 0; k < blocks; k++)
    {
        const size_t from = at + 4 * k;
        const __m256i some = _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)(n - from)),
                                                _mm256_setr_epi64x(0, 1, 2, 3));
        const __m256i raw =
            _mm256_maskload_epi64((const long long *)(const void *)(a + from), some);
        _mm256_storeu_si256((__m256i *)(void *)(words + from), raw);
        word[k] = _mm256_blendv_epi8(last, _mm256_xor_si256(raw, top), some);
        rank[k] = _mm256_setzero_si256();
    }
    for (size_t j = 0; j < n; j++) {
        const __m256i other = _mm256_xor_si256(_mm256_set1_epi64x((long long)a[j]), top);
        _Pragma("GCC unroll 4") for (size_t k = 0; k < blocks; k++) /* true is -1 */
            rank[k] = _mm256_sub_epi64(rank[k], _mm256_cmpgt_epi64(word[k], other));
    }
    _Pragma("GCC unroll 4") for (size_t k = 0; k < blocks; k++)
        _mm256_storeu_si256((__m256i *)(void *)(place + at + 4 * k), rank[k]);
}

PERI_AVX2 static void rank_sort_avx2(uint64_t *a, size_t n)
{
    uint64_t words[RANK_MAX], place[RANK_MAX];
    size_t at = 0;
    for (; at + 12 < n; at += 16)
        rank_fours(a, n, at, 4, words, place);
    if (n > at + 8)
        rank_fours(a, n, at, 3, words, place);
    else if (n > at + 4)
        rank_fours(a, n, at, 2, words, place);
    else if (n > at)
        rank_fours(a, n, at, 1, words, place);
    for (size_t i = 0; i < n; i++)
        a[place[i]] = words[i];
}

/* `blocks` registers of words, a constant where this is inlined, and as many of counts. */
PERI_AVX512 static inline __attribute__((always_inline)) void rank_blocks(uint64_t *a, size_t n,
                                                                          size_t blocks)
{
    __m512i word[RANK_MAX / 8], rank[RANK_MAX / 8];
    const __m512i one = _mm512_set1_epi64(1);
    for (size_t k = 0; k < blocks; k++) {
        const size_t left = n - 8 * k;
        const __mmask8 some = left >= 8 ? 0xff : (__mmask8)((1u << left) - 1);
        word[k] = _mm512_maskz_loadu_epi64(some, a + 8 * k);
        rank[k] = _mm512_setzero_si512();
    }
    for (size_t j = 0; j < n; j++) {
        const __m512i other = _mm512_set1_epi64((long long)a[j]);
        for (size_t k = 0; k < blocks; k++) {
            const __mmask8 smaller = _mm512_cmplt_epu64_mask(other, word[k]);
            rank[k] = _mm512_mask_add_epi64(rank[k], smaller, rank[k], one);
        }
    }
    uint64_t words[RANK_MAX], place[RANK_MAX];
    for (size_t k = 0; k < blocks; k++) {
        _mm512_storeu_si512(words + 8 * k, word[k]);
        _mm512_storeu_si512(place + 8 * k, rank[k]);
    }
    for (size_t i = 0; i < n; i++)
        a[place[i]] = words[i];
}

PERI_AVX512 static void rank_sort_avx512(uint64_t *a, size_t n)
{
    switch ((n + 7) / 8) {
    case 1:
        rank_blocks(a, n, 1);
        break;
    case 2:
        rank_blocks(a, n, 2);
        break;
    case 3:
        rank_blocks(a, n, 3);
        break;
    case 4:
        rank_blocks(a, n, 4);
        break;
    case 5:
        rank_blocks(a, n, 5);
        break;
    default:
        rank_blocks(a, n, 6);
        break;
    }
}
#endif

/* Sorts a short run of different words. Returns whether it did: without AVX2 the insertion sort is
 * as quick and takes shorter runs. */
static bool rank_sort(uint64_t *a, size_t n)
{
#if PERI_X86
    const int isa = peri_isa();
    if (isa == PERI_ISA_AVX512)
        rank_sort_avx512(a, n);
    else if (isa == PERI_ISA_AVX2)
        rank_sort_avx2(a, n);
    return isa != PERI_ISA_BASE;
#else
    (void)a, (void)n;
    return false;
#endif
}

/* Merges runs of growing length back and forth; returns which buffer holds the result. The words
 * differ where `distinct`. */
static uint64_t *merge_sort(uint64_t *a, uint64_t *b, size_t n, bool distinct)
{
    size_t first = distinct ? RANK_MAX : INSERTION_MAX;
    for (size_t i = 0; i < n; i += first) {
        const size_t length = n - i < first ? n - i : first;
        if (distinct && rank_sort(a + i, length))
            continue;
        distinct = false;
        first = INSERTION_MAX;
        insertion_sort(a + i, length < first ? length : first);
    }
    for (size_t run = first; run < n; run *= 2) {
        for (size_t start = 0; start < n; start += 2 * run) {
            size_t i = start, k = start;
            const size_t middle = n - start < run ? n : start + run;
            const size_t end = n - start < 2 * run ? n : start + 2 * run;
            size_t j = middle;
            while (i < middle && j < end) {
                const uint64_t x = a[i], y = a[j];
                const bool second = y < x;
                b[k++] = second ? y : x;
                j += second;
                i += !second;
            }
            memcpy(b + k, a + i, (middle - i) * sizeof *a);
            memcpy(b + k + (middle - i), a + j, (end - j) * sizeof *a);
        }
        uint64_t *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* Counts become the places where each digit's words start. */
static void start_counts(uint32_t *count)
{
    uint32_t sum = 0;
    for (int digit = 0; digit < DIGITS; digit++) {
        const uint32_t c = count[digit];
        count[digit] = sum;
        sum += c;
    }
}

/* Least significant digit first, from bit `from` (0 or 32) up; the bits below it must be in order
 * among equal upper bits already. Returns which buffer holds the result. */
static uint64_t *radix_sort(uint64_t *a, uint64_t *b, size_t n, int from)
{
    uint32_t count[8][DIGITS];
    const int first = from / 8;
    memset(count[first], 0, (size_t)(8 - first) * sizeof count[0]);
    if (first == 4) {
        for (size_t i = 0; i < n; i++) {
            const uint32_t w = (uint32_t)(a[i] >> 32);
            count[4][w & 255]++;
            count[5][w >> 8 & 255]++;
            count[6][w >> 16 & 255]++;
            count[7][w >> 24]++;
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            const uint64_t w = a[i];
            for (int d = 0; d < 8; d++)
                count[d][w >> (8 * d) & 255]++;
        }
    }
    for (int d = first; d < 8; d++) {
        const int shift = 8 * d;
        uint32_t *at = count[d];
        if (at[a[0] >> shift & 255] == n)
            continue; /* one digit for all */
        start_counts(at);
        for (size_t i = 0; i < n; i++) {
            const uint64_t w = a[i];
            b[at[w >> shift & 255]++] = w;
        }
        uint64_t *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* Sorts by all bits; those from `from` up are not in order yet. Where from is 32 the words differ
 * (their lower halves are indices). */
static uint64_t *sort_words(uint64_t *a, uint64_t *b, size_t n, int from)
{
    if (n <= 6) {
        insertion_sort(a, n);
        return a;
    }
    return n <= MERGE_MAX ? merge_sort(a, b, n, from == 32) : radix_sort(a, b, n, from);
}

/* ---- sorting 32-bit keys ------------------------------------------------------------------- */

/* Sorts keys that stand for nothing but themselves: n of them at a; b is as long. Returns which
 * buffer holds the result. */
static uint32_t *radix_sort_keys(uint32_t *a, uint32_t *b, size_t n)
{
    uint32_t count[4][DIGITS] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < 4; d++)
            count[d][a[i] >> (8 * d) & 255]++;
    for (int d = 0; d < 4; d++) {
        const int shift = 8 * d;
        uint32_t *at = count[d];
        if (at[a[0] >> shift & 255] == n)
            continue;
        start_counts(at);
        for (size_t i = 0; i < n; i++)
            b[at[a[i] >> shift & 255]++] = a[i];
        uint32_t *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* ---- lanes --------------------------------------------------------------------------------- */

/* Walks the lanes of two arrays of one shape along `axis`: an odometer over the other axes. */
struct lanes {
    int ndim, axis;
    const size_t *shape;
    size_t index[PERI_MAX_NDIM];
    ptrdiff_t a, b; /* offset of the current lane's first element in each */
};

static struct lanes lanes_begin(const peri_view *v, int axis)
{
    return (struct lanes){.ndim = v->ndim, .axis = axis, .shape = v->shape};
}

static bool lanes_next(struct lanes *l, const ptrdiff_t *sa, const ptrdiff_t *sb)
{
    for (int axis = l->ndim - 1; axis >= 0; axis--) {
        if (axis == l->axis)
            continue;
        l->a += sa[axis];
        l->b += sb[axis];
        if (++l->index[axis] < l->shape[axis])
            return true;
        l->a -= sa[axis] * (ptrdiff_t)l->shape[axis];
        l->b -= sb[axis] * (ptrdiff_t)l->shape[axis];
        l->index[axis] = 0;
    }
    return false;
}

/* Restores what keys do not carry: zeros with their sign and NaNs with their bits, in the order
 * they came. dst is sorted. */
#define RESTORE(T)                                                                                 \
    static void restore_##T(const T *src, ptrdiff_t step, size_t n, T *dst, ptrdiff_t dstep,       \
                            size_t nans)                                                           \
    {                                                                                              \
        size_t lo = 0, hi = n - nans;                                                              \
        while (lo < hi) {                                                                          \
            const size_t mid = lo + (hi - lo) / 2;                                                 \
            if (dst[(ptrdiff_t)mid * dstep] < 0)                                                   \
                lo = mid + 1;                                                                      \
            else                                                                                   \
                hi = mid;                                                                          \
        }                                                                                          \
        size_t zero = lo, nan = n - nans;                                                          \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = src[(ptrdiff_t)i * step];                                                  \
            if (x == 0)                                                                            \
                dst[(ptrdiff_t)(zero++) * dstep] = x;                                              \
            else if (x != x)                                                                       \
                dst[(ptrdiff_t)(nan++) * dstep] = x;                                               \
        }                                                                                          \
    }
RESTORE(double)
RESTORE(float)

/* A shorter way for lanes of middling length: 65536 equal bins between the least and the largest
 * element, two passes of 8 bits over (bin, index) in 32 bits, and insertion within bins. It is left
 * (false) where an element is not finite or too many share a bin. Words as order_f64 leaves them
 * are at work then. */
#define LINEAR(T)                                                                                  \
    static bool linear_##T(const T *src, ptrdiff_t step, size_t n, uint64_t *work)                 \
    {                                                                                              \
        T lo[4], hi[4], odd[4];                                                                    \
        size_t descents = 0;                                                                       \
        for (size_t k = 0; k < 4; k++) {                                                           \
            lo[k] = hi[k] = src[0];                                                                \
            odd[k] = 0;                                                                            \
        }                                                                                          \
        for (size_t i = 0; i + 4 <= n; i += 4)                                                     \
            for (size_t k = 0; k < 4; k++) {                                                       \
                const T x = src[(ptrdiff_t)(i + k) * step];                                        \
                lo[k] = x < lo[k] ? x : lo[k];                                                     \
                hi[k] = x > hi[k] ? x : hi[k];                                                     \
                odd[k] += x * 0;                                                                   \
            }                                                                                      \
        for (size_t i = n / 4 * 4; i < n; i++) {                                                   \
            const T x = src[(ptrdiff_t)i * step];                                                  \
            lo[0] = x < lo[0] ? x : lo[0];                                                         \
            hi[0] = x > hi[0] ? x : hi[0];                                                         \
            odd[0] += x * 0;                                                                       \
        }                                                                                          \
        for (size_t k = 1; k < 4; k++) {                                                           \
            lo[0] = lo[k] < lo[0] ? lo[k] : lo[0];                                                 \
            hi[0] = hi[k] > hi[0] ? hi[k] : hi[0];                                                 \
            odd[0] += odd[k];                                                                      \
        }                                                                                          \
        const double least = (double)lo[0], scale = 65535 / ((double)hi[0] - least);               \
        if (!(odd[0] == 0) || !isfinite(scale) || scale == 0)                                      \
            return false;                                                                          \
        uint32_t *a = (uint32_t *)(work + n), *b = a + n;                                          \
        uint32_t low[DIGITS] = {0}, high[DIGITS] = {0};                                            \
        uint32_t before = 0;                                                                       \
        for (size_t i = 0; i < n; i++) {                                                           \
            const uint32_t bin =                                                                   \
                (uint32_t)(int32_t)(((double)src[(ptrdiff_t)i * step] - least) * scale);           \
            descents += bin < before;                                                              \
            before = bin;                                                                          \
            low[bin & 255]++;                                                                      \
            high[bin >> 8]++;                                                                      \
            a[i] = bin << 16 | (uint32_t)i;                                                        \
        }                                                                                          \
        const uint32_t *sorted = a;                                                                \
        if (descents > 0) {                                                                        \
            start_counts(low);                                                                     \
            start_counts(high);                                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                b[low[a[i] >> 16 & 255]++] = a[i];                                                 \
            for (size_t i = 0; i < n; i++)                                                         \
                a[high[b[i] >> 24]++] = b[i];                                                      \
        }                                                                                          \
        for (size_t i = 0; i < n; i++)                                                             \
            work[i] = sorted[i] & 0xffff;                                                          \
        for (size_t i = 1; i < n; i++) {                                                           \
            if (sorted[i] >> 16 != sorted[i - 1] >> 16)                                            \
                continue;                                                                          \
            const uint64_t index = work[i];                                                        \
            const T x = src[(ptrdiff_t)index * step];                                              \
            size_t k = i;                                                                          \
            while (k > 0 && src[(ptrdiff_t)work[k - 1] * step] > x) {                              \
                work[k] = work[k - 1];                                                             \
                k--;                                                                               \
            }                                                                                      \
            if (i - k > GROUP_MAX)                                                                 \
                return false;                                                                      \
            work[k] = index;                                                                       \
        }                                                                                          \
        return true;                                                                               \
    }

LINEAR(double)
LINEAR(float)

static bool is_linear_size(size_t n)
{
    return n > RANK_MAX && n <= LINEAR_MAX;
}

/* Fills work with words of a key's upper half and the index; returns how many elements are not
 * followed by one as large or larger. */
#define FILL(T, KEY)                                                                               \
    static inline __attribute__((always_inline))                                                   \
    size_t fill_by_##T(const T *src, ptrdiff_t step, size_t n, uint64_t *work)                     \
    {                                                                                              \
        size_t descents = 0;                                                                       \
        for (size_t i = 0; i < n; i++)                                                             \
            work[i] = KEY(src[(ptrdiff_t)i * step]) | i;                                           \
        for (size_t i = 1; i < n; i++)                                                             \
            descents += src[(ptrdiff_t)(i - 1) * step] <= src[(ptrdiff_t)i * step] ? 0 : 1;        \
        return descents;                                                                           \
    }                                                                                              \
    PERI_AVX2 static size_t fill_avx2_##T(const T *src, size_t n, uint64_t *work)                  \
    {                                                                                              \
        return fill_by_##T(src, 1, n, work);                                                       \
    }                                                                                              \
    PERI_AVX512 static size_t fill_wide_##T(const T *src, size_t n, uint64_t *work)                \
    {                                                                                              \
        return fill_by_##T(src, 1, n, work);                                                       \
    }                                                                                              \
    static size_t fill_##T(const T *src, ptrdiff_t step, size_t n, uint64_t *work)                 \
    {                                                                                              \
        if (step == 1 && peri_isa() == PERI_ISA_AVX512)                                            \
            return fill_wide_##T(src, n, work);                                                    \
        if (step == 1 && peri_isa() == PERI_ISA_AVX2)                                              \
            return fill_avx2_##T(src, n, work);                                                    \
        return fill_by_##T(src, step, n, work);                                                    \
    }
#define UPPER_KEY64(x) (key64(x) & ~LOW32)
#define UPPER_KEY32(x) ((uint64_t)key32(x) << 32)
FILL(double, UPPER_KEY64)
FILL(float, UPPER_KEY32)

/* Whether two words side by side have the same upper half: where a ^ b is below 2^32, taking 2^32
 * away borrows into a top bit that was 0. */
static bool has_ties(const uint64_t *sorted, size_t n)
{
    uint64_t borrowed = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        const uint64_t x = sorted[i] ^ sorted[i + 1];
        borrowed |= ~x & (x - (LOW32 + 1));
    }
    return borrowed >> 63;
}

/* The stable order of a lane: words whose lower 32 bits are the indices (the upper ones may hold
 * anything). Returns which half of work holds them. */
static uint64_t *order_f64(const double *src, ptrdiff_t step, size_t n, uint64_t *work)
{
    if (is_linear_size(n) && linear_double(src, step, n, work))
        return work;
    if (fill_double(src, step, n, work) == 0)
        return work;
    uint64_t *sorted = sort_words(work, work + n, n, 32);
    if (!has_ties(sorted, n))
        return sorted;
    uint64_t *other = sorted == work ? work + n : work;
    for (size_t i = 0; i + 1 < n;) {
        const uint64_t high = sorted[i] >> 32;
        if (sorted[i + 1] >> 32 != high) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < n && sorted[end] >> 32 == high) {
            const uint64_t index = sorted[end] & LOW32;
            sorted[end++] = key64(src[(ptrdiff_t)index * step]) << 32 | index;
        }
        const size_t size = end - i;
        const uint64_t *group = sort_words(sorted + i, other, size, 32);
        if (group != sorted + i)
            memcpy(sorted + i, group, size * sizeof *group);
        i = end;
    }
    return sorted;
}

static uint64_t *order_f32(const float *src, ptrdiff_t step, size_t n, uint64_t *work)
{
    if (is_linear_size(n) && linear_float(src, step, n, work))
        return work;
    if (fill_float(src, step, n, work) == 0)
        return work;
    return sort_words(work, work + n, n, 32);
}

static void sort_lane_f64(const double *src, ptrdiff_t step, size_t n, double *dst, ptrdiff_t dstep,
                          uint64_t *work)
{
    if (n <= LINEAR_MAX) {
        const uint64_t *order = order_f64(src, step, n, work);
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * dstep] = src[(ptrdiff_t)(order[i] & LOW32) * step];
        return;
    }
    size_t nans = 0, negative_zeros = 0, descents = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = src[(ptrdiff_t)i * step];
        const uint64_t key = key64(x);
        nans += x != x;
        negative_zeros += x == 0 && signbit(x);
        descents += key < before;
        before = key;
        work[i] = key;
    }
    if (descents == 0) {
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * dstep] = src[(ptrdiff_t)i * step];
        return;
    }
    const uint64_t *sorted = sort_words(work, work + n, n, 0);
    for (size_t i = 0; i < n; i++)
        dst[(ptrdiff_t)i * dstep] = from_key64(sorted[i]);
    if (nans > 0 || negative_zeros > 0)
        restore_double(src, step, n, dst, dstep, nans);
}

/* What a lane of floats has that its keys do not carry, or that makes sorting it idle. */
struct survey {
    size_t descents, nans, negative_zeros;
};

/* Keys of x (n), one after another in memory: the compiler makes vectors of this. */
static struct survey survey_keys(const float *x, size_t n, uint32_t *key)
{
    uint32_t descents = 0, nans = 0, negative_zeros = 0;
    for (size_t i = 0; i < n; i++)
        key[i] = key32(x[i]);
    for (size_t i = 1; i < n; i++)
        descents += key[i] < key[i - 1];
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        nans += x[i] != x[i];
        negative_zeros += bits == 0x80000000u;
    }
    return (struct survey){descents, nans, negative_zeros};
}

static void sort_lane_f32(const float *src, ptrdiff_t step, size_t n, float *dst, ptrdiff_t dstep,
                          uint64_t *work)
{
    if (n <= LINEAR_MAX) {
        const uint64_t *order = order_f32(src, step, n, work);
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * dstep] = src[(ptrdiff_t)(order[i] & LOW32) * step];
        return;
    }
    uint32_t *keys = (uint32_t *)work, *other = keys + n;
    const float *lane = src;
    if (step != 1) {
        float *copy = (float *)(other + n);
        for (size_t i = 0; i < n; i++)
            copy[i] = src[(ptrdiff_t)i * step];
        lane = copy;
    }
    const struct survey seen = survey_keys(lane, n, keys);
    if (seen.descents == 0) {
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * dstep] = lane[i];
        return;
    }
    const uint32_t *sorted = radix_sort_keys(keys, other, n);
    if (dstep == 1)
        for (size_t i = 0; i < n; i++)
            dst[i] = from_key32(sorted[i]);
    else
        for (size_t i = 0; i < n; i++)
            dst[(ptrdiff_t)i * dstep] = from_key32(sorted[i]);
    if (seen.nans > 0 || seen.negative_zeros > 0)
        restore_float(lane, 1, n, dst, dstep, seen.nans);
}

static peri_status check_lane(size_t n, peri_facts *facts)
{
    if (n <= UINT32_MAX)
        return PERI_OK;
    facts->arg = "a";
    facts->got = (double)n;
    return PERI_ERR_TOO_LARGE;
}

/* Both ask the stop flag once in about this many elements. */
static const size_t POLL = 1 << 18;

peri_status peri_sort(const peri_view *a, int axis, const peri_view *dst, uint64_t *work,
                      const peri_stop *stop, peri_facts *facts)
{
    if (peri_view_size(a) == 0)
        return PERI_OK;
    static const ptrdiff_t none = 1;
    const size_t n = a->ndim == 0 ? 1 : a->shape[axis];
    const ptrdiff_t step = a->ndim == 0 ? none : a->stride[axis];
    const ptrdiff_t dstep = a->ndim == 0 ? none : dst->stride[axis];
    const peri_status status = check_lane(n, facts);
    if (status != PERI_OK)
        return status;
    struct lanes l = lanes_begin(a, axis);
    size_t done = 0;
    do {
        PERI_REAL_DO(a->dtype,
                     sort_lane_f64((const double *)a->data + l.a, step, n,
                                   (double *)dst->data + l.b, dstep, work),
                     sort_lane_f32((const float *)a->data + l.a, step, n, (float *)dst->data + l.b,
                                   dstep, work));
        done += n;
        if (done >= POLL) {
            done = 0;
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    } while (lanes_next(&l, a->stride, dst->stride));
    return PERI_OK;
}

peri_status peri_argsort(const peri_view *a, int axis, double base, const peri_view *dst,
                         uint64_t *work, const peri_stop *stop, peri_facts *facts)
{
    if (peri_view_size(a) == 0)
        return PERI_OK;
    const size_t n = a->ndim == 0 ? 1 : a->shape[axis];
    const ptrdiff_t step = a->ndim == 0 ? 1 : a->stride[axis];
    const ptrdiff_t dstep = a->ndim == 0 ? 1 : dst->stride[axis];
    const peri_status status = check_lane(n, facts);
    if (status != PERI_OK)
        return status;
    struct lanes l = lanes_begin(a, axis);
    size_t done = 0;
    do {
        const uint64_t *order =
            PERI_REAL_PICK(a->dtype, order_f64((const double *)a->data + l.a, step, n, work),
                           order_f32((const float *)a->data + l.a, step, n, work));
        double *out = (double *)dst->data + l.b;
        for (size_t i = 0; i < n; i++)
            out[(ptrdiff_t)i * dstep] = (double)(uint32_t)order[i] + base;
        done += n;
        if (done >= POLL) {
            done = 0;
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    } while (lanes_next(&l, a->stride, dst->stride));
    return PERI_OK;
}

/* ---- searching ----------------------------------------------------------------------------- */

/* x < y with NaN above everything */
static bool below(double x, double y)
{
    return x < y || (y != y && x == x);
}

/* Values looked for at once, so that their loads overlap. */
enum { SEARCHES = 8 };

/* For each x, how many elements of the ascending a (n) are below it, or with `right` not above it.
 * NaNs in a compare false, which is right: they are at the end. The number of steps depends on n
 * alone, so there is nothing to guess. */
#define COUNT_BELOW(T)                                                                             \
    static inline __attribute__((always_inline)) void count_##T(                                   \
        const T *a, ptrdiff_t step, size_t n, const double x[], bool right, size_t place[])        \
    {                                                                                              \
        ptrdiff_t lo[SEARCHES] = {0};                                                              \
        for (size_t left = n; left > 0;) {                                                         \
            const size_t half = (left + 1) / 2;                                                    \
            const T *middle = a + (ptrdiff_t)(half - 1) * step;                                    \
            for (size_t k = 0; k < SEARCHES; k++) {                                                \
                const double y = (double)middle[lo[k] * step];                                     \
                const bool up = right ? y <= x[k] : y < x[k];                                      \
                lo[k] += (ptrdiff_t)(half & -(size_t)up);                                          \
            }                                                                                      \
            left -= half;                                                                          \
        }                                                                                          \
        for (size_t k = 0; k < SEARCHES; k++)                                                      \
            place[k] = (size_t)lo[k];                                                              \
    }                                                                                              \
    static void count_below_##T(const void *a, ptrdiff_t step, size_t n, const double x[],         \
                                bool right, size_t place[])                                        \
    {                                                                                              \
        if (right)                                                                                 \
            count_##T(a, step, n, x, true, place);                                                 \
        else                                                                                       \
            count_##T(a, step, n, x, false, place);                                                \
    }
COUNT_BELOW(double)
COUNT_BELOW(float)

peri_status peri_searchsorted(const peri_view *a, const peri_view *v, bool right, double base,
                              const peri_view *dst, const peri_stop *stop)
{
    if (peri_view_size(v) == 0)
        return PERI_OK;
    const size_t n = a->shape[0];
    const ptrdiff_t step = a->stride[0];
    size_t numbers = n; /* elements that are not NaN, once they have been counted */
    bool counted = false;
    struct lanes l = lanes_begin(v, -1);
    size_t done = 0;
    for (bool more = true; more;) {
        double x[SEARCHES] = {0};
        ptrdiff_t at[SEARCHES];
        size_t place[SEARCHES], count = 0;
        for (; more && count < SEARCHES; count++) {
            x[count] = peri_get(v, l.a);
            at[count] = l.b;
            more = lanes_next(&l, v->stride, dst->stride);
        }
        PERI_REAL_DO(a->dtype, count_below_double(a->data, step, n, x, right, place),
                     count_below_float(a->data, step, n, x, right, place));
        for (size_t k = 0; k < count; k++) {
            if (x[k] != x[k]) { /* below NaN stands all that is not NaN */
                for (; !counted && numbers > 0; numbers--) {
                    const double last = peri_get(a, (ptrdiff_t)(numbers - 1) * step);
                    if (last == last)
                        break;
                }
                counted = true;
                place[k] = right ? n : numbers;
            }
            ((double *)dst->data)[at[k]] = (double)place[k] + base;
        }
        done += count;
        if (done >= POLL) {
            done = 0;
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    }
    return PERI_OK;
}

/* ---- distinct rows ------------------------------------------------------------------------- */

/* -1, 0 or 1 as row p sorts before, with or after row q */
static int compare_rows(const peri_view *x, size_t p, size_t q)
{
    const size_t m = x->shape[1];
    for (size_t k = 0; k < m; k++) {
        const double u = peri_get(x, (ptrdiff_t)(p * m + k));
        const double v = peri_get(x, (ptrdiff_t)(q * m + k));
        if (u == v || (u != u && v != v))
            continue;
        return below(u, v) ? -1 : 1;
    }
    return 0;
}

static peri_status merge_rows(const peri_view *x, uint64_t *a, uint64_t *b, size_t n,
                              const peri_stop *stop, uint64_t **result)
{
    size_t polled = 0;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t start = 0; start < n; start += 2 * run) {
            size_t i = start, k = start;
            const size_t middle = n - start < run ? n : start + run;
            const size_t end = n - start < 2 * run ? n : start + 2 * run;
            size_t j = middle;
            while (i < middle && j < end) {
                b[k++] = compare_rows(x, a[j], a[i]) < 0 ? a[j++] : a[i++];
                if (++polled == 1 << 14) {
                    polled = 0;
                    if (peri_stop_requested(stop))
                        return PERI_ERR_INTERRUPTED;
                }
            }
            while (i < middle)
                b[k++] = a[i++];
            while (j < end)
                b[k++] = a[j++];
        }
        uint64_t *swap = a;
        a = b;
        b = swap;
    }
    *result = a;
    return PERI_OK;
}

peri_status peri_unique_order(const peri_view *x, uint64_t *order, size_t *distinct, uint64_t *work,
                              const peri_stop *stop, peri_facts *facts)
{
    const size_t n = x->shape[0];
    *distinct = 0;
    if (n == 0)
        return PERI_OK;
    peri_status status = check_lane(n, facts);
    if (status != PERI_OK)
        return status;
    uint64_t *sorted = work;
    if (x->shape[1] == 1) {
        sorted = PERI_REAL_PICK(x->dtype, order_f64(x->data, 1, n, work),
                                order_f32(x->data, 1, n, work));
    } else {
        for (size_t i = 0; i < n; i++)
            work[i] = i;
        status = merge_rows(x, work, work + n, n, stop, &sorted);
        if (status != PERI_OK)
            return status;
    }
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t row = sorted[i] & LOW32;
        const bool fresh = i == 0 || compare_rows(x, order[i - 1] & LOW32, row) != 0;
        order[i] = row | (fresh ? PERI_UNIQUE_NEW : 0);
        count += fresh;
    }
    *distinct = count;
    return PERI_OK;
}

void peri_unique_fill(const peri_view *x, const uint64_t *order, double base,
                      const peri_view *values, double *counts, double *inverse, double *first)
{
    const size_t n = x->shape[0];
    const size_t width = x->shape[1] * peri_dtype_size(x->dtype);
    size_t group = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t row = order[i] & LOW32;
        if (order[i] & PERI_UNIQUE_NEW) {
            if (width > 0)
                memcpy((char *)values->data + group * width, (const char *)x->data + row * width,
                       width);
            first[group] = (double)row + base;
            counts[group] = 0;
            group++;
        }
        counts[group - 1] += 1;
        inverse[row] = (double)(group - 1) + base;
    }
}
