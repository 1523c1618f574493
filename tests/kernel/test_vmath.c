/* SPDX-License-Identifier: MIT
 *
 * The functions of vmath.h at every level of instructions: golden numbers, special values,
 * positions, NumPy's accuracy sets where ../shared/data has them, and sweeps against the long
 * double functions of libm.
 *
 * The golden numbers are mpmath's, at 300 bits:
 *     from mpmath import *; mp.prec = 300; print(float(f(mpf(x))).hex())
 * with sigmoid = lambda x: 1/(1+exp(-x)), log_sigmoid = lambda x: -log1p(exp(-x)),
 * softplus = lambda x: log1p(exp(x)), logit = lambda p: log(p/(1-p)),
 * lgamma = lambda x: log(abs(gamma(x))).
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/vmath.h"
#include "levels.h"

static const struct {
    peri_vm f;
    double x, y;
} golden[] = {
    {PERI_VM_EXP, -0x1.7480000000000p+9, 0x0.0000000000001p-1022},
    {PERI_VM_EXP, -0x1.6233333333333p+9, 0x0.ff15b469edf89p-1022},
    {PERI_VM_EXP, -0x1.e400000000000p+4, 0x1.4835bd010a41bp-44},
    {PERI_VM_EXP, -0x1.0624dd2f1a9fcp-10, 0x1.ff7cfe56f1a9ep-1},
    {PERI_VM_EXP, 0x1.999999999999ap-2, 0x1.7de8392fbbfe0p+0},
    {PERI_VM_EXP, 0x1.b333333333333p+0, 0x1.5e552770df8a7p+2},
    {PERI_VM_EXP, 0x1.6200000000000p+6, 0x1.99b987155fe28p+127},
    {PERI_VM_EXP, 0x1.62d999999999ap+9, 0x1.d75ae7a50ee14p+1023},
    {PERI_VM_EXPM1, -0x1.4000000000000p+5, -0x1.0000000000000p+0},
    {PERI_VM_EXPM1, -0x1.999999999999ap-2, -0x1.51979f31b1e25p-2},
    {PERI_VM_EXPM1, -0x1.4f8b588e368f1p-17, -0x1.4f8aea9acf2c9p-17},
    {PERI_VM_EXPM1, 0x1.56e1fc2f8f359p-997, 0x1.56e1fc2f8f359p-997},
    {PERI_VM_EXPM1, 0x1.70a3d70a3d70ap-2, 0x1.bbbab4bfb9d7ep-2},
    {PERI_VM_EXPM1, 0x1.a666666666666p+1, 0x1.a1cd5e7807b7bp+4},
    {PERI_VM_EXPM1, 0x1.5e00000000000p+9, 0x1.d945df4f8ec8ep+1009},
    {PERI_VM_LOG, 0x0.0000000000001p-1022, -0x1.74385446d71c3p+9},
    {PERI_VM_LOG, 0x0.012688b70e62bp-1022, -0x1.64e69394d9508p+9},
    {PERI_VM_LOG, 0x1.f0a3d70a3d70ap-1, -0x1.f30b2d0091d8ap-6},
    {PERI_VM_LOG, 0x1.000001ad7f29bp+0, 0x1.ad7f2847b6492p-24},
    {PERI_VM_LOG, 0x1.07ae147ae147bp+0, 0x1.e44a9a3bed66bp-6},
    {PERI_VM_LOG, 0x1.3147ae147ae14p+1, 0x1.bd07aae981c39p-1},
    {PERI_VM_LOG, 0x1.7e43c8800759cp+996, 0x1.5963447f87fb5p+9},
    {PERI_VM_LOG1P, -0x1.fff2e48e8a71ep-1, -0x1.26bb1bbb55554p+3},
    {PERI_VM_LOG1P, -0x1.3333333333333p-2, -0x1.6d3c324e13f4ep-2},
    {PERI_VM_LOG1P, -0x1.12e0be826d695p-30, -0x1.12e0be84bbb51p-30},
    {PERI_VM_LOG1P, 0x0.00000000007e8p-1022, 0x0.00000000007e8p-1022},
    {PERI_VM_LOG1P, 0x1.3333333333333p-2, 0x1.0ca937be1b9dcp-2},
    {PERI_VM_LOG1P, 0x1.8000000000000p+0, 0x1.d5240f0e0e078p-1},
    {PERI_VM_LOG1P, 0x1.6345785d8a000p+56, 0x1.3926cd770aa67p+5},
    {PERI_VM_LOG2, 0x0.012688b70e62bp-1022, -0x1.01730dabca5f6p+10},
    {PERI_VM_LOG2, 0x1.fae147ae147aep-1, -0x1.db1f34d2c386dp-7},
    {PERI_VM_LOG2, 0x1.d99999999999ap+1, 0x1.e334db2c356b0p+0},
    {PERI_VM_LOG2, 0x1.7e43c8800759cp+996, 0x1.f24a09f1a8b89p+9},
    {PERI_VM_LOG10, 0x0.012688b70e62bp-1022, -0x1.3600000000000p+8},
    {PERI_VM_LOG10, 0x1.fae147ae147aep-1, -0x1.1e0d4874f92f2p-8},
    {PERI_VM_LOG10, 0x1.d99999999999ap+1, 0x1.22eb561ccc100p-1},
    {PERI_VM_LOG10, 0x1.7e43c8800759cp+996, 0x1.2c00000000000p+8},
    {PERI_VM_TANH, -0x1.4000000000000p+4, -0x1.0000000000000p+0},
    {PERI_VM_TANH, -0x1.199999999999ap-1, -0x1.00442f6419203p-1},
    {PERI_VM_TANH, -0x1.12e0be826d695p-30, -0x1.12e0be826d695p-30},
    {PERI_VM_TANH, 0x0.012688b70e62bp-1022, 0x0.012688b70e62bp-1022},
    {PERI_VM_TANH, 0x1.999999999999ap-3, 0x1.9439830b3a590p-3},
    {PERI_VM_TANH, 0x1.6666666666666p-1, 0x1.356fb17af2e91p-1},
    {PERI_VM_TANH, 0x1.6000000000000p+2, 0x1.fffb9f2fc1e91p-1},
    {PERI_VM_SIGMOID, -0x1.7480000000000p+9, 0x0.0000000000001p-1022},
    {PERI_VM_SIGMOID, -0x1.6233333333333p+9, 0x0.ff15b469edf89p-1022},
    {PERI_VM_SIGMOID, -0x1.259999999999ap+5, 0x1.0998b04bdd18fp-53},
    {PERI_VM_SIGMOID, -0x1.3333333333333p-2, 0x1.b3c5574372aebp-2},
    {PERI_VM_SIGMOID, 0x1.3333333333333p-2, 0x1.261d545e46a8bp-1},
    {PERI_VM_SIGMOID, 0x1.259999999999ap+5, 0x1.fffffffffffffp-1},
    {PERI_VM_LOG_SIGMOID, -0x1.749999999999ap+9, -0x1.749999999999ap+9},
    {PERI_VM_LOG_SIGMOID, -0x1.259999999999ap+5, -0x1.259999999999ap+5},
    {PERI_VM_LOG_SIGMOID, -0x1.3333333333333p-2, -0x1.b56e0cf4511afp-1},
    {PERI_VM_LOG_SIGMOID, 0x1.3333333333333p-2, -0x1.1bd4735ab7816p-1},
    {PERI_VM_LOG_SIGMOID, 0x1.259999999999ap+5, -0x1.0998b04bdd18fp-53},
    {PERI_VM_LOG_SIGMOID, 0x1.7480000000000p+9, -0x0.0000000000001p-1022},
    {PERI_VM_SOFTPLUS, -0x1.7480000000000p+9, 0x0.0000000000001p-1022},
    {PERI_VM_SOFTPLUS, -0x1.259999999999ap+5, 0x1.0998b04bdd18fp-53},
    {PERI_VM_SOFTPLUS, -0x1.3333333333333p-2, 0x1.1bd4735ab7816p-1},
    {PERI_VM_SOFTPLUS, 0x1.3333333333333p-2, 0x1.b56e0cf4511afp-1},
    {PERI_VM_SOFTPLUS, 0x1.259999999999ap+5, 0x1.259999999999ap+5},
    {PERI_VM_SOFTPLUS, 0x1.7480000000000p+9, 0x1.7480000000000p+9},
    {PERI_VM_LOGIT, 0x0.012688b70e62bp-1022, -0x1.64e69394d9508p+9},
    {PERI_VM_LOGIT, 0x1.999999999999ap-3, -0x1.62e42fefa39efp+0},
    {PERI_VM_LOGIT, 0x1.0000000000000p-2, -0x1.193ea7aad030bp+0},
    {PERI_VM_LOGIT, 0x1.ffe5c91d14e3cp-2, -0x1.a36e2f0f9732dp-12},
    {PERI_VM_LOGIT, 0x1.000d1b71758e2p-1, 0x1.a36e2f0f9732dp-12},
    {PERI_VM_LOGIT, 0x1.75c28f5c28f5cp-1, 0x1.fd3f2b9036cf1p-1},
    {PERI_VM_LOGIT, 0x1.fffeb074a771dp-1, 0x1.7069cdb16eddbp+3},
    {PERI_VM_SIN, 0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {PERI_VM_SIN, 0x1.999999999999ap-1, 0x1.6f494c2bffecdp-1},
    {PERI_VM_SIN, 0x1.921f9f01b866ep+1, 0x1.6428a6aa44cd0p-19},
    {PERI_VM_SIN, 0x1.86a0000000000p+16, 0x1.24daa9c527e96p-5},
    {PERI_VM_SIN, 0x1.0f0cf064dd592p+73, -0x1.b453ab76bf397p-1},
    {PERI_VM_COS, 0x1.5798ee2308c3ap-27, 0x1.0000000000000p+0},
    {PERI_VM_COS, 0x1.999999999999ap-1, 0x1.64b6bde719865p-1},
    {PERI_VM_COS, 0x1.921ff2e48e8a7p+0, -0x1.ed025dc757f0cp-19},
    {PERI_VM_COS, 0x1.86a0000000000p+16, -0x1.ffac3841b3da7p-1},
    {PERI_VM_COS, 0x1.0f0cf064dd592p+73, 0x1.0be2cef01c8f4p-1},
    {PERI_VM_TAN, 0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {PERI_VM_TAN, 0x1.999999999999ap-1, 0x1.079664793b60bp+0},
    {PERI_VM_TAN, 0x1.921ff2e48e8a7p+0, -0x1.09dc73bcfa42dp+18},
    {PERI_VM_TAN, 0x1.86a0000000000p+16, -0x1.250a9d503313dp-5},
    {PERI_VM_SINH, -0x1.5e00000000000p+9, -0x1.d945df4f8ec8ep+1008},
    {PERI_VM_SINH, -0x1.999999999999ap-3, -0x1.9c560cd35ef81p-3},
    {PERI_VM_SINH, 0x1.12e0be826d695p-30, 0x1.12e0be826d695p-30},
    {PERI_VM_SINH, 0x1.199999999999ap+1, 0x1.1d41360b922fdp+2},
    {PERI_VM_SINH, 0x1.6300000000000p+9, 0x1.3e21a464507f9p+1023},
    {PERI_VM_COSH, -0x1.5e00000000000p+9, 0x1.d945df4f8ec8ep+1008},
    {PERI_VM_COSH, -0x1.999999999999ap-3, 0x1.0523184b1ee9dp+0},
    {PERI_VM_COSH, 0x1.199999999999ap+1, 0x1.24589c2cef9c1p+2},
    {PERI_VM_COSH, 0x1.6300000000000p+9, 0x1.3e21a464507f9p+1023},
    {PERI_VM_ASIN, -0x1.0000000000000p+0, -0x1.921fb54442d18p+0},
    {PERI_VM_ASIN, -0x1.6666666666666p-1, -0x1.8d00e692afd95p-1},
    {PERI_VM_ASIN, 0x1.12e0be826d695p-30, 0x1.12e0be826d695p-30},
    {PERI_VM_ASIN, 0x1.3333333333333p-2, 0x1.380159e14f6ffp-2},
    {PERI_VM_ASIN, 0x1.ffffde7210be9p-1, 0x1.91c306b2c13adp+0},
    {PERI_VM_ASIN, 0x1.0000000000000p-1, 0x1.0c152382d7366p-1},
    {PERI_VM_ACOS, -0x1.0000000000000p+0, 0x1.921fb54442d18p+1},
    {PERI_VM_ACOS, -0x1.6666666666666p-1, 0x1.2c501446cd5f1p+1},
    {PERI_VM_ACOS, 0x1.12e0be826d695p-30, 0x1.921fb53ff74e9p+0},
    {PERI_VM_ACOS, 0x1.3333333333333p-2, 0x1.441f5ecbeef59p+0},
    {PERI_VM_ACOS, 0x1.ffffde7210be9p-1, 0x1.72ba46065af16p-10},
    {PERI_VM_ACOS, 0x1.0000000000000p-1, 0x1.0c152382d7366p+0},
    {PERI_VM_ATAN, -0x1.2a05f20000000p+33, -0x1.921fb543d4de0p+0},
    {PERI_VM_ATAN, -0x1.6666666666666p-1, -0x1.38b112d7bd4adp-1},
    {PERI_VM_ATAN, 0x1.12e0be826d695p-30, 0x1.12e0be826d695p-30},
    {PERI_VM_ATAN, 0x1.3333333333333p-2, 0x1.2a73a661eaf06p-2},
    {PERI_VM_ATAN, 0x1.4000000000000p+1, 0x1.30b6d796a4da8p+0},
    {PERI_VM_ATAN, 0x1.86a0000000000p+16, 0x1.921f0d7e968a8p+0},
    {PERI_VM_ERF, -0x1.8000000000000p+1, -0x1.fffd1ac4135f9p-1},
    {PERI_VM_ERF, -0x1.47ae147ae147bp-7, -0x1.71bc266657b66p-7},
    {PERI_VM_ERF, 0x1.56e1fc2f8f359p-997, 0x1.82e6d98711d3ap-997},
    {PERI_VM_ERF, 0x1.999999999999ap-1, 0x1.7bf4a85b7fb83p-1},
    {PERI_VM_ERF, 0x1.6000000000000p+2, 0x1.fffffffffffbep-1},
    {PERI_VM_LGAMMA, -0x1.f851eb851eb85p+1, -0x1.133285736d3bfp-2},
    {PERI_VM_LGAMMA, -0x1.0000000000000p-1, 0x1.43f89a3f0edd6p+0},
    {PERI_VM_LGAMMA, 0x1.999999999999ap-4, 0x1.2058e35f3deeep+1},
    {PERI_VM_LGAMMA, 0x1.00068db8bac71p+0, -0x1.e422756cb35cdp-15},
    {PERI_VM_LGAMMA, 0x1.4000000000000p+1, 0x1.2383e809a67e8p-2},
    {PERI_VM_LGAMMA, 0x1.e800000000000p+4, 0x1.23d05ac006be7p+6},
    {PERI_VM_LGAMMA, 0x1.86a0000000000p+16, 0x1.00a97b57f4c2ep+20},
};

enum { GOLDEN = sizeof golden / sizeof *golden };

/* What the header promises. */
enum { PROMISED = 4 };

