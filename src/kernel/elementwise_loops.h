/* SPDX-License-Identifier: MIT
 *
 * The inner loops of elementwise.c, included there once for each instruction set. SIMD(name) is
 * the name for that set; FUSED says whether fma() is one instruction in it.
 */

#define UNARY_LOOP(T, name, expression)                                                            \
    static void SIMD(name)(size_t n, const void *pa, void *po)                                     \
    {                                                                                              \
        const T *a = pa;                                                                           \
        T *o = po;                                                                                 \
        PERI_IVDEP                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = a[i];                                                                      \
            o[i] = expression;                                                                     \
        }                                                                                          \
    }

#define BINARY_LOOP(T, name, expression)                                                           \
    static void SIMD(name)(size_t n, const void *pa, bool ea, const void *pb, bool eb, void *po)   \
    {                                                                                              \
        const T *a = pa, *b = pb;                                                                  \
        T *o = po;                                                                                 \
        if (ea && eb) {                                                                            \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T x = a[i], y = b[i];                                                        \
                o[i] = expression;                                                                 \
            }                                                                                      \
        } else if (ea) {                                                                           \
            const T y = *b;                                                                        \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T x = a[i];                                                                  \
                o[i] = expression;                                                                 \
            }                                                                                      \
        } else {                                                                                   \
            const T x = *a;                                                                        \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T y = b[eb ? i : 0];                                                         \
                o[i] = expression;                                                                 \
            }                                                                                      \
        }                                                                                          \
    }

#define TERNARY_LOOP(T, name, expression)                                                          \
    static void SIMD(name)(size_t n, const void *pa, const void *pb, const void *pc, void *po)     \
    {                                                                                              \
        const T *a = pa, *b = pb, *c = pc;                                                         \
        T *o = po;                                                                                 \
        PERI_IVDEP                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = a[i], y = b[i], z = c[i];                                                  \
            o[i] = expression;                                                                     \
        }                                                                                          \
    }

/* Remainder and quotient rounded down. Below 2^52 the quotient q is known to within one, and
 * a - floor(q) b in one rounding is the remainder, or the remainder less b. */
static inline double SIMD(mod1)(double a, double b)
{
#if FUSED
    const double q = a / b;
    if (fabs(q) < 0x1p52 && fabs(b) <= DBL_MAX) {
        double m = fma(-floor(q), b, a);
        if (m == 0)
            return copysign(0.0, b);
        if ((m < 0) != (b < 0))
            m += b;
        return m;
    }
#endif
    double m = fmod(a, b);
    if (b == 0)
        return m;
    if (m == 0)
        return copysign(0.0, b);
    if ((m < 0) != (b < 0))
        m += b;
    return m;
}

static inline double SIMD(idiv1)(double a, double b)
{
#if FUSED
    const double q = a / b;
    if (fabs(q) < 0x1p52 && fabs(b) <= DBL_MAX) {
        double f = floor(q);
        const double m = fma(-f, b, a);
        if (m != 0 && (m < 0) != (b < 0))
            f -= 1.0;
        return f == 0 ? copysign(0.0, q) : f;
    }
#endif
    if (b == 0)
        return a / b;
    const double m = fmod(a, b);
    double d = (a - m) / b;
    if (m != 0 && (m < 0) != (b < 0))
        d -= 1.0;
    if (d == 0)
        return copysign(0.0, a / b);
    const double f = floor(d);
    return d - f > 0.5 ? f + 1.0 : f;
}

