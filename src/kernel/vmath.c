/* SPDX-License-Identifier: MIT */
#include "kernel/vmath.h"

#include <float.h>
#include <math.h>

#include "kernel/simd.h"
#include "kernel/vmath_level.h"

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
SCALAR(asin, asin, asin)
SCALAR(acos, acos, acos)
SCALAR(atan, atan, atan)
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

static peri_map64 *const base64[PERI_VM_COUNT] = {
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
    [PERI_VM_ASIN] = asin_base64,
    [PERI_VM_ACOS] = acos_base64,
    [PERI_VM_ATAN] = atan_base64,
    [PERI_VM_ERF] = erf_base64,
    [PERI_VM_LGAMMA] = lgamma_base64,
    [PERI_VM_SQRT] = sqrt_base64,
};

static peri_map32 *const base32[PERI_VM_COUNT] = {
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
    [PERI_VM_ASIN] = asin_base32,
    [PERI_VM_ACOS] = acos_base32,
    [PERI_VM_ATAN] = atan_base32,
    [PERI_VM_ERF] = erf_base32,
    [PERI_VM_LGAMMA] = lgamma_base32,
    [PERI_VM_SQRT] = sqrt_base32,
};

static peri_zip64 *const base2_64[PERI_VM2_COUNT] = {pow_base64, atan2_base64};
static peri_zip32 *const base2_32[PERI_VM2_COUNT] = {pow_base32, atan2_base32};

/* The function of the level in use, or of the one below it that has one. */
#if PERI_X86
#define CHOOSER(type, name, F, base)                                                               \
    static type *choose##name(F f)                                                                 \
    {                                                                                              \
        const int level = peri_isa();                                                              \
        type *found = NULL;                                                                        \
        if (level == PERI_ISA_AVX512)                                                              \
            found = peri_vmath##name##_avx512((int)f);                                             \
        if (level >= PERI_ISA_AVX2 && found == NULL)                                               \
            found = peri_vmath##name##_avx2((int)f);                                               \
        return found != NULL ? found : base[f];                                                    \
    }
#else
#define CHOOSER(type, name, F, base)                                                               \
    static type *choose##name(F f)                                                                 \
    {                                                                                              \
        return base[f];                                                                            \
    }
#endif
CHOOSER(peri_map64, _64, peri_vm, base64)
CHOOSER(peri_map32, _32, peri_vm, base32)
CHOOSER(peri_zip64, 2_64, peri_vm2, base2_64)
CHOOSER(peri_zip32, 2_32, peri_vm2, base2_32)

void peri_vmath_f64(peri_vm f, size_t n, const double *x, double *y)
{
    choose_64(f)(n, x, y);
}

void peri_vmath_f32(peri_vm f, size_t n, const float *x, float *y)
{
    choose_32(f)(n, x, y);
}

void peri_vmath2_f64(peri_vm2 f, size_t n, const double *x, const double *y, double *z)
{
    choose2_64(f)(n, x, y, z);
}

void peri_vmath2_f32(peri_vm2 f, size_t n, const float *x, const float *y, float *z)
{
    choose2_32(f)(n, x, y, z);
}
