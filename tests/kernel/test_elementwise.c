/* SPDX-License-Identifier: MIT
 *
 * Every elementwise operation on random views (0 to 5 axes, strides of either sign and 0, all
 * dtypes, mixed), against the plain expression at each index; at every level of instructions.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/elementwise.h"
#include "kernel/pool.h"
#include "kernel/special.h"
#include "levels.h"

static uint64_t seed = 2463534242u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 2685821657736338717u;
}

static size_t below(size_t n)
{
    return (size_t)(next() >> 33) % n;
}

enum { ROOM = 60000 };

/* A view with memory of its own. */
typedef struct {
    double f64[ROOM];
    float f32[ROOM];
    unsigned char byte[ROOM];
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    peri_view view;
} field;

static double value(void)
{
    static const double odd[] = {0.0, -0.0, NAN, HUGE_VAL, -HUGE_VAL, 1.0, -2.5, 2.5, 3.5, 1e-310};
    const double u = (double)(next() >> 11) * 0x1p-53;
    return below(8) == 0 ? odd[below(10)] : (u * 2 - 1) * 8;
}

/* Elements of random strides: a permutation of axes in memory, steps of 1 or 2, some backwards,
 * and (inputs) some repeated. */
static void lay_out(field *f, int dtype, int ndim, const size_t *shape, bool repeats)
{
    int order[PERI_MAX_NDIM];
    for (int axis = 0; axis < ndim; axis++)
        order[axis] = axis;
    if (below(2) == 0)
        for (int axis = ndim - 1; axis > 0; axis--) {
            const int other = (int)below((size_t)axis + 1), kept = order[axis];
            order[axis] = order[other];
            order[other] = kept;
        }
    const bool spread = below(2) == 0;
    ptrdiff_t step = 1, start = 0;
    for (int k = ndim - 1; k >= 0; k--) {
        const int axis = order[k];
        f->shape[axis] = shape[axis];
        if (spread && shape[axis] > 1)
            step *= (ptrdiff_t)below(2) + 1;
        f->stride[axis] = step;
        step *= (ptrdiff_t)(shape[axis] > 0 ? shape[axis] : 1);
        if (spread && below(4) == 0) {
            start += shape[axis] > 0 ? f->stride[axis] * ((ptrdiff_t)shape[axis] - 1) : 0;
            f->stride[axis] = -f->stride[axis];
        } else if (repeats && below(3) == 0) {
            f->stride[axis] = 0;
        }
    }
    assert_true(step < ROOM);
    for (ptrdiff_t i = 0; i < step; i++) {
        f->f64[i] = value();
        f->f32[i] = (float)f->f64[i];
        f->byte[i] = (unsigned char)(below(2) == 0 ? below(2) : below(256));
        if (dtype == PERI_BOOL)
            f->byte[i] &= 1;
    }
    void *const data[] = {f->f64 + start, f->f32 + start, f->byte + start, f->byte + start};
    f->view = (peri_view){data[dtype], dtype, ndim, f->shape, f->stride};
}

static double at(const peri_view *v, const size_t *index)
{
    ptrdiff_t offset = 0;
    for (int axis = 0; axis < v->ndim; axis++)
        offset += (ptrdiff_t)index[axis] * v->stride[axis];
    return peri_get(v, offset);
}

static bool step_index(int ndim, const size_t *shape, size_t *index)
{
    for (int axis = ndim - 1; axis >= 0; axis--) {
        if (++index[axis] < shape[axis])
            return true;
        index[axis] = 0;
    }
    return false;
}

static double modulo(double a, double b)
{
    const double m = fmod(a, b);
    if (m == 0 && b != 0)
        return copysign(0.0, b);
    return m != 0 && (m < 0) != (b < 0) && b != 0 ? m + b : m;
}

/* NumPy 1.24's floor_divide, npy_divmod of npy_math_internal.h.src in words of its own. */
static double floor_divide(double a, double b)
{
    if (b == 0)
        return a / b;
    double m = fmod(a, b), d = (a - m) / b;
    if (m != 0 && (m < 0) != (b < 0))
        d -= 1;
    if (d == 0)
        return copysign(0.0, a / b);
    const double f = floor(d);
    return d - f > 0.5 ? f + 1 : f;
}

