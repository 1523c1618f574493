/* SPDX-License-Identifier: MIT */
#include "kernel/elementwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel/simd.h"

/* Elements handled at a time where an input must be gathered or the output scattered. */
enum { BLOCK = 1024 };

/* Elements between two looks at the stop flag. */
enum { POLL = 1 << 17 };

/* From this row length on, rows are worked on one by one; shorter ones are gathered. */
enum { SHORT_ROW = 32 };

typedef struct {
    void (*unary[PERI_EW_UNARY_END - PERI_EW_COPY])(size_t n, const void *a, void *o);
    void (*binary[PERI_EW_POW - PERI_EW_ADD])(size_t n, const void *a, bool ea, const void *b,
                                              bool eb, void *o);
    void (*ternary[PERI_EW_COUNT - PERI_EW_WHERE])(size_t n, const void *a, const void *b,
                                                   const void *c, void *o);
    void (*cube)(size_t n, const void *a, void *o);
    void (*inverse)(size_t n, const void *a, void *o);
    void (*root)(size_t n, const void *a, void *o);
} loops;

#define SIMD(name) name##_base
#define FUSED      0
#include "kernel/elementwise_loops.h"
#undef SIMD
#undef FUSED

#if PERI_X86
PERI_BEGIN_AVX2
#define SIMD(name) name##_avx2
#define FUSED      1
#include "kernel/elementwise_loops.h"
#undef SIMD
#undef FUSED
PERI_END
PERI_BEGIN_AVX512
#define SIMD(name) name##_avx512
#define FUSED      1
#include "kernel/elementwise_loops.h"
#undef SIMD
#undef FUSED
PERI_END

static const loops *const tables[2][3] = {
    {&loops64_base, &loops64_avx2, &loops64_avx512},
    {&loops32_base, &loops32_avx2, &loops32_avx512},
};
#else
static const loops *const tables[2][3] = {{&loops64_base}, {&loops32_base}};
#endif

static void spread(int dtype, size_t n, const void *from, void *to)
{
    if (dtype == PERI_F32) {
        const float v = *(const float *)from;
        for (size_t i = 0; i < n; i++)
            ((float *)to)[i] = v;
    } else {
        const double v = *(const double *)from;
        for (size_t i = 0; i < n; i++)
            ((double *)to)[i] = v;
    }
}

/* pow with one exponent for all, where a plain operation is as exact; false: not such a one. */
static bool pow_by(const loops *table, int dtype, size_t n, const void *a, const void *b, void *out)
{
    const double y = dtype == PERI_F32 ? (double)*(const float *)b : *(const double *)b;
    if (y == 2.0)
        table->unary[PERI_EW_SQUARE - PERI_EW_COPY](n, a, out);
    else if (y == 3.0)
        table->cube(n, a, out);
    else if (y == 1.0)
        table->unary[0](n, a, out);
    else if (y == 0.5)
        table->root(n, a, out);
    else if (y == -1.0)
        table->inverse(n, a, out);
    else
        return false;
    return true;
}

static void vmath2_row(peri_ew op, int dtype, size_t n, const void *const in[], const bool each[],
                       void *out)
{
    const peri_vm2 f = op == PERI_EW_POW ? PERI_VM2_POW : PERI_VM2_ATAN2;
    _Alignas(64) double same[2][BLOCK];
    const size_t size = peri_dtype_size(dtype);
    for (int k = 0; k < 2; k++) {
        if (!each[k])
            spread(dtype, n < BLOCK ? n : BLOCK, in[k], same[k]);
    }
    const size_t step = each[0] && each[1] ? n : BLOCK;
    for (size_t i = 0; i < n; i += step) {
        const size_t count = n - i < step ? n - i : step;
        const void *a = each[0] ? (const void *)((const char *)in[0] + i * size) : same[0];
        const void *b = each[1] ? (const void *)((const char *)in[1] + i * size) : same[1];
        void *o = (char *)out + i * size;
        if (dtype == PERI_F32)
            peri_vmath2_f32(f, count, a, b, o);
        else
            peri_vmath2_f64(f, count, a, b, o);
    }
}

void peri_elementwise_row(peri_ew op, int dtype, size_t n, const void *const in[],
                          const bool each[], void *out)
{
    const loops *table = tables[dtype][peri_isa()];
    if (n == 0)
        return;
    if (op < PERI_EW_COPY) {
        if (dtype == PERI_F32)
            peri_vmath_f32((peri_vm)op, n, in[0], out);
        else
            peri_vmath_f64((peri_vm)op, n, in[0], out);
    } else if (op < PERI_EW_UNARY_END) {
        table->unary[op - PERI_EW_COPY](n, in[0], out);
    } else if (op < PERI_EW_POW) {
        table->binary[op - PERI_EW_ADD](n, in[0], each[0], in[1], each[1], out);
    } else if (op < PERI_EW_BINARY_END) {
        if (op != PERI_EW_POW || each[1] || !each[0] || !pow_by(table, dtype, n, in[0], in[1], out))
            vmath2_row(op, dtype, n, in, each, out);
    } else {
        table->ternary[op - PERI_EW_WHERE](n, in[0], in[1], in[2], out);
    }
}

