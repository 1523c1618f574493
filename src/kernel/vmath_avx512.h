/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 functions of vmath.c, on one register of 8 doubles or 16 floats. Included inside an
 * AVX-512 section, by it and by loops that have one of them in their middle (graph.c).
 *
 * Every reduction is exact or fused; "q" always is the polynomial of (f(r) - r) / r^2, so that
 * f(r) = r + r^2 q(r) keeps full relative accuracy at 0. Coefficients: Remez' exchange in 60
 * digits; the relative error each contributes stands beside it.
 */
#include <immintrin.h>

#define D(x)          _mm512_set1_pd(x)
#define FMA(a, b, c)  _mm512_fmadd_pd(a, b, c)
#define FNMA(a, b, c) _mm512_fnmadd_pd(a, b, c)

static inline __m512d abs8(__m512d x)
{
    return _mm512_andnot_pd(D(-0.0), x);
}

static inline __m512d signed8(__m512d magnitude, __m512d sign)
{
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_castpd_si512(D(-0.0)),
                                                         _mm512_castpd_si512(sign),
                                                         _mm512_castpd_si512(magnitude), 0xca));
}

/* Polynomials by Estrin's scheme: the core keeps about 100 operations waiting, so a short chain
 * counts for more than a few operations. */
static inline __m512d poly8(__m512d r, __m512d r2, double c0, double c1, double c2, double c3,
                            double c4, double c5, double c6, double c7)
{
    const __m512d a = FMA(r2, FMA(r, D(c3), D(c2)), FMA(r, D(c1), D(c0)));
    const __m512d b = FMA(r2, FMA(r, D(c7), D(c6)), FMA(r, D(c5), D(c4)));
    return FMA(_mm512_mul_pd(r2, r2), b, a);
}

/* sqrt(x), correctly rounded: Newton's steps from the machine's 14 bits for g = sqrt(x) and
 * h = 1 / (2 sqrt(x)), then g + h (x - g^2) with the exact residual (Markstein, IBM J. Res. Dev. 34
 * (1990)), which takes a third of the time of the instruction. Registers with an element that is
 * not well inside the range are left to that. */
static inline __m512d sqrt8(__m512d x)
{
    const __m512i high = _mm512_srli_epi64(_mm512_castpd_si512(x), 52); /* sign and exponent */
    const __mmask8 far = _mm512_cmpge_epu64_mask(_mm512_sub_epi64(high, _mm512_set1_epi64(123)),
                                                 _mm512_set1_epi64(1800));
    if (far != 0)
        return _mm512_sqrt_pd(x);
    const __m512d y = _mm512_rsqrt14_pd(x);
    __m512d g = _mm512_mul_pd(x, y), h = _mm512_mul_pd(D(0.5), y);
    __m512d r = FNMA(h, g, D(0.5));
    g = FMA(g, r, g);
    h = FMA(h, r, h);
    r = FNMA(h, g, D(0.5));
    g = FMA(g, r, g);
    h = FMA(h, r, h);
    return FMA(FNMA(g, g, x), h, g);
}

/* e^x = 2^m 2^(j/16) e^r, |r| <= log(2)/32. Adding 1.5 * 2^48 leaves 4 bits of fraction in the
 * last place, so the low bits of the sum are j and the sum minus it is m + j/16. */
static inline __m512d exp8(__m512d x)
{
    const __m512d t0 = _mm512_setr_pd(
        0x1.0p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
        0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0);
    const __m512d t1 = _mm512_setr_pd(
        0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
        0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0);
    const __m512d shift = D(0x1.8p48);
    /* Beyond +-1000 the result is infinite or zero; the order of operands lets NaN through. */
    x = _mm512_min_pd(D(1000.0), _mm512_max_pd(D(-1000.0), x));
    const __m512d s = FMA(x, D(0x1.71547652b82fep+0), shift);
    const __m512d n = _mm512_sub_pd(s, shift);
    __m512d r = FNMA(n, D(0x1.62e42fefa39efp-1), x);
    r = FNMA(n, D(0x1.abc9e3b39803fp-56), r);
    __m512d q = D(0x1.6c181ffad71d6p-10); /* 3e-17 of e^r */
    q = FMA(q, r, D(0x1.11120b770fd58p-7));
    q = FMA(q, r, D(0x1.55555554b89fcp-5));
    q = FMA(q, r, D(0x1.55555554dcc9ap-3));
    q = FMA(q, r, D(0.5));
    const __m512d p = FMA(_mm512_mul_pd(r, r), q, r);
    const __m512d t = _mm512_permutex2var_pd(t0, _mm512_castpd_si512(s), t1);
    return _mm512_scalef_pd(FMA(t, p, t), n);
}