/* The operation on numbers of the computing dtype; ulp says how far the kernel may be. */
static double expected(peri_ew op, int dtype, double x, double y, double z, double *ulp)
{
    *ulp = 0;
    const bool f32 = dtype == PERI_F32;
#define ROUNDED(e) (f32 ? (double)(float)(e) : (e))
    if (op >= PERI_EW_SPECIAL)
        return peri_special(op, (const double[]){x, y, z});
    switch (op) {
    case PERI_EW_NEG:
        return -x;
    case PERI_EW_ABS:
        return fabs(x);
    case PERI_EW_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case PERI_EW_SQRT:
        return ROUNDED(sqrt(x));
    case PERI_EW_SQUARE:
        return ROUNDED(x * x);
    case PERI_EW_FLOOR:
        return floor(x);
    case PERI_EW_CEIL:
        return ceil(x);
    case PERI_EW_TRUNC:
        return trunc(x);
    case PERI_EW_ROUND:
        return nearbyint(x);
    case PERI_EW_NOT:
        return x == 0;
    case PERI_EW_ISNAN:
        return isnan(x);
    case PERI_EW_ISFINITE:
        return isfinite(x);
    case PERI_EW_ADD:
        return ROUNDED(x + y);
    case PERI_EW_SUB:
        return ROUNDED(x - y);
    case PERI_EW_MUL:
        return ROUNDED(x * y);
    case PERI_EW_DIV:
        return ROUNDED(x / y);
    case PERI_EW_MOD:
        return ROUNDED(modulo(x, y));
    case PERI_EW_IDIV:
        return ROUNDED(floor_divide(x, y));
    case PERI_EW_MIN:
        return isnan(x) || isnan(y) ? NAN : x < y ? x : y;
    case PERI_EW_MAX:
        return isnan(x) || isnan(y) ? NAN : x > y ? x : y;
    case PERI_EW_EQ:
        return x == y;
    case PERI_EW_NE:
        return x != y;
    case PERI_EW_LT:
        return x < y;
    case PERI_EW_LE:
        return x <= y;
    case PERI_EW_GT:
        return x > y;
    case PERI_EW_GE:
        return x >= y;
    case PERI_EW_AND:
        return x != 0 && y != 0;
    case PERI_EW_OR:
        return x != 0 || y != 0;
    case PERI_EW_XOR:
        return (x != 0) != (y != 0);
    case PERI_EW_POW:
        *ulp = 4;
        return pow(x, y);
    case PERI_EW_ATAN2:
        *ulp = 4;
        return atan2(x, y);
    case PERI_EW_WHERE:
        return x != 0 ? y : z;
    case PERI_EW_CLIP:
        x = isnan(x) || isnan(y) ? NAN : x > y ? x : y;
        return isnan(x) || isnan(z) ? NAN : x < z ? x : z;
    case PERI_EW_CBRT:
        *ulp = 1;
        return (double)cbrtl((long double)x); /* glibc's cbrt is up to 4 ulp off */
    case PERI_EW_HYPOT:
        *ulp = 1.5;
        return (double)hypotl((long double)x, (long double)y);
    case PERI_EW_RELU:
        return x < 0 ? 0 : x;
    case PERI_EW_LEAKY_RELU:
        return x > 0 ? x : ROUNDED(x * y);
    case PERI_EW_SILU: /* two roundings more than the function */
        *ulp = 6;
        return x * (1 / (1 + exp(-x)));
    case PERI_EW_GELU: /* 1 + erf cancels below 0 */
        *ulp = x < 0 ? 1e18 : 8;
        return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case PERI_EW_ELU:
        *ulp = 6;
        return x > 0 ? x : y * expm1(x);
    case PERI_EW_LOG1P:
        *ulp = 4;
        return log1p(x);
    default:
        *ulp = 4;
        return exp(x);
    }
}

static bool agree(double got, double want, int dtype, double ulp)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (dtype == PERI_F32) {
        want = (double)(float)want;
        if (fabs(want) < 1e-37 && fabs(got - want) <= ulp * 0x1p-149)
            return true;
    }
    if (ulp == 0 || isinf(want))
        return got == want;
    return fabs(got - want) <=
           ulp * fabs(want) * (dtype == PERI_F32 ? 0x1p-23 : 0x1p-52) + ulp * 0x1p-1074;
}

