/* SPDX-License-Identifier: MIT
 *
 * The functions of vmath.h for AVX-512: our own of vmath_avx512.h, and glibc's (e in their names is
 * AVX-512) as in vmath_avx2.c. */
#include <math.h>

#include "kernel/simd.h"
#include "kernel/vmath.h"
#include "kernel/vmath_level.h"

#if PERI_X86

#include <immintrin.h>

PERI_BEGIN_AVX512
#include "kernel/vmath_avx512.h"

/* ---- loops over rows --------------------------------------------------------------------- */

static inline __mmask8 mask8(size_t n)
{
    return (__mmask8)((1u << n) - 1u);
}

static inline __mmask16 mask16(size_t n)
{
    return (__mmask16)((1u << n) - 1u);
}

/* Around one function of a register; the lanes beyond the end hold 0. */
#define MAP64(name, core)                                                                          \
    static void name(size_t n, const double *x, double *y)                                         \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm512_storeu_pd(y + i, core(_mm512_loadu_pd(x + i)));                                 \
        if (i < n)                                                                                 \
            _mm512_mask_storeu_pd(y + i, mask8(n - i),                                             \
                                  core(_mm512_maskz_loadu_pd(mask8(n - i), x + i)));               \
    }
#define MAP32(name, core)                                                                          \
    static void name(size_t n, const float *x, float *y)                                           \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16)                                                               \
            _mm512_storeu_ps(y + i, core(_mm512_loadu_ps(x + i)));                                 \
        if (i < n)                                                                                 \
            _mm512_mask_storeu_ps(y + i, mask16(n - i),                                            \
                                  core(_mm512_maskz_loadu_ps(mask16(n - i), x + i)));              \
    }

/* Of two registers; beyond the end they hold 0, of which both functions make a number. */
#define ZIP(name)                                                                                  \
    static void name##_64(size_t n, const double *x, const double *y, double *z)                   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm512_storeu_pd(z + i, name##8(_mm512_loadu_pd(x + i), _mm512_loadu_pd(y + i)));      \
        if (i < n) {                                                                               \
            const __mmask8 m = mask8(n - i);                                                       \
            _mm512_mask_storeu_pd(                                                                 \
                z + i, m,                                                                          \
                name##8(_mm512_maskz_loadu_pd(m, x + i), _mm512_maskz_loadu_pd(m, y + i)));        \
        }                                                                                          \
    }                                                                                              \
    static void name##_32(size_t n, const float *x, const float *y, float *z)                      \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16)                                                               \
            _mm512_storeu_ps(z + i, name##16(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));     \
        if (i < n) {                                                                               \
            const __mmask16 m = mask16(n - i);                                                     \
            _mm512_mask_storeu_ps(                                                                 \
                z + i, m,                                                                          \
                name##16(_mm512_maskz_loadu_ps(m, x + i), _mm512_maskz_loadu_ps(m, y + i)));       \
        }                                                                                          \
    }

#define OWN(name) MAP64(name##_64, name##8) MAP32(name##_32, name##16)

OWN(exp)
OWN(expm1)
OWN(log)
OWN(log1p)
OWN(tanh)
OWN(sigmoid)
OWN(softplus)
OWN(log_sigmoid)
OWN(logit)
OWN(sqrt)

/* ---- glibc's functions ------------------------------------------------------------------- */

#define LIBMVEC(name, attribute)                                                                   \
    __m512d _ZGVeN8v_##name(__m512d) attribute;                                                    \
    __m512 _ZGVeN16v_##name##f(__m512) attribute;
#define LIBMVEC2(name, attribute)                                                                  \
    __m512d _ZGVeN8vv_##name(__m512d, __m512d) attribute;                                          \
    __m512 _ZGVeN16vv_##name##f(__m512, __m512) attribute;
#define PLAIN(name, attribute)                                                                     \
    LIBMVEC(name, attribute)                                                                       \
    MAP64(name##_64, _ZGVeN8v_##name) MAP32(name##_32, _ZGVeN16v_##name##f)
#define WEAK __attribute__((weak))

PLAIN(sin, )
PLAIN(cos, )
PLAIN(tan, WEAK)
PLAIN(sinh, WEAK)
PLAIN(cosh, WEAK)
PLAIN(asin, WEAK)
PLAIN(acos, WEAK)
PLAIN(atan, WEAK)
PLAIN(log2, WEAK)
LIBMVEC(log10, WEAK)
LIBMVEC(erf, WEAK)
LIBMVEC2(pow, )
LIBMVEC2(atan2, WEAK)

/* glibc's erff comes to 4 ulp. */
static inline __m512 erf16(__m512 x)
{
    const __m512d lo = _ZGVeN8v_erf(_mm512_cvtps_pd(_mm512_castps512_ps256(x)));
    const __m512d hi = _ZGVeN8v_erf(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)), _mm512_cvtpd_ps(hi), 1);
}