/* e^x - 1 = 2^n (p + (1 - 2^-n)) with p = e^r - 1, |r| <= log(2)/2; at n = 0 this is p. */
static inline __m512d expm18(__m512d x)
{
    const __m512d shift = D(0x1.8p52);
    const __m512d y = _mm512_min_pd(D(1000.0), _mm512_max_pd(D(-45.0), x));
    const __m512d n = _mm512_sub_pd(FMA(y, D(0x1.71547652b82fep+0), shift), shift);
    __m512d r = FNMA(n, D(0x1.62e42fefa39efp-1), y);
    r = FNMA(n, D(0x1.abc9e3b39803fp-56), r);
    const __m512d r2 = _mm512_mul_pd(r, r);
    const __m512d top = FMA(r, D(0x1.af63a06ec766ep-26), D(0x1.2891d676885b5p-22));
    const __m512d q = FMA(_mm512_mul_pd(_mm512_mul_pd(r2, r2), _mm512_mul_pd(r2, r2)), top,
                          poly8(r, r2, 0.5, 0x1.5555555555558p-3, 0x1.5555555553d35p-5,
                                0x1.111111110f7d5p-7, 0x1.6c16c1789d8a0p-10, 0x1.a01a01b02246cp-13,
                                0x1.a019b8c8be1fbp-16, 0x1.71ddf6757d7e1p-19)); /* 4e-17 of p */
    const __m512d p = FMA(r2, q, r);
    const __m512d u =
        _mm512_sub_pd(D(1.0), _mm512_scalef_pd(D(1.0), _mm512_sub_pd(_mm512_setzero_pd(), n)));
    return signed8(_mm512_scalef_pd(_mm512_add_pd(p, u), n), x);
}

typedef struct {
    __m512d m, e; /* u = 2^e m, m in [3/4, 3/2); NaN where u < 0 */
} split8;

