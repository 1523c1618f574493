/* SPDX-License-Identifier: MIT
 *
 * Vectors of one element type on one instruction set. A kernel written once over these names is
 * included once for each pair, by lanes_each.h or as here:
 *
 *     #define LANES_BITS 32    // 32: float, 64: double
 *     #define LANES_BYTES 64   // 64: AVX-512, 32: AVX2 and FMA, 16: what every machine has, NEON
 *     #include "kernel/lanes.h"
 *     #include "kernel/lstm_cell.h"
 *
 * It gives REAL, LANES (elements a vector), NAME(f) (f with a suffix of its own), KERNEL (to stand
 * before a function), and with `vec` for a vector: load store load_part store_part keep splat fma
 * lower upper reciprocal root sum exp_parts sigmoid tangent, and for comparisons, with `flags` for
 * their answers: unordered equal differ none some bits spoil; for doubles also widen widen_part. +
 * - * / work on vectors as they are. ROWS is how many rows of four accumulators fit the registers.
 */
#undef REAL
#undef LANES
#undef NAME
#undef NAME_
#undef NAME__
#undef SUFFIX
#undef KERNEL
#undef INLINE
#undef ROWS
#undef INTEGER
#undef vec
#undef flags

#ifndef PERIGEE_KERNEL_LANES_H
#define PERIGEE_KERNEL_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/simd.h"

#if PERI_X86
#include <immintrin.h>
#elif PERI_NEON
#include <arm_neon.h>
#endif
#define LANES_X86 PERI_X86

/* The bytes of a vector at the level in use: 64, 32 or 16. */
static inline int peri_lanes_bytes(void)
{
    return 16 << peri_isa();
}

/* Wanted even at -O2: accumulators live in registers only when these loops are flat. With the
 * checks of the sanitizers in them they are not fast anyway, and flat ones take a minute to
 * compile. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNROLL
#endif
#endif
#ifndef UNROLL
#define UNROLL _Pragma("GCC unroll 32")
#endif

#endif

#ifdef LANES_BITS

#define NAME__(f, bits, bytes) f##_f##bits##_##bytes
#define NAME_(f, bits, bytes)  NAME__(f, bits, bytes)
#define NAME(f)                NAME_(f, LANES_BITS, LANES_BYTES)

#if LANES_BYTES == 64
#define KERNEL PERI_AVX512
#define ROWS   6
#elif LANES_BYTES == 32
#define KERNEL PERI_AVX2
#define ROWS   3
#else
#define KERNEL
#define ROWS (PERI_NEON ? 6 : 3)
#endif
#define INLINE static inline __attribute__((always_inline)) KERNEL

#if LANES_BITS == 32
#define REAL    float
#define INTEGER int32_t
#define LANES   (LANES_BYTES / 4)
#else
#define REAL    double
#define INTEGER int64_t
#define LANES   (LANES_BYTES / 8)
#endif

typedef REAL NAME(vector) __attribute__((vector_size(LANES_BYTES)));
typedef INTEGER NAME(integers) __attribute__((vector_size(LANES_BYTES)));
#define vec NAME(vector)

INLINE vec NAME(load)(const REAL *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void NAME(store)(REAL *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

#if LANES_BYTES == 32 && PERI_X86
/* Ones in the first `count` lanes. */
INLINE __m256i NAME(ones)(size_t count)
{
#if LANES_BITS == 32
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)count), _mm256_setr_epi64x(0, 1, 2, 3));
#endif
}
#endif

/* The first `count` elements, 1..LANES; the others are 0 or stay as they are in memory. */
INLINE vec NAME(load_part)(const REAL *p, size_t count)
{
    if (count >= LANES)
        return NAME(load)(p);
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1u), p);
#elif LANES_BYTES == 64
    return _mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1u), p);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_maskload_ps(p, NAME(ones)(count));
#elif LANES_BYTES == 32
    return _mm256_maskload_pd(p, NAME(ones)(count));
#else
    REAL part[LANES] = {0};
    for (size_t i = 0; i < count; i++)
        part[i] = p[i];
    return NAME(load)(part);
#endif
}

