/* SPDX-License-Identifier: MIT
 *
 * The inner loops of reduce.c over the names of lanes.h, included there after it for f64 and f32 at
 * each level; f64 first, as sums of f32 go on in registers of doubles. */

#undef WIDE__
#undef WIDE_
#undef WIDE
#undef wide
#undef WIDTH
#undef SLIM
#undef PARTS
#undef TAKE
#undef TAKE_PART

/* The functions of registers of doubles, WIDTH wide; PARTS of them hold the chains of a block. */
#define WIDE__(f, bytes) f##_f64_##bytes
#define WIDE_(f, bytes)  WIDE__(f, bytes)
#define WIDE(f)          WIDE_(f, LANES_BYTES)
#define wide             WIDE(vector)
#define WIDTH            (LANES_BYTES / 8)
#define PARTS            (CHAINS / WIDTH)
/* Those of registers of 16 bytes of the same elements. */
#define SLIM(f) NAME_(f, LANES_BITS, 16)

#if LANES_BITS == 64
#define TAKE(p)             NAME(load)(p)
#define TAKE_PART(p, count) NAME(load_part)(p, count)
#else
#define TAKE(p)             WIDE(widen)(p)
#define TAKE_PART(p, count) WIDE(widen_part)(p, count)
#endif

#ifndef PERIGEE_KERNEL_REDUCE_LOOPS_H
#define PERIGEE_KERNEL_REDUCE_LOOPS_H

/* STEP(a, x, c) takes an element in, JOIN(a, b) is a with b taken in; FILL is an element that
 * changes nothing. They do for registers and for single numbers. */
#define SUM_STEP(a, x, c)  ((a) + (x))
#define PROD_STEP(a, x, c) ((a) * (x))
#define SSD_STEP(a, x, c)  ((a) + ((x) - (c)) * ((x) - (c)))

#define MIN_STEP(a, x)     ((((x) < (a)) | ((x) != (x))) ? (x) : (a))
#define MAX_STEP(a, x)     ((((x) > (a)) | ((x) != (x))) ? (x) : (a))
#define ANY_STEP(a, x)     ((x) != 0 ? 1.0 : (a))
#define ALL_STEP(a, x)     ((x) == 0 ? 0.0 : (a))

/* KIND: the result of n <= BLOCK elements one after another; w such results, `step` elements apart;
 * of rows of w elements, acc[j] with the elements j of the given ones taken in one after another;
 * and w results from n <= CHAINS rows. */
