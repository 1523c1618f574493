/* SPDX-License-Identifier: MIT
 *
 * Mathematical functions over rows of numbers, vectorised.
 *
 * Every function is within 4 ulp of the exact value over its whole range, subnormal results and
 * arguments included; NaN gives NaN, infinities, signed zeros and poles give what C's Annex F says
 * (sigmoid(-inf) = 0, softplus(-inf) = 0, log_sigmoid(-inf) = -inf). A value depends on the number
 * and the level of instructions (simd.h) alone, not on its position in the row.
 *
 *     sigmoid(x)      1 / (1 + e^-x)
 *     log_sigmoid(x)  min(x, 0) - log1p(e^-|x|)
 *     softplus(x)     max(x, 0) + log1p(e^-|x|)
 *     logit(p)        log(p / (1 - p))
 *     lgamma(x)       log |gamma(x)|
 *
 * Method: with AVX-512, polynomials of our own for exp, expm1, log, log1p, tanh, sigmoid,
 * log_sigmoid and softplus (arguments reduced by the exponent and, in f64, by a table of 16
 * entries in two registers, after Tang, ACM TOMS 15 (1989) and 16 (1990)), glibc's vector
 * functions for the others; with AVX2 glibc's vector functions; else glibc's scalar ones.
 */
#ifndef PERIGEE_KERNEL_VMATH_H
#define PERIGEE_KERNEL_VMATH_H

#include <stddef.h>

typedef enum {
    PERI_VM_EXP,
    PERI_VM_EXPM1,
    PERI_VM_LOG,
    PERI_VM_LOG1P,
    PERI_VM_LOG2,
    PERI_VM_LOG10,
    PERI_VM_TANH,
    PERI_VM_SIGMOID,
    PERI_VM_LOG_SIGMOID,
    PERI_VM_SOFTPLUS,
    PERI_VM_LOGIT,
    PERI_VM_SIN,
    PERI_VM_COS,
    PERI_VM_TAN,
    PERI_VM_SINH,
    PERI_VM_COSH,
    PERI_VM_ASIN,
    PERI_VM_ACOS,
    PERI_VM_ATAN,
    PERI_VM_ERF,
    PERI_VM_LGAMMA,
    PERI_VM_SQRT, /* correctly rounded */
    PERI_VM_COUNT
} peri_vm;

typedef enum { PERI_VM2_POW, PERI_VM2_ATAN2, PERI_VM2_COUNT } peri_vm2;

/* y[i] = f(x[i]), i < n. y may be x. */
void peri_vmath_f64(peri_vm f, size_t n, const double *x, double *y);
void peri_vmath_f32(peri_vm f, size_t n, const float *x, float *y);

/* z[i] = f(x[i], y[i]), i < n: x^y, or the angle of the point (y[i], x[i]) (atan2(x[i], y[i]) in
 * C's order of arguments). z may be x or y. */
void peri_vmath2_f64(peri_vm2 f, size_t n, const double *x, const double *y, double *z);
void peri_vmath2_f32(peri_vm2 f, size_t n, const float *x, const float *y, float *z);

#endif