INLINE void NAME(store_part)(REAL *p, vec v, size_t count)
{
    if (count >= LANES) {
        NAME(store)(p, v);
        return;
    }
#if LANES_BYTES == 64 && LANES_BITS == 32
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1u), v);
#elif LANES_BYTES == 64
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << count) - 1u), v);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    _mm256_maskstore_ps(p, NAME(ones)(count), v);
#elif LANES_BYTES == 32
    _mm256_maskstore_pd(p, NAME(ones)(count), v);
#else
    REAL part[LANES];
    NAME(store)(part, v);
    for (size_t i = 0; i < count; i++)
        p[i] = part[i];
#endif
}

/* The first `count` lanes of x, 1..LANES, and the others of y. */
INLINE vec NAME(keep)(vec x, size_t count, vec y)
{
    if (count >= LANES)
        return x;
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_mask_mov_ps(y, (__mmask16)((1u << count) - 1u), x);
#elif LANES_BYTES == 64
    return _mm512_mask_mov_pd(y, (__mmask8)((1u << count) - 1u), x);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_blendv_ps(y, x, _mm256_castsi256_ps(NAME(ones)(count)));
#elif LANES_BYTES == 32
    return _mm256_blendv_pd(y, x, _mm256_castsi256_pd(NAME(ones)(count)));
#else
    for (size_t i = count; i < LANES; i++)
        x[i] = y[i];
    return x;
#endif
}

#if LANES_BITS == 64
/* LANES floats as doubles, or the first `count` of them and zeros. */
INLINE vec NAME(widen)(const float *p)
{
#if LANES_BYTES == 64
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif LANES_BYTES == 32
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    const vec v = {(double)p[0], (double)p[1]};
    return v;
#endif
}

INLINE vec NAME(widen_part)(const float *p, size_t count)
{
#if LANES_BYTES == 64
    return _mm512_maskz_cvtps_pd((__mmask8)((1u << count) - 1u),
                                 _mm256_maskz_loadu_ps((__mmask8)((1u << count) - 1u), p));
#elif LANES_BYTES == 32
    return _mm256_cvtps_pd(_mm_maskload_ps(
        p, _mm_cmpgt_epi32(_mm_set1_epi32((int)count), _mm_setr_epi32(0, 1, 2, 3))));
#else
    const vec v = {(double)p[0], count > 1 ? (double)p[1] : 0.0};
    return v;
#endif
}
#endif

INLINE vec NAME(splat)(REAL x)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_set1_ps(x);
#elif LANES_BYTES == 64
    return _mm512_set1_pd(x);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_set1_ps(x);
#elif LANES_BYTES == 32
    return _mm256_set1_pd(x);
#else
    vec v = {0};
    for (size_t i = 0; i < LANES; i++)
        v[i] = x;
    return v;
#endif
}

/* a b + c, rounded once where the machine can. */
INLINE vec NAME(fma)(vec a, vec b, vec c)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_fmadd_ps(a, b, c);
#elif LANES_BYTES == 64
    return _mm512_fmadd_pd(a, b, c);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_fmadd_ps(a, b, c);
#elif LANES_BYTES == 32
    return _mm256_fmadd_pd(a, b, c);
#elif PERI_NEON && LANES_BITS == 32
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif PERI_NEON
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

/* Answers, one a lane: bits or registers of ones, with & and | . */
#if LANES_BYTES == 64
typedef unsigned NAME(flags);
#else
typedef NAME(integers) NAME(flags);
#endif
#define flags NAME(flags)

/* Whether a or b is a NaN. */
INLINE flags NAME(unordered)(vec a, vec b)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
#elif LANES_BYTES == 64
    return _mm512_cmp_pd_mask(a, b, _CMP_UNORD_Q);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return (flags)_mm256_cmp_ps(a, b, _CMP_UNORD_Q);
#elif LANES_BYTES == 32
    return (flags)_mm256_cmp_pd(a, b, _CMP_UNORD_Q);
#elif PERI_X86 && LANES_BITS == 32
    return (flags)_mm_cmpunord_ps(a, b);
#elif PERI_X86
    return (flags)_mm_cmpunord_pd(a, b);
#else
    return (a != a) | (b != b);
#endif
}

/* Whether a equals b; whether it differs, as a NaN does from everything. */
INLINE flags NAME(equal)(vec a, vec b)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
#elif LANES_BYTES == 64
    return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ);
#else
    return a == b;
#endif
}