/* ---- walking over views ------------------------------------------------------------------ */

enum { MAX_OPERANDS = 4 };

typedef struct {
    char *data;
    int dtype;
    bool dense;  /* elements follow one another in the order of the walk */
    bool single; /* one element for all */
    ptrdiff_t stride[PERI_MAX_NDIM];
    /* where a short-row walk stands: element offset of the row, and the index of each axis */
    ptrdiff_t at;
    size_t index[PERI_MAX_NDIM];
} operand;

typedef struct {
    int ndim, count; /* of operands, the output last */
    size_t shape[PERI_MAX_NDIM];
    operand of[MAX_OPERANDS];
} walk;

/* Leaves out axes of extent 1 and joins neighbours that every operand steps through as one. */
static void join_axes(walk *w, int count, const peri_view *const views[])
{
    w->ndim = 0;
    w->count = count;
    for (int k = 0; k < count; k++) {
        w->of[k].data = views[k]->data;
        w->of[k].dtype = views[k]->dtype;
    }
    const peri_view *out = views[count - 1];
    for (int axis = 0; axis < out->ndim; axis++) {
        const size_t extent = out->shape[axis];
        if (extent == 1)
            continue;
        const int last = w->ndim - 1;
        bool joins = last >= 0;
        for (int k = 0; joins && k < count; k++)
            joins = w->of[k].stride[last] == views[k]->stride[axis] * (ptrdiff_t)extent;
        if (joins)
            w->shape[last] *= extent;
        else
            w->shape[w->ndim++] = extent;
        for (int k = 0; k < count; k++)
            w->of[k].stride[w->ndim - 1] = views[k]->stride[axis];
    }
    for (int k = 0; k < count; k++) {
        operand *o = &w->of[k];
        ptrdiff_t expected = 1;
        o->dense = o->single = true;
        for (int axis = w->ndim - 1; axis >= 0; axis--) {
            o->single = o->single && o->stride[axis] == 0;
            o->dense = o->dense && o->stride[axis] == expected;
            expected *= (ptrdiff_t)w->shape[axis];
        }
    }
}

#define GATHER(T, from, stride, n, to, U)                                                          \
    do {                                                                                           \
        const T *f_ = (const T *)(const void *)(from);                                             \
        U *t_ = (U *)(to);                                                                         \
        if ((stride) == 1) {                                                                       \
            for (size_t i_ = 0; i_ < (n); i_++)                                                    \
                t_[i_] = (U)f_[i_];                                                                \
        } else {                                                                                   \
            for (size_t i_ = 0; i_ < (n); i_++)                                                    \
                t_[i_] = (U)f_[(ptrdiff_t)i_ * (stride)];                                          \
        }                                                                                          \
    } while (0)

/* n elements from `from`, `stride` apart, as dtype. */
static void gather(const operand *o, const char *from, ptrdiff_t stride, size_t n, int dtype,
                   void *to)
{
    if (o->dtype == PERI_F64 && dtype == PERI_F64)
        GATHER(double, from, stride, n, to, double);
    else if (o->dtype == PERI_F32 && dtype == PERI_F32)
        GATHER(float, from, stride, n, to, float);
    else if (o->dtype == PERI_F32)
        GATHER(float, from, stride, n, to, double);
    else
        GATHER(double, from, stride, n, to, float);
}

static void scatter(const void *from, int dtype, char *to, ptrdiff_t stride, size_t n)
{
    if (dtype == PERI_F32) {
        for (size_t i = 0; i < n; i++)
            ((float *)(void *)to)[(ptrdiff_t)i * stride] = ((const float *)from)[i];
    } else {
        for (size_t i = 0; i < n; i++)
            ((double *)(void *)to)[(ptrdiff_t)i * stride] = ((const double *)from)[i];
    }
}

/* The next n elements of an operand in the order of the walk, copied (to != NULL) or, for the
 * output, written (from != NULL). */
