/* SPDX-License-Identifier: MIT
 *
 * The inner loops of elementwise.c, included there once for each instruction set. SIMD(name) is
 * the name for that set; FUSED says whether fma() is one instruction in it.
 */

#define UNARY_LOOP(T, R, name, expression)                                                         \
    static void SIMD(name)(size_t n, const void *pa, void *po)                                     \
    {                                                                                              \
        const T *a = pa;                                                                           \
        R *o = po;                                                                                 \
        PERI_IVDEP                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            const T x = a[i];                                                                      \
            o[i] = (R)(expression);                                                                \
        }                                                                                          \
    }

#define BINARY_LOOP(T, R, name, expression)                                                        \
    static void SIMD(name)(size_t n, const void *pa, bool ea, const void *pb, bool eb, void *po)   \
    {                                                                                              \
        const T *a = pa, *b = pb;                                                                  \
        R *o = po;                                                                                 \
        if (ea && eb) {                                                                            \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T x = a[i], y = b[i];                                                        \
                o[i] = (R)(expression);                                                            \
            }                                                                                      \
        } else if (ea) {                                                                           \
            const T y = *b;                                                                        \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T x = a[i];                                                                  \
                o[i] = (R)(expression);                                                            \
            }                                                                                      \
        } else {                                                                                   \
            const T x = *a;                                                                        \
            PERI_IVDEP                                                                             \
            for (size_t i = 0; i < n; i++) {                                                       \
                const T y = b[eb ? i : 0];                                                         \
                o[i] = (R)(expression);                                                            \
            }                                                                                      \
        }                                                                                          \
    }

/* The same with the inputs exchanged: x > y is y < x. */
#define TURNED_LOOP(name, other)                                                                   \
    static void SIMD(name)(size_t n, const void *pa, bool ea, const void *pb, bool eb, void *po)   \
    {                                                                                              \
        SIMD(other)(n, pb, eb, pa, ea, po);                                                        \
    }