static field in[3], out;

static void one_case(peri_ew op, int ndim, const size_t *shape)
{
    const int arity = peri_ew_arity(op), most = (int)below(PERI_DTYPES),
              first = op == PERI_EW_WHERE;
    peri_view views[3];
    int common = -1;
    for (int k = 0; k < arity; k++) {
        lay_out(&in[k], below(4) == 0 ? (int)below(PERI_DTYPES) : most, ndim, shape, true);
        views[k] = in[k].view;
        if (k >= first)
            common = common < 0 ? views[k].dtype : peri_common(common, views[k].dtype);
    }
    const int dtype = peri_ew_dtype(op, common), result = peri_op_dtype(&peri_ew_ops[op], common);
    lay_out(&out, below(5) == 0 && peri_is_real(result) ? (int)below(2) : result, ndim, shape,
            false);
    assert_int_equal(peri_elementwise(op, views, &out.view, NULL), PERI_OK);
    size_t index[PERI_MAX_NDIM] = {0};
    for (int axis = 0; axis < ndim; axis++)
        if (shape[axis] == 0)
            return;
    do {
        double x[3] = {0, 0, 0}, ulp;
        for (int k = 0; k < arity; k++)
            x[k] = at(&in[k].view, index);
        const double want = expected(op, dtype, x[0], x[1], x[2], &ulp);
        const double got = at(&out.view, index);
        if (!agree(got, want, dtype == PERI_F32 || out.view.dtype == PERI_F32 ? PERI_F32 : PERI_F64,
                   ulp))
            fail_msg("level %d, op %d, dtype %d of (%a, %a, %a): %a, should be %a", peri_isa(), op,
                     dtype, x[0], x[1], x[2], got, want);
    } while (step_index(ndim, shape, index));
}

static const peri_ew functions[] = {PERI_EW_EXP, PERI_EW_LOG1P};