static void walk_short(const walk *w, operand *o, size_t n, int dtype, char *to, const char *from)
{
    const int inner = w->ndim - 1;
    const size_t row = w->shape[inner], size = peri_dtype_size(dtype),
                 own = peri_dtype_size(o->dtype);
    const ptrdiff_t step = o->stride[inner];
    while (n > 0) {
        const size_t k = o->index[inner], run = row - k < n ? row - k : n;
        char *here = o->data + (o->at + (ptrdiff_t)k * step) * (ptrdiff_t)own;
        if (to != NULL) {
            gather(o, here, step, run, dtype, to);
            to += run * size;
        } else {
            scatter(from, dtype, here, step, run);
            from += run * size;
        }
        n -= run;
        o->index[inner] += run;
        if (o->index[inner] < row)
            break;
        o->index[inner] = 0;
        for (int axis = inner - 1; axis >= 0; axis--) {
            o->at += o->stride[axis];
            if (++o->index[axis] < w->shape[axis])
                break;
            o->at -= (ptrdiff_t)w->shape[axis] * o->stride[axis];
            o->index[axis] = 0;
        }
    }
}

typedef struct {
    _Alignas(64) double block[MAX_OPERANDS][BLOCK];
} buffers;

/* Everything in blocks, each input dense, single or gathered by its own cursor. */
static peri_status run_short(peri_ew op, walk *w, size_t n, int dtype, const peri_stop *stop)
{
    buffers work;
    const int arity = w->count - 1;
    const size_t size = peri_dtype_size(dtype);
    operand *out = &w->of[arity];
    bool each[3] = {true, true, true};
    for (int k = 0; k <= arity; k++) {
        operand *o = &w->of[k];
        o->at = 0;
        memset(o->index, 0, sizeof o->index);
        if (k < arity && o->single) {
            gather(o, o->data, 0, arity == 2 ? 1 : BLOCK, dtype, work.block[k]);
            each[k] = arity != 2;
        }
    }
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = n - i < BLOCK ? n - i : BLOCK;
        const void *in[3] = {NULL, NULL, NULL};
        for (int k = 0; k < arity; k++) {
            operand *o = &w->of[k];
            if (o->single) {
                in[k] = work.block[k];
            } else if (o->dense && o->dtype == dtype) {
                in[k] = o->data + i * size;
            } else {
                walk_short(w, o, count, dtype, (char *)work.block[k], NULL);
                in[k] = work.block[k];
            }
        }
        if (out->dense) {
            peri_elementwise_row(op, dtype, count, in, each, out->data + i * size);
        } else {
            peri_elementwise_row(op, dtype, count, in, each, work.block[arity]);
            walk_short(w, out, count, dtype, NULL, (const char *)work.block[arity]);
        }
        if (i % POLL == 0 && peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    return PERI_OK;
}

/* One row of the walk, its operands beginning at from[]. */
static void run_row(peri_ew op, const walk *w, size_t n, int dtype, char *const from[],
                    buffers *work)
{
    const int arity = w->count - 1, inner = w->ndim - 1;
    const size_t size = peri_dtype_size(dtype);
    const bool direct_out = w->of[arity].stride[inner] == 1;
    bool each[3] = {true, true, true}, gathered[3] = {false, false, false};
    bool blocked = !direct_out;
    for (int k = 0; k < arity; k++) {
        const operand *o = &w->of[k];
        const ptrdiff_t stride = o->stride[inner];
        if (stride == 0) {
            /* run_rows sets from[] for every operand, which the analyzer does not follow.
             * NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
            gather(o, from[k], 0,
                   arity == 2 || n == 1 ? 1
                   : n < BLOCK          ? n
                                        : BLOCK,
                   dtype, work->block[k]);
            each[k] = arity != 2;
            blocked = blocked || each[k];
        } else if (stride != 1 || o->dtype != dtype) {
            gathered[k] = blocked = true;
        }
    }
    const size_t step = blocked ? BLOCK : n;
    for (size_t i = 0; i < n; i += step) {
        const size_t count = n - i < step ? n - i : step;
        const void *in[3] = {NULL, NULL, NULL};
        for (int k = 0; k < arity; k++) {
            const operand *o = &w->of[k];
            const ptrdiff_t stride = o->stride[inner];
            const char *here =
                from[k] + (ptrdiff_t)i * stride * (ptrdiff_t)peri_dtype_size(o->dtype);
            in[k] = gathered[k] || stride == 0 ? (const char *)work->block[k] : here;
            if (gathered[k])
                gather(o, here, stride, count, dtype, work->block[k]);
        }
        if (direct_out) {
            peri_elementwise_row(op, dtype, count, in, each, from[arity] + i * size);
        } else {
            const ptrdiff_t stride = w->of[arity].stride[inner];
            peri_elementwise_row(op, dtype, count, in, each, work->block[arity]);
            scatter(work->block[arity], dtype,
                    from[arity] + (ptrdiff_t)i * stride * (ptrdiff_t)size, stride, count);
        }
    }
}

static peri_status run_rows(peri_ew op, walk *w, int dtype, const peri_stop *stop)
{
    buffers work;
    const int inner = w->ndim - 1;
    const size_t n = w->shape[inner];
    size_t index[PERI_MAX_NDIM] = {0}, since = 0;
    char *from[MAX_OPERANDS];
    for (int k = 0; k < w->count; k++)
        from[k] = w->of[k].data;
    for (;;) {
        for (size_t i = 0; i < n; i += POLL) {
            const size_t count = n - i < POLL ? n - i : POLL;
            char *part[MAX_OPERANDS];
            for (int k = 0; k < w->count; k++)
                part[k] = from[k] + (ptrdiff_t)i * w->of[k].stride[inner] *
                                        (ptrdiff_t)peri_dtype_size(w->of[k].dtype);
            run_row(op, w, count, dtype, part, &work);
            since += count;
            if (since >= POLL) {
                since = 0;
                if (peri_stop_requested(stop))
                    return PERI_ERR_INTERRUPTED;
            }
        }
        int axis = inner - 1;
        for (; axis >= 0; axis--) {
            index[axis]++;
            const bool wraps = index[axis] == w->shape[axis];
            for (int k = 0; k < w->count; k++) {
                const ptrdiff_t bytes =
                    w->of[k].stride[axis] * (ptrdiff_t)peri_dtype_size(w->of[k].dtype);
                from[k] += wraps ? -bytes * (ptrdiff_t)(w->shape[axis] - 1) : bytes;
            }
            if (!wraps)
                break;
            index[axis] = 0;
        }
        if (axis < 0)
            return PERI_OK;
    }
}

/* Whether a view's elements follow one another, or (*single) are one. */
static bool is_plain(const peri_view *v, bool *single)
{
    *single = true;
    bool dense = true;
    ptrdiff_t expected = 1;
    for (int axis = v->ndim - 1; axis >= 0; axis--) {
        if (v->shape[axis] != 1) {
            dense = dense && v->stride[axis] == expected;
            *single = *single && v->stride[axis] == 0;
            expected *= (ptrdiff_t)v->shape[axis];
        }
    }
    return dense;
}

peri_status peri_elementwise(peri_ew op, const peri_view in[], const peri_view *out,
                             const peri_stop *stop)
{
    const int arity = peri_ew_arity(op), dtype = out->dtype;
    const size_t n = peri_view_size(out);
    const void *data[3] = {NULL, NULL, NULL};
    bool each[3] = {true, true, true}, single;
    if (n == 0)
        return PERI_OK;
    bool plain = is_plain(out, &single);
    for (int k = 0; plain && k < arity; k++) {
        data[k] = in[k].data;
        if (!is_plain(&in[k], &single)) {
            each[k] = false;
            plain = single && arity == 2;
        }
        plain = plain && in[k].dtype == dtype;
    }
    if (plain) {
        const size_t size = peri_dtype_size(dtype);
        for (size_t i = 0; i < n; i += POLL) {
            const size_t count = n - i < POLL ? n - i : POLL;
            peri_elementwise_row(op, dtype, count, data, each, (char *)out->data + i * size);
            for (int k = 0; k < arity; k++)
                data[k] = each[k] ? (const char *)data[k] + count * size : data[k];
            if (n > POLL && peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
        return PERI_OK;
    }
    walk w;
    const peri_view *views[MAX_OPERANDS];
    for (int k = 0; k < arity; k++)
        views[k] = &in[k];
    views[arity] = out;
    join_axes(&w, arity + 1, views);
    if (w.ndim == 0) { /* one element, of another dtype */
        w.ndim = 1;
        w.shape[0] = 1;
        for (int k = 0; k <= arity; k++)
            w.of[k].stride[0] = 1;
    }
    if (w.ndim > 1 && w.shape[w.ndim - 1] < SHORT_ROW)
        return run_short(op, &w, n, dtype, stop);
    return run_rows(op, &w, dtype, stop);
}

bool peri_elementwise_all_close(const peri_view *a, const peri_view *b, double rtol, double atol,
                                bool equal_nan)
{
    if (peri_view_size(a) == 0)
        return true;
    peri_walk w = peri_walk_begin(a->ndim, a->shape);
    peri_walk_along(&w, a->stride);
    peri_walk_along(&w, b->stride);
    do {
        const double x = peri_get(a, w.at[0]), y = peri_get(b, w.at[1]);
        if (x != y && !(fabs(x - y) <= atol + rtol * fabs(y) && fabs(y) <= DBL_MAX) &&
            !(equal_nan && x != x && y != y))
            return false;
    } while (peri_walk_next(&w));
    return true;
}