/* C: the first input's type. */
#define TERNARY_LOOP(C, T, name, expression)                                                       \
    static void SIMD(name)(size_t n, const void *pa, const void *pb, const void *pc, void *po)     \
    {                                                                                              \
        const C *a = pa;                                                                           \
        const T *b = pb, *c = pc;                                                                  \
        T *o = po;                                                                                 \
        PERI_IVDEP                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            const C x = a[i];                                                                      \
            const T y = b[i], z = c[i];                                                            \
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

/* mod1 and idiv1 over rows, in pieces: without a branch for all elements, which makes vectors, and
 * one by one where a quotient of the piece is out of that range. FAST says the result by x, y,
 * their quotient q, f = floor(q) and w = x - f y. */
#if FUSED
#define DIVISION_LOOP(T, name, one, FAST)                                                          \
    static void SIMD(name)(size_t n, const void *pa, bool ea, const void *pb, bool eb, void *po)   \
    {                                                                                              \
        enum { PIECE = 64 };                                                                       \
        const T *a = pa, *b = pb;                                                                  \
        T *o = po;                                                                                 \
        double u[PIECE], v[PIECE], r[PIECE];                                                       \
        for (size_t i = 0; i < n; i += PIECE) {                                                    \
            const size_t m = n - i < PIECE ? n - i : PIECE;                                        \
            for (size_t j = 0; j < m; j++) {                                                       \
                u[j] = (double)a[ea ? i + j : 0];                                                  \
                v[j] = (double)b[eb ? i + j : 0];                                                  \
            }                                                                                      \
            int far = 0;                                                                           \
            for (size_t j = 0; j < m; j++) {                                                       \
                const double x = u[j], y = v[j], q = x / y, f = floor(q), w = fma(-f, y, x);       \
                far |= !((fabs(q) < 0x1p52) & (fabs(y) <= DBL_MAX));                               \
                r[j] = FAST;                                                                       \
            }                                                                                      \
            for (size_t j = 0; j < m && far; j++)                                                  \
                r[j] = SIMD(one)(u[j], v[j]);                                                      \
            for (size_t j = 0; j < m; j++)                                                         \
                o[i + j] = (T)r[j];                                                                \
        }                                                                                          \
    }
#define FAST_MOD  (w == 0 ? copysign(0.0, y) : (w < 0) != (y < 0) ? w + y : w)
#define ONE_LESS  (((w != 0) & ((w < 0) != (y < 0))) ? 1.0 : 0.0)
#define FAST_IDIV (f - ONE_LESS == 0 ? copysign(0.0, q) : f - ONE_LESS)
#else
#define DIVISION_LOOP(T, name, one, FAST) BINARY_LOOP(T, T, name, (T)SIMD(one)(x, y))
#endif

/* sqrt(x^2 + y^2), the larger brought into the range where squares keep their digits. */
static inline double SIMD(hypot1)(double x, double y)
{
    const double a = fabs(x), b = fabs(y), big = a > b ? a : b;
    const double by = big > 0x1p500 ? 0x1p-600 : big < 0x1p-500 ? 0x1p600 : 1.0;
    const double back = big > 0x1p500 ? 0x1p600 : big < 0x1p-500 ? 0x1p-600 : 1.0;
    const double p = a * by, q = b * by, h = sqrt(p * p + q * q) * back;
    return a > DBL_MAX || b > DBL_MAX ? HUGE_VAL : h;
}

static inline float SIMD(hypot1f)(float x, float y)
{
    const double a = (double)x, b = (double)y, h = sqrt(a * a + b * b);
    return fabs(a) > DBL_MAX || fabs(b) > DBL_MAX ? HUGE_VALF : (float)h;
}

/* A third of the number in the upper half of the bits, as a first guess of the cube root of a
 * normal a > 0 (a few hundredths off), and two steps of Halley's, t (t^3 + 2a) / (2 t^3 + a), each
 * of which trebles the digits. */
static inline double SIMD(cbrt_guess)(double a)
{
    union {
        double f;
        uint64_t u;
    } v = {a};
    v.u = (v.u >> 32) | 0x4330000000000000u; /* 2^52 + the upper half */
    v.f = (v.f - 0x1p52) * (1.0 / 3.0) + (0x1p52 + 715094163.0);
    v.u <<= 32;
    double t = v.f;
    for (int k = 0; k < 2; k++) {
        const double c = t * t * t;
        t = t * ((c + 2.0 * a) / (2.0 * c + a));
    }
    return t;
}

/* The last step from 23 digits, whose square is exact. */
static inline double SIMD(cbrt1)(double x)
{
    union {
        double f;
        uint64_t u;
    } v;
    const double size = fabs(x);
    const double a = size * (size < DBL_MIN ? 0x1p54 : size > 0x1p1000 ? 0x1p-54 : 1.0);
    const double back = size < DBL_MIN ? 0x1p-18 : size > 0x1p1000 ? 0x1p18 : 1.0;
    v.f = SIMD(cbrt_guess)(a);
    v.u = (v.u + 0x20000000u) & 0xffffffffc0000000u;
    const double t = v.f, r = a / (t * t), better = t + t * ((r - t) / (t + t + r));
    return size > 0 && size <= DBL_MAX ? copysign(better * back, x) : x + x;
}

static inline float SIMD(cbrt1f)(float x)
{
    const double a = fabs((double)x); /* subnormal floats are normal doubles */
    const float root = copysignf((float)SIMD(cbrt_guess)(a), x);
    return a > 0 && a <= DBL_MAX ? root : x + x;
}

/* Rounding. Without the instruction (SSE2) it would be a call for each number; adding 2^52, or
 * 2^23, drops the fraction of a smaller one, and the sign is put back for the sake of -0. */
#if FUSED || !PERI_X86
#define ROUNDING(T, s, WHOLE)                                                                      \
    static inline T SIMD(round1##s)(T x)                                                           \
    {                                                                                              \
        return rint##s(x);                                                                         \
    }                                                                                              \
    static inline T SIMD(floor1##s)(T x)                                                           \
    {                                                                                              \
        return floor##s(x);                                                                        \
    }                                                                                              \
    static inline T SIMD(ceil1##s)(T x)                                                            \
    {                                                                                              \
        return ceil##s(x);                                                                         \
    }                                                                                              \
    static inline T SIMD(trunc1##s)(T x)                                                           \
    {                                                                                              \
        return trunc##s(x);                                                                        \
    }
#else
#define ROUNDING(T, s, WHOLE)                                                                      \
    static inline T SIMD(round1##s)(T x)                                                           \
    {                                                                                              \
        const T size = fabs##s(x), whole = (size + (WHOLE)) - (WHOLE);                             \
        return size < (WHOLE) ? copysign##s(whole, x) : x + 0;                                     \
    }                                                                                              \
    static inline T SIMD(floor1##s)(T x)                                                           \
    {                                                                                              \
        const T near = SIMD(round1##s)(x);                                                         \
        return copysign##s(near > x ? near - 1 : near, x);                                         \
    }                                                                                              \
    static inline T SIMD(ceil1##s)(T x)                                                            \
    {                                                                                              \
        const T near = SIMD(round1##s)(x);                                                         \
        return copysign##s(near < x ? near + 1 : near, x);                                         \
    }                                                                                              \
    static inline T SIMD(trunc1##s)(T x)                                                           \
    {                                                                                              \
        const T size = fabs##s(x), near = SIMD(round1##s)(size);                                   \
        return copysign##s(near > size ? near - 1 : near, x);                                      \
    }
#endif
ROUNDING(double, , 0x1p52)
ROUNDING(float, f, 0x1p23F)

/* What gives a mask, over elements of type T. */
#define MASK_LOOPS(T, bits)                                                                        \
    UNARY_LOOP(T, uint8_t, NOT##bits, x == 0)                                                      \
    BINARY_LOOP(T, uint8_t, EQ##bits, x == y)                                                      \
    BINARY_LOOP(T, uint8_t, NE##bits, x != y)                                                      \
    BINARY_LOOP(T, uint8_t, LT##bits, x < y)                                                       \
    BINARY_LOOP(T, uint8_t, LE##bits, x <= y)                                                      \
    TURNED_LOOP(GT##bits, LT##bits)                                                                \
    TURNED_LOOP(GE##bits, LE##bits)                                                                \
    BINARY_LOOP(T, uint8_t, AND##bits, (x != 0) & (y != 0))                                        \
    BINARY_LOOP(T, uint8_t, OR##bits, (x != 0) | (y != 0))                                         \
    BINARY_LOOP(T, uint8_t, XOR##bits, (x != 0) != (y != 0))                                       \
    TERNARY_LOOP(uint8_t, T, WHERE##bits, (x != 0 ? y : z))

#define LOOPS(T, bits, s, MAXIMUM)                                                                 \
    MASK_LOOPS(T, bits)                                                                            \
    UNARY_LOOP(T, T, NEG##bits, -x)                                                                \
    UNARY_LOOP(T, T, ABS##bits, fabs##s(x))                                                        \
    UNARY_LOOP(T, T, SIGN##bits, (x > 0 ? (T)1 : (x < 0 ? (T)-1 : x + 0)))                         \
    UNARY_LOOP(T, T, SQUARE##bits, x *x)                                                           \
    UNARY_LOOP(T, T, FLOOR##bits, SIMD(floor1##s)(x))                                              \
    UNARY_LOOP(T, T, CEIL##bits, SIMD(ceil1##s)(x))                                                \
    UNARY_LOOP(T, T, TRUNC##bits, SIMD(trunc1##s)(x))                                              \
    UNARY_LOOP(T, T, ROUND##bits, SIMD(round1##s)(x))                                              \
    UNARY_LOOP(T, uint8_t, ISNAN##bits, x != x)                                                    \
    UNARY_LOOP(T, uint8_t, ISFINITE##bits, fabs##s(x) <= MAXIMUM)                                  \
    UNARY_LOOP(T, T, CBRT##bits, SIMD(cbrt1##s)(x))                                                \
    UNARY_LOOP(T, T, RELU##bits, (x < 0 ? (T)0 : x))                                               \
    UNARY_LOOP(T, T, copy##bits, x)                                                                \
    UNARY_LOOP(T, T, cube##bits, x *x *x)                                                          \
    UNARY_LOOP(T, T, inverse##bits, (T)1 / x)                                                      \
    /* pow(x, 1/2): where sqrt differs, pow(-0) is 0 and pow(-inf) is inf */                       \
    UNARY_LOOP(T, T, root##bits, (x < -MAXIMUM ? -x : sqrt##s(x + (T)0)))                          \
    BINARY_LOOP(T, T, ADD##bits, x + y)                                                            \
    BINARY_LOOP(T, T, SUB##bits, x - y)                                                            \
    BINARY_LOOP(T, T, MUL##bits, x *y)                                                             \
    BINARY_LOOP(T, T, DIV##bits, x / y)                                                            \
    DIVISION_LOOP(T, MOD##bits, mod1, FAST_MOD)                                                    \
    DIVISION_LOOP(T, IDIV##bits, idiv1, FAST_IDIV)                                                 \
    BINARY_LOOP(T, T, MIN##bits, (x != x ? x : (x < y ? x : y)))                                   \
    BINARY_LOOP(T, T, MAX##bits, (x != x ? x : (x > y ? x : y)))                                   \
    BINARY_LOOP(T, T, HYPOT##bits, SIMD(hypot1##s)(x, y))                                          \
    BINARY_LOOP(T, T, LEAKY_RELU##bits, (x > 0 ? x : x * y))                                       \
    TERNARY_LOOP(T, T, choose##bits, (x != 0 ? y : z))                                             \
    TERNARY_LOOP(T, T, CLIP##bits, SIMD(clip1_##bits)(x, y, z))

/* Plain selections one after another, so that the compiler makes vectors of them. */
#define CLIP1(T, bits)                                                                             \
    static inline T SIMD(clip1_##bits)(T x, T lo, T hi)                                            \
    {                                                                                              \
        const T raised = x > lo ? x : lo;                                                          \
        const T m = x != x ? x : raised;                                                           \
        const T lowered = m < hi ? m : hi;                                                         \
        return m != m ? m : lowered;                                                               \
    }
CLIP1(double, 64)
CLIP1(float, 32)
LOOPS(double, 64, , DBL_MAX)
LOOPS(float, 32, f, FLT_MAX)
MASK_LOOPS(uint8_t, 8)

/* Every row of ops.h has its loop here, or the compiler names what is missing. */
#define AT(first, ID, bits) [PERI_EW_##ID - PERI_EW_##first] = SIMD(ID##bits),
#define UNARY64(ID, ...)    AT(UNARY, ID, 64)
#define UNARY32(ID, ...)    AT(UNARY, ID, 32)
#define BINARY64(ID, ...)   AT(BINARY, ID, 64)
#define BINARY32(ID, ...)   AT(BINARY, ID, 32)
#define TERNARY64(ID, ...)  AT(TERNARY, ID, 64)
#define TERNARY32(ID, ...)  AT(TERNARY, ID, 32)
#define TABLE(bits)                                                                                \
    {                                                                                              \
        .unary = {PERI_EACH_UNARY(UNARY##bits)}, .binary = {PERI_EACH_BINARY(BINARY##bits)},       \
        .ternary = {PERI_EACH_TERNARY(TERNARY##bits)}, .choose = SIMD(choose##bits),               \
        .copy = SIMD(copy##bits), .cube = SIMD(cube##bits), .inverse = SIMD(inverse##bits),        \
        .root = SIMD(root##bits),                                                                  \
    }

static const loops SIMD(loops)[3] = {
    TABLE(64),
    TABLE(32),
    {.unary = {AT(UNARY, NOT, 8)},
     .binary = {AT(BINARY, EQ, 8) AT(BINARY, NE, 8) AT(BINARY, LT, 8) AT(BINARY, LE, 8)
                    AT(BINARY, GT, 8) AT(BINARY, GE, 8) AT(BINARY, AND, 8) AT(BINARY, OR, 8)
                        AT(BINARY, XOR, 8)},
     .ternary = {AT(TERNARY, WHERE, 8)}},
};

#undef UNARY_LOOP
#undef BINARY_LOOP
#undef TURNED_LOOP
#undef TERNARY_LOOP
#undef MASK_LOOPS
#undef LOOPS
#undef CLIP1
#undef DIVISION_LOOP
#undef ROUNDING
#undef FAST_MOD
#undef FAST_IDIV
#undef ONE_LESS
#undef AT
#undef UNARY64
#undef UNARY32
#undef BINARY64
#undef BINARY32
#undef TERNARY64
#undef TERNARY32
#undef TABLE