#define LOOPS(T, bits, s, MAXIMUM)                                                                 \
    UNARY_LOOP(T, copy##bits, x)                                                                   \
    UNARY_LOOP(T, neg##bits, -x)                                                                   \
    UNARY_LOOP(T, abs##bits, fabs##s(x))                                                           \
    UNARY_LOOP(T, sign##bits, (x > 0 ? (T)1 : (x < 0 ? (T)-1 : x + 0)))                            \
    UNARY_LOOP(T, square##bits, x *x)                                                              \
    UNARY_LOOP(T, floor##bits, floor##s(x))                                                        \
    UNARY_LOOP(T, ceil##bits, ceil##s(x))                                                          \
    UNARY_LOOP(T, trunc##bits, trunc##s(x))                                                        \
    UNARY_LOOP(T, round##bits, rint##s(x))                                                         \
    UNARY_LOOP(T, not ##bits, (x == 0 ? (T)1 : (T)0))                                              \
    UNARY_LOOP(T, isnan##bits, (x != x ? (T)1 : (T)0))                                             \
    UNARY_LOOP(T, isfinite##bits, (fabs##s(x) <= MAXIMUM ? (T)1 : (T)0))                           \
    UNARY_LOOP(T, cube##bits, x *x *x)                                                             \
    UNARY_LOOP(T, inverse##bits, (T)1 / x)                                                         \
    /* pow(x, 1/2): where sqrt differs, pow(-0) is 0 and pow(-inf) is inf */                       \
    UNARY_LOOP(T, root##bits, (x < -MAXIMUM ? -x : sqrt##s(x + (T)0)))                             \
    BINARY_LOOP(T, add##bits, x + y)                                                               \
    BINARY_LOOP(T, sub##bits, x - y)                                                               \
    BINARY_LOOP(T, mul##bits, x *y)                                                                \
    BINARY_LOOP(T, div##bits, x / y)                                                               \
    BINARY_LOOP(T, mod##bits, (T)SIMD(mod1)(x, y))                                                 \
    BINARY_LOOP(T, idiv##bits, (T)SIMD(idiv1)(x, y))                                               \
    BINARY_LOOP(T, min##bits, (x != x ? x : (x < y ? x : y)))                                      \
    BINARY_LOOP(T, max##bits, (x != x ? x : (x > y ? x : y)))                                      \
    BINARY_LOOP(T, eq##bits, (x == y ? (T)1 : (T)0))                                               \
    BINARY_LOOP(T, ne##bits, (x != y ? (T)1 : (T)0))                                               \
    BINARY_LOOP(T, lt##bits, (x < y ? (T)1 : (T)0))                                                \
    BINARY_LOOP(T, le##bits, (x <= y ? (T)1 : (T)0))                                               \
    BINARY_LOOP(T, gt##bits, (x > y ? (T)1 : (T)0))                                                \
    BINARY_LOOP(T, ge##bits, (x >= y ? (T)1 : (T)0))                                               \
    BINARY_LOOP(T, and##bits, (((x != 0) & (y != 0)) ? (T)1 : (T)0))                               \
    BINARY_LOOP(T, or ##bits, (((x != 0) | (y != 0)) ? (T)1 : (T)0))                               \
    BINARY_LOOP(T, xor##bits, ((x != 0) != (y != 0) ? (T)1 : (T)0))                                \
    TERNARY_LOOP(T, where##bits, (x != 0 ? y : z))                                                 \
    TERNARY_LOOP(T, clip##bits, SIMD(clip1_##bits)(x, y, z))                                       \
    static const loops SIMD(loops##bits) = {                                                       \
        .unary = {SIMD(copy##bits), SIMD(neg##bits), SIMD(abs##bits), SIMD(sign##bits),            \
                  SIMD(square##bits), SIMD(floor##bits), SIMD(ceil##bits), SIMD(trunc##bits),      \
                  SIMD(round##bits), SIMD(not ##bits), SIMD(isnan##bits), SIMD(isfinite##bits)},   \
        .binary = {SIMD(add##bits), SIMD(sub##bits), SIMD(mul##bits), SIMD(div##bits),             \
                   SIMD(mod##bits), SIMD(idiv##bits), SIMD(min##bits), SIMD(max##bits),            \
                   SIMD(eq##bits), SIMD(ne##bits), SIMD(lt##bits), SIMD(le##bits), SIMD(gt##bits), \
                   SIMD(ge##bits), SIMD(and##bits), SIMD(or ##bits), SIMD(xor##bits)},             \
        .ternary = {SIMD(where##bits), SIMD(clip##bits)},                                          \
        .cube = SIMD(cube##bits),                                                                  \
        .inverse = SIMD(inverse##bits),                                                            \
        .root = SIMD(root##bits),                                                                  \
    };

#define CLIP1(T, bits)                                                                             \
    static inline T SIMD(clip1_##bits)(T x, T lo, T hi)                                            \
    {                                                                                              \
        const T m = x != x ? x : (x > lo ? x : lo);                                                \
        return m != m ? m : (m < hi ? m : hi);                                                     \
    }
CLIP1(double, 64)
CLIP1(float, 32)
LOOPS(double, 64, , DBL_MAX)
LOOPS(float, 32, f, FLT_MAX)

#undef UNARY_LOOP
#undef BINARY_LOOP
#undef TERNARY_LOOP
#undef LOOPS
#undef CLIP1
