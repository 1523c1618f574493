/* SPDX-License-Identifier: MIT
 *
 * The primitives: one row for every elementwise function and every reduction. What the language,
 * the manual and the gradients know of a primitive they know from its row; its arithmetic is a loop
 * of the same name in elementwise_loops.h, vmath.c or reduce.c.
 *
 *     X(ID, "name", "operator", "arguments", LOOPS, RESULT, SLOPE, "sentence", "further lines")
 *
 * name        pg.name and a:name; what a message calls it
 * operator    the metamethod that is the same function, or ""; of views what is written for it
 * arguments   as the manual writes them; one in brackets may be left out
 * LOOPS       REAL: its loops are over f64 and f32, what is only stored is converted;
 *             ALL: over every dtype, where all inputs have the same
 * RESULT      REAL: the dtype that its inputs' arithmetic has; MASK: bool; PLACE: f64;
 *             SAME: the inputs' own dtype where they have one, else as REAL
 * SLOPE       SMOOTH: it has a derivative; STEP: a step function, 0 wherever it has one;
 *             NONE: no function of real numbers
 * further     lines for the manual, divided by \n: @error, @example
 *
 * docs.awk reads the rows as text: a row begins with X( and ends with ").
 */
#ifndef PERIGEE_KERNEL_OPS_H
#define PERIGEE_KERNEL_OPS_H

#include "kernel/dtype.h"

/* clang-format off */

/* Functions of one input whose loops are in vmath.c. */
#define PERI_EACH_VMATH(X) \
    X(EXP, "exp", "", "a", REAL, REAL, SMOOTH, "e to the power of each element, within 2 ulp.", \
      "@example pg.exp(0) --> 1.0") \
    X(EXPM1, "expm1", "", "a", REAL, REAL, SMOOTH, "e^a - 1, accurate near 0.", "") \
    X(LOG, "log", "", "a", REAL, REAL, SMOOTH, "The natural logarithm; -inf at 0, NaN below.", "") \
    X(LOG1P, "log1p", "", "a", REAL, REAL, SMOOTH, "log(1 + a), accurate near 0.", "") \
    X(LOG2, "log2", "", "a", REAL, REAL, SMOOTH, "The logarithm to base 2.", "") \
    X(LOG10, "log10", "", "a", REAL, REAL, SMOOTH, "The logarithm to base 10.", "") \
    X(TANH, "tanh", "", "a", REAL, REAL, SMOOTH, "The hyperbolic tangent.", "") \
    X(SIGMOID, "sigmoid", "", "a", REAL, REAL, SMOOTH, "1 / (1 + e^-a), accurate at both ends.", \
      "@example pg.sigmoid(0) --> 0.5") \
    X(LOG_SIGMOID, "log_sigmoid", "", "a", REAL, REAL, SMOOTH, \
      "log(sigmoid(a)), accurate at both ends.", "") \
    X(SOFTPLUS, "softplus", "", "a", REAL, REAL, SMOOTH, "log(1 + e^a), accurate at both ends.", "") \
    X(LOGIT, "logit", "", "a", REAL, REAL, SMOOTH, \
      "log(a / (1 - a)), the inverse of sigmoid; NaN outside [0, 1].", "") \
    X(SIN, "sin", "", "a", REAL, REAL, SMOOTH, "The sine of an angle in radians.", "") \
    X(COS, "cos", "", "a", REAL, REAL, SMOOTH, "The cosine of an angle in radians.", "") \
    X(TAN, "tan", "", "a", REAL, REAL, SMOOTH, "The tangent of an angle in radians.", "") \
    X(SINH, "sinh", "", "a", REAL, REAL, SMOOTH, "The hyperbolic sine.", "") \
    X(COSH, "cosh", "", "a", REAL, REAL, SMOOTH, "The hyperbolic cosine.", "") \
    X(ASIN, "asin", "", "a", REAL, REAL, SMOOTH, \
      "The angle in [-pi/2, pi/2] whose sine is a; NaN outside [-1, 1].", "") \
    X(ACOS, "acos", "", "a", REAL, REAL, SMOOTH, \
      "The angle in [0, pi] whose cosine is a; NaN outside [-1, 1].", \
      "@example pg.acos(1) --> 0.0") \
    X(ATAN, "atan", "", "a", REAL, REAL, SMOOTH, \
      "The angle in [-pi/2, pi/2] whose tangent is a; pg.atan2(y, x) knows the quadrant.", "") \
    X(ERF, "erf", "", "a", REAL, REAL, SMOOTH, "The error function.", "") \
    X(LGAMMA, "lgamma", "", "a", REAL, REAL, SMOOTH, \
      "The logarithm of the absolute value of the gamma function.", "") \
    X(SQRT, "sqrt", "", "a", REAL, REAL, SMOOTH, \
      "The square root, correctly rounded; NaN below 0.", "")