static void views(void **state)
{
    (void)state;
    static const size_t extents[] = {0, 1, 1, 2, 3, 5, 7, 13};
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (int op = PERI_EW_UNARY; op < PERI_EW_COUNT + 2; op++) {
            const peri_ew which = op < PERI_EW_COUNT ? (peri_ew)op : functions[op - PERI_EW_COUNT];
            for (int k = 0; k < 60; k++) {
                size_t shape[5];
                const int ndim = (int)below(6);
                size_t size = 1;
                for (int axis = 0; axis < ndim; axis++) {
                    shape[axis] = extents[below(7) + (below(9) != 0)];
                    if (shape[axis] == 0 && below(3) != 0)
                        shape[axis] = 2;
                    if (axis == ndim - 1 && size < 20 && below(2) == 0)
                        shape[axis] = 30 + below(80);
                    if (size * shape[axis] > 600)
                        shape[axis] = 1;
                    size *= shape[axis] ? shape[axis] : 1;
                }
                one_case(which, ndim, shape);
            }
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* Rows longer than a block, with a step, and short rows in great number. */
static void long_rows(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{3, 2100}, {1700, 3}, {1, 5000}, {40, 33}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int i = 0; i < 6; i++) {
            one_case(PERI_EW_ADD, 2, shapes[k]);
            one_case(PERI_EW_POW, 2, shapes[k]);
            one_case(PERI_EW_WHERE, 2, shapes[k]);
            one_case(PERI_EW_EXP, 2, shapes[k]);
        }
}

/* 32 axes of which 6 are longer than 1. */
static void many_axes(void **state)
{
    (void)state;
    for (int k = 0; k < 20; k++) {
        size_t shape[PERI_MAX_NDIM];
        for (int axis = 0; axis < PERI_MAX_NDIM; axis++)
            shape[axis] = 1;
        for (int i = 0; i < 6; i++)
            shape[below(PERI_MAX_NDIM)] = 2;
        one_case(PERI_EW_SUB, PERI_MAX_NDIM, shape);
    }
}

static void in_place(void **state)
{
    (void)state;
    static double x[1001], want[1001];
    const size_t shape = 1001;
    const ptrdiff_t stride = 1;
    for (size_t i = 0; i < shape; i++) {
        x[i] = value();
        want[i] = x[i] * x[i];
    }
    const peri_view v = {x, PERI_F64, 1, &shape, &stride};
    const peri_view both[2] = {v, v};
    peri_elementwise(PERI_EW_MUL, both, &v, NULL);
    for (size_t i = 0; i < shape; i++)
        assert_true(x[i] == want[i] || isnan(want[i]));
}

static void powers(void **state)
{
    (void)state;
    static const double exponents[] = {2, 3, 1, 0.5, -1, 0, 2.5, -2};
    static const double bases[] = {0.0,       -0.0, 2.385, -2.385, HUGE_VAL,
                                   -HUGE_VAL, NAN,  1e200, 1e-200, -1.0};
    for (size_t e = 0; e < sizeof exponents / sizeof *exponents; e++) {
        const size_t n = sizeof bases / sizeof *bases;
        double got[16];
        const ptrdiff_t unit = 1, none = 0;
        const peri_view in_[2] = {{(void *)(uintptr_t)bases, PERI_F64, 1, &n, &unit},
                                  {(void *)(uintptr_t)&exponents[e], PERI_F64, 1, &n, &none}};
        const peri_view to = {got, PERI_F64, 1, &n, &unit};
        assert_int_equal(peri_elementwise(PERI_EW_POW, in_, &to, NULL), PERI_OK);
        for (size_t i = 0; i < n; i++) {
            const double want = pow(bases[i], exponents[e]);
            if (!agree(got[i], want, PERI_F64, 2) ||
                (want == 0 && signbit(got[i]) != signbit(want)))
                fail_msg("pow(%a, %a) = %a, should be %a", bases[i], exponents[e], got[i], want);
        }
    }
}

/* Cube roots and sides of right triangles, rounded from 200 bits of mpmath 1.2.1: cbrt(abs(x)) and
 * sqrt(x**2 + y**2). */
static const double roots[][2] = {
    {0x1.b000000000000p+4, 0x1.8000000000000p+1},
    {-0x1.0000000000000p+3, -0x1.0000000000000p+1},
    {0x1.0000000000000p+0, 0x1.0000000000000p+0},
    {0x0.0000000000001p-1022, 0x1.0000000000000p-358},
    {0x1.0000000000000p-1022, 0x1.428a2f98d728bp-341},
    {0x1.fffffffffffffp+1023, 0x1.428a2f98d728bp+341},
    {0x1.3147ae147ae14p+1, 0x1.5608bbd05c907p+0},
    {-0x1.bde5c08b791f7p+833, -0x1.e8f16e1f7a623p+277},
    {-0x1.6800000000000p+5, -0x1.c74847a112b66p+1},
    {-0x1.e6a16a2504ed1p+448, -0x1.8f8c79ca0d313p+149},
    {-0x1.3f1f65ac2f2b4p-53, -0x1.5b20ac5b53b88p-18},
    {-0x1.2211954bc1b4ep+2, -0x1.a7a7fe2a1fb11p+0},
    {0x1.aa5670ef08e64p+2, 0x1.e1afc334e2ef2p+0},
    {-0x1.1200000000000p+7, -0x1.49edc2a151b49p+2},
    {-0x1.c600000000000p+7, -0x1.86693045ae34bp+2},
    {0x1.e115e4e3c1808p+0, 0x1.3be9b604d5329p+0},
    {-0x1.fe2ebb038a73cp+2, -0x1.ff64b9eefae39p+0},
    {-0x1.5800000000000p+6, -0x1.1a7f0eab8483dp+2},
    {-0x1.0600000000000p+7, -0x1.450a4a59c283ap+2},
    {-0x1.0000000000000p+2, -0x1.965fea53d6e3dp+0},
    {-0x1.34565b3afab9cp+2, -0x1.b05eaaa0257ebp+0},
    {-0x1.6c00000000000p+6, -0x1.1fde45cbb1f9fp+2},
    {0x1.dfcd58d866f48p+2, 0x1.f508c0f9e91b2p+0},
    {0x1.dc423a7266208p+2, 0x1.f3cc384a06df1p+0},
    {-0x1.e9e97fd1c4874p+2, -0x1.f88764b39e2b1p+0},
    {0x1.ef901b84a9970p-808, 0x1.fa7615f1f1ea2p-270},
    {0x1.4504964d32b54p+2, 0x1.b807b6348a9ccp+0},
    {0x1.98921395b1a32p-804, 0x1.2b2b1abd18c9bp-268},
};
static const double sides[][3] = {
    {0x1.8000000000000p+1, 0x1.0000000000000p+2, 0x1.4000000000000p+2},
    {0x1.fffffffffffffp+1023, 0x1.0000000000000p+0, 0x1.fffffffffffffp+1023},
    {0x0.0000000000001p-1022, 0x0.0000000000001p-1022, 0x0.0000000000001p-1022},
    {0x1.4e718d7d7625ap+664, 0x1.4e718d7d7625ap+664, 0x1.d8f9811335b57p+664},
    {0x1.87e92154ef7acp-665, 0x1.87e92154ef7acp-664, 0x1.b62b60ac37e38p-664},
    {0x1.3147ae147ae14p+1, -0x1.e70a3d70a3d71p+2, 0x1.fe6617829aee7p+2},
    {0x1.46299a272d1d0p+2, 0x1.50d7d125e9a99p+861, 0x1.50d7d125e9a99p+861},
    {-0x1.e400000000000p+7, 0x1.c18c4f82ed422p+2, 0x1.e4342ebd5661bp+7},
    {0x1.0800000000000p+6, -0x1.1a00000000000p+8, 0x1.219ed53d2923ap+8},
    {0x0.0002d67086177p-1022, -0x1.b52fa525ca17ap-587, 0x1.b52fa525ca17ap-587},
    {0x1.5a00000000000p+7, -0x1.29622e1b77494p+1, 0x1.5a07fcb162cc3p+7},
    {-0x1.c68deb4ecfaa4p+430, -0x1.0700000000000p+8, 0x1.c68deb4ecfaa4p+430},
    {-0x1.fa749682eaf20p+321, -0x1.5cd5061d60f86p+318, 0x1.fc543b6883758p+321},
    {0x1.9ef0478b8e8f4p+1, 0x1.7cdba75119cdcp+1, 0x1.199d4ebe550abp+2},
    {0x1.31f1b60a02558p+2, 0x1.b89c4e560db7ep+907, 0x1.b89c4e560db7ep+907},
    {-0x1.ce485775a3294p+2, 0x1.ec00000000000p+7, 0x1.ec364887a2c92p+7},
    {-0x1.0c00000000000p+8, 0x1.80dc6eb00add8p+0, 0x1.0c01145663246p+8},
    {0x1.4c00000000000p+7, -0x1.2547f181c85a8p+947, 0x1.2547f181c85a8p+947},
    {-0x1.2bf87def496c4p+2, 0x1.1500000000000p+8, 0x1.150a269573cb1p+8},
    {0x1.ec00000000000p+6, -0x1.0c0fdb4106748p+0, 0x1.ec0490637df6fp+6},
    {0x1.6101ec35d7b8ep+2, -0x1.7fc1444fde5c0p-1, 0x1.6440779a641ccp+2},
    {-0x1.fc00000000000p+6, 0x1.4800000000000p+7, 0x1.9ed9705436660p+7},
    {0x1.9000000000000p+4, 0x1.4a80754f0ae6fp-474, 0x1.9000000000000p+4},
    {0x1.49c8c97e837cep+2, 0x1.2dece9541018dp+312, 0x1.2dece9541018dp+312},
    {-0x1.0aaa4ba49e240p-3, 0x1.8c5050fbc1a20p-816, 0x1.0aaa4ba49e240p-3},
    {0x1.0000000000000p+6, 0x1.a9fd1ce119232p+414, 0x1.a9fd1ce119232p+414},
};

static void roots_and_sides(void **state)
{
    (void)state;
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
            const double got = peri_elementwise_number(PERI_EW_CBRT, roots[i]);
            if (!agree(got, roots[i][1], PERI_F64, 1))
                fail_msg("cbrt(%a) = %a, should be %a", roots[i][0], got, roots[i][1]);
        }
        for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
            const double got = peri_elementwise_number(PERI_EW_HYPOT, sides[i]);
            if (!agree(got, sides[i][2], PERI_F64, 1.5))
                fail_msg("hypot(%a, %a) = %a, should be %a", sides[i][0], sides[i][1], got,
                         sides[i][2]);
        }
        const double infinite[2] = {-HUGE_VAL, NAN}, none[2] = {NAN, 1};
        assert_true(peri_elementwise_number(PERI_EW_HYPOT, infinite) == HUGE_VAL);
        assert_true(isnan(peri_elementwise_number(PERI_EW_HYPOT, none)));
        assert_true(isnan(peri_elementwise_number(PERI_EW_CBRT, none)));
        assert_true(peri_elementwise_number(PERI_EW_CBRT, infinite) == -HUGE_VAL);
        const double minus_zero = -0.0;
        assert_true(signbit(peri_elementwise_number(PERI_EW_CBRT, &minus_zero)));
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

