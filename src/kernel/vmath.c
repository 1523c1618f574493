/* SPDX-License-Identifier: MIT */
#include "kernel/vmath.h"

#include <float.h>
#include <math.h>

#include "kernel/simd.h"

typedef void map64(size_t n, const double *x, double *y);
typedef void map32(size_t n, const float *x, float *y);
typedef void zip64(size_t n, const double *x, const double *y, double *z);
typedef void zip32(size_t n, const float *x, const float *y, float *z);

/* ---- one number at a time ---------------------------------------------------------------- */

static double sigmoid1(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

static double softplus1(double x)
{
    return (x < 0 ? 0.0 : x) + log1p(exp(-fabs(x)));
}

static double log_sigmoid1(double x)
{
    return (x > 0 ? 0.0 : x) - log1p(exp(-fabs(x)));
}

/* Near 1/2, where the logarithm vanishes, 2p - 1 and 1 - p are exact. */
static double logit1(double p)
{
    if (p >= 0.25 && p <= 0.75)
        return log1p((2.0 * p - 1.0) / (1.0 - p));
    return p > 0.75 ? -log((1.0 - p) / p) : log(p / (1.0 - p));
}

/* Below 0 glibc's f64 function is a little over 4 ulp in places. */
static double lgamma1(double x)
{
    int sign;
    return x < 0 ? (double)lgammal_r(x, &sign) : lgamma_r(x, &sign);
}

#define SCALAR64(name, call)                                                                       \
    static void name##_base64(size_t n, const double *x, double *y)                                \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = call(x[i]);                                                                     \
    }
/* The correctly rounded f32 result is the rounded f64 one but for rare ties: 0.5 ulp and a bit. */
#define SCALAR32(name, call)                                                                       \
    static void name##_base32(size_t n, const float *x, float *y)                                  \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = (float)call(x[i]);                                                              \
    }
#define SCALAR(name, f64, f32) SCALAR64(name, f64) SCALAR32(name, f32)

SCALAR(exp, exp, expf)
SCALAR(expm1, expm1, expm1)
SCALAR(log, log, logf)
SCALAR(log1p, log1p, log1p)
SCALAR(log2, log2, log2f)
SCALAR(log10, log10, log10)
SCALAR(tanh, tanh, tanh)
SCALAR(sigmoid, sigmoid1, sigmoid1)
SCALAR(log_sigmoid, log_sigmoid1, log_sigmoid1)
SCALAR(softplus, softplus1, softplus1)
SCALAR(logit, logit1, logit1)
SCALAR(sin, sin, sinf)
SCALAR(cos, cos, cosf)
SCALAR(tan, tan, tan)
SCALAR(sinh, sinh, sinh)
SCALAR(cosh, cosh, cosh)
SCALAR(erf, erf, erf)
SCALAR(lgamma, lgamma1, lgamma1)
SCALAR(sqrt, sqrt, sqrtf)

static void pow_base64(size_t n, const double *x, const double *y, double *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = pow(x[i], y[i]);
}

static void pow_base32(size_t n, const float *x, const float *y, float *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = powf(x[i], y[i]);
}

static void atan2_base64(size_t n, const double *x, const double *y, double *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = atan2(x[i], y[i]);
}

static void atan2_base32(size_t n, const float *x, const float *y, float *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = (float)atan2(x[i], y[i]);
}

static map64 *const base64[PERI_VM_COUNT] = {
    [PERI_VM_EXP] = exp_base64,
    [PERI_VM_EXPM1] = expm1_base64,
    [PERI_VM_LOG] = log_base64,
    [PERI_VM_LOG1P] = log1p_base64,
    [PERI_VM_LOG2] = log2_base64,
    [PERI_VM_LOG10] = log10_base64,
    [PERI_VM_TANH] = tanh_base64,
    [PERI_VM_SIGMOID] = sigmoid_base64,
    [PERI_VM_LOG_SIGMOID] = log_sigmoid_base64,
    [PERI_VM_SOFTPLUS] = softplus_base64,
    [PERI_VM_LOGIT] = logit_base64,
    [PERI_VM_SIN] = sin_base64,
    [PERI_VM_COS] = cos_base64,
    [PERI_VM_TAN] = tan_base64,
    [PERI_VM_SINH] = sinh_base64,
    [PERI_VM_COSH] = cosh_base64,
    [PERI_VM_ERF] = erf_base64,
    [PERI_VM_LGAMMA] = lgamma_base64,
    [PERI_VM_SQRT] = sqrt_base64,
};