/* Functions of one input. */
#define PERI_EACH_UNARY(X) \
    X(NEG, "neg", "__unm", "a", REAL, REAL, SMOOTH, "Each element with the other sign; also -a.", "") \
    X(ABS, "abs", "", "a", REAL, REAL, SMOOTH, "The absolute value.", "") \
    X(SIGN, "sign", "", "a", REAL, REAL, STEP, "-1, 0 or 1; NaN for NaN.", "") \
    X(SQUARE, "square", "", "a", REAL, REAL, SMOOTH, "a * a.", "") \
    X(FLOOR, "floor", "", "a", REAL, REAL, STEP, "The largest integer not above each element.", "") \
    X(CEIL, "ceil", "", "a", REAL, REAL, STEP, "The smallest integer not below each element.", "") \
    X(TRUNC, "trunc", "", "a", REAL, REAL, STEP, "Each element without its fraction.", "") \
    X(ROUND, "round", "", "a", REAL, REAL, STEP, "The nearest integer, of two the even one.", \
      "A number as second argument says how many decimals stay: pg.round(a, 2).\n" \
      "@example pg.round(2.5) --> 2.0\n" \
      "@example pg.round(pg.pi, 3) --> 3.142") \
    X(NOT, "logical_not", "__bnot", "a", ALL, MASK, STEP, "1 where an element is 0, else 0; also ~a.", \
      "@example pg.array{0, 2}:logical_not():sum() --> 1.0") \
    X(ISNAN, "isnan", "", "a", REAL, MASK, STEP, "1 where an element is NaN, else 0.", "") \
    X(ISFINITE, "isfinite", "", "a", REAL, MASK, STEP, \
      "1 where an element is neither NaN nor infinite, else 0.", "") \
    X(CBRT, "cbrt", "", "a", REAL, REAL, SMOOTH, "The cube root, within 1 ulp.", \
      "@example pg.cbrt(-27) --> -3.0") \
    X(RELU, "relu", "", "a", REAL, REAL, SMOOTH, "The larger of a and 0; NaN for NaN.", \
      "@example pg.relu(-2) --> 0.0")

/* Functions of one input around one of vmath.c. */
#define PERI_EACH_COMPOSED(X) \
    X(SILU, "silu", "", "a", REAL, REAL, SMOOTH, "a sigmoid(a), also called swish.", "") \
    X(GELU, "gelu", "", "a", REAL, REAL, SMOOTH, "a (1 + erf(a / sqrt 2)) / 2; with {approximate = \"tanh\"} in out's place the form with tanh.", "")

