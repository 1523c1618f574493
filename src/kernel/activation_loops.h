/* SPDX-License-Identifier: MIT
 *
 * Activations over vectors, written over the names of lanes.h and included by activation.c once an
 * element type and level. It leaves NAME(activation), the table of them.
 */

/* a where `where` is all ones, b where it is 0. */
INLINE vec NAME(choose)(NAME(integers) where, vec a, vec b)
{
    return (vec)((where & (NAME(integers))a) | (~where & (NAME(integers))b));
}

/* e^x - 1 for x <= 0. */
INLINE vec NAME(expm1_negative)(vec x)
{
    const REAL far = LANES_BITS == 32 ? -87 : -700;
    vec scale, minus1;
    NAME(exp_parts)(NAME(lower)(x, NAME(splat)(far)), &scale, &minus1);
    return NAME(fma)(scale, minus1, scale - NAME(splat)(1));
}

/* e^x for x <= 0, within 2 units; never below e^-87 (e^-700). */
INLINE vec NAME(exp_below)(vec x)
{
    const REAL far = LANES_BITS == 32 ? -87 : -700;
    vec scale, minus1;
    NAME(exp_parts)(NAME(lower)(x, NAME(splat)(far)), &scale, &minus1);
    return NAME(fma)(scale, minus1, scale);
}

#if LANES_BITS == 32
/* erf(x) within 2 units in the last place: a polynomial up to 0.93, 1 - exp(a polynomial) above. */
INLINE vec NAME(erf)(vec x)
{
    static const REAL near[] = {-5.96761703e-4F, 4.99119423e-3F,  -2.67681349e-2F,
                                1.12819925e-1F,  -3.76125336e-1F, 1.28379166e-1F};
    static const REAL high[] = {-1.06777877e-1F, -6.34846687e-1F, -1.28717512e-1F, -1.0F};
    const vec zero = NAME(splat)(0), one = NAME(splat)(1), s = x * x;
    const vec t = NAME(choose)(x < zero, -x, x);
    vec p = NAME(splat)(near[0]);
    UNROLL for (size_t i = 1; i < 6; i++)
    {
        p = NAME(fma)(p, s, NAME(splat)(near[i]));
    }
    p = NAME(fma)(p, x, x);
    vec r = NAME(fma)(NAME(splat)(-1.72853470e-5F), t, NAME(splat)(3.83197126e-4F));
    r = NAME(fma)(r, s, NAME(fma)(NAME(splat)(-3.88396438e-3F), t, NAME(splat)(2.42546219e-2F)));
    UNROLL for (size_t i = 0; i < 4; i++)
    {
        r = NAME(fma)(r, t, NAME(splat)(i < 3 ? high[i] : 0));
    }
    r = one - NAME(exp_below)(r - t);
    r = NAME(choose)(x < zero, -r, r);
    return NAME(choose)(t > NAME(splat)(0.927734375F), r, p);
}
#endif

enum { NAME(CHUNK) = 512 };

/* y = f(x) of whole vectors, n a multiple of LANES. */
INLINE vec NAME(forward1)(peri_act f, vec x, vec slope)
{
    const vec zero = NAME(splat)(0), one = NAME(splat)(1), half = NAME(splat)((REAL)0.5);
    switch (f) {
    case PERI_ACT_RELU:
        return NAME(lower)(x, zero);
    case PERI_ACT_LEAKY_RELU:
        return NAME(choose)(x < zero, x * slope, x);
    case PERI_ACT_ELU:
        return NAME(choose)(x < zero, slope * NAME(expm1_negative)(NAME(upper)(x, zero)), x);
    case PERI_ACT_GELU_TANH: {
        const vec c = NAME(splat)((REAL)0.7978845608028654);
        const vec u = c * NAME(fma)(NAME(splat)((REAL)0.044715) * x * x, x, x);
        return half * x * (one + NAME(tangent)(u));
    }
    case PERI_ACT_SILU:
        return x * NAME(sigmoid)(x);
    case PERI_ACT_TANH:
        return NAME(tangent)(x);
    case PERI_ACT_SIGMOID:
        return NAME(sigmoid)(x);
#if LANES_BITS == 32
    case PERI_ACT_GELU:
        return half * x * (one + NAME(erf)(x * NAME(splat)(0.70710678118654752F)));
#else
    case PERI_ACT_GELU:
#endif
    case PERI_ACT_NONE:
    case PERI_ACT_COUNT:
        break;
    }
    return x;
}