/* |got - want| in units of the last place of want. */
static double ulp64(double got, long double want)
{
    const double w = (double)want;
    if (isnan(w))
        return isnan(got) ? 0 : HUGE_VAL;
    if (isinf(w) || isinf(got))
        return w == got ? 0 : fabsl(want) > (long double)DBL_MAX * (1 - 1e-15L) ? 1 : HUGE_VAL;
    const double unit = nextafter(fabs(w), HUGE_VAL) - fabs(w);
    return (double)(fabsl((long double)got - want) / (isinf(unit) ? 0x1p971 : unit));
}

static double ulp32(float got, long double want)
{
    const float w = (float)want;
    if (isnan(w))
        return isnan(got) ? 0 : HUGE_VAL;
    if (isinf(w) || isinf(got))
        return w == got ? 0 : fabsl(want) > (long double)FLT_MAX * (1 - 1e-6L) ? 1 : HUGE_VAL;
    const float unit = nextafterf(fabsf(w), HUGE_VALF) - fabsf(w);
    return (double)(fabsl((long double)got - want) / (isinf(unit) ? 0x1p104f : unit));
}

/* Calls check() once for each level this machine has. */
static void at_each_level(void (*check)(void))
{
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--)
        if (use_level(level))
            check();
    peri_isa_limit(PERI_ISA_AVX512);
}