/* Functions of two inputs. */
#define PERI_EACH_BINARY(X) \
    X(ADD, "add", "__add", "a, b", REAL, REAL, SMOOTH, \
      "The sum a + b, element by element; also a + b.", \
      "Shapes are matched as NumPy broadcasts.\n" \
      "@error shapes that do not fit are both shown\n" \
      "@example pg.array{1, 2}:add(10) --> 11 12 [2 f64]") \
    X(SUB, "sub", "__sub", "a, b", REAL, REAL, SMOOTH, \
      "The difference a - b, element by element; also a - b.", "") \
    X(MUL, "mul", "__mul", "a, b", REAL, REAL, SMOOTH, \
      "The product a * b, element by element; also a * b. The matrix product is pg.dot.", "") \
    X(DIV, "div", "__div", "a, b", REAL, REAL, SMOOTH, \
      "The quotient a / b, element by element; also a / b.", "") \
    X(MOD, "mod", "__mod", "a, b", REAL, REAL, SMOOTH, \
      "The remainder of a by b with the sign of b, as NumPy's; also a % b.", \
      "@example pg.mod(-7, 3) --> 2.0") \
    X(IDIV, "idiv", "__idiv", "a, b", REAL, REAL, STEP, \
      "The quotient rounded down, from the exact remainder as NumPy's floor_divide; also a // b.", \
      "@example pg.idiv(-7, 3) --> -3.0") \
    X(MIN, "minimum", "", "a, b", REAL, REAL, SMOOTH, \
      "The smaller of each two elements; NaN where one is NaN.", "") \
    X(MAX, "maximum", "", "a, b", REAL, REAL, SMOOTH, \
      "The larger of each two elements; NaN where one is NaN.", "") \
    X(EQ, "eq", "", "a, b", ALL, MASK, STEP, \
      "1 where a and b are equal, else 0. (Lua's == asks whether two values are the same array.)", \
      "@example pg.array{1, 2, 3}:eq(2):sum() --> 1.0") \
    X(NE, "ne", "", "a, b", ALL, MASK, STEP, \
      "1 where a and b differ (NaN differs from itself), else 0.", "") \
    X(LT, "lt", "", "a, b", ALL, MASK, STEP, "1 where a is less than b, else 0.", "") \
    X(LE, "le", "", "a, b", ALL, MASK, STEP, "1 where a is at most b, else 0.", "") \
    X(GT, "gt", "", "a, b", ALL, MASK, STEP, "1 where a is greater than b, else 0.", "") \
    X(GE, "ge", "", "a, b", ALL, MASK, STEP, "1 where a is at least b, else 0.", "") \
    X(AND, "logical_and", "__band", "a, b", ALL, MASK, STEP, \
      "1 where neither a nor b is 0, else 0; also a & b.", "") \
    X(OR, "logical_or", "__bor", "a, b", ALL, MASK, STEP, \
      "1 where a or b is not 0, else 0; also a | b.", "") \
    X(XOR, "logical_xor", "__bxor", "a, b", ALL, MASK, STEP, \
      "1 where one of a and b is 0 and the other not, else 0; also a ~ b.", "") \
    X(HYPOT, "hypot", "", "a, b", REAL, REAL, SMOOTH, \
      "sqrt(a^2 + b^2) without overflow or underflow on the way, within 1.2 ulp.", \
      "@example pg.hypot(3, 4) --> 5.0") \
    X(LEAKY_RELU, "leaky_relu", "", "a [, slope]", REAL, REAL, SMOOTH, \
      "a above 0, slope a below (0.01 by default).", \
      "@example pg.leaky_relu(-2) --> -0.02")

/* Functions of two inputs whose loops are in vmath.c. */
#define PERI_EACH_VMATH2(X) \
    X(POW, "pow", "__pow", "a, b", REAL, REAL, SMOOTH, \
      "The power a ^ b, element by element; also a ^ b.", "") \
    X(ATAN2, "atan2", "", "y, x", REAL, REAL, SMOOTH, "The angle of the point (x, y), in (-pi, pi].", "")

/* Functions of two inputs around one of vmath.c. */
#define PERI_EACH_COMPOSED2(X) \
    X(ELU, "elu", "", "a [, alpha]", REAL, REAL, SMOOTH, \
      "a above 0, alpha (e^a - 1) below (alpha is 1 by default).", "")