/* f'(x) */
INLINE vec NAME(slope1)(peri_act f, vec x, vec slope)
{
    const vec zero = NAME(splat)(0), one = NAME(splat)(1), half = NAME(splat)((REAL)0.5);
    switch (f) {
    case PERI_ACT_RELU:
        return NAME(choose)(x > zero, one, zero);
    case PERI_ACT_LEAKY_RELU:
        return NAME(choose)(x > zero, one, slope);
    case PERI_ACT_ELU:
        return NAME(choose)(x > zero, one, slope * NAME(exp_below)(NAME(upper)(x, zero)));
    case PERI_ACT_GELU_TANH: {
        const vec c = NAME(splat)((REAL)0.7978845608028654), a = NAME(splat)((REAL)0.044715);
        const vec t = NAME(tangent)(c * NAME(fma)(a * x * x, x, x));
        const vec du = c * NAME(fma)(NAME(splat)(3) * a * x, x, one);
        return half * (one + t + x * (one - t * t) * du);
    }
    case PERI_ACT_SILU: {
        const vec s = NAME(sigmoid)(x);
        return s * NAME(fma)(x, one - s, one);
    }
    case PERI_ACT_TANH: {
        const vec t = NAME(tangent)(x);
        return one - t * t;
    }
    case PERI_ACT_SIGMOID: {
        const vec s = NAME(sigmoid)(x);
        return s * (one - s);
    }
    case PERI_ACT_GELU:
    case PERI_ACT_NONE:
    case PERI_ACT_COUNT:
        break;
    }
    return one;
}

/* phi(x), the density of a standard normal. */
INLINE vec NAME(density)(vec x)
{
    return NAME(splat)((REAL)0.3989422804014327) * NAME(exp_below)(NAME(splat)((REAL)-0.5) * x * x);
}

/* LOAD and STORE are of whole vectors, then of what is left. */
#define EACH(f, statement)                                                                         \
    case f: {                                                                                      \
        size_t i = 0;                                                                              \
        for (; i + LANES <= n; i += LANES)                                                         \
            statement(f, NAME(load)(x + i), LOAD_WHOLE, STORE_WHOLE);                              \
        if (i < n)                                                                                 \
            statement(f, NAME(load_part)(x + i, n - i), LOAD_LAST, STORE_LAST);                    \
        return;                                                                                    \
    }
#define LOAD_WHOLE(p)                  NAME(load)((p) + i)
#define LOAD_LAST(p)                   NAME(load_part)((p) + i, n - i)
#define STORE_WHOLE(p, v)              NAME(store)((p) + i, v)
#define STORE_LAST(p, v)               NAME(store_part)((p) + i, v, n - i)
#define APPLY(f, v, LOAD, STORE)       STORE(y, NAME(forward1)(f, v, s))
#define APPLY_SLOPE(f, v, LOAD, STORE) STORE(dx, LOAD(g) * NAME(slope1)(f, v, s))
#define FORWARD(f)                     EACH(f, APPLY)
#define BACKWARD(f)                    EACH(f, APPLY_SLOPE)

/* n <= CHUNK. */
static KERNEL void NAME(forward)(peri_act f, size_t n, double slope, const void *from, void *to)
{
    const REAL *x = from;
    REAL *y = to;
    const vec s = NAME(splat)((REAL)slope);
    switch (f) {
        FORWARD(PERI_ACT_RELU)
        FORWARD(PERI_ACT_LEAKY_RELU)
        FORWARD(PERI_ACT_ELU)
        FORWARD(PERI_ACT_GELU_TANH)
        FORWARD(PERI_ACT_SILU)
        FORWARD(PERI_ACT_TANH)
        FORWARD(PERI_ACT_SIGMOID)
#if LANES_BITS == 32
        FORWARD(PERI_ACT_GELU)
#else
    case PERI_ACT_GELU: {
        REAL e[NAME(CHUNK)] = {0};
        for (size_t i = 0; i < n; i++)
            e[i] = x[i] * 0.70710678118654752;
        peri_vmath_f64(PERI_VM_ERF, n, e, e);
        for (size_t i = 0; i < n; i++)
            y[i] = 0.5 * x[i] * (1 + e[i]);
        return;
    }
#endif
    case PERI_ACT_NONE:
    case PERI_ACT_COUNT:
        if (x != y)
            memcpy(y, x, n * sizeof *x);
        return;
    }
}