/* Whole powers of 2 and 10 have whole logarithms, and 10^k is the number written 1e<k>, at every
 * place of a register. */
static void check_whole_powers(void)
{
    for (int k = -307; k <= 308; k++) {
        char text[8];
        double x[9], y[9], ten[9], exponent[9];
        (void)snprintf(text, sizeof text, "1e%d", k);
        for (int i = 0; i < 9; i++) {
            x[i] = strtod(text, NULL);
            ten[i] = 10;
            exponent[i] = k;
        }
        peri_vmath_f64(PERI_VM_LOG10, 9, x, y);
        for (int i = 0; i < 9; i++)
            if (y[i] != k)
                fail_msg("level %d: log10(%s) = %a", peri_isa(), text, y[i]);
        peri_vmath2_f64(PERI_VM2_POW, 9, ten, exponent, y);
        for (int i = 0; i < 9; i++) /* the C library itself is one unit off at two of them */
            if (y[i] != pow(10, k))
                fail_msg("level %d: 10^%d = %a, should be %a", peri_isa(), k, y[i], x[i]);
    }
    for (int k = -1074; k <= 1023; k++) {
        double x[9], y[9];
        for (int i = 0; i < 9; i++)
            x[i] = ldexp(1, k);
        peri_vmath_f64(PERI_VM_LOG2, 9, x, y);
        for (int i = 0; i < 9; i++)
            if (y[i] != k)
                fail_msg("level %d: log2(2^%d) = %a", peri_isa(), k, y[i]);
    }
    for (int k = -37; k <= 38; k++) {
        char text[8];
        float x[17], y[17], ten[17], exponent[17];
        (void)snprintf(text, sizeof text, "1e%d", k);
        for (int i = 0; i < 17; i++) {
            x[i] = strtof(text, NULL);
            ten[i] = 10;
            exponent[i] = (float)k;
        }
        peri_vmath_f32(PERI_VM_LOG10, 17, x, y);
        for (int i = 0; i < 17; i++)
            if (y[i] != (float)k)
                fail_msg("level %d: f32 log10(%s) = %a", peri_isa(), text, (double)y[i]);
        peri_vmath2_f32(PERI_VM2_POW, 17, ten, exponent, y);
        for (int i = 0; i < 17; i++)
            if (y[i] != x[i])
                fail_msg("level %d: f32 10^%d = %a, should be %a", peri_isa(), k, (double)y[i],
                         (double)x[i]);
    }
}