#define KIND(kind, START, STEP, JOIN, FILL)                                                        \
    INLINE double NAME(chains_##kind)(const REAL *x, size_t n, double c)                           \
    {                                                                                              \
        wide a[PARTS];                                                                             \
        const wide center = WIDE(splat)(c), fill = WIDE(splat)(FILL);                              \
        UNROLL                                                                                     \
        for (size_t r = 0; r < PARTS; r++)                                                         \
            a[r] = WIDE(splat)(START);                                                             \
        for (; n >= CHAINS; n -= CHAINS, x += CHAINS) {                                            \
            UNROLL                                                                                 \
            for (size_t r = 0; r < PARTS; r++) {                                                   \
                const wide v = TAKE(x + r * WIDTH);                                                \
                a[r] = STEP(a[r], v, center);                                                      \
            }                                                                                      \
        }                                                                                          \
        UNROLL                                                                                     \
        for (size_t r = 0; r < PARTS; r++)                                                         \
            if (n > r * WIDTH) {                                                                   \
                const size_t left = n - r * WIDTH;                                                 \
                wide v;                                                                            \
                if (left >= WIDTH)                                                                 \
                    v = TAKE(x + r * WIDTH);                                                       \
                else                                                                               \
                    v = WIDE(keep)(TAKE_PART(x + r * WIDTH, left), left, fill);                    \
                a[r] = STEP(a[r], v, center);                                                      \
            }                                                                                      \
        UNROLL                                                                                     \
        for (size_t half = PARTS / 2; half > 0; half /= 2) {                                       \
            UNROLL                                                                                 \
            for (size_t r = 0; r < half; r++)                                                      \
                a[r] = JOIN(a[r], a[r + half], center);                                            \
        }                                                                                          \
        (void)center;                                                                              \
        return NAME(tree_##kind)(a[0]);                                                            \
    }                                                                                              \
    KERNEL static double NAME(block_##kind)(const void *x, size_t n, double c)                     \
    {                                                                                              \
        return NAME(chains_##kind)(x, n, c);                                                       \
    }                                                                                              \
    KERNEL static void NAME(lines_##kind)(double *result, const void *px, ptrdiff_t step,          \
                                          size_t w, size_t n, const double *c)                     \
    {                                                                                              \
        const REAL *x = px;                                                                        \
        for (size_t j = 0; j < w; j++, x += step)                                                  \
            result[j] = NAME(chains_##kind)(x, n, c[j]);                                           \
    }                                                                                              \
    KERNEL static void NAME(rows_##kind)(double *restrict acc, const void *p0, const void *p1,     \
                                         const void *p2, const void *p3, size_t w,                 \
                                         const double *restrict c)                                 \
    {                                                                                              \
        const REAL *x0 = p0, *x1 = p1, *x2 = p2, *x3 = p3;                                         \
        (void)c;                                                                                   \
        if (p3 != NULL) {                                                                          \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++) {                                                       \
                double a = acc[j];                                                                 \
                a = STEP(a, (double)x0[j], c[j]);                                                  \
                a = STEP(a, (double)x1[j], c[j]);                                                  \
                a = STEP(a, (double)x2[j], c[j]);                                                  \
                acc[j] = STEP(a, (double)x3[j], c[j]);                                             \
            }                                                                                      \
        } else {                                                                                   \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++)                                                         \
                acc[j] = STEP(acc[j], (double)x0[j], c[j]);                                        \
        }                                                                                          \
    }                                                                                              \
    KERNEL static void NAME(few_##kind)(double *result, const void *const *rows, size_t n,         \
                                        size_t w, const double *c)                                 \
    {                                                                                              \
        for (size_t j = 0; j < w; j += WIDTH) {                                                    \
            const size_t left = w - j;                                                             \
            const wide center = WIDE(load_part)(c + j, left);                                      \
            wide a[CHAINS / 2];                                                                    \
            (void)center;                                                                          \
            UNROLL                                                                                 \
            for (size_t l = 0; l < CHAINS / 2; l++) {                                              \
                a[l] = WIDE(splat)(START);                                                         \
                if (l < n) {                                                                       \
                    a[l] = STEP(a[l], NAME(taken)(rows[l], j, left), center);                      \
                    if (l + CHAINS / 2 < n) {                                                      \
                        const wide v = NAME(taken)(rows[l + CHAINS / 2], j, left);                 \
                        a[l] = JOIN(a[l], STEP(WIDE(splat)(START), v, center), center);            \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
            UNROLL                                                                                 \
            for (size_t half = CHAINS / 4; half > 0; half /= 2) {                                  \
                UNROLL                                                                             \
                for (size_t l = 0; l < half; l++)                                                  \
                    if (l + half < n)                                                              \
                        a[l] = JOIN(a[l], a[l + half], center);                                    \
            }                                                                                      \
            WIDE(store_part)(result + j, a[0], left);                                              \
        }                                                                                          \
    }

/* The chains of one register joined as a tree: l with l + half of them. */
#define TREE(kind, JOIN)                                                                           \
    INLINE double NAME(tree_##kind)(wide a)                                                        \
    {                                                                                              \
        double l[WIDTH];                                                                           \
        WIDE(store)(l, a);                                                                         \
        UNROLL                                                                                     \
        for (size_t half = WIDTH / 2; half > 0; half /= 2) {                                       \
            UNROLL                                                                                 \
            for (size_t i = 0; i < half; i++)                                                      \
                l[i] = JOIN(l[i], l[i + half], 0);                                                 \
        }                                                                                          \
        return l[0];                                                                               \
    }

/* The kinds below do not depend on the order.
 *
 * Least and largest by KEEP (upper or lower of lanes.h), with NaNs watched for aside. */
#define EXTREME(kind, START, KEEP, BETTER, STEP)                                                   \
    INLINE double NAME(chains_##kind)(const REAL *x, size_t n)                                     \
    {                                                                                              \
        const vec start = NAME(splat)((REAL)(START));                                              \
        vec a[4] = {start, start, start, start};                                                   \
        flags nan = NAME(none)();                                                                  \
        for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES) {                                   \
            const vec v0 = NAME(load)(x), v1 = NAME(load)(x + LANES);                              \
            const vec v2 = NAME(load)(x + 2 * LANES), v3 = NAME(load)(x + 3 * LANES);              \
            nan |= NAME(unordered)(v0, v1) | NAME(unordered)(v2, v3);                              \
            a[0] = KEEP(v0, a[0]);                                                                 \
            a[1] = KEEP(v1, a[1]);                                                                 \
            a[2] = KEEP(v2, a[2]);                                                                 \
            a[3] = KEEP(v3, a[3]);                                                                 \
        }                                                                                          \
        for (; n > 0; n -= n < LANES ? n : LANES, x += LANES) {                                    \
            const vec v =                                                                          \
                n >= LANES ? NAME(load)(x) : NAME(keep)(NAME(load_part)(x, n), n, start);          \
            nan |= NAME(unordered)(v, v);                                                          \
            a[0] = KEEP(v, a[0]);                                                                  \
        }                                                                                          \
        if (NAME(some)(nan))                                                                       \
            return (double)NAN;                                                                    \
        REAL l[LANES];                                                                             \
        NAME(store)(l, KEEP(KEEP(a[0], a[1]), KEEP(a[2], a[3])));                                  \
        SLIM(vector) m = SLIM(load)(l);                                                            \
        UNROLL                                                                                     \
        for (size_t at = 16 / sizeof(REAL); at < LANES; at += 16 / sizeof(REAL))                   \
            m = SLIM##KEEP(SLIM(load)(l + at), m);                                                 \
        SLIM(store)(l, m);                                                                         \
        UNROLL                                                                                     \
        for (size_t half = 8 / sizeof(REAL); half > 0; half /= 2) {                                \
            UNROLL                                                                                 \
            for (size_t at = 0; at < half; at++)                                                   \
                l[at] = l[at + half] BETTER l[at] ? l[at + half] : l[at];                          \
        }                                                                                          \
        return (double)l[0];                                                                       \
    }                                                                                              \
    FREE(kind)                                                                                     \
    KERNEL static void NAME(rows_##kind)(double *restrict acc, const void *p0, const void *p1,     \
                                         const void *p2, const void *p3, size_t w,                 \
                                         const double *restrict c)                                 \
    {                                                                                              \
        const REAL *x0 = p0, *x1 = p1, *x2 = p2, *x3 = p3;                                         \
        size_t j = 0;                                                                              \
        (void)c;                                                                                   \
        for (; j + LANES <= w; j += LANES) {                                                       \
            vec v = NAME(load)(x0 + j);                                                            \
            flags nan = NAME(unordered)(v, v);                                                     \
            if (p3 != NULL) {                                                                      \
                const vec v1 = NAME(load)(x1 + j), v2 = NAME(load)(x2 + j),                        \
                          v3 = NAME(load)(x3 + j);                                                 \
                nan |= NAME(unordered)(v1, v1) | NAME(unordered)(v2, v3);                          \
                v = KEEP(KEEP(v, v1), KEEP(v2, v3));                                               \
            }                                                                                      \
            REAL l[LANES];                                                                         \
            NAME(store)(l, NAME(spoil)(v, nan));                                                   \
            UNROLL                                                                                 \
            for (size_t r = 0; r < LANES; r += WIDTH) {                                            \
                const wide u = TAKE(l + r), had = WIDE(load)(acc + j + r);                         \
                WIDE(store)(acc + j + r, WIDE(spoil)(WIDE##KEEP(had, u), WIDE(unordered)(u, u)));  \
            }                                                                                      \
        }                                                                                          \
        for (; j < w; j++) {                                                                       \
            double a = STEP(acc[j], (double)x0[j]);                                                \
            if (p3 != NULL) {                                                                      \
                a = STEP(a, (double)x1[j]);                                                        \
                a = STEP(a, (double)x2[j]);                                                        \
                a = STEP(a, (double)x3[j]);                                                        \
            }                                                                                      \
            acc[j] = a;                                                                            \
        }                                                                                          \
    }

#define LEAST(x, bound)     NAME(upper)(x, bound)
#define MOST(x, bound)      NAME(lower)(x, bound)
#define WIDELEAST(x, bound) WIDE(upper)(x, bound)
#define SLIMLEAST(x, bound) SLIM(upper)(x, bound)
#define SLIMMOST(x, bound)  SLIM(lower)(x, bound)
#define WIDEMOST(x, bound)  WIDE(lower)(x, bound)

/* Whether one element is (differ) or none is (equal) something else than 0: FOUND where one does
 * COMPARE with 0. */
#define TRUTH(kind, COMPARE, FOUND, OTHERWISE, STEP)                                               \
    INLINE double NAME(chains_##kind)(const REAL *x, size_t n)                                     \
    {                                                                                              \
        const vec zero = NAME(splat)(0), fill = NAME(splat)((REAL)(OTHERWISE));                    \
        flags found = NAME(none)();                                                                \
        for (; n >= 4 * LANES; n -= 4 * LANES, x += 4 * LANES)                                     \
            found |= NAME(COMPARE)(NAME(load)(x), zero) |                                          \
                     NAME(COMPARE)(NAME(load)(x + LANES), zero) |                                  \
                     NAME(COMPARE)(NAME(load)(x + 2 * LANES), zero) |                              \
                     NAME(COMPARE)(NAME(load)(x + 3 * LANES), zero);                               \
        for (; n > 0; n -= n < LANES ? n : LANES, x += LANES) {                                    \
            const vec v = n >= LANES ? NAME(load)(x) : NAME(keep)(NAME(load_part)(x, n), n, fill); \
            found |= NAME(COMPARE)(v, zero);                                                       \
        }                                                                                          \
        return NAME(some)(found) ? FOUND : OTHERWISE;                                              \
    }                                                                                              \
    FREE(kind)                                                                                     \
    KERNEL static void NAME(rows_##kind)(double *restrict acc, const void *p0, const void *p1,     \
                                         const void *p2, const void *p3, size_t w,                 \
                                         const double *restrict c)                                 \
    {                                                                                              \
        const REAL *x0 = p0, *x1 = p1, *x2 = p2, *x3 = p3;                                         \
        (void)c;                                                                                   \
        if (p3 != NULL) {                                                                          \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++) {                                                       \
                double a = STEP(acc[j], x0[j]);                                                    \
                a = STEP(a, x1[j]);                                                                \
                a = STEP(a, x2[j]);                                                                \
                acc[j] = STEP(a, x3[j]);                                                           \
            }                                                                                      \
        } else {                                                                                   \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++)                                                         \
                acc[j] = STEP(acc[j], x0[j]);                                                      \
        }                                                                                          \
    }

#define FREE(kind)                                                                                 \
    KERNEL static double NAME(block_##kind)(const void *x, size_t n, double c)                     \
    {                                                                                              \
        (void)c;                                                                                   \
        return NAME(chains_##kind)(x, n);                                                          \
    }                                                                                              \
    KERNEL static void NAME(lines_##kind)(double *result, const void *px, ptrdiff_t step,          \
                                          size_t w, size_t n, const double *c)                     \
    {                                                                                              \
        const REAL *x = px;                                                                        \
        (void)c;                                                                                   \
        for (size_t j = 0; j < w; j++, x += step)                                                  \
            result[j] = NAME(chains_##kind)(x, n);                                                 \
    }

#endif

/* WIDTH elements of a row from j on, or the `left` that are there and zeros. */
INLINE wide NAME(taken)(const void *row, size_t j, size_t left)
{
    const REAL *x = (const REAL *)row + j;
    return left >= WIDTH ? TAKE(x) : TAKE_PART(x, left);
}

#define PLUS(a, b, c)  ((a) + (b))
#define TIMES(a, b, c) ((a) * (b))
TREE(sum, PLUS)
TREE(ssd, PLUS)
TREE(prod, TIMES)
KIND(sum, 0, SUM_STEP, PLUS, 0)
KIND(ssd, 0, SSD_STEP, PLUS, c)
KIND(prod, 1, PROD_STEP, TIMES, 1)
EXTREME(min, HUGE_VAL, LEAST, <, MIN_STEP)
EXTREME(max, -HUGE_VAL, MOST, >, MAX_STEP)
TRUTH(any, differ, 1.0, 0.0, ANY_STEP)
TRUTH(all, equal, 0.0, 1.0, ALL_STEP)
#undef PLUS
#undef TIMES

/* Of w results side by side, the row where each is best so far; sign -1 for the largest. */
KERNEL static void NAME(first)(double *restrict best, double *restrict at, const void *px, size_t w,
                               double row, double sign)
{
    const REAL *x = px;
    PERI_IVDEP
    for (size_t j = 0; j < w; j++) {
        const double v = sign * (double)x[j], b = best[j];
        const bool better = (v < b) | ((v != v) & (b == b));
        best[j] = better ? v : b;
        at[j] = better ? row : at[j];
    }
}

/* The first of n elements that equals v (or is NaN, where v is). */
KERNEL static size_t NAME(find)(const void *px, size_t n, double v)
{
    const REAL *x = px, w = (REAL)v;
    const bool is_nan = w != w;
    const vec wanted = NAME(splat)(w), other = NAME(splat)(is_nan ? 0 : (REAL)NAN);
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        const vec v0 = NAME(load)(x + i), v1 = NAME(load)(x + i + LANES);
        const vec v2 = NAME(load)(x + i + 2 * LANES), v3 = NAME(load)(x + i + 3 * LANES);
        const flags found = is_nan ? NAME(unordered)(v0, v1) | NAME(unordered)(v2, v3)
                                   : NAME(equal)(v0, wanted) | NAME(equal)(v1, wanted) |
                                         NAME(equal)(v2, wanted) | NAME(equal)(v3, wanted);
        if (NAME(some)(found))
            break;
    }
    for (; i < n; i += LANES) {
        const vec y = n - i >= LANES ? NAME(load)(x + i)
                                     : NAME(keep)(NAME(load_part)(x + i, n - i), n - i, other);
        const unsigned found = NAME(bits)(is_nan ? NAME(unordered)(y, y) : NAME(equal)(y, wanted));
        if (found != 0)
            return i + (size_t)__builtin_ctz(found);
    }
    return n;
}

/* TURNED rows of m elements into `to`, one after another, from the columns in `from` of TURNED
 * elements each, `stride` apart: squares of a register or two turn within the registers. */
KERNEL static void NAME(turn)(const void *pfrom, ptrdiff_t stride, size_t m, void *pto)
{
    const REAL *from = pfrom;
    REAL *to = pto;
    size_t j = 0;
#if PERI_X86 && LANES_BITS == 32
    for (; j + 4 <= m; j += 4, from += 4 * stride)
        for (size_t h = 0; h < TURNED; h += 4) {
            REAL *o = to + h * m + j;
            __m128 a = _mm_loadu_ps(from + h), b = _mm_loadu_ps(from + stride + h);
            __m128 c = _mm_loadu_ps(from + 2 * stride + h), d = _mm_loadu_ps(from + 3 * stride + h);
            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(o, a);
            _mm_storeu_ps(o + m, b);
            _mm_storeu_ps(o + 2 * m, c);
            _mm_storeu_ps(o + 3 * m, d);
        }
#elif PERI_X86 && LANES_BYTES > 16
    for (; j + 4 <= m; j += 4, from += 4 * stride)
        for (size_t h = 0; h < TURNED; h += 4) {
            REAL *o = to + h * m + j;
            const __m256d a = _mm256_loadu_pd(from + h), b = _mm256_loadu_pd(from + stride + h);
            const __m256d c = _mm256_loadu_pd(from + 2 * stride + h);
            const __m256d d = _mm256_loadu_pd(from + 3 * stride + h);
            const __m256d ab = _mm256_unpacklo_pd(a, b), ba = _mm256_unpackhi_pd(a, b);
            const __m256d cd = _mm256_unpacklo_pd(c, d), dc = _mm256_unpackhi_pd(c, d);
            _mm256_storeu_pd(o, _mm256_permute2f128_pd(ab, cd, 0x20));
            _mm256_storeu_pd(o + m, _mm256_permute2f128_pd(ba, dc, 0x20));
            _mm256_storeu_pd(o + 2 * m, _mm256_permute2f128_pd(ab, cd, 0x31));
            _mm256_storeu_pd(o + 3 * m, _mm256_permute2f128_pd(ba, dc, 0x31));
        }
#elif PERI_X86
    for (; j + 2 <= m; j += 2, from += 2 * stride)
        for (size_t h = 0; h < TURNED; h += 2) {
            REAL *o = to + h * m + j;
            const __m128d a = _mm_loadu_pd(from + h), b = _mm_loadu_pd(from + stride + h);
            _mm_storeu_pd(o, _mm_unpacklo_pd(a, b));
            _mm_storeu_pd(o + m, _mm_unpackhi_pd(a, b));
        }
#endif
    for (; j < m; j++, from += stride)
        for (size_t h = 0; h < TURNED; h++)
            to[h * m + j] = from[h];
}

/* Every other of 2 n - 1 elements. */
KERNEL static void NAME(thin)(const void *pfrom, size_t n, void *pto)
{
    const REAL *from = pfrom;
    REAL *to = pto;
    size_t i = 0;
#if PERI_X86 && LANES_BITS == 32
    for (; i + 4 < n; i += 4)
        _mm_storeu_ps(to + i, _mm_shuffle_ps(_mm_loadu_ps(from + 2 * i),
                                             _mm_loadu_ps(from + 2 * i + 4), 0x88));
#elif PERI_X86
    for (; i + 2 < n; i += 2)
        _mm_storeu_pd(to + i,
                      _mm_unpacklo_pd(_mm_loadu_pd(from + 2 * i), _mm_loadu_pd(from + 2 * i + 2)));
#endif
    for (; i < n; i++)
        to[i] = from[2 * i];
}

static const loops NAME(loops) = {
    .block = {NAME(block_sum), NAME(block_prod), NAME(block_min), NAME(block_max), NAME(block_any),
              NAME(block_all), NAME(block_ssd)},
    .lines = {NAME(lines_sum), NAME(lines_prod), NAME(lines_min), NAME(lines_max), NAME(lines_any),
              NAME(lines_all), NAME(lines_ssd)},
    .rows = {NAME(rows_sum), NAME(rows_prod), NAME(rows_min), NAME(rows_max), NAME(rows_any),
             NAME(rows_all), NAME(rows_ssd)},
    .few = {[SUM] = NAME(few_sum), [PROD] = NAME(few_prod), [SSD] = NAME(few_ssd)},
    .find = NAME(find),
    .first = NAME(first),
    .turn = NAME(turn),
    .thin = NAME(thin),
};
