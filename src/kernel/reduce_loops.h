/* SPDX-License-Identifier: MIT
 *
 * The inner loops of reduce.c, included there once for each instruction set. */

/* v = 8 elements from x on, as doubles. */
#define LOAD_f64(v, x) memcpy(&(v), x, sizeof(v))
#if LEVEL == 2 /* the compiler would convert half by half */
#define LOAD_f32(v, x) ((v) = (v8d)_mm512_cvtps_pd(_mm256_loadu_ps(x)))
#else
#define LOAD_f32(v, x)                                                                             \
    do {                                                                                           \
        v8f f_;                                                                                    \
        memcpy(&f_, x, sizeof f_);                                                                 \
        (v) = __builtin_convertvector(f_, v8d);                                                    \
    } while (0)
#endif

/* Lanes joined as a tree; JOIN(a, b) is a with b taken in. */
#define TREE(lane, JOIN)                                                                           \
    do {                                                                                           \
        for (int l_ = 0; l_ < 8; l_++)                                                             \
            lane[l_] = JOIN(lane[l_], lane[l_ + 8]);                                               \
        for (int l_ = 0; l_ < 4; l_++)                                                             \
            lane[l_] = JOIN(lane[l_], lane[l_ + 4]);                                               \
        lane[0] = JOIN(lane[0], lane[2]);                                                          \
        lane[1] = JOIN(lane[1], lane[3]);                                                          \
        lane[0] = JOIN(lane[0], lane[1]);                                                          \
    } while (0)

/* KIND: for a block of n <= BLOCK elements one after another, their result; and for rows, each of
 * w elements, acc[j] with the elements j of the given rows taken in one after another.
 * STEP8(acc, x, c) and STEP1(acc, x, c) take one in; START is where a lane begins. */
#define KIND(T, dtype, kind, START, STEP8, STEP1, JOIN)                                            \
    __attribute__((unused)) static double SIMD(block_##kind##_##dtype)(const void *px, size_t n,   \
                                                                       double c)                   \
    {                                                                                              \
        const T *x = px;                                                                           \
        double lane[LANES];                                                                        \
        v8d a = (v8d){0} + (START), b = a;                                                         \
        const v8d center = (v8d){0} + c;                                                           \
        (void)center;                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= n; i += LANES) {                                                       \
            v8d u, v;                                                                              \
            LOAD_##dtype(u, x + i);                                                                \
            LOAD_##dtype(v, x + i + 8);                                                            \
            STEP8(a, u, center);                                                                   \
            STEP8(b, v, center);                                                                   \
        }                                                                                          \
        memcpy(lane, &a, sizeof a);                                                                \
        memcpy(lane + 8, &b, sizeof b);                                                            \
        for (size_t l = 0; i + l < n; l++) {                                                       \
            const double v = (double)x[i + l];                                                     \
            STEP1(lane[l], v, c);                                                                  \
        }                                                                                          \
        TREE(lane, JOIN);                                                                          \
        return lane[0];                                                                            \
    }                                                                                              \
    static void SIMD(rows_##kind##_##dtype)(double *restrict acc, const void *p0, const void *p1,  \
                                            const void *p2, const void *p3, size_t w,              \
                                            const double *restrict c)                              \
    {                                                                                              \
        const T *x0 = p0, *x1 = p1, *x2 = p2, *x3 = p3;                                            \
        (void)c;                                                                                   \
        if (p3 != NULL) {                                                                          \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++) {                                                       \
                double a = acc[j];                                                                 \
                const double u0 = (double)x0[j], u1 = (double)x1[j], u2 = (double)x2[j],           \
                             u3 = (double)x3[j];                                                   \
                STEP1(a, u0, c[j]);                                                                \
                STEP1(a, u1, c[j]);                                                                \
                STEP1(a, u2, c[j]);                                                                \
                STEP1(a, u3, c[j]);                                                                \
                acc[j] = a;                                                                        \
            }                                                                                      \
        } else {                                                                                   \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++) {                                                       \
                double a = acc[j];                                                                 \
                const double u0 = (double)x0[j];                                                   \
                STEP1(a, u0, c[j]);                                                                \
                acc[j] = a;                                                                        \
            }                                                                                      \
        }                                                                                          \
    }

#define SELECT8(mask, yes, no) (v8d)(((mask) & (v8i)(yes)) | (~(mask) & (v8i)(no)))