MAP64(erf_64, _ZGVeN8v_erf)
MAP32(erf_32, erf16)

/* ---- exact where the scalar functions are ------------------------------------------------ */

/* log10 of a power of ten is a whole number: lanes that come near one go to the scalar function,
 * which is exact there. */
static __attribute__((noinline)) __m512d log10_again8(__m512d x, __m512d y, unsigned lanes)
{
    double from[8], to[8];
    _mm512_storeu_pd(from, x);
    _mm512_storeu_pd(to, y);
    for (int l = 0; l < 8; l++)
        if (lanes >> l & 1)
            to[l] = log10(from[l]);
    return _mm512_loadu_pd(to);
}

static __attribute__((noinline)) __m512 log10_again16(__m512 x, __m512 y, unsigned lanes)
{
    float from[16], to[16];
    _mm512_storeu_ps(from, x);
    _mm512_storeu_ps(to, y);
    for (int l = 0; l < 16; l++)
        if (lanes >> l & 1)
            to[l] = (float)log10((double)from[l]);
    return _mm512_loadu_ps(to);
}

static inline __m512d log10_8(__m512d x)
{
    const __m512d y = _ZGVeN8v_log10(x);
    const __m512d off = _mm512_sub_pd(y, _mm512_roundscale_pd(y, 0));
    const __m512d bound = _mm512_mul_pd(y, _mm512_set1_pd(0x1p-50));
    const unsigned lanes =
        _mm512_cmp_pd_mask(_mm512_mul_pd(off, off), _mm512_mul_pd(bound, bound), _CMP_LE_OQ) &
        _mm512_cmp_pd_mask(off, _mm512_setzero_pd(), _CMP_NEQ_OQ);
    return lanes == 0 ? y : log10_again8(x, y, lanes);
}

static inline __m512 log10_16(__m512 x)
{
    const __m512 y = _ZGVeN16v_log10f(x);
    const __m512 off = _mm512_sub_ps(y, _mm512_roundscale_ps(y, 0));
    const __m512 bound = _mm512_mul_ps(y, _mm512_set1_ps(0x1p-21F));
    const unsigned lanes =
        _mm512_cmp_ps_mask(_mm512_mul_ps(off, off), _mm512_mul_ps(bound, bound), _CMP_LE_OQ) &
        _mm512_cmp_ps_mask(off, _mm512_setzero_ps(), _CMP_NEQ_OQ);
    return lanes == 0 ? y : log10_again16(x, y, lanes);
}

MAP64(log10_64, log10_8)
MAP32(log10_32, log10_16)

/* A whole power of ten is the number that is written 1e<k>, as the scalar function gives it. */
static __attribute__((noinline)) __m512d pow_again8(__m512d y, __m512d z, unsigned lanes)
{
    double from[8], to[8];
    _mm512_storeu_pd(from, y);
    _mm512_storeu_pd(to, z);
    for (int l = 0; l < 8; l++)
        if (lanes >> l & 1)
            to[l] = pow(10.0, from[l]);
    return _mm512_loadu_pd(to);
}

static __attribute__((noinline)) __m512 pow_again16(__m512 y, __m512 z, unsigned lanes)
{
    float from[16], to[16];
    _mm512_storeu_ps(from, y);
    _mm512_storeu_ps(to, z);
    for (int l = 0; l < 16; l++)
        if (lanes >> l & 1)
            to[l] = (float)pow(10.0, (double)from[l]);
    return _mm512_loadu_ps(to);
}