static KERNEL void NAME(backward)(peri_act f, size_t n, double slope, const void *from,
                                  const void *gradient, void *to)
{
    const REAL *x = from, *g = gradient;
    REAL *dx = to;
    const vec s = NAME(splat)((REAL)slope);
    switch (f) {
        BACKWARD(PERI_ACT_RELU)
        BACKWARD(PERI_ACT_LEAKY_RELU)
        BACKWARD(PERI_ACT_ELU)
        BACKWARD(PERI_ACT_GELU_TANH)
        BACKWARD(PERI_ACT_SILU)
        BACKWARD(PERI_ACT_TANH)
        BACKWARD(PERI_ACT_SIGMOID)
    case PERI_ACT_GELU: {
        const vec one = NAME(splat)(1), half = NAME(splat)((REAL)0.5);
#if LANES_BITS == 64
        REAL e[NAME(CHUNK)] = {0};
        for (size_t i = 0; i < n; i++)
            e[i] = x[i] * 0.70710678118654752;
        peri_vmath_f64(PERI_VM_ERF, n, e, e);
#endif
        for (size_t i = 0; i < n; i += LANES) {
            const vec v = NAME(load_part)(x + i, n - i);
#if LANES_BITS == 64
            const vec erf = NAME(load_part)(e + i, n - i);
#else
            const vec erf = NAME(erf)(v * NAME(splat)(0.70710678118654752F));
#endif
            const vec d = NAME(fma)(v, NAME(density)(v), half * (one + erf));
            NAME(store_part)(dx + i, NAME(load_part)(g + i, n - i) * d, n - i);
        }
        return;
    }
    case PERI_ACT_NONE:
    case PERI_ACT_COUNT:
        if (g != dx)
            memcpy(dx, g, n * sizeof *g);
        return;
    }
}

/* x += b, for one row. */
static KERNEL void NAME(add_row)(size_t n, const void *bias, void *row)
{
    const REAL *b = bias;
    REAL *x = row;
    for (size_t i = 0; i < n; i += LANES)
        NAME(store_part)
    (x + i, NAME(load_part)(x + i, n - i) + NAME(load_part)(b + i, n - i), n - i);
}

/* The terms of binary cross-entropy; n <= CHUNK. */
static KERNEL double NAME(bce)(size_t n, const void *logits, const void *targets, void *losses,
                               double scale, void *gradient)
{
    const REAL *z = logits, *y = targets;
    REAL *loss = losses, *dz = gradient, soft[NAME(CHUNK)];
#if LANES_BITS == 32
    peri_vmath_f32(PERI_VM_SOFTPLUS, n, z, soft);
#else
    peri_vmath_f64(PERI_VM_SOFTPLUS, n, z, soft);
#endif
    double sum = 0;
    vec sums = NAME(splat)(0);
    const vec by = NAME(splat)((REAL)scale);
    for (size_t i = 0; i < n; i += LANES) {
        const vec v = NAME(load_part)(z + i, n - i), t = NAME(load_part)(y + i, n - i);
        const vec term = NAME(load_part)(soft + i, n - i) - v * t;
        sums += term;
        if (loss != NULL)
            NAME(store_part)(loss + i, term, n - i);
        if (dz != NULL)
            NAME(store_part)(dz + i, by * (NAME(sigmoid)(v) - t), n - i);
    }
    for (size_t k = 0; k < LANES; k++)
        sum += (double)sums[k];
    return sum;
}

#undef EACH
#undef LOAD_WHOLE
#undef LOAD_LAST
#undef STORE_WHOLE
#undef STORE_LAST
#undef APPLY
#undef APPLY_SLOPE
#undef FORWARD
#undef BACKWARD

static const activation_functions NAME(activation) = {NAME(forward), NAME(backward), NAME(add_row),
                                                      NAME(bce)};