INLINE flags NAME(differ)(vec a, vec b)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ);
#elif LANES_BYTES == 64
    return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ);
#else
    return a != b;
#endif
}

INLINE flags NAME(none)(void)
{
#if LANES_BYTES == 64
    return 0;
#else
    const flags f = {0};
    return f;
#endif
}

/* Whether one is set. */
INLINE bool NAME(some)(flags f)
{
#if LANES_BYTES == 64
    return f != 0;
#elif LANES_BYTES == 32
    return !_mm256_testz_si256((__m256i)f, (__m256i)f);
#elif PERI_X86
    return _mm_movemask_epi8((__m128i)f) != 0;
#elif PERI_NEON
    return vmaxvq_u32((uint32x4_t)f) != 0;
#else
    INTEGER any = 0;
    for (size_t i = 0; i < LANES; i++)
        any |= f[i];
    return any != 0;
#endif
}

/* The answers as bits, that of lane 0 the lowest. */
INLINE unsigned NAME(bits)(flags f)
{
#if LANES_BYTES == 64
    return f;
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return (unsigned)_mm256_movemask_ps((__m256)f);
#elif LANES_BYTES == 32
    return (unsigned)_mm256_movemask_pd((__m256d)f);
#elif PERI_X86 && LANES_BITS == 32
    return (unsigned)_mm_movemask_ps((__m128)f);
#elif PERI_X86
    return (unsigned)_mm_movemask_pd((__m128d)f);
#else
    unsigned bits = 0;
    for (unsigned i = 0; i < LANES; i++)
        bits |= (unsigned)(f[i] != 0) << i;
    return bits;
#endif
}

/* x, and NaN where a flag is set. */
INLINE vec NAME(spoil)(vec x, flags f)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_mask_mov_ps(x, (__mmask16)f, _mm512_set1_ps(__builtin_nanf("")));
#elif LANES_BYTES == 64
    return _mm512_mask_mov_pd(x, (__mmask8)f, _mm512_set1_pd(__builtin_nan("")));
#else
    return (vec)((NAME(integers))x | f);
#endif
}

/* x, but at least (at most) the bound; a NaN in x stays. */
INLINE vec NAME(lower)(vec x, vec bound)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_max_ps(bound, x);
#elif LANES_BYTES == 64
    return _mm512_max_pd(bound, x);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_max_ps(bound, x);
#elif LANES_BYTES == 32
    return _mm256_max_pd(bound, x);
#elif PERI_X86 && LANES_BITS == 32
    return _mm_max_ps(bound, x);
#elif PERI_X86
    return _mm_max_pd(bound, x);
#else
    const NAME(integers) below = x < bound;
    return (vec)((below & (NAME(integers))bound) | (~below & (NAME(integers))x));
#endif
}

INLINE vec NAME(upper)(vec x, vec bound)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_min_ps(bound, x);
#elif LANES_BYTES == 64
    return _mm512_min_pd(bound, x);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_min_ps(bound, x);
#elif LANES_BYTES == 32
    return _mm256_min_pd(bound, x);
#elif PERI_X86 && LANES_BITS == 32
    return _mm_min_ps(bound, x);
#elif PERI_X86
    return _mm_min_pd(bound, x);
#else
    const NAME(integers) above = x > bound;
    return (vec)((above & (NAME(integers))bound) | (~above & (NAME(integers))x));
#endif
}

/* 1 / x within 2 units in the last place, for |x| in 1e-30 .. 1e36. AVX-512 starts from 14 bits
 * and doubles them by Newton's step y += y (1 - x y). */
INLINE vec NAME(reciprocal)(vec x)
{
    const vec one = NAME(splat)(1);
#if LANES_BYTES == 64 && LANES_BITS == 32
    const vec y = _mm512_rcp14_ps(x);
    return NAME(fma)(y, NAME(fma)(-x, y, one), y);
#elif LANES_BYTES == 64
    vec y = _mm512_rcp14_pd(x);
    y = NAME(fma)(y, NAME(fma)(-x, y, one), y);
    return NAME(fma)(y, NAME(fma)(-x, y, one), y);
#else
    return one / x;
#endif
}

INLINE vec NAME(root)(vec x)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_sqrt_ps(x);
#elif LANES_BYTES == 64
    return _mm512_sqrt_pd(x);