static inline split8 split_log8(__m512d u)
{
    const __m512d m = _mm512_getmant_pd(u, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
    const __m512d e = _mm512_getexp_pd(u);
    return (split8){m, _mm512_mask_add_pd(e, _mm512_cmp_pd_mask(m, D(1.0), _CMP_LT_OQ), e, D(1.0))};
}

/* log(2^e (m + c)), c below half an ulp of m: with C one of 16 near 1/m it is
 * e log 2 - log C + log1p(m C - 1 + c C). The first and the last C are 1, so that near 1 the
 * first two terms vanish. */
static inline __m512d log_sum8(split8 u, __m512d c)
{
    const __m512d c0 = _mm512_setr_pd(
        0x1.0p+0, 0x1.d41d41d41d41dp-1, 0x1.bacf914c1bad0p-1, 0x1.a41a41a41a41ap-1,
        0x1.8f9c18f9c18fap-1, 0x1.7d05f417d05f4p-1, 0x1.6c16c16c16c17p-1, 0x1.5c9882b931057p-1);
    const __m512d c1 = _mm512_setr_pd(
        0x1.4e5e0a72f0539p+0, 0x1.4141414141414p+0, 0x1.3521cfb2b78c1p+0, 0x1.29e4129e4129ep+0,
        0x1.1f7047dc11f70p+0, 0x1.15b1e5f75270dp+0, 0x1.0c9714fbcda3bp+0, 0x1.0p+0);
    const __m512d l0 = _mm512_setr_pd(
        0.0, 0x1.6f0d28ae56b4ep-4, 0x1.29552f81ff521p-3, 0x1.9525a9cf456b6p-3, 0x1.fb9186d5e3e29p-3,
        0x1.2e8e2bae11d31p-2, 0x1.5d1bdbf5809cap-2, 0x1.89a3386c1425bp-2);
    const __m512d l1 = _mm512_setr_pd(
        -0x1.1178e8227e47ap-2, -0x1.d1037f2655e7bp-3, -0x1.823c16551a3c0p-3, -0x1.365fcb0159014p-3,
        -0x1.da7276384469ep-4, -0x1.4d3115d207eacp-4, -0x1.894aa149fb34bp-5, 0.0);
    const __m512i index = _mm512_srli_epi64(_mm512_castpd_si512(u.m), 48);
    const __m512d inverse = _mm512_permutex2var_pd(c0, index, c1);
    const __m512d logc = _mm512_permutex2var_pd(l0, index, l1);
    const __m512d r = FMA(c, inverse, _mm512_fmsub_pd(u.m, inverse, D(1.0)));
    const __m512d r2 = _mm512_mul_pd(r, r);
    const __m512d r4 = _mm512_mul_pd(r2, r2);
    const __m512d q = FMA(_mm512_mul_pd(r4, r4), D(-0x1.6a6fcc2f3e37ap-4),
                          poly8(r, r2, -0.5, 0x1.5555555555a34p-2, -0x1.0000000004e89p-2,
                                0x1.99999989a9e73p-3, -0x1.5555543598ea8p-3, 0x1.2492af5d4fcfcp-3,
                                -0x1.0009c0c55f947p-3, 0x1.c5f1809f08a3cp-4)); /* 2e-17 of p */
    const __m512d p = FMA(r2, q, r);
    return _mm512_add_pd(FMA(u.e, D(0x1.62e42fefa39efp-1), logc), p);
}

static inline __m512d log8(__m512d x)
{
    return log_sum8(split_log8(x), _mm512_setzero_pd());
}

/* log(u + c). c counts where it is above 0 in magnitude: not where u is infinite and c NaN. */
static inline __m512d log_pair8(__m512d u, __m512d c)
{
    const split8 s = split_log8(u);
    const __mmask8 rest = _mm512_cmp_pd_mask(abs8(c), _mm512_setzero_pd(), _CMP_GT_OQ);
    const __m512d minus = _mm512_sub_pd(_mm512_setzero_pd(), s.e);
    return log_sum8(s, _mm512_maskz_scalef_pd(rest, c, minus));
}

static inline __m512d log1p8(__m512d x)
{
    const __m512d u = _mm512_add_pd(D(1.0), x);
    const __m512d big = _mm512_max_pd(D(1.0), x), small = _mm512_min_pd(D(1.0), x);
    return signed8(log_pair8(u, _mm512_sub_pd(small, _mm512_sub_pd(u, big))), x);
}

/* log(1 + e) for e in [0, 1]; the exponent of 1 + e is 0, or 1 from 3/2 on. */
static inline __m512d log1p_unit8(__m512d e)
{
    const __m512d u = _mm512_add_pd(D(1.0), e);
    const __m512d c = _mm512_sub_pd(e, _mm512_sub_pd(u, D(1.0)));
    const __mmask8 upper = _mm512_cmp_pd_mask(u, D(1.5), _CMP_GE_OQ);
    const split8 s = {_mm512_mask_mul_pd(u, upper, u, D(0.5)), _mm512_maskz_mov_pd(upper, D(1.0))};
    return log_sum8(s, _mm512_mask_mul_pd(c, upper, c, D(0.5)));
}

/* tanh |x| = -h / (h + 1), h = (e^-2|x| - 1) / 2 = 2^n p + (2^n - 1) / 2, p = (e^2r - 1) / 2,
 * |r| <= log(2)/4. The division runs beside the rest. */
static inline __m512d tanh8(__m512d x)
{
    const __m512d shift = D(0x1.8p52);
    const __m512d y = _mm512_max_pd(D(-22.5), _mm512_or_pd(x, D(-0.0)));
    const __m512d s = FMA(y, D(0x1.71547652b82fep+1), shift);
    const __m512d n = _mm512_sub_pd(s, shift);
    __m512d r = FNMA(n, D(0x1.62e42fefa39efp-2), y);
    r = FNMA(n, D(0x1.abc9e3b39803fp-57), r);
    const __m512d r2 = _mm512_mul_pd(r, r);
    const __m512d top = FMA(r, D(0x1.af63a06ec766ep-16), D(0x1.2891d676885b5p-13));
    const __m512d q = FMA(_mm512_mul_pd(_mm512_mul_pd(r2, r2), _mm512_mul_pd(r2, r2)), top,
                          poly8(r, r2, 1.0, 0x1.5555555555558p-1, 0x1.5555555553d35p-2,
                                0x1.111111110f7d5p-3, 0x1.6c16c1789d8a0p-5, 0x1.a01a01b02246cp-7,
                                0x1.a019b8c8be1fbp-9, 0x1.71ddf6757d7e1p-11)); /* 4e-17 of p */
    const __m512d p = FMA(r2, q, r);
    /* The low bits of s are n: moved into the exponent of 1.0 and of 0.5. */
    const __m512i exponent = _mm512_slli_epi64(_mm512_castpd_si512(s), 52);
    const __m512d two_n =
        _mm512_castsi512_pd(_mm512_add_epi64(exponent, _mm512_castpd_si512(D(1.0))));
    const __m512d h = FMA(two_n, p, FMA(two_n, D(0.5), D(-0.5)));
    return signed8(_mm512_div_pd(h, _mm512_add_pd(h, D(1.0))), x);
}

static inline __m512d sigmoid8(__m512d x)
{
    const __m512d e = exp8(_mm512_or_pd(x, D(-0.0)));
    const __mmask8 negative = _mm512_movepi64_mask(_mm512_castpd_si512(x));
    return _mm512_div_pd(_mm512_mask_mov_pd(D(1.0), negative, e), _mm512_add_pd(D(1.0), e));
}

static inline __m512d softplus8(__m512d x)
{
    const __m512d l = log1p_unit8(exp8(_mm512_or_pd(x, D(-0.0))));
    return _mm512_add_pd(_mm512_max_pd(_mm512_setzero_pd(), x), l);
}

static inline __m512d log_sigmoid8(__m512d x)
{
    const __m512d l = log1p_unit8(exp8(_mm512_or_pd(x, D(-0.0))));
    return _mm512_sub_pd(_mm512_min_pd(_mm512_setzero_pd(), x), l);
}

/* With s = min(p, 1 - p), exact where it counts: log(s / (1 - s)), from 1/4 on as
 * log1p((2s - 1) / (1 - s)). */
static inline __m512d logit8(__m512d p)
{
    const __m512d one = D(1.0), rest = _mm512_sub_pd(one, p);
    const __m512d s = _mm512_min_pd(rest, p), t = _mm512_max_pd(rest, p);
    const __m512d v = _mm512_div_pd(FMA(D(2.0), s, D(-1.0)), t);
    const __m512d w = _mm512_add_pd(one, v);
    const __mmask8 middle = _mm512_cmp_pd_mask(s, D(0.25), _CMP_GE_OQ);
    const __m512d u = _mm512_mask_mov_pd(_mm512_div_pd(s, t), middle, w);
    const __m512d c = _mm512_maskz_sub_pd(middle, v, _mm512_sub_pd(w, one));
    const __m512d l = log_pair8(u, c);
    return _mm512_mask_sub_pd(l, _mm512_cmp_pd_mask(p, D(0.5), _CMP_GT_OQ), _mm512_setzero_pd(), l);
}

#undef D
#undef FMA
#undef FNMA

#define F(x)          _mm512_set1_ps(x)
#define FMA(a, b, c)  _mm512_fmadd_ps(a, b, c)
#define FNMA(a, b, c) _mm512_fnmadd_ps(a, b, c)

static inline __m512 abs16(__m512 x)
{
    return _mm512_andnot_ps(F(-0.0f), x);
}

static inline __m512 signed16(__m512 magnitude, __m512 sign)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(F(-0.0f)),
                                                         _mm512_castps_si512(sign),
                                                         _mm512_castps_si512(magnitude), 0xca));
}