static void interrupted(void **state)
{
    (void)state;
    enum { N = 1 << 18 };
    double *x = calloc(N, sizeof *x);
    assert_non_null(x);
    const size_t shape = N;
    const ptrdiff_t stride = 1;
    const peri_view v = {x, PERI_F64, 1, &shape, &stride};
    peri_stop stop = {0};
    atomic_init(&stop.requested, 1);
    assert_int_equal(peri_elementwise(PERI_EW_NEG, &v, &v, &stop), PERI_ERR_INTERRUPTED);
    free(x);
}

static void closeness(void **state)
{
    (void)state;
    const double a[4] = {1, 2, HUGE_VAL, NAN}, b[4] = {1 + 1e-9, 2, HUGE_VAL, NAN};
    size_t n = 3;
    const ptrdiff_t stride = 1, back = -1;
    peri_view va = {(void *)(uintptr_t)a, PERI_F64, 1, &n, &stride};
    peri_view vb = {(void *)(uintptr_t)b, PERI_F64, 1, &n, &stride};
    assert_true(peri_elementwise_all_close(&va, &vb, 1e-5, 1e-8, false));
    assert_false(peri_elementwise_all_close(&va, &vb, 0, 0, false));
    n = 4;
    assert_false(peri_elementwise_all_close(&va, &vb, 1e-5, 1e-8, false));
    assert_true(peri_elementwise_all_close(&va, &vb, 1e-5, 1e-8, true));
    n = 2;
    vb.data = (void *)(uintptr_t)(b + 1);
    vb.stride = &back;
    assert_false(peri_elementwise_all_close(&va, &vb, 1e-5, 1e-8, true));
    n = 0;
    assert_true(peri_elementwise_all_close(&va, &vb, 0, 0, false));
}