#elif LANES_BYTES == 32 && LANES_BITS == 32
    return _mm256_sqrt_ps(x);
#elif LANES_BYTES == 32
    return _mm256_sqrt_pd(x);
#elif PERI_NEON && LANES_BITS == 32
    return (vec)vsqrtq_f32((float32x4_t)x);
#elif PERI_NEON
    return (vec)vsqrtq_f64((float64x2_t)x);
#else
    for (size_t i = 0; i < LANES; i++)
        x[i] = LANES_BITS == 32 ? (REAL)__builtin_sqrtf((float)x[i]) : (REAL)__builtin_sqrt(x[i]);
    return x;
#endif
}

INLINE REAL NAME(sum)(vec x)
{
#if LANES_BYTES == 64 && LANES_BITS == 32
    return _mm512_reduce_add_ps(x);
#elif LANES_BYTES == 64
    return _mm512_reduce_add_pd(x);
#else
    REAL s = x[0];
    for (size_t i = 1; i < LANES; i++)
        s += x[i];
    return s;
#endif
}

/* exp(x) = scale (1 + minus1): n = round(x / ln 2), r = x - n ln 2 in two pieces of ln 2, and
 * Taylor's series of exp(r) - 1 for |r| <= ln(2)/2, whose first term left out is below half a
 * unit in the last place. x must be within +-87 (float) or +-708 (double). */
INLINE void NAME(exp_parts)(vec x, vec *scale, vec *minus1)
{
#if LANES_BITS == 32
    const REAL shift = 0x1.8p23F, ln2_high = 0x1.62e4p-1F, ln2_low = 0x1.7f7d1cp-20F;
    const int one_bits = 0x3f800000, mantissa = 23;
    static const REAL inverse_factorial[] = {1.0F / 5040, 1.0F / 720, 1.0F / 120,
                                             1.0F / 24,   1.0F / 6,   1.0F / 2};
#else
    const REAL shift = 0x1.8p52, ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
    const int64_t one_bits = 0x3ff0000000000000, mantissa = 52;
    static const REAL inverse_factorial[] = {1.0 / 6227020800.0, 1.0 / 479001600, 1.0 / 39916800,
                                             1.0 / 3628800,      1.0 / 362880,    1.0 / 40320,
                                             1.0 / 5040,         1.0 / 720,       1.0 / 120,
                                             1.0 / 24,           1.0 / 6,         1.0 / 2};
#endif
    const vec shifted = NAME(fma)(x, NAME(splat)((REAL)0x1.71547652b82fep0), NAME(splat)(shift));
    const vec n = shifted - NAME(splat)(shift);
    vec r = NAME(fma)(n, NAME(splat)(-ln2_high), x);
    r = NAME(fma)(n, NAME(splat)(-ln2_low), r);
    vec series = NAME(splat)(inverse_factorial[0]);
    UNROLL
    for (size_t i = 1; i < sizeof inverse_factorial / sizeof *inverse_factorial; i++)
        series = NAME(fma)(series, r, NAME(splat)(inverse_factorial[i]));
    *minus1 = NAME(fma)(series, r * r, r);
    *scale = (vec)(((NAME(integers))shifted << mantissa) + one_bits);
}

/* 1 / (1 + exp(-x)) */
INLINE vec NAME(sigmoid)(vec x)
{
    const REAL far = LANES_BITS == 32 ? 80 : 700;
    vec scale, minus1;
    const vec bounded = NAME(upper)(NAME(lower)(-x, NAME(splat)(-far)), NAME(splat)(far));
    NAME(exp_parts)(bounded, &scale, &minus1);
    return NAME(reciprocal)(NAME(splat)(1) + NAME(fma)(scale, minus1, scale));
}

/* tanh(x) = E / (E + 2) with E = exp(2x) - 1, which keeps its digits near 0. */
INLINE vec NAME(tangent)(vec x)
{
    const REAL far = LANES_BITS == 32 ? 20 : 40;
    vec scale, minus1;
    const vec bounded = NAME(upper)(NAME(lower)(x + x, NAME(splat)(-far)), NAME(splat)(far));
    NAME(exp_parts)(bounded, &scale, &minus1);
    const vec e = NAME(fma)(scale, minus1, scale - NAME(splat)(1));
    return e * NAME(reciprocal)(e + NAME(splat)(2));
}

#endif