static inline __m512 sqrt16(__m512 x)
{
    const __m512i high = _mm512_srli_epi32(_mm512_castps_si512(x), 23);
    const __mmask16 far = _mm512_cmpge_epu32_mask(_mm512_sub_epi32(high, _mm512_set1_epi32(40)),
                                                  _mm512_set1_epi32(200));
    if (far != 0)
        return _mm512_sqrt_ps(x);
    const __m512 y = _mm512_rsqrt14_ps(x);
    __m512 g = _mm512_mul_ps(x, y), h = _mm512_mul_ps(F(0.5f), y);
    const __m512 r = FNMA(h, g, F(0.5f));
    g = FMA(g, r, g);
    h = FMA(h, r, h);
    return FMA(FNMA(g, g, x), h, g);
}

static inline __m512 exp16(__m512 x)
{
    const __m512 shift = F(0x1.8p23f);
    x = _mm512_min_ps(F(200.0f), _mm512_max_ps(F(-200.0f), x));
    const __m512 n = _mm512_sub_ps(FMA(x, F(0x1.715476p+0f), shift), shift);
    __m512 r = FNMA(n, F(0x1.62e430p-1f), x);
    r = FNMA(n, F(-0x1.05c610p-29f), r);
    __m512 q = F(0x1.6d75ecp-10f); /* 8e-9 of e^r */
    q = FMA(q, r, F(0x1.120becp-7f));
    q = FMA(q, r, F(0x1.5554b8p-5f));
    q = FMA(q, r, F(0x1.5554dcp-3f));
    q = FMA(q, r, F(0.5f));
    const __m512 p = FMA(_mm512_mul_ps(r, r), q, r);
    return _mm512_scalef_ps(_mm512_add_ps(F(1.0f), p), n);
}