static void whole_powers(void **state)
{
    (void)state;
    at_each_level(check_whole_powers);
}

static void check_golden(void)
{
    for (size_t k = 0; k < GOLDEN; k++) {
        double y;
        float z;
        peri_vmath_f64(golden[k].f, 1, &golden[k].x, &y);
        if (!(ulp64(y, (long double)golden[k].y) <= PROMISED))
            fail_msg("level %d, f %d(%a) = %a, should be %a", peri_isa(), golden[k].f, golden[k].x,
                     y, golden[k].y);
        /* The f64 function of an f32 argument is the truth for f32. */
        const float x = (float)golden[k].x;
        const double wide = (double)x;
        peri_vmath_f32(golden[k].f, 1, &x, &z);
        peri_vmath_f64(golden[k].f, 1, &wide, &y);
        if (!(ulp32(z, (long double)y) <= PROMISED))
            fail_msg("level %d, f32 %d(%a) = %a, should be %a", peri_isa(), golden[k].f, wide,
                     (double)z, y);
    }
}

static void goldens(void **state)
{
    (void)state;
    at_each_level(check_golden);
}

/* ---- special values ---------------------------------------------------------------------- */

static const struct {
    peri_vm f;
    double x, y;
} special[] = {
    {PERI_VM_EXP, 0.0, 1.0},
    {PERI_VM_EXP, -0.0, 1.0},
    {PERI_VM_EXP, HUGE_VAL, HUGE_VAL},
    {PERI_VM_EXP, -HUGE_VAL, 0.0},
    {PERI_VM_EXP, 1e308, HUGE_VAL},
    {PERI_VM_EXP, -1e308, 0.0},
    {PERI_VM_EXPM1, 0.0, 0.0},
    {PERI_VM_EXPM1, -0.0, -0.0},
    {PERI_VM_EXPM1, HUGE_VAL, HUGE_VAL},
    {PERI_VM_EXPM1, -HUGE_VAL, -1.0},
    {PERI_VM_EXPM1, -1e308, -1.0},
    {PERI_VM_LOG, 1.0, 0.0},
    {PERI_VM_LOG, 0.0, -HUGE_VAL},
    {PERI_VM_LOG, -0.0, -HUGE_VAL},
    {PERI_VM_LOG, HUGE_VAL, HUGE_VAL},
    {PERI_VM_LOG, -1.0, NAN},
    {PERI_VM_LOG, -HUGE_VAL, NAN},
    {PERI_VM_LOG1P, 0.0, 0.0},
    {PERI_VM_LOG1P, -0.0, -0.0},
    {PERI_VM_LOG1P, -1.0, -HUGE_VAL},
    {PERI_VM_LOG1P, -2.0, NAN},
    {PERI_VM_LOG1P, HUGE_VAL, HUGE_VAL},
    {PERI_VM_LOG2, 0.0, -HUGE_VAL},
    {PERI_VM_LOG2, 1.0, 0.0},
    {PERI_VM_LOG2, -1.0, NAN},
    {PERI_VM_LOG10, 0.0, -HUGE_VAL},
    {PERI_VM_LOG10, HUGE_VAL, HUGE_VAL},
    {PERI_VM_TANH, 0.0, 0.0},
    {PERI_VM_TANH, -0.0, -0.0},
    {PERI_VM_TANH, HUGE_VAL, 1.0},
    {PERI_VM_TANH, -HUGE_VAL, -1.0},
    {PERI_VM_SIGMOID, 0.0, 0.5},
    {PERI_VM_SIGMOID, HUGE_VAL, 1.0},
    {PERI_VM_SIGMOID, -HUGE_VAL, 0.0},
    {PERI_VM_SIGMOID, -1e308, 0.0},
    {PERI_VM_LOG_SIGMOID, HUGE_VAL, 0.0},
    {PERI_VM_LOG_SIGMOID, -HUGE_VAL, -HUGE_VAL},
    {PERI_VM_LOG_SIGMOID, -1e308, -1e308},
    {PERI_VM_SOFTPLUS, HUGE_VAL, HUGE_VAL},
    {PERI_VM_SOFTPLUS, -HUGE_VAL, 0.0},
    {PERI_VM_SOFTPLUS, 1e308, 1e308},
    {PERI_VM_LOGIT, 0.0, -HUGE_VAL},
    {PERI_VM_LOGIT, 0.5, 0.0},
    {PERI_VM_LOGIT, 1.0, HUGE_VAL},
    {PERI_VM_LOGIT, -0.1, NAN},
    {PERI_VM_LOGIT, 1.1, NAN},
    {PERI_VM_SIN, -0.0, -0.0},
    {PERI_VM_SIN, HUGE_VAL, NAN},
    {PERI_VM_COS, 0.0, 1.0},
    {PERI_VM_COS, -HUGE_VAL, NAN},
    {PERI_VM_TAN, -0.0, -0.0},
    {PERI_VM_SINH, -0.0, -0.0},
    {PERI_VM_SINH, -HUGE_VAL, -HUGE_VAL},
    {PERI_VM_COSH, -HUGE_VAL, HUGE_VAL},
    {PERI_VM_ASIN, -0.0, -0.0},
    {PERI_VM_ASIN, 1.1, NAN},
    {PERI_VM_ACOS, 1.0, 0.0},
    {PERI_VM_ACOS, -1.1, NAN},
    {PERI_VM_ATAN, -0.0, -0.0},
    {PERI_VM_ATAN, HUGE_VAL, 0x1.921fb54442d18p+0},
    {PERI_VM_ERF, -0.0, -0.0},
    {PERI_VM_ERF, -HUGE_VAL, -1.0},
    {PERI_VM_SQRT, -0.0, -0.0},
    {PERI_VM_SQRT, -1.0, NAN},
    {PERI_VM_SQRT, HUGE_VAL, HUGE_VAL},
    {PERI_VM_LGAMMA, 1.0, 0.0},
    {PERI_VM_LGAMMA, 0.0, HUGE_VAL},
    {PERI_VM_LGAMMA, -3.0, HUGE_VAL},
};