/* Enough elements for the threads to share, and a rest: the same bytes on one, two and three. */
static void threads(void **state)
{
    (void)state;
    const size_t n = (1 << 19) + 777;
    const ptrdiff_t stride = 1, none = 0;
    double *x = malloc(n * sizeof *x), *first = malloc(n * sizeof *x), *got = malloc(n * sizeof *x);
    double number = 2.385;
    for (size_t i = 0; i < n; i++)
        x[i] = 0.1 + fabs(sin((double)i));
    const peri_view v = {x, PERI_F64, 1, &n, &stride}, k = {&number, PERI_F64, 1, &n, &none};
    const peri_view cases[][3] = {{v}, {v, v}, {v, k}, {k, v}};
    const peri_ew ops[] = {PERI_EW_EXP, PERI_EW_ADD, PERI_EW_MUL, PERI_EW_POW};
    for (size_t c = 0; c < 4; c++)
        for (int count = 1; count <= 3; count++) {
            const peri_view to = {count == 1 ? first : got, PERI_F64, 1, &n, &stride};
            peri_threads(count);
            assert_int_equal(peri_elementwise(ops[c], cases[c], &to, NULL), PERI_OK);
            if (count > 1)
                assert_memory_equal(first, got, n * sizeof *got);
        }
    peri_stop stop;
    atomic_init(&stop.requested, 1);
    const peri_view to = {got, PERI_F64, 1, &n, &stride};
    assert_int_equal(peri_elementwise(PERI_EW_EXP, cases[0], &to, &stop), PERI_ERR_INTERRUPTED);
    peri_threads(1);
    free(x);
    free(first);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),     cmocka_unit_test(long_rows),
        cmocka_unit_test(many_axes), cmocka_unit_test(in_place),
        cmocka_unit_test(powers),    cmocka_unit_test(interrupted),
        cmocka_unit_test(closeness), cmocka_unit_test(roots_and_sides),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