static inline __m512 expm116(__m512 x)
{
    const __m512 shift = F(0x1.8p23f);
    const __m512 y = _mm512_min_ps(F(200.0f), _mm512_max_ps(F(-25.0f), x));
    const __m512 n = _mm512_sub_ps(FMA(y, F(0x1.715476p+0f), shift), shift);
    __m512 r = FNMA(n, F(0x1.62e430p-1f), y);
    r = FNMA(n, F(-0x1.05c610p-29f), r);
    const __m512 r2 = _mm512_mul_ps(r, r);
    const __m512 top = FMA(r, F(0x1.a17eacp-13f), F(0x1.6d43b8p-10f));
    const __m512 low =
        FMA(r2, FMA(r, F(0x1.1110acp-7f), F(0x1.5554e8p-5f)), FMA(r, F(0x1.555556p-3f), F(0.5f)));
    const __m512 q = FMA(_mm512_mul_ps(r2, r2), top, low); /* 5e-10 of p */
    const __m512 p = FMA(r2, q, r);
    const __m512 u =
        _mm512_sub_ps(F(1.0f), _mm512_scalef_ps(F(1.0f), _mm512_sub_ps(_mm512_setzero_ps(), n)));
    return signed16(_mm512_scalef_ps(_mm512_add_ps(p, u), n), x);
}

typedef struct {
    __m512 m, e;
} split16;

static inline split16 split_log16(__m512 u)
{
    const __m512 m = _mm512_getmant_ps(u, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
    const __m512 e = _mm512_getexp_ps(u);
    return (split16){m,
                     _mm512_mask_add_ps(e, _mm512_cmp_ps_mask(m, F(1.0f), _CMP_LT_OQ), e, F(1.0f))};
}

/* As log_sum8 without the table: m - 1 in [-1/4, 1/2) is exact. Both parts of log 2 are positive,
 * so that an infinite e gives the infinity of its sign. */
static inline __m512 log_sum16(split16 u, __m512 c)
{
    const __m512 r = _mm512_add_ps(_mm512_sub_ps(u.m, F(1.0f)), c);
    const __m512 r2 = _mm512_mul_ps(r, r), r4 = _mm512_mul_ps(r2, r2);
    const __m512 a =
        FMA(r2, FMA(r, F(0x1.997b9cp-3f), F(-0x1.0000dep-2f)), FMA(r, F(0x1.55557cp-2f), F(-0.5f)));
    const __m512 b = FMA(r2, FMA(r, F(0x1.bd55cap-4f), F(-0x1.0d9c82p-3f)),
                         FMA(r, F(0x1.27345cp-3f), F(-0x1.54d124p-3f)));
    const __m512 q = FMA(r4, FMA(r4, F(-0x1.9806aep-5f), b), a); /* 1e-8 of p */
    const __m512 p = FMA(r2, q, r);
    return FMA(u.e, F(0x1.62e42ep-1f), FMA(u.e, F(0x1.efa39ep-25f), p));
}

static inline __m512 log16(__m512 x)
{
    return log_sum16(split_log16(x), _mm512_setzero_ps());
}

static inline __m512 log_pair16(__m512 u, __m512 c)
{
    const split16 s = split_log16(u);
    const __mmask16 rest = _mm512_cmp_ps_mask(abs16(c), _mm512_setzero_ps(), _CMP_GT_OQ);
    const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), s.e);
    return log_sum16(s, _mm512_maskz_scalef_ps(rest, c, minus));
}