static bool same64(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && (a != 0 || !signbit(a) == !signbit(b)));
}

/* Smallest magnitudes come back as they are. */
static const peri_vm like_identity[] = {PERI_VM_EXPM1, PERI_VM_LOG1P, PERI_VM_TANH, PERI_VM_SIN,
                                        PERI_VM_TAN,   PERI_VM_SINH,  PERI_VM_ASIN, PERI_VM_ATAN};

static void check_special(void)
{
    for (size_t k = 0; k < sizeof special / sizeof *special; k++) {
        double y;
        float z;
        const float x = (float)special[k].x;
        const double want = (double)(float)special[k].y;
        peri_vmath_f64(special[k].f, 1, &special[k].x, &y);
        if (!same64(y, special[k].y) && !(special[k].f == PERI_VM_LOG_SIGMOID && y == 0))
            fail_msg("level %d, f %d(%a) = %a, should be %a", peri_isa(), special[k].f,
                     special[k].x, y, special[k].y);
        peri_vmath_f32(special[k].f, 1, &x, &z);
        if (!same64((double)z, want) && !(special[k].f == PERI_VM_LOG_SIGMOID && z == 0))
            fail_msg("level %d, f32 %d(%a) = %a, should be %a", peri_isa(), special[k].f, (double)x,
                     (double)z, want);
    }
    for (int f = 0; f < PERI_VM_COUNT; f++) {
        const double x = NAN;
        const float xf = NAN;
        double y = 0;
        float z = 0;
        peri_vmath_f64((peri_vm)f, 1, &x, &y);
        peri_vmath_f32((peri_vm)f, 1, &xf, &z);
        assert_true(isnan(y) && isnan(z));
    }
    for (size_t k = 0; k < sizeof like_identity / sizeof *like_identity; k++) {
        const double x[4] = {5e-324, -5e-324, 1e-310, -2.2250738585072014e-308};
        const float xf[4] = {1e-45f, -1e-45f, 1e-40f, -1.17549435e-38f};
        double y[4];
        float z[4];
        peri_vmath_f64(like_identity[k], 4, x, y);
        peri_vmath_f32(like_identity[k], 4, xf, z);
        for (int i = 0; i < 4; i++) {
            assert_true(x[i] == y[i]);
            assert_true(xf[i] == z[i]);
        }
    }
}

