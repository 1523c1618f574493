/* SPDX-License-Identifier: MIT
 *
 * The inner loops of reduce.c, included there once for each instruction set. */

/* v = 8 elements from x on, as doubles. */
#define LOAD_f64(v, x) memcpy(&(v), x, sizeof(v))
#define LOAD_f32(v, x)                                                                             \
    do {                                                                                           \
        v8f f_;                                                                                    \
        memcpy(&f_, x, sizeof f_);                                                                 \
        (v) = __builtin_convertvector(f_, v8d);                                                    \
    } while (0)

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
    static double SIMD(block_##kind##_##dtype)(const void *px, size_t n, double c)                 \
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

static const loops SIMD(loops) = {
    .block = {{SIMD(block_sum_f64), SIMD(block_sum_f32)},
              {SIMD(block_prod_f64), SIMD(block_prod_f32)},
              {SIMD(block_min_f64), SIMD(block_min_f32)},
              {SIMD(block_max_f64), SIMD(block_max_f32)},
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
    .first = {SIMD(first_f64), SIMD(first_f32)},
};

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