#define SUM_STEP(a, x, c)      ((a) += (x))
#define SUM_JOIN(a, b)         ((a) + (b))
#define PROD_STEP(a, x, c)     ((a) *= (x))
#define PROD_JOIN(a, b)        ((a) * (b))
#define SSD_STEP(a, x, c)      ((a) += ((x) - (c)) * ((x) - (c)))
#define MIN_STEP8(a, x, c)     ((a) = SELECT8(((x) < (a)) | ((x) != (x)), x, a))
#define MIN_STEP(a, x, c)      ((a) = (((x) < (a)) | ((x) != (x))) ? (x) : (a))
#define MIN_JOIN(a, b)         ((((b) < (a)) | ((b) != (b))) ? (b) : (a))
#define MAX_STEP8(a, x, c)     ((a) = SELECT8(((x) > (a)) | ((x) != (x)), x, a))
#define MAX_STEP(a, x, c)      ((a) = (((x) > (a)) | ((x) != (x))) ? (x) : (a))
#define MAX_JOIN(a, b)         ((((b) > (a)) | ((b) != (b))) ? (b) : (a))
#define ANY_STEP8(a, x, c)     ((a) = SELECT8((x) != 0.0, (v8d){0} + 1.0, a))
#define ANY_STEP(a, x, c)      ((a) = (x) != 0.0 ? 1.0 : (a))
#define ANY_JOIN(a, b)         ((b) != 0.0 ? 1.0 : (a))
#define ALL_STEP8(a, x, c)     ((a) = SELECT8((x) == 0.0, (v8d){0}, a))
#define ALL_STEP(a, x, c)      ((a) = (x) == 0.0 ? 0.0 : (a))
#define ALL_JOIN(a, b)         ((b) == 0.0 ? 0.0 : (a))

#define KINDS(T, dtype)                                                                            \
    KIND(T, dtype, sum, 0.0, SUM_STEP, SUM_STEP, SUM_JOIN)                                         \
    KIND(T, dtype, prod, 1.0, PROD_STEP, PROD_STEP, PROD_JOIN)                                     \
    KIND(T, dtype, ssd, 0.0, SSD_STEP, SSD_STEP, SUM_JOIN)                                         \
    KIND(T, dtype, min, HUGE_VAL, MIN_STEP8, MIN_STEP, MIN_JOIN)                                   \
    KIND(T, dtype, max, -HUGE_VAL, MAX_STEP8, MAX_STEP, MAX_JOIN)                                  \
    KIND(T, dtype, any, 0.0, ANY_STEP8, ANY_STEP, ANY_JOIN)                                        \
    KIND(T, dtype, all, 1.0, ALL_STEP8, ALL_STEP, ALL_JOIN)                                        \
    static void SIMD(first_##dtype)(double *restrict best, double *restrict at, const void *px,    \
                                    size_t w, double row, double sign)                             \
    {                                                                                              \
        const T *x = px;                                                                           \
        PERI_IVDEP                                                                                 \
        for (size_t j = 0; j < w; j++) {                                                           \
            const double v = sign * (double)x[j], b = best[j];                                     \
            const bool better = (v < b) | ((v != v) & (b == b));                                   \
            best[j] = better ? v : b;                                                              \
            at[j] = better ? row : at[j];                                                          \
        }                                                                                          \
    }

KINDS(double, f64)
KINDS(float, f32)