static map32 *const base32[PERI_VM_COUNT] = {
    [PERI_VM_EXP] = exp_base32,
    [PERI_VM_EXPM1] = expm1_base32,
    [PERI_VM_LOG] = log_base32,
    [PERI_VM_LOG1P] = log1p_base32,
    [PERI_VM_LOG2] = log2_base32,
    [PERI_VM_LOG10] = log10_base32,
    [PERI_VM_TANH] = tanh_base32,
    [PERI_VM_SIGMOID] = sigmoid_base32,
    [PERI_VM_LOG_SIGMOID] = log_sigmoid_base32,
    [PERI_VM_SOFTPLUS] = softplus_base32,
    [PERI_VM_LOGIT] = logit_base32,
    [PERI_VM_SIN] = sin_base32,
    [PERI_VM_COS] = cos_base32,
    [PERI_VM_TAN] = tan_base32,
    [PERI_VM_SINH] = sinh_base32,
    [PERI_VM_COSH] = cosh_base32,
    [PERI_VM_ERF] = erf_base32,
    [PERI_VM_LGAMMA] = lgamma_base32,
    [PERI_VM_SQRT] = sqrt_base32,
};

#if PERI_X86

#include <immintrin.h>

/* ---- glibc's vector functions -------------------------------------------------------------
 *
 * By the names of the x86 vector function ABI: d is AVX2, e AVX-512, then the number of lanes.
 * Those that came with glibc 2.35 are weak: where they are missing the scalar function serves.
 * They treat arguments outside their fast range lane by lane with the scalar function. */

/* For tails: a mask for the first n of 4 or 8 lanes. */
static PERI_AVX2 inline __m256i mask4(size_t n)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)n), _mm256_setr_epi64x(0, 1, 2, 3));
}

static PERI_AVX2 inline __m256i mask8(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* A loop over rows around one function of a register; the lanes beyond the end hold 0. */
#define MAP_D64(name, core)                                                                        \
    static PERI_AVX2 void name(size_t n, const double *x, double *y)                               \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 4 <= n; i += 4)                                                                 \
            _mm256_storeu_pd(y + i, core(_mm256_loadu_pd(x + i)));                                 \
        if (i < n) {                                                                               \
            const __m256i m = mask4(n - i);                                                        \
            _mm256_maskstore_pd(y + i, m, core(_mm256_maskload_pd(x + i, m)));                     \
        }                                                                                          \
    }
#define MAP_D32(name, core)                                                                        \
    static PERI_AVX2 void name(size_t n, const float *x, float *y)                                 \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm256_storeu_ps(y + i, core(_mm256_loadu_ps(x + i)));                                 \
        if (i < n) {                                                                               \
            const __m256i m = mask8(n - i);                                                        \
            _mm256_maskstore_ps(y + i, m, core(_mm256_maskload_ps(x + i, m)));                     \
        }                                                                                          \
    }
#define MAP_E64(name, core)                                                                        \
    static PERI_AVX512 void name(size_t n, const double *x, double *y)                             \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 8 <= n; i += 8)                                                                 \
            _mm512_storeu_pd(y + i, core(_mm512_loadu_pd(x + i)));                                 \
        if (i < n) {                                                                               \
            const __mmask8 m = (__mmask8)((1u << (n - i)) - 1u);                                   \
            _mm512_mask_storeu_pd(y + i, m, core(_mm512_maskz_loadu_pd(m, x + i)));                \
        }                                                                                          \
    }
#define MAP_E32(name, core)                                                                        \
    static PERI_AVX512 void name(size_t n, const float *x, float *y)                               \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16)                                                               \
            _mm512_storeu_ps(y + i, core(_mm512_loadu_ps(x + i)));                                 \
        if (i < n) {                                                                               \
            const __mmask16 m = (__mmask16)((1u << (n - i)) - 1u);                                 \
            _mm512_mask_storeu_ps(y + i, m, core(_mm512_maskz_loadu_ps(m, x + i)));                \
        }                                                                                          \
    }

