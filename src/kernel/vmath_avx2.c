/* SPDX-License-Identifier: MIT
 *
 * The functions of vmath.h for AVX2, by glibc's vector functions. Their names are those of the x86
 * vector function ABI: d is AVX2, then the number of lanes. Those that came with glibc 2.35 are
 * weak: where they are missing the scalar function serves. They treat arguments outside their fast
 * range lane by lane with the scalar function. */
#include <math.h>

#include "kernel/simd.h"
#include "kernel/vmath.h"
#include "kernel/vmath_level.h"

#if PERI_X86

#include <immintrin.h>

PERI_BEGIN_AVX2

/* ---- loops over rows --------------------------------------------------------------------- */

/* For tails: a mask for the first n of 4 or 8 lanes. */
static inline __m256i mask4(size_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline __m256i mask8(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Around one function of a register; the lanes beyond the end hold 0. */
#define MAP64(name, core)                                                                          \
    static void name(size_t n, const double *x, double *y)                                         \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 4 <= n; i += 4)                                                                 \
            _mm256_storeu_pd(y + i, core(_mm256_loadu_pd(x + i)));                                 \
        if (i < n) {                                                                               \
            const __m256i m = mask4(n - i);                                                        \
            _mm256_maskstore_pd(y + i, m, core(_mm256_maskload_pd(x + i, m)));                     \
        }                                                                                          \
    }
#define MAP32(name, core)                                                                          \
    static void name(size_t n, const float *x, float *y)                                           \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm256_storeu_ps(y + i, core(_mm256_loadu_ps(x + i)));                                 \
        if (i < n) {                                                                               \
            const __m256i m = mask8(n - i);                                                        \
            _mm256_maskstore_ps(y + i, m, core(_mm256_maskload_ps(x + i, m)));                     \
        }                                                                                          \
    }
#define MAP(name) MAP64(name##_64, name##4) MAP32(name##_32, name##8)