/* Functions of three inputs. */
#define PERI_EACH_TERNARY(X) \
    X(WHERE, "where", "", "c, a, b", ALL, SAME, SMOOTH, \
      "a where c is not 0, else b; all three are broadcast together.", \
      "@example pg.where(pg.array{1, 0}, 5, 7):sum() --> 12.0") \
    X(CLIP, "clip", "", "a, lo, hi", REAL, REAL, SMOOTH, \
      "Each element moved into [lo, hi]; NaN stays. A bound that is nil does not bind.", \
      "@example pg.clip(5, 0, 1) --> 1.0")

/* Functions of special.c, one number at a time. */
#define PERI_EACH_SPECIAL1(X) \
    X(ERFC, "erfc", "", "a", REAL, REAL, SMOOTH, \
      "1 - erf(a), without cancellation where erf is near 1.", "") \
    X(NDTRI, "ndtri", "", "p", REAL, REAL, SMOOTH, \
      "The quantile of the standard normal: below it lies the share p; NaN outside [0, 1].", \
      "@example pg.ndtri(0.5) --> 0.0")
#define PERI_EACH_SPECIAL2(X) \
    X(BETALN, "betaln", "", "a, b", REAL, REAL, SMOOTH, \
      "The logarithm of the beta function, log(gamma(a) gamma(b) / gamma(a + b)); a, b > 0.", "") \
    X(LOG_POISSON, "log_poisson", "", "k, rate", REAL, REAL, SMOOTH, \
      "k log(rate) - rate - lgamma(k + 1), accurate where these are large: of a count k its " \
      "Poisson log-probability.", \
      "@source Loader 2000") \
    X(GAMMAINC, "gammainc", "", "a, x", REAL, REAL, SMOOTH, \
      "The regularised lower incomplete gamma function P(a, x); a > 0, x >= 0.", \
      "@example pg.gammainc(1, 0) --> 0.0") \
    X(GAMMAINCC, "gammaincc", "", "a, x", REAL, REAL, SMOOTH, \
      "The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x).", "") \
    X(GAMMAINCINV, "gammaincinv", "", "a, p", REAL, REAL, SMOOTH, \
      "The x at which P(a, x) is p.", "") \
    X(GAMMAINCCINV, "gammainccinv", "", "a, q", REAL, REAL, SMOOTH, \
      "The x at which Q(a, x) is q.", "")
#define PERI_EACH_SPECIAL3(X) \
    X(LOG_BINOMIAL, "log_binomial", "", "k, n, p", REAL, REAL, SMOOTH, \
      "The logarithm of the binomial probability of k successes in n trials; k and n need not be " \
      "whole.", \
      "@source Loader 2000") \
    X(BETAINC, "betainc", "", "a, b, x", REAL, REAL, SMOOTH, \
      "The regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1].", \
      "@example pg.betainc(1, 1, 0.25) --> 0.25") \
    X(BETAINCC, "betaincc", "", "a, b, x", REAL, REAL, SMOOTH, \
      "1 - I_x(a, b), without cancellation where it is small.", "") \
    X(BETAINCINV, "betaincinv", "", "a, b, p", REAL, REAL, SMOOTH, \
      "The x at which I_x(a, b) is p.", "")