/* The first of n elements that equals v (or is NaN, where v is). */
#define FIND(T, dtype)                                                                             \
    static size_t SIMD(find_##dtype)(const void *px, size_t n, double v)                           \
    {                                                                                              \
        const T *x = px, w = (T)v;                                                                 \
        size_t i = 0;                                                                              \
        for (; i + 32 <= n; i += 32) {                                                             \
            int found = 0;                                                                         \
            for (size_t l = 0; l < 32; l++)                                                        \
                found |= (x[i + l] == w) | ((x[i + l] != x[i + l]) & (w != w));                    \
            if (found)                                                                             \
                break;                                                                             \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            if (x[i] == w || (x[i] != x[i] && w != w))                                             \
                break;                                                                             \
        return i;                                                                                  \
    }
FIND(double, f64)
FIND(float, f32)

#if LEVEL == 2
/* The same, four registers at once; NaN, which is rare, as above. */
#define SEEK(name, T, V, LANES, s, otherwise)                                                      \
    static size_t SIMD(name)(const void *px, size_t n, double v)                                   \
    {                                                                                              \
        const T *x = px;                                                                           \
        const V w = _mm512_set1_##s((T)v);                                                         \
        if (v != v)                                                                                \
            return SIMD(otherwise)(px, n, v);                                                      \
        size_t i = 0;                                                                              \
        for (; i + 4 * LANES <= n; i += 4 * LANES) {                                               \
            uint64_t found = 0;                                                                    \
            for (int k = 3; k >= 0; k--)                                                           \
                found = found << LANES |                                                           \
                        _mm512_cmp_##s##_mask(w, _mm512_loadu_##s(x + i + k * LANES), _CMP_EQ_OQ); \
            if (found != 0)                                                                        \
                return i + (size_t)__builtin_ctzll(found);                                         \
        }                                                                                          \
        return i + SIMD(otherwise)(x + i, n - i, v);                                               \
    }
SEEK(seek_f64, double, __m512d, 8, pd, find_f64)
SEEK(seek_f32, float, __m512, 16, ps, find_f32)
#undef SEEK
#define FOUND(dtype) SIMD(seek_##dtype)

/* Least and largest do not depend on the order, so these take four registers at once; NaN is
 * watched for aside, two registers a comparison. */
#define EXTREME(name, T, V, M, LANES, s, start, op, lowest)                                        \
    static double SIMD(name)(const void *px, size_t n, double c)                                   \
    {                                                                                              \
        const T *x = px;                                                                           \
        V a0 = _mm512_set1_##s(start), a1 = a0, a2 = a0, a3 = a0;                                  \
        unsigned nan = 0;                                                                          \
        size_t i = 0;                                                                              \
        (void)c;                                                                                   \
        for (; i + 4 * LANES <= n; i += 4 * LANES) {                                               \
            const V x0 = _mm512_loadu_##s(x + i), x1 = _mm512_loadu_##s(x + i + LANES),            \
                    x2 = _mm512_loadu_##s(x + i + 2 * LANES),                                      \
                    x3 = _mm512_loadu_##s(x + i + 3 * LANES);                                      \
            nan |= (unsigned)_mm512_cmp_##s##_mask(x0, x1, _CMP_UNORD_Q) |                         \
                   (unsigned)_mm512_cmp_##s##_mask(x2, x3, _CMP_UNORD_Q);                          \
            a0 = op(a0, x0);                                                                       \
            a1 = op(a1, x1);                                                                       \
            a2 = op(a2, x2);                                                                       \
            a3 = op(a3, x3);                                                                       \
        }                                                                                          \
        for (; i < n; i += LANES) {                                                                \
            const M m = n - i >= LANES ? (M)-1 : (M)((1u << (n - i)) - 1u);                        \
            const V x0 = _mm512_mask_loadu_##s(a0, m, x + i);                                      \
            nan |= (unsigned)_mm512_cmp_##s##_mask(x0, x0, _CMP_UNORD_Q);                          \
            a0 = op(a0, x0);                                                                       \
        }                                                                                          \
        return nan ? (double)NAN : (double)lowest(op(op(a0, a1), op(a2, a3)));                     \
    }
EXTREME(least_f64, double, __m512d, __mmask8, 8, pd, HUGE_VAL, _mm512_min_pd, _mm512_reduce_min_pd)
EXTREME(most_f64, double, __m512d, __mmask8, 8, pd, -HUGE_VAL, _mm512_max_pd, _mm512_reduce_max_pd)
EXTREME(least_f32, float, __m512, __mmask16, 16, ps, HUGE_VALF, _mm512_min_ps, _mm512_reduce_min_ps)
EXTREME(most_f32, float, __m512, __mmask16, 16, ps, -HUGE_VALF, _mm512_max_ps, _mm512_reduce_max_ps)
#undef EXTREME
#define LEAST(dtype) SIMD(least_##dtype)
#define MOST(dtype)  SIMD(most_##dtype)
#else
#define FOUND(dtype) SIMD(find_##dtype)
#define LEAST(dtype) SIMD(block_min_##dtype)
#define MOST(dtype)  SIMD(block_max_##dtype)
#endif

static const loops SIMD(loops) = {
    .block = {{SIMD(block_sum_f64), SIMD(block_sum_f32)},
              {SIMD(block_prod_f64), SIMD(block_prod_f32)},
              {LEAST(f64), LEAST(f32)},
              {MOST(f64), MOST(f32)},
              {SIMD(block_any_f64), SIMD(block_any_f32)},
              {SIMD(block_all_f64), SIMD(block_all_f32)},
              {SIMD(block_ssd_f64), SIMD(block_ssd_f32)}},
    .rows = {{SIMD(rows_sum_f64), SIMD(rows_sum_f32)},
             {SIMD(rows_prod_f64), SIMD(rows_prod_f32)},
             {SIMD(rows_min_f64), SIMD(rows_min_f32)},
             {SIMD(rows_max_f64), SIMD(rows_max_f32)},
             {SIMD(rows_any_f64), SIMD(rows_any_f32)},
             {SIMD(rows_all_f64), SIMD(rows_all_f32)},
             {SIMD(rows_ssd_f64), SIMD(rows_ssd_f32)}},
    .find = {FOUND(f64), FOUND(f32)},
    .first = {SIMD(first_f64), SIMD(first_f32)},
};

#undef FIND
#undef FOUND
#undef LEAST
#undef MOST
#undef LOAD_f64
#undef LOAD_f32
#undef TREE
#undef KIND
#undef KINDS
#undef SELECT8
#undef SUM_STEP
#undef SUM_JOIN
#undef PROD_STEP
#undef PROD_JOIN
#undef SSD_STEP
#undef MIN_STEP8
#undef MIN_STEP
#undef MIN_JOIN
#undef MAX_STEP8
#undef MAX_STEP
#undef MAX_JOIN
#undef ANY_STEP8
#undef ANY_STEP
#undef ANY_JOIN
#undef ALL_STEP8
#undef ALL_STEP
#undef ALL_JOIN