static inline __m512d pow8(__m512d x, __m512d y)
{
    const __m512d z = _ZGVeN8vv_pow(x, y);
    const unsigned lanes = _mm512_cmp_pd_mask(y, _mm512_roundscale_pd(y, 0), _CMP_EQ_OQ) &
                           _mm512_cmp_pd_mask(x, _mm512_set1_pd(10.0), _CMP_EQ_OQ);
    return lanes == 0 ? z : pow_again8(y, z, lanes);
}

static inline __m512 pow16(__m512 x, __m512 y)
{
    const __m512 z = _ZGVeN16vv_powf(x, y);
    const unsigned lanes = _mm512_cmp_ps_mask(y, _mm512_roundscale_ps(y, 0), _CMP_EQ_OQ) &
                           _mm512_cmp_ps_mask(x, _mm512_set1_ps(10.0F), _CMP_EQ_OQ);
    return lanes == 0 ? z : pow_again16(y, z, lanes);
}

#define atan28  _ZGVeN8vv_atan2
#define atan216 _ZGVeN16vv_atan2f

ZIP(pow)
ZIP(atan2)

PERI_END

/* ---- choosing ---------------------------------------------------------------------------- */

#define ROW(F, name, bits)                                                                         \
    case F:                                                                                        \
        return name##_##bits;
#define ROW_WEAK(F, name, bits)                                                                    \
    case F:                                                                                        \
        return _ZGVeN8v_##name != NULL ? name##_##bits : NULL;
#define ROWS(bits)                                                                                 \
    ROW(PERI_VM_EXP, exp, bits)                                                                    \
    ROW(PERI_VM_EXPM1, expm1, bits)                                                                \
    ROW(PERI_VM_LOG, log, bits)                                                                    \
    ROW(PERI_VM_LOG1P, log1p, bits)                                                                \
    ROW(PERI_VM_TANH, tanh, bits)                                                                  \
    ROW(PERI_VM_SIGMOID, sigmoid, bits)                                                            \
    ROW(PERI_VM_SOFTPLUS, softplus, bits)                                                          \
    ROW(PERI_VM_LOG_SIGMOID, log_sigmoid, bits)                                                    \
    ROW(PERI_VM_LOGIT, logit, bits)                                                                \
    ROW(PERI_VM_SQRT, sqrt, bits)                                                                  \
    ROW(PERI_VM_SIN, sin, bits)                                                                    \
    ROW(PERI_VM_COS, cos, bits)                                                                    \
    ROW_WEAK(PERI_VM_TAN, tan, bits)                                                               \
    ROW_WEAK(PERI_VM_SINH, sinh, bits)                                                             \
    ROW_WEAK(PERI_VM_COSH, cosh, bits)                                                             \
    ROW_WEAK(PERI_VM_ASIN, asin, bits)                                                             \
    ROW_WEAK(PERI_VM_ACOS, acos, bits)                                                             \
    ROW_WEAK(PERI_VM_ATAN, atan, bits)                                                             \
    ROW_WEAK(PERI_VM_LOG2, log2, bits)                                                             \
    ROW_WEAK(PERI_VM_LOG10, log10, bits)                                                           \
    ROW_WEAK(PERI_VM_ERF, erf, bits)

peri_map64 *peri_vmath_64_avx512(int f)
{
    switch (f) {
        ROWS(64)
    default:
        return NULL;
    }
}

peri_map32 *peri_vmath_32_avx512(int f)
{
    switch (f) {
        ROWS(32)
    default:
        return NULL;
    }
}

peri_zip64 *peri_vmath2_64_avx512(int f)
{
    return f == PERI_VM2_POW ? pow_64 : _ZGVeN8vv_atan2 != NULL ? atan2_64 : NULL;
}

peri_zip32 *peri_vmath2_32_avx512(int f)
{
    return f == PERI_VM2_POW ? pow_32 : _ZGVeN16vv_atan2f != NULL ? atan2_32 : NULL;
}

#endif