/* Reductions. */
#define PERI_EACH_REDUCTION(X) \
    X(SUM, "sum", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "The sum of the elements; pairwise, f32 accumulated in f64.", \
      "@error an axis out of range\n" \
      "@example pg.ones(2, 3):sum() --> 6.0") \
    X(PROD, "prod", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, "The product of the elements.", \
      "@example pg.range(1, 5):prod() --> 120.0") \
    X(MIN, "min", "", "a [, axis] [, opts]", ALL, SAME, SMOOTH, \
      "The smallest element; NaN where one is NaN.", "@error an empty array has none") \
    X(MAX, "max", "", "a [, axis] [, opts]", ALL, SAME, SMOOTH, \
      "The largest element; NaN where one is NaN.", \
      "@error an empty array has none\n" \
      "@example pg.array{3, 1, 4}:max() --> 4.0") \
    X(ANY, "any", "", "a [, axis] [, opts]", ALL, MASK, STEP, "Whether an element is not 0.", \
      "@example pg.zeros(3):any() --> false") \
    X(ALL, "all", "", "a [, axis] [, opts]", ALL, MASK, STEP, \
      "Whether no element is 0; true of nothing.", \
      "@example pg.ones(3):all() --> true") \
    X(MEAN, "mean", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "The arithmetic mean; NaN of nothing.", \
      "@example pg.range(1, 4):mean() --> 2.5") \
    X(VAR, "var", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "The variance, sum (x - mean)^2 / (n - ddof).", \
      "@param opts.ddof  number: 0 by default; 1 gives the unbiased estimate\n" \
      "@example pg.range(1, 4):var() --> 1.25") \
    X(STD, "std", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "The standard deviation, the square root of pg.var.", \
      "@param opts.ddof  number: 0 by default; 1 for that of a sample") \
    X(NORM, "norm", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "The Euclidean norm, sqrt(sum x^2), without overflow.", \
      "@example pg.array{3, 4}:norm() --> 5.0") \
    X(LOGSUMEXP, "logsumexp", "", "a [, axis] [, opts]", ALL, REAL, SMOOTH, \
      "log(sum e^x) without overflow.", \
      "@example pg.array{1000}:logsumexp() --> 1000.0")

/* Places, from 1, in a reduced axis. */
#define PERI_EACH_PLACE(X) \
    X(ARGMIN, "argmin", "", "a [, axis] [, opts]", ALL, PLACE, STEP, \
      "The place, from 1, of the first smallest element (or of the first NaN).", \
      "@error an empty array has none\n" \
      "@example pg.array{3, 1, 4}:argmin() --> 2") \
    X(ARGMAX, "argmax", "", "a [, axis] [, opts]", ALL, PLACE, STEP, \
      "The place, from 1, of the first largest element (or of the first NaN).", \
      "@error an empty array has none\n" \
      "@example pg.array{3, 1, 4}:argmax() --> 3")

/* Running values along an axis; the result is as large as the input. */
#define PERI_EACH_SCAN(X) \
    X(CUMSUM, "cumsum", "", "a [, axis] [, opts]", REAL, REAL, SMOOTH, \
      "Running sums along an axis, accumulated in f64.", \
      "@example pg.range(1, 4):cumsum():max() --> 10.0") \
    X(CUMPROD, "cumprod", "", "a [, axis] [, opts]", REAL, REAL, SMOOTH, \
      "Running products along an axis, accumulated in f64.", \
      "@example pg.range(1, 4):cumprod():max() --> 24.0")

/* Shares of groups of elements; the result is as large as the input. */
#define PERI_EACH_SHARE(X) \
    X(SOFTMAX, "softmax", "", "a [, axis] [, opts]", REAL, REAL, SMOOTH, \
      "e^x / sum e^x, without overflow.", \
      "@example pg.softmax(pg.array{0, 0}):max() --> 0.5") \
    X(LOG_SOFTMAX, "log_softmax", "", "a [, axis] [, opts]", REAL, REAL, SMOOTH, \
      "a - logsumexp(a): the logarithm of softmax(a), without its underflow.", \
      "@error an axis that a has not\n" \
      "@example pg.log_softmax(pg.zeros(4)):exp():sum() --> 1.0")

/* Views: the same memory, seen otherwise. */
#define PERI_EACH_VIEW(X) \
    X(TRANSPOSE, "transpose", ".T", "a [, i, j, ...]", ALL, SAME, SMOOTH, \
      "The axes in another order; reversed when no order is given, as by a.T. Shares memory.", \
      "@param a  array\n" \
      "@param i  integers or one table: the axes of a in the order wanted\n" \
      "@return view\n" \
      "@example pg.zeros(2, 3, 4):transpose(3, 1, 2).shape --> (4, 2, 3)") \
    X(SLICE, "slice", "a[...]", "a, i | {j, k [, step]} | {}, ...", ALL, SAME, SMOOTH, \
      "A part of a that shares its memory; a[{...}] is the same. A number drops its axis, {k} keeps it", \
      "with length 1, {j, k} is j to k inclusive, {} is all; trailing axes may be left out.\n" \
      "@param a  array\n" \
      "@return view; a number where no axis is left\n" \
      "@example pg.range(1, 6):slice({2, -1, 2}):sum() --> 12.0")