static void specials(void **state)
{
    (void)state;
    at_each_level(check_special);
}

/* ---- sweeps ------------------------------------------------------------------------------ */

static long double sigmoidl(long double x)
{
    const long double e = expl(-fabsl(x));
    return (x < 0 ? e : 1) / (1 + e);
}

static long double softplusl(long double x)
{
    return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

static long double log_sigmoidl(long double x)
{
    return (x < 0 ? x : 0) - log1pl(expl(-fabsl(x)));
}

static long double logitl(long double p)
{
    return p >= 0.25L && p <= 0.75L ? log1pl((2 * p - 1) / (1 - p)) : logl(p / (1 - p));
}

static long double log_gammal(long double x)
{
    int sign;
    return lgammal_r(x, &sign);
}

static long double (*const truth[PERI_VM_COUNT])(long double) = {
    [PERI_VM_EXP] = expl,          [PERI_VM_EXPM1] = expm1l,
    [PERI_VM_LOG] = logl,          [PERI_VM_LOG1P] = log1pl,
    [PERI_VM_LOG2] = log2l,        [PERI_VM_LOG10] = log10l,
    [PERI_VM_TANH] = tanhl,        [PERI_VM_SIGMOID] = sigmoidl,
    [PERI_VM_LOGIT] = logitl,      [PERI_VM_LOG_SIGMOID] = log_sigmoidl,
    [PERI_VM_SIN] = sinl,          [PERI_VM_SOFTPLUS] = softplusl,
    [PERI_VM_COS] = cosl,          [PERI_VM_TAN] = tanl,
    [PERI_VM_SINH] = sinhl,        [PERI_VM_COSH] = coshl,
    [PERI_VM_SQRT] = sqrtl,        [PERI_VM_ERF] = erfl,
    [PERI_VM_LGAMMA] = log_gammal, [PERI_VM_ASIN] = asinl,
    [PERI_VM_ACOS] = acosl,        [PERI_VM_ATAN] = atanl,
};

static uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 2685821657736338717u;
}

