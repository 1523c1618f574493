/* SPDX-License-Identifier: MIT
 *
 * Elementwise arithmetic, comparison, logic and functions over views of any strides.
 *
 * The caller has resolved broadcasting: every input has the output's number of axes and extents
 * (an axis of stride 0 repeats). Inputs may be of either dtype; the arithmetic is done in the
 * output's. A comparison, and whatever answers yes or no, gives 1 or 0 in that dtype.
 *
 * An input may be the output itself, element by element; any other overlap is undefined here, and
 * the binding makes a copy. A value does not depend on its position or on the layout of memory,
 * except that pow with one exponent for all treats 2, 3, 1/2, 1 and -1 apart, each within an ulp.
 *
 * mod and idiv are NumPy's: the quotient is rounded down, the remainder has the divisor's sign,
 * both from the exact remainder (so 1 idiv 0.1 is 9). min, max and clip carry NaN.
 */
#ifndef PERIGEE_KERNEL_ELEMENTWISE_H
#define PERIGEE_KERNEL_ELEMENTWISE_H

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"
#include "kernel/vmath.h"

typedef enum {
    /* one input; those below PERI_VM_COUNT are the functions of vmath.h, with its numbers */
    PERI_EW_SQRT = PERI_VM_SQRT,
    PERI_EW_COPY = PERI_VM_COUNT,
    PERI_EW_NEG,
    PERI_EW_ABS,
    PERI_EW_SIGN,
    PERI_EW_SQUARE,
    PERI_EW_FLOOR,
    PERI_EW_CEIL,
    PERI_EW_TRUNC,
    PERI_EW_ROUND, /* half to even */
    PERI_EW_NOT,   /* 1 where it is 0 */
    PERI_EW_ISNAN,
    PERI_EW_ISFINITE,
    PERI_EW_UNARY_END,
    /* two inputs */
    PERI_EW_ADD = PERI_EW_UNARY_END,
    PERI_EW_SUB,
    PERI_EW_MUL,
    PERI_EW_DIV,
    PERI_EW_MOD,
    PERI_EW_IDIV,
    PERI_EW_MIN,
    PERI_EW_MAX,
    PERI_EW_EQ,
    PERI_EW_NE,
    PERI_EW_LT,
    PERI_EW_LE,
    PERI_EW_GT,
    PERI_EW_GE,
    PERI_EW_AND,
    PERI_EW_OR,
    PERI_EW_XOR,
    PERI_EW_POW,
    PERI_EW_ATAN2,
    PERI_EW_BINARY_END,
    /* three inputs */
    PERI_EW_WHERE = PERI_EW_BINARY_END, /* in[0] != 0 ? in[1] : in[2] */
    PERI_EW_CLIP,                       /* min(max(in[0], in[1]), in[2]) */
    PERI_EW_COUNT
} peri_ew;

static inline int peri_ew_arity(peri_ew op)
{
    return op < PERI_EW_UNARY_END ? 1 : op < PERI_EW_BINARY_END ? 2 : 3;
}

/* PERI_OK or PERI_ERR_INTERRUPTED. */
peri_status peri_elementwise(peri_ew op, const peri_view in[], const peri_view *out,
                             const peri_stop *stop);

/* The same on rows: in[k] is n elements of dtype one after another, or one element for all where
 * each[k] is false (an input that is all of one element only in binary operations). */
void peri_elementwise_row(peri_ew op, int dtype, size_t n, const void *const in[],
                          const bool each[], void *out);

/* Whether |a - b| <= atol + rtol |b| for all elements of two views of the same shape, of either
 * dtype. Equal infinities are close; NaN is close to NaN where equal_nan says so. */
bool peri_elementwise_all_close(const peri_view *a, const peri_view *b, double rtol, double atol,
                                bool equal_nan);

#endif