typedef enum { PERI_LOOPS_REAL, PERI_LOOPS_ALL } peri_loops;
typedef enum { PERI_RESULT_REAL, PERI_RESULT_MASK, PERI_RESULT_PLACE, PERI_RESULT_SAME } peri_result;
typedef enum { PERI_SLOPE_SMOOTH, PERI_SLOPE_STEP, PERI_SLOPE_NONE } peri_slope;

/* The elementwise functions, those of one input first. */
typedef enum {
#define PERI_EW_ID(ID, ...) PERI_EW_##ID,
#define PERI_EW_MARK(name)  PERI_EW_##name, PERI_EW_BEFORE_##name = PERI_EW_##name - 1,
    PERI_EACH_VMATH(PERI_EW_ID)
    PERI_EW_MARK(UNARY) PERI_EACH_UNARY(PERI_EW_ID)
    PERI_EW_MARK(COMPOSED) PERI_EACH_COMPOSED(PERI_EW_ID)
    PERI_EW_MARK(BINARY) PERI_EACH_BINARY(PERI_EW_ID)
    PERI_EW_MARK(VMATH2) PERI_EACH_VMATH2(PERI_EW_ID)
    PERI_EW_MARK(COMPOSED2) PERI_EACH_COMPOSED2(PERI_EW_ID)
    PERI_EW_MARK(TERNARY) PERI_EACH_TERNARY(PERI_EW_ID)
    PERI_EW_MARK(SPECIAL) PERI_EACH_SPECIAL1(PERI_EW_ID) PERI_EACH_SPECIAL2(PERI_EW_ID)
        PERI_EACH_SPECIAL3(PERI_EW_ID)
#undef PERI_EW_MARK
#undef PERI_EW_ID
    PERI_EW_COUNT
} peri_ew;
/* clang-format on */

typedef enum {
#define PERI_RED_ID(ID, ...) PERI_##ID,
    PERI_EACH_REDUCTION(PERI_RED_ID)
#undef PERI_RED_ID
        PERI_REDUCTIONS
} peri_reduction;

/* What goes along axes without being a reduction to one number of their dtype. */
typedef enum {
#define PERI_ALONG_ID(ID, ...) PERI_ALONG_##ID,
    PERI_EACH_PLACE(PERI_ALONG_ID) PERI_EACH_SCAN(PERI_ALONG_ID) PERI_EACH_SHARE(PERI_ALONG_ID)
#undef PERI_ALONG_ID
        PERI_ALONGS
} peri_along;

typedef enum {
#define PERI_VIEW_ID(ID, ...) PERI_VIEW_##ID,
    PERI_EACH_VIEW(PERI_VIEW_ID)
#undef PERI_VIEW_ID
        PERI_VIEWS
} peri_view_kind;

typedef struct {
    int id; /* peri_ew, peri_reduction, peri_along or peri_view_kind */
    int arity;
    const char *name, *metamethod, *arguments, *sentence, *further;
    peri_loops loops;
    peri_result result;
    peri_slope slope;
} peri_op;

extern const peri_op peri_ew_ops[PERI_EW_COUNT], peri_reduction_ops[PERI_REDUCTIONS],
    peri_along_ops[PERI_ALONGS], peri_view_ops[PERI_VIEWS];

static inline int peri_ew_arity(peri_ew op)
{
    return peri_ew_ops[op].arity;
}

/* The dtype of a result, where `common` is what peri_common makes of the inputs' (of where's only
 * the last two). */
static inline int peri_op_dtype(const peri_op *op, int common)
{
    switch (op->result) {
    case PERI_RESULT_REAL:
        return peri_promote1(common);
    case PERI_RESULT_MASK:
        return PERI_BOOL;
    case PERI_RESULT_PLACE:
        return PERI_F64;
    case PERI_RESULT_SAME:
        break;
    }
    return common;
}

#endif