/* Of two registers; beyond the end they hold 0, of which both functions make a number. */
#define ZIP(name)                                                                                  \
    static void name##_64(size_t n, const double *x, const double *y, double *z)                   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 4 <= n; i += 4)                                                                 \
            _mm256_storeu_pd(z + i, name##4(_mm256_loadu_pd(x + i), _mm256_loadu_pd(y + i)));      \
        if (i < n) {                                                                               \
            const __m256i m = mask4(n - i);                                                        \
            const __m256d a = _mm256_maskload_pd(x + i, m), b = _mm256_maskload_pd(y + i, m);      \
            _mm256_maskstore_pd(z + i, m, name##4(a, b));                                          \
        }                                                                                          \
    }                                                                                              \
    static void name##_32(size_t n, const float *x, const float *y, float *z)                      \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm256_storeu_ps(z + i, name##8(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));      \
        if (i < n) {                                                                               \
            const __m256i m = mask8(n - i);                                                        \
            const __m256 a = _mm256_maskload_ps(x + i, m), b = _mm256_maskload_ps(y + i, m);       \
            _mm256_maskstore_ps(z + i, m, name##8(a, b));                                          \
        }                                                                                          \
    }

/* ---- glibc's functions ------------------------------------------------------------------- */

#define LIBMVEC(name, attribute)                                                                   \
    __m256d _ZGVdN4v_##name(__m256d) attribute;                                                    \
    __m256 _ZGVdN8v_##name##f(__m256) attribute;
#define LIBMVEC2(name, attribute)                                                                  \
    __m256d _ZGVdN4vv_##name(__m256d, __m256d) attribute;                                          \
    __m256 _ZGVdN8vv_##name##f(__m256, __m256) attribute;
#define PLAIN(name, attribute)                                                                     \
    LIBMVEC(name, attribute)                                                                       \
    MAP64(name##_64, _ZGVdN4v_##name) MAP32(name##_32, _ZGVdN8v_##name##f)
#define WEAK __attribute__((weak))

PLAIN(exp, )
PLAIN(log, )
PLAIN(sin, )
PLAIN(cos, )
PLAIN(expm1, WEAK)
PLAIN(log1p, WEAK)
PLAIN(tanh, WEAK)
PLAIN(tan, WEAK)
PLAIN(sinh, WEAK)
PLAIN(cosh, WEAK)
PLAIN(asin, WEAK)
PLAIN(acos, WEAK)
PLAIN(atan, WEAK)
PLAIN(log2, WEAK)
PLAIN(erf, WEAK)
LIBMVEC(log10, WEAK)
LIBMVEC2(pow, )
LIBMVEC2(atan2, WEAK)

/* ---- exact where the scalar functions are ------------------------------------------------ */

/* log10 of a power of ten is a whole number: lanes that come near one go to the scalar function,
 * which is exact there. */
static __attribute__((noinline)) __m256d log10_again4(__m256d x, __m256d y, int lanes)
{
    double from[4], to[4];
    _mm256_storeu_pd(from, x);
    _mm256_storeu_pd(to, y);
    for (int l = 0; l < 4; l++)
        if (lanes >> l & 1)
            to[l] = log10(from[l]);
    return _mm256_loadu_pd(to);
}

static __attribute__((noinline)) __m256 log10_again8(__m256 x, __m256 y, int lanes)
{
    float from[8], to[8];
    _mm256_storeu_ps(from, x);
    _mm256_storeu_ps(to, y);
    for (int l = 0; l < 8; l++)
        if (lanes >> l & 1)
            to[l] = (float)log10((double)from[l]);
    return _mm256_loadu_ps(to);
}

static inline __m256d log10_4(__m256d x)
{
    const __m256d y = _ZGVdN4v_log10(x);
    const __m256d off = _mm256_sub_pd(y, _mm256_round_pd(y, _MM_FROUND_TO_NEAREST_INT));
    const __m256d bound = _mm256_mul_pd(y, _mm256_set1_pd(0x1p-50));
    const __m256d near = _mm256_and_pd(
        _mm256_cmp_pd(_mm256_mul_pd(off, off), _mm256_mul_pd(bound, bound), _CMP_LE_OQ),
        _mm256_cmp_pd(off, _mm256_setzero_pd(), _CMP_NEQ_OQ));
    const int lanes = _mm256_movemask_pd(near);
    return lanes == 0 ? y : log10_again4(x, y, lanes);
}

static inline __m256 log10_8(__m256 x)
{
    const __m256 y = _ZGVdN8v_log10f(x);
    const __m256 off = _mm256_sub_ps(y, _mm256_round_ps(y, _MM_FROUND_TO_NEAREST_INT));
    const __m256 bound = _mm256_mul_ps(y, _mm256_set1_ps(0x1p-21F));
    const __m256 near = _mm256_and_ps(
        _mm256_cmp_ps(_mm256_mul_ps(off, off), _mm256_mul_ps(bound, bound), _CMP_LE_OQ),
        _mm256_cmp_ps(off, _mm256_setzero_ps(), _CMP_NEQ_OQ));
    const int lanes = _mm256_movemask_ps(near);
    return lanes == 0 ? y : log10_again8(x, y, lanes);
}

MAP64(log10_64, log10_4)
MAP32(log10_32, log10_8)

/* A whole power of ten is the number that is written 1e<k>, as the scalar function gives it. */
static __attribute__((noinline)) __m256d pow_again4(__m256d y, __m256d z, int lanes)
{
    double from[4], to[4];
    _mm256_storeu_pd(from, y);
    _mm256_storeu_pd(to, z);
    for (int l = 0; l < 4; l++)
        if (lanes >> l & 1)
            to[l] = pow(10.0, from[l]);
    return _mm256_loadu_pd(to);
}

static __attribute__((noinline)) __m256 pow_again8(__m256 y, __m256 z, int lanes)
{
    float from[8], to[8];
    _mm256_storeu_ps(from, y);
    _mm256_storeu_ps(to, z);
    for (int l = 0; l < 8; l++)
        if (lanes >> l & 1)
            to[l] = (float)pow(10.0, (double)from[l]);
    return _mm256_loadu_ps(to);
}

static inline __m256d pow4(__m256d x, __m256d y)
{
    const __m256d z = _ZGVdN4vv_pow(x, y);
    const __m256d whole =
        _mm256_cmp_pd(y, _mm256_round_pd(y, _MM_FROUND_TO_NEAREST_INT), _CMP_EQ_OQ);
    const int lanes = _mm256_movemask_pd(
        _mm256_and_pd(whole, _mm256_cmp_pd(x, _mm256_set1_pd(10.0), _CMP_EQ_OQ)));
    return lanes == 0 ? z : pow_again4(y, z, lanes);
}

static inline __m256 pow8(__m256 x, __m256 y)
{
    const __m256 z = _ZGVdN8vv_powf(x, y);
    const __m256 whole =
        _mm256_cmp_ps(y, _mm256_round_ps(y, _MM_FROUND_TO_NEAREST_INT), _CMP_EQ_OQ);
    const int lanes = _mm256_movemask_ps(
        _mm256_and_ps(whole, _mm256_cmp_ps(x, _mm256_set1_ps(10.0F), _CMP_EQ_OQ)));
    return lanes == 0 ? z : pow_again8(y, z, lanes);
}

#define atan24 _ZGVdN4vv_atan2
#define atan28 _ZGVdN8vv_atan2f

ZIP(pow)
ZIP(atan2)

/* ---- sigmoid and its kin from glibc's exp, log and log1p ----------------------------------- */

static inline __m256d minus_abs4(__m256d x)
{
    return _mm256_or_pd(x, _mm256_set1_pd(-0.0));
}

static inline __m256d sigmoid4(__m256d x)
{
    const __m256d e = _ZGVdN4v_exp(minus_abs4(x)), one = _mm256_set1_pd(1.0);
    return _mm256_div_pd(_mm256_blendv_pd(one, e, x), _mm256_add_pd(one, e));
}

static inline __m256d softplus4(__m256d x)
{
    return _mm256_add_pd(_mm256_max_pd(_mm256_setzero_pd(), x),
                         _ZGVdN4v_log1p(_ZGVdN4v_exp(minus_abs4(x))));
}

static inline __m256d log_sigmoid4(__m256d x)
{
    return _mm256_sub_pd(_mm256_min_pd(_mm256_setzero_pd(), x),
                         _ZGVdN4v_log1p(_ZGVdN4v_exp(minus_abs4(x))));
}

/* By the smaller part s and the larger t of p and 1 - p, with the sign in the end. Near 1/2, where
 * the logarithm vanishes, 2s - 1 and t are exact. */
static inline __m256d logit4(__m256d p)
{
    const __m256d one = _mm256_set1_pd(1.0), rest = _mm256_sub_pd(one, p);
    const __m256d s = _mm256_min_pd(rest, p), t = _mm256_max_pd(rest, p);
    const __m256d middle = _mm256_cmp_pd(s, _mm256_set1_pd(0.25), _CMP_GE_OQ);
    const int lanes = _mm256_movemask_pd(middle);
    __m256d l = one;
    if (lanes != 15)
        l = _ZGVdN4v_log(_mm256_div_pd(s, t));
    if (lanes != 0) {
        const __m256d v = _mm256_div_pd(_mm256_sub_pd(_mm256_add_pd(s, s), one), t);
        l = _mm256_blendv_pd(l, _ZGVdN4v_log1p(v), middle);
    }
    const __m256d upper = _mm256_cmp_pd(p, _mm256_set1_pd(0.5), _CMP_GT_OQ);
    return _mm256_blendv_pd(l, _mm256_sub_pd(_mm256_setzero_pd(), l), upper);
}

MAP64(sqrt_64, _mm256_sqrt_pd)
MAP32(sqrt_32, _mm256_sqrt_ps)
MAP64(sigmoid_64, sigmoid4)
MAP64(logit_64, logit4)

/* In f32 through f64, which costs less than keeping the bits of two roundings apart. */
#define MAP32_BY_64(name)                                                                          \
    static inline __m256 name##8(__m256 x)                                                         \
    {                                                                                              \
        const __m256d lo = name##4(_mm256_cvtps_pd(_mm256_castps256_ps128(x)));                    \
        const __m256d hi = name##4(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));                  \
        return _mm256_set_m128(_mm256_cvtpd_ps(hi), _mm256_cvtpd_ps(lo));                          \
    }                                                                                              \
    MAP32(name##_32, name##8)

MAP32_BY_64(sigmoid)
MAP32_BY_64(softplus)
MAP32_BY_64(log_sigmoid)
MAP32_BY_64(logit)

PERI_END

/* ---- choosing ---------------------------------------------------------------------------- */

#define ROW(F, name, bits)                                                                         \
    case F:                                                                                        \
        return name##_##bits;
#define ROW_WITH(F, name, needed, bits)                                                            \
    case F:                                                                                        \
        return _ZGVdN4v_##needed != NULL ? name##_##bits : NULL;
#define ROWS(bits)                                                                                 \
    ROW(PERI_VM_EXP, exp, bits)                                                                    \
    ROW(PERI_VM_LOG, log, bits)                                                                    \
    ROW(PERI_VM_SIN, sin, bits)                                                                    \
    ROW(PERI_VM_COS, cos, bits)                                                                    \
    ROW(PERI_VM_SQRT, sqrt, bits)                                                                  \
    ROW(PERI_VM_SIGMOID, sigmoid, bits)                                                            \
    ROW_WITH(PERI_VM_EXPM1, expm1, expm1, bits)                                                    \
    ROW_WITH(PERI_VM_LOG1P, log1p, log1p, bits)                                                    \
    ROW_WITH(PERI_VM_TANH, tanh, tanh, bits)                                                       \
    ROW_WITH(PERI_VM_TAN, tan, tan, bits)                                                          \
    ROW_WITH(PERI_VM_SINH, sinh, sinh, bits)                                                       \
    ROW_WITH(PERI_VM_COSH, cosh, cosh, bits)                                                       \
    ROW_WITH(PERI_VM_ASIN, asin, asin, bits)                                                       \
    ROW_WITH(PERI_VM_ACOS, acos, acos, bits)                                                       \
    ROW_WITH(PERI_VM_ATAN, atan, atan, bits)                                                       \
    ROW_WITH(PERI_VM_LOG2, log2, log2, bits)                                                       \
    ROW_WITH(PERI_VM_LOG10, log10, log10, bits)                                                    \
    ROW_WITH(PERI_VM_ERF, erf, erf, bits)                                                          \
    ROW_WITH(PERI_VM_LOGIT, logit, log1p, bits)

/* In f64 the errors of glibc's exp and log1p (2.9 and 1.7 ulp) add up to more than 4, so softplus
 * and log_sigmoid go one by one; they do for f32. */
peri_map64 *peri_vmath_64_avx2(int f)
{
    switch (f) {
        ROWS(64)
    default:
        return NULL;
    }
}

peri_map32 *peri_vmath_32_avx2(int f)
{
    switch (f) {
        ROWS(32)
        ROW_WITH(PERI_VM_SOFTPLUS, softplus, log1p, 32)
        ROW_WITH(PERI_VM_LOG_SIGMOID, log_sigmoid, log1p, 32)
    default:
        return NULL;
    }
}

peri_zip64 *peri_vmath2_64_avx2(int f)
{
    return f == PERI_VM2_POW ? pow_64 : _ZGVdN4vv_atan2 != NULL ? atan2_64 : NULL;
}

peri_zip32 *peri_vmath2_32_avx2(int f)
{
    return f == PERI_VM2_POW ? pow_32 : _ZGVdN8vv_atan2f != NULL ? atan2_32 : NULL;
}

#endif