#define LIBMVEC_D(name, attribute)                                                                 \
    PERI_AVX2 __m256d _ZGVdN4v_##name(__m256d) attribute;                                          \
    PERI_AVX2 __m256 _ZGVdN8v_##name##f(__m256) attribute;                                         \
    MAP_D64(name##_d64, _ZGVdN4v_##name)                                                           \
    MAP_D32(name##_d32, _ZGVdN8v_##name##f)
#define LIBMVEC_E(name, attribute)                                                                 \
    PERI_AVX512 __m512d _ZGVeN8v_##name(__m512d) attribute;                                        \
    PERI_AVX512 __m512 _ZGVeN16v_##name##f(__m512) attribute;                                      \
    MAP_E64(name##_e64, _ZGVeN8v_##name)                                                           \
    MAP_E32(name##_e32, _ZGVeN16v_##name##f)
#define LIBMVEC(name, attribute) LIBMVEC_D(name, attribute) LIBMVEC_E(name, attribute)
#define WEAK                     __attribute__((weak))

LIBMVEC_D(exp, )
LIBMVEC_D(log, )
LIBMVEC_D(expm1, WEAK)
LIBMVEC_D(log1p, WEAK)
LIBMVEC_D(tanh, WEAK)
LIBMVEC(sin, )
LIBMVEC(cos, )
LIBMVEC(tan, WEAK)
LIBMVEC(sinh, WEAK)
LIBMVEC(cosh, WEAK)
LIBMVEC(log2, WEAK)
LIBMVEC(log10, WEAK)
LIBMVEC(erf, WEAK)

#define ZIP(name, V, T, LANES, load, store, attribute, target, core)                               \
    target V core(V, V) attribute;                                                                 \
    static target void name(size_t n, const T *x, const T *y, T *z)                                \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= n; i += LANES)                                                         \
            store(z + i, core(load(x + i), load(y + i)));                                          \
        if (i < n) {                                                                               \
            T a[LANES], b[LANES];                                                                  \
            for (size_t k = 0; k < LANES; k++) {                                                   \
                a[k] = i + k < n ? x[i + k] : 1;                                                   \
                b[k] = i + k < n ? y[i + k] : 1;                                                   \
            }                                                                                      \
            store(a, core(load(a), load(b)));                                                      \
            for (size_t k = 0; i + k < n; k++)                                                     \
                z[i + k] = a[k];                                                                   \
        }                                                                                          \
    }
#define LIBMVEC2(name, attribute)                                                                  \
    ZIP(name##_d64, __m256d, double, 4, _mm256_loadu_pd, _mm256_storeu_pd, attribute, PERI_AVX2,   \
        _ZGVdN4vv_##name)                                                                          \
    ZIP(name##_d32, __m256, float, 8, _mm256_loadu_ps, _mm256_storeu_ps, attribute, PERI_AVX2,     \
        _ZGVdN8vv_##name##f)                                                                       \
    ZIP(name##_e64, __m512d, double, 8, _mm512_loadu_pd, _mm512_storeu_pd, attribute, PERI_AVX512, \
        _ZGVeN8vv_##name)                                                                          \
    ZIP(name##_e32, __m512, float, 16, _mm512_loadu_ps, _mm512_storeu_ps, attribute, PERI_AVX512,  \
        _ZGVeN16vv_##name##f)

LIBMVEC2(pow, )
LIBMVEC2(atan2, WEAK)

/* ---- AVX-512 ----------------------------------------------------------------------------- */

PERI_BEGIN_AVX512
#include "kernel/vmath_avx512.h"
PERI_END

#define OWN(name) MAP_E64(name##_own64, name##8) MAP_E32(name##_own32, name##16)

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

/* glibc's erff comes to 4 ulp. */
static PERI_AVX512 inline __m512 erf16(__m512 x)
{
    const __m512d lo = _ZGVeN8v_erf(_mm512_cvtps_pd(_mm512_castps512_ps256(x)));
    const __m512d hi = _ZGVeN8v_erf(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)), _mm512_cvtpd_ps(hi), 1);
}

MAP_E32(erf_own32, erf16)

static map64 *const own64[PERI_VM_COUNT] = {
    [PERI_VM_EXP] = exp_own64,           [PERI_VM_EXPM1] = expm1_own64,
    [PERI_VM_LOG] = log_own64,           [PERI_VM_LOG1P] = log1p_own64,
    [PERI_VM_TANH] = tanh_own64,         [PERI_VM_SIGMOID] = sigmoid_own64,
    [PERI_VM_SOFTPLUS] = softplus_own64, [PERI_VM_LOG_SIGMOID] = log_sigmoid_own64,
    [PERI_VM_LOGIT] = logit_own64,       [PERI_VM_SQRT] = sqrt_own64,
};

static map32 *const own32[PERI_VM_COUNT] = {
    [PERI_VM_EXP] = exp_own32,           [PERI_VM_EXPM1] = expm1_own32,
    [PERI_VM_LOG] = log_own32,           [PERI_VM_LOG1P] = log1p_own32,
    [PERI_VM_TANH] = tanh_own32,         [PERI_VM_SIGMOID] = sigmoid_own32,
    [PERI_VM_SOFTPLUS] = softplus_own32, [PERI_VM_LOG_SIGMOID] = log_sigmoid_own32,
    [PERI_VM_LOGIT] = logit_own32,       [PERI_VM_ERF] = erf_own32,
    [PERI_VM_SQRT] = sqrt_own32,
};

/* ---- AVX2: sigmoid and its kin from glibc's exp and log1p ---------------------------------- */

static PERI_AVX2 inline __m256d minus_abs4(__m256d x)
{
    return _mm256_or_pd(x, _mm256_set1_pd(-0.0));
}

static PERI_AVX2 inline __m256d sigmoid4(__m256d x)
{
    const __m256d e = _ZGVdN4v_exp(minus_abs4(x)), one = _mm256_set1_pd(1.0);
    return _mm256_div_pd(_mm256_blendv_pd(one, e, x), _mm256_add_pd(one, e));
}

static PERI_AVX2 inline __m256d softplus4(__m256d x)
{
    return _mm256_add_pd(_mm256_max_pd(_mm256_setzero_pd(), x),
                         _ZGVdN4v_log1p(_ZGVdN4v_exp(minus_abs4(x))));
}

static PERI_AVX2 inline __m256d log_sigmoid4(__m256d x)
{
    return _mm256_sub_pd(_mm256_min_pd(_mm256_setzero_pd(), x),
                         _ZGVdN4v_log1p(_ZGVdN4v_exp(minus_abs4(x))));
}

MAP_D64(sqrt_d64, _mm256_sqrt_pd)
MAP_D32(sqrt_d32, _mm256_sqrt_ps)
MAP_D64(sigmoid_d64, sigmoid4)
/* In f64 glibc's two errors (2.9 and 1.7 ulp) add up to more than 4, so these go one by one; they
 * do for f32. */
#define softplus_d64    softplus_base64
#define log_sigmoid_d64 log_sigmoid_base64

/* In f32 through f64, which costs less than keeping the bits of two roundings apart. */
#define MAP_D32_BY_64(name)                                                                        \
    static PERI_AVX2 inline __m256 name##8f(__m256 x)                                              \
    {                                                                                              \
        const __m256d lo = name##4(_mm256_cvtps_pd(_mm256_castps256_ps128(x)));                    \
        const __m256d hi = name##4(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));                  \
        return _mm256_set_m128(_mm256_cvtpd_ps(hi), _mm256_cvtpd_ps(lo));                          \
    }                                                                                              \
    MAP_D32(name##_d32, name##8f)

MAP_D32_BY_64(sigmoid)
MAP_D32_BY_64(softplus)
MAP_D32_BY_64(log_sigmoid)

/* ---- choosing ---------------------------------------------------------------------------- */

#define D_ONLY(name, bits)                                                                         \
    if (_ZGVdN4v_##name == NULL)                                                                   \
        break;                                                                                     \
    return name##_d##bits;
#define D_OR_E(name, bits)                                                                         \
    if (_ZGVdN4v_##name == NULL)                                                                   \
        break;                                                                                     \
    return level == PERI_ISA_AVX512 ? name##_e##bits : name##_d##bits;
#define CHOOSER(bits)                                                                              \
    static map##bits *choose##bits(peri_vm f, int level)                                           \
    {                                                                                              \
        if (level == PERI_ISA_AVX512 && own##bits[f] != NULL)                                      \
            return own##bits[f];                                                                   \
        switch (f) {                                                                               \
        case PERI_VM_EXP:                                                                          \
            return exp_d##bits;                                                                    \
        case PERI_VM_LOG:                                                                          \
            return log_d##bits;                                                                    \
        case PERI_VM_SIGMOID:                                                                      \
            return sigmoid_d##bits;                                                                \
        case PERI_VM_SQRT:                                                                         \
            return sqrt_d##bits;                                                                   \
        case PERI_VM_SIN:                                                                          \
            return level == PERI_ISA_AVX512 ? sin_e##bits : sin_d##bits;                           \
        case PERI_VM_COS:                                                                          \
            return level == PERI_ISA_AVX512 ? cos_e##bits : cos_d##bits;                           \
        case PERI_VM_SOFTPLUS:                                                                     \
            if (_ZGVdN4v_log1p == NULL)                                                            \
                break;                                                                             \
            return softplus_d##bits;                                                               \
        case PERI_VM_LOG_SIGMOID:                                                                  \
            if (_ZGVdN4v_log1p == NULL)                                                            \
                break;                                                                             \
            return log_sigmoid_d##bits;                                                            \
        case PERI_VM_EXPM1:                                                                        \
            D_ONLY(expm1, bits)                                                                    \
        case PERI_VM_LOG1P:                                                                        \
            D_ONLY(log1p, bits)                                                                    \
        case PERI_VM_TANH:                                                                         \
            D_ONLY(tanh, bits)                                                                     \
        case PERI_VM_LOG2:                                                                         \
            D_OR_E(log2, bits)                                                                     \
        case PERI_VM_LOG10:                                                                        \
            D_OR_E(log10, bits)                                                                    \
        case PERI_VM_TAN:                                                                          \
            D_OR_E(tan, bits)                                                                      \
        case PERI_VM_SINH:                                                                         \
            D_OR_E(sinh, bits)                                                                     \
        case PERI_VM_COSH:                                                                         \
            D_OR_E(cosh, bits)                                                                     \
        case PERI_VM_ERF:                                                                          \
            D_OR_E(erf, bits)                                                                      \
        default:                                                                                   \
            break;                                                                                 \
        }                                                                                          \
        return base##bits[f];                                                                      \
    }
CHOOSER(64)
CHOOSER(32)

#define CHOOSER2(bits)                                                                             \
    static zip##bits *choose2_##bits(peri_vm2 f, int level)                                        \
    {                                                                                              \
        if (f == PERI_VM2_POW)                                                                     \
            return level == PERI_ISA_AVX512 ? pow_e##bits : pow_d##bits;                           \
        if (_ZGVdN4vv_atan2 == NULL)                                                               \
            return atan2_base##bits;                                                               \
        return level == PERI_ISA_AVX512 ? atan2_e##bits : atan2_d##bits;                           \
    }
CHOOSER2(64)
CHOOSER2(32)

#endif

void peri_vmath_f64(peri_vm f, size_t n, const double *x, double *y)
{
#if PERI_X86
    const int level = peri_isa();
    if (level != PERI_ISA_BASE) {
        choose64(f, level)(n, x, y);
        return;
    }
#endif
    base64[f](n, x, y);
}

void peri_vmath_f32(peri_vm f, size_t n, const float *x, float *y)
{
#if PERI_X86
    const int level = peri_isa();
    if (level != PERI_ISA_BASE) {
        choose32(f, level)(n, x, y);
        return;
    }
#endif
    base32[f](n, x, y);
}

void peri_vmath2_f64(peri_vm2 f, size_t n, const double *x, const double *y, double *z)
{
#if PERI_X86
    const int level = peri_isa();
    if (level != PERI_ISA_BASE) {
        choose2_64(f, level)(n, x, y, z);
        return;
    }
#endif
    (f == PERI_VM2_POW ? pow_base64 : atan2_base64)(n, x, y, z);
}

void peri_vmath2_f32(peri_vm2 f, size_t n, const float *x, const float *y, float *z)
{
#if PERI_X86
    const int level = peri_isa();
    if (level != PERI_ISA_BASE) {
        choose2_32(f, level)(n, x, y, z);
        return;
    }
#endif
    (f == PERI_VM2_POW ? pow_base32 : atan2_base32)(n, x, y, z);
}