/* Arguments of four kinds: any bits at all, near 0, of everyday size, near the ends of exp. */
static double argument(peri_vm f, int kind_of)
{
    const uint64_t bits = next();
    const double u = (double)(next() >> 11) * 0x1p-53;
    double x = (2 * u - 1) * (kind_of == 1 ? 2 : kind_of == 2 ? 50 : 800);
    if (kind_of == 0)
        memcpy(&x, &bits, sizeof x);
    if (f == PERI_VM_LOGIT && kind_of != 0)
        x = u;
    if ((f == PERI_VM_ASIN || f == PERI_VM_ACOS) && kind_of != 0)
        x = kind_of == 2 ? 1 - u * 0x1p-20 : 2 * u - 1;
    if (f == PERI_VM_LOG || f == PERI_VM_LOG2 || f == PERI_VM_LOG10)
        x = kind_of == 1 ? 1 + (u - 0.5) * 0.02 : fabs(x);
    if (f == PERI_VM_LOG1P && x < -1 && kind_of != 0)
        x = 1 / x;
    return x;
}

static void check_sweep(void)
{
    enum { N = 1000 };
    static double x[N], y[N];
    static float xf[N], z[N];
    for (int f = 0; f < PERI_VM_COUNT; f++) {
        for (int kind_of = 0; kind_of < 4; kind_of++) {
            for (int i = 0; i < N; i++) {
                x[i] = argument((peri_vm)f, kind_of);
                xf[i] = (float)(kind_of == 3 && f != PERI_VM_LOGIT ? x[i] / 7 : x[i]);
            }
            peri_vmath_f64((peri_vm)f, N, x, y);
            peri_vmath_f32((peri_vm)f, N, xf, z);
            for (int i = 0; i < N; i++) {
                const long double want = truth[f]((long double)x[i]),
                                  want32 = truth[f]((long double)xf[i]);
                if (!(ulp64(y[i], want) <= PROMISED))
                    fail_msg("level %d, f %d(%a) = %a, should be %La", peri_isa(), f, x[i], y[i],
                             want);
                if (!(ulp32(z[i], want32) <= PROMISED))
                    fail_msg("level %d, f32 %d(%a) = %a, should be %La", peri_isa(), f,
                             (double)xf[i], (double)z[i], want32);
            }
        }
    }
}

static void sweeps(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64)
        skip();
    at_each_level(check_sweep);
}

/* The root is the nearest double, also where the square root lies next to the middle of two and
 * where it is one. */
static void check_roots(void)
{
    for (int k = 0; k < 20000; k++) {
        double x[8], y[8];
        for (int i = 0; i < 8; i++) {
            x[i] = fabs(argument(PERI_VM_SQRT, k % 4));
            const double root = sqrt(x[i]);
            if (k % 3 == 1)
                x[i] = root * root;
            else if (k % 3 == 2)
                x[i] = (double)(((long double)root + nextafter(root, HUGE_VAL)) / 2 *
                                (((long double)root + nextafter(root, HUGE_VAL)) / 2));
        }
        peri_vmath_f64(PERI_VM_SQRT, 8, x, y);
        for (int i = 0; i < 8; i++)
            assert_true(y[i] == sqrt(x[i]) || (isnan(x[i]) && isnan(y[i])));
    }
}

static void roots(void **state)
{
    (void)state;
    at_each_level(check_roots);
}

/* Annex F's cases of pow and atan2. */
static const struct {
    peri_vm2 f;
    double x, y, z;
} pairs[] = {
    {PERI_VM2_POW, -8, 3, -512},
    {PERI_VM2_POW, 0, -1, HUGE_VAL},
    {PERI_VM2_POW, -0.0, -1, -HUGE_VAL},
    {PERI_VM2_POW, -0.0, 0.5, 0.0},
    {PERI_VM2_POW, -HUGE_VAL, 0.5, HUGE_VAL},
    {PERI_VM2_POW, NAN, 0, 1},
    {PERI_VM2_POW, 1, NAN, 1},
    {PERI_VM2_POW, -2, 0.5, NAN},
    {PERI_VM2_POW, 0.5, -HUGE_VAL, HUGE_VAL},
    {PERI_VM2_ATAN2, 0.0, 1, 0.0},
    {PERI_VM2_ATAN2, -0.0, 1, -0.0},
    {PERI_VM2_ATAN2, 0.0, -0.0, 3.141592653589793},
    {PERI_VM2_ATAN2, -0.0, -1, -3.141592653589793},
    {PERI_VM2_ATAN2, HUGE_VAL, HUGE_VAL, 0.7853981633974483},
    {PERI_VM2_ATAN2, NAN, 1, NAN},
};