static inline __m512 log1p16(__m512 x)
{
    const __m512 u = _mm512_add_ps(F(1.0f), x);
    const __m512 big = _mm512_max_ps(F(1.0f), x), small = _mm512_min_ps(F(1.0f), x);
    return signed16(log_pair16(u, _mm512_sub_ps(small, _mm512_sub_ps(u, big))), x);
}

static inline __m512 log1p_unit16(__m512 e)
{
    const __m512 u = _mm512_add_ps(F(1.0f), e);
    const __m512 c = _mm512_sub_ps(e, _mm512_sub_ps(u, F(1.0f)));
    const __mmask16 upper = _mm512_cmp_ps_mask(u, F(1.5f), _CMP_GE_OQ);
    const split16 s = {_mm512_mask_mul_ps(u, upper, u, F(0.5f)),
                       _mm512_maskz_mov_ps(upper, F(1.0f))};
    return log_sum16(s, _mm512_mask_mul_ps(c, upper, c, F(0.5f)));
}

static inline __m512 tanh16(__m512 x)
{
    const __m512 shift = F(0x1.8p23f);
    const __m512 y = _mm512_max_ps(F(-12.5f), _mm512_or_ps(x, F(-0.0f)));
    const __m512 s = FMA(y, F(0x1.715476p+1f), shift);
    const __m512 n = _mm512_sub_ps(s, shift);
    __m512 r = FNMA(n, F(0x1.62e430p-2f), y);
    r = FNMA(n, F(-0x1.05c610p-30f), r);
    const __m512 r2 = _mm512_mul_ps(r, r);
    const __m512 top = FMA(r, F(0x1.a17eacp-7f), F(0x1.6d43b8p-5f));
    const __m512 low =
        FMA(r2, FMA(r, F(0x1.1110acp-3f), F(0x1.5554e8p-2f)), FMA(r, F(0x1.555556p-1f), F(1.0f)));
    const __m512 q = FMA(_mm512_mul_ps(r2, r2), top, low); /* 5e-10 of p */
    const __m512 p = FMA(r2, q, r);
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(s), 23);
    const __m512 two_n =
        _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_castps_si512(F(1.0f))));
    const __m512 h = FMA(two_n, p, FMA(two_n, F(0.5f), F(-0.5f)));
    return signed16(_mm512_div_ps(h, _mm512_add_ps(h, F(1.0f))), x);
}

static inline __m512 sigmoid16(__m512 x)
{
    const __m512 e = exp16(_mm512_or_ps(x, F(-0.0f)));
    const __mmask16 negative = _mm512_movepi32_mask(_mm512_castps_si512(x));
    return _mm512_div_ps(_mm512_mask_mov_ps(F(1.0f), negative, e), _mm512_add_ps(F(1.0f), e));
}

static inline __m512 softplus16(__m512 x)
{
    const __m512 l = log1p_unit16(exp16(_mm512_or_ps(x, F(-0.0f))));
    return _mm512_add_ps(_mm512_max_ps(_mm512_setzero_ps(), x), l);
}

static inline __m512 log_sigmoid16(__m512 x)
{
    const __m512 l = log1p_unit16(exp16(_mm512_or_ps(x, F(-0.0f))));
    return _mm512_sub_ps(_mm512_min_ps(_mm512_setzero_ps(), x), l);
}

static inline __m512 logit16(__m512 p)
{
    const __m512 one = F(1.0f), rest = _mm512_sub_ps(one, p);
    const __m512 s = _mm512_min_ps(rest, p), t = _mm512_max_ps(rest, p);
    const __m512 v = _mm512_div_ps(FMA(F(2.0f), s, F(-1.0f)), t);
    const __m512 w = _mm512_add_ps(one, v);
    const __mmask16 middle = _mm512_cmp_ps_mask(s, F(0.25f), _CMP_GE_OQ);
    const __m512 u = _mm512_mask_mov_ps(_mm512_div_ps(s, t), middle, w);
    const __m512 c = _mm512_maskz_sub_ps(middle, v, _mm512_sub_ps(w, one));
    const __m512 l = log_pair16(u, c);
    return _mm512_mask_sub_ps(l, _mm512_cmp_ps_mask(p, F(0.5f), _CMP_GT_OQ), _mm512_setzero_ps(),
                              l);
}

#undef F
#undef FMA
#undef FNMA