static void check_two(void)
{
    enum { N = 999 };
    static double x[N], y[N], z[N];
    static float xf[N], yf[N], zf[N];
    for (int f = 0; f < PERI_VM2_COUNT; f++) {
        for (int i = 0; i < N; i++) {
            x[i] = (double)(next() >> 11) * 0x1p-53 * 8 - (f == PERI_VM2_ATAN2 ? 4 : 0);
            y[i] = (double)(next() >> 11) * 0x1p-53 * (i % 3 == 0 ? 200 : 8) - 4;
            xf[i] = (float)x[i];
            yf[i] = (float)y[i];
        }
        peri_vmath2_f64((peri_vm2)f, N, x, y, z);
        peri_vmath2_f32((peri_vm2)f, N, xf, yf, zf);
        for (int i = 0; i < N; i++) {
            const long double a = (long double)x[i], b = (long double)y[i], c = (long double)xf[i],
                              d = (long double)yf[i];
            const long double want = f == PERI_VM2_POW ? powl(a, b) : atan2l(a, b),
                              want32 = f == PERI_VM2_POW ? powl(c, d) : atan2l(c, d);
            if (!(ulp64(z[i], want) <= PROMISED && ulp32(zf[i], want32) <= PROMISED))
                fail_msg("level %d, f %d(%a, %a) = %a and %a, should be %La", peri_isa(), f, x[i],
                         y[i], z[i], (double)zf[i], want);
        }
    }
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        double got;
        peri_vmath2_f64(pairs[k].f, 1, &pairs[k].x, &pairs[k].y, &got);
        if (!same64(got, pairs[k].z))
            fail_msg("level %d, f %d(%a, %a) = %a, should be %a", peri_isa(), pairs[k].f,
                     pairs[k].x, pairs[k].y, got, pairs[k].z);
    }
}

static void two_arguments(void **state)
{
    (void)state;
    if (LDBL_MANT_DIG < 64)
        skip();
    at_each_level(check_two);
}

/* A value is the same wherever it stands, in rows of any length, in place too. */
static void check_position(void)
{
    enum { N = 71 };
    double x[N], y[N];
    float xf[N], z[N];
    for (int f = 0; f < PERI_VM_COUNT; f++) {
        for (int i = 0; i < N; i++) {
            x[i] = argument((peri_vm)f, i % 4);
            xf[i] = (float)x[i];
        }
        for (size_t n = 1; n <= N; n += 7) {
            memcpy(y, x, sizeof y);
            memcpy(z, xf, sizeof z);
            peri_vmath_f64((peri_vm)f, n, y, y);
            peri_vmath_f32((peri_vm)f, n, z, z);
            for (size_t i = 0; i < N; i++) {
                double one = x[i];
                float onef = xf[i];
                if (i < n) {
                    peri_vmath_f64((peri_vm)f, 1, &x[i], &one);
                    peri_vmath_f32((peri_vm)f, 1, &xf[i], &onef);
                }
                assert_true(memcmp(&one, &y[i], sizeof one) == 0 || (isnan(one) && isnan(y[i])));
                assert_true(memcmp(&onef, &z[i], sizeof onef) == 0 || (isnan(onef) && isnan(z[i])));
            }
        }
    }
}

static void positions(void **state)
{
    (void)state;
    at_each_level(check_position);
}

/* ---- NumPy's sets ------------------------------------------------------------------------ */

/* Rows "np.float64,0xINPUT,0xOUTPUT,ulp". Their ulp is that of a correctly rounded output, so 3
 * more are allowed. */
static int check_set(const char *name, peri_vm f)
{
    char path[200], line[200];
    snprintf(path, sizeof path, "../shared/data/reference/umath-validation-set-%s.csv", name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    int rows = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        int bits, allowed;
        unsigned long in, out;
        if (sscanf(line, "np.float%d,%lx,%lx,%d", &bits, &in, &out, &allowed) != 4)
            continue;
        rows++;
        double distance;
        if (bits == 64) {
            double x, y, want;
            memcpy(&x, &in, sizeof x);
            memcpy(&want, &out, sizeof want);
            peri_vmath_f64(f, 1, &x, &y);
            distance = ulp64(y, (long double)want);
        } else {
            const uint32_t in32 = (uint32_t)in, out32 = (uint32_t)out;
            float x, y, want;
            memcpy(&x, &in32, sizeof x);
            memcpy(&want, &out32, sizeof want);
            peri_vmath_f32(f, 1, &x, &y);
            distance = ulp32(y, (long double)want);
        }
        if (!(distance <= allowed + 3))
            fail_msg("level %d, %s: %s is off by %g ulp", peri_isa(), name, line, distance);
    }
    fclose(file);
    return rows;
}

static int rows_seen;

static void check_sets(void)
{
    rows_seen = check_set("exp", PERI_VM_EXP) + check_set("expm1", PERI_VM_EXPM1) +
                check_set("log", PERI_VM_LOG) + check_set("log1p", PERI_VM_LOG1P) +
                check_set("tanh", PERI_VM_TANH);
}

static void numpy_sets(void **state)
{
    (void)state;
    at_each_level(check_sets);
    if (rows_seen == 0) {
        print_message("../shared/data is not here: skipped\n");
        skip();
    }
    assert_true(rows_seen > 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),   cmocka_unit_test(whole_powers),
        cmocka_unit_test(specials),  cmocka_unit_test(sweeps),
        cmocka_unit_test(roots),     cmocka_unit_test(two_arguments),
        cmocka_unit_test(positions), cmocka_unit_test(numpy_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
