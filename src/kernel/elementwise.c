/* SPDX-License-Identifier: MIT */
#include "kernel/elementwise.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernel/copy.h"
#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/special.h"
#include "kernel/vmath.h"

/* Elements handled at a time where an input must be gathered or the output scattered. */
enum { BLOCK = 1024 };

/* Elements between two looks at the stop flag. */
enum { POLL = 1 << 17 };

/* From this row length on, rows are worked on one by one; shorter ones are gathered. */
enum { SHORT_ROW = 32 };

typedef void unary_loop(size_t n, const void *a, void *o);
typedef void binary_loop(size_t n, const void *a, bool ea, const void *b, bool eb, void *o);
typedef void ternary_loop(size_t n, const void *a, const void *b, const void *c, void *o);

typedef struct {
    unary_loop *unary[PERI_EW_COMPOSED - PERI_EW_UNARY];
    binary_loop *binary[PERI_EW_VMATH2 - PERI_EW_BINARY];
    ternary_loop *ternary[PERI_EW_SPECIAL - PERI_EW_TERNARY];
    ternary_loop *choose; /* where, by a condition of the same dtype */
    unary_loop *copy, *cube, *inverse, *root;
} loops;

/* vmath.h counts its functions as ops.h does. */
#define SAME_NUMBER(ID, ...)                                                                       \
    _Static_assert((int)PERI_EW_##ID == (int)PERI_VM_##ID, "ops.h and vmath.h differ");
PERI_EACH_VMATH(SAME_NUMBER)
#undef SAME_NUMBER

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

static const loops *const levels[] = {loops_base, loops_avx2, loops_avx512};
#else
static const loops *const levels[] = {loops_base};
#endif

static const loops *loops_of(int dtype)
{
    const loops *table = levels[peri_isa()];
    switch ((peri_dtype)dtype) {
    case PERI_F64:
        break;
    case PERI_F32:
        return &table[1];
    case PERI_BOOL:
    case PERI_U8:
        return &table[2];
    }
    return &table[0];
}

int peri_ew_dtype(peri_ew op, int common)
{
    return peri_ew_ops[op].loops == PERI_LOOPS_ALL ? common : peri_promote1(common);
}

static void spread(int dtype, size_t n, const void *from, void *to)
{
    peri_convert(n, dtype, to, 1, dtype, from, 0);
}

/* pow with one exponent for all, where a plain operation is as exact; false: not such a one. */
static bool pow_by(const loops *table, int dtype, size_t n, const void *a, const void *b, void *out)
{
    const double y = peri_read(dtype, b);
    if (y == 2.0)
        table->unary[PERI_EW_SQUARE - PERI_EW_UNARY](n, a, out);
    else if (y == 3.0)
        table->cube(n, a, out);
    else if (y == 1.0)
        table->copy(n, a, out);
    else if (y == 0.5)
        table->root(n, a, out);
    else if (y == -1.0)
        table->inverse(n, a, out);
    else
        return false;
    return true;
}

static void vmath_row(peri_vm f, int dtype, size_t n, const void *a, void *out)
{
    PERI_REAL_DO(dtype, peri_vmath_f64(f, n, a, out), peri_vmath_f32(f, n, a, out));
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
        PERI_REAL_DO(dtype, peri_vmath2_f64(f, count, a, b, o), peri_vmath2_f32(f, count, a, b, o));
    }
}

static void special_row(peri_ew op, int dtype, size_t n, const void *const in[], const bool each[],
                        void *out)
{
    const int arity = peri_ew_arity(op);
    for (size_t i = 0; i < n; i++) {
        double x[3] = {0, 0, 0};
        for (int k = 0; k < arity; k++)
            x[k] = peri_read_at(dtype, in[k], each[k] ? (ptrdiff_t)i : 0);
        peri_write_at(dtype, out, (ptrdiff_t)i, peri_special(op, x));
    }
}

/* A function of vmath.c with a step around it, block by block. */
#define COMPOSED(T, bits)                                                                          \
    static void composed##bits(peri_ew op, size_t n, const T *a, bool ea, const T *b, bool eb,     \
                               T *o)                                                               \
    {                                                                                              \
        _Alignas(64) T block[BLOCK];                                                               \
        const T root = (T)0.70710678118654752440;                                                  \
        for (size_t i = 0; i < n; i += BLOCK) {                                                    \
            const size_t count = n - i < BLOCK ? n - i : BLOCK;                                    \
            for (size_t j = 0; j < count; j++)                                                     \
                block[j] = a[ea ? i + j : 0] * (op == PERI_EW_GELU ? root : 1);                    \
            peri_vmath_f##bits(op == PERI_EW_SILU   ? PERI_VM_SIGMOID                              \
                               : op == PERI_EW_GELU ? PERI_VM_ERF                                  \
                                                    : PERI_VM_EXPM1,                               \
                               count, block, block);                                               \
            for (size_t j = 0; j < count; j++) {                                                   \
                const T x = a[ea ? i + j : 0], f = block[j];                                       \
                if (op == PERI_EW_SILU)                                                            \
                    o[i + j] = x * f;                                                              \
                else if (op == PERI_EW_GELU)                                                       \
                    o[i + j] = (T)0.5 * x * (1 + f);                                               \
                else                                                                               \
                    o[i + j] = x > 0 ? x : b[eb ? i + j : 0] * f;                                  \
            }                                                                                      \
        }                                                                                          \
    }
COMPOSED(double, 64)
COMPOSED(float, 32)
#undef COMPOSED

static void composed(peri_ew op, int dtype, size_t n, const void *const in[], const bool each[],
                     void *out)
{
    PERI_REAL_DO(dtype, composed64(op, n, in[0], each[0], in[1], each[1], out),
                 composed32(op, n, in[0], each[0], in[1], each[1], out));
}

/* n elements of dtype one after another in each in[k], or one for all where each[k] is false (an
 * input that is all of one element only in functions of two). The result has the dtype that
 * peri_op_dtype says. False where there is no loop. */
static bool run(peri_ew op, int dtype, size_t n, const void *const in[], const bool each[],
                void *out)
{
    const loops *table = loops_of(dtype);
    if (op >= PERI_EW_BINARY && op < PERI_EW_VMATH2) {
        binary_loop *loop = table->binary[op - PERI_EW_BINARY];
        if (loop == NULL)
            return false;
        loop(n, in[0], each[0], in[1], each[1], out);
    } else if (op < PERI_EW_UNARY) {
        if (!peri_is_real(dtype))
            return false;
        vmath_row((peri_vm)op, dtype, n, in[0], out);
    } else if (op < PERI_EW_COMPOSED) {
        unary_loop *loop = table->unary[op - PERI_EW_UNARY];
        if (loop == NULL)
            return false;
        loop(n, in[0], out);
    } else if (op >= PERI_EW_SPECIAL) {
        if (!peri_is_real(dtype))
            return false;
        special_row(op, dtype, n, in, each, out);
    } else if (op >= PERI_EW_TERNARY) {
        if (table->ternary[op - PERI_EW_TERNARY] == NULL)
            return false;
        table->ternary[op - PERI_EW_TERNARY](n, in[0], in[1], in[2], out);
    } else if (!peri_is_real(dtype)) {
        return false;
    } else if (op == PERI_EW_POW || op == PERI_EW_ATAN2) {
        if (op != PERI_EW_POW || each[1] || !each[0] || !pow_by(table, dtype, n, in[0], in[1], out))
            vmath2_row(op, dtype, n, in, each, out);
    } else {
        composed(op, dtype, n, in, each, out);
    }
    return true;
}

double peri_elementwise_number(peri_ew op, const double x[])
{
    static const bool each[3] = {true, true, true};
    const unsigned char truth = x[0] != 0;
    const void *in[3] = {op == PERI_EW_WHERE ? (const void *)&truth : &x[0], &x[1], &x[2]};
    union {
        double f64;
        unsigned char mask;
    } result = {0};
    run(op, PERI_F64, 1, in, each, &result);
    return peri_ew_ops[op].result == PERI_RESULT_MASK ? (double)result.mask : result.f64;
}

/* ---- walking over views ------------------------------------------------------------------ */

enum { MOST_INPUTS = 3, MAX_OPERANDS = MOST_INPUTS + 1 };

typedef struct {
    char *data;
    int dtype, as; /* of its elements, and of what the loop takes or gives */
    bool dense;    /* elements follow one another in the order of the walk */
    bool single;   /* one element for all */
    ptrdiff_t stride[PERI_MAX_NDIM];
    /* where a short-row walk stands: element offset of the row, and the index of each axis */
    ptrdiff_t at;
    size_t index[PERI_MAX_NDIM];
} operand;

typedef struct {
    peri_ew op;
    int dtype;       /* what is computed in */
    int ndim, count; /* of operands, the output last */
    size_t shape[PERI_MAX_NDIM];
    operand of[MAX_OPERANDS];
} walk;

/* The dtype that the loop wants of input k. */
static int input_dtype(peri_ew op, int k, int dtype)
{
    return op == PERI_EW_WHERE && k == 0 ? (int)PERI_BOOL : dtype;
}

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

/* n elements from `from`, `stride` apart, as the loop takes them. */
static void gather(const operand *o, const char *from, ptrdiff_t stride, size_t n, void *to)
{
    peri_convert(n, o->as, to, 1, o->dtype, from, stride);
}

static void scatter(const operand *o, const void *from, char *to, ptrdiff_t stride, size_t n)
{
    peri_convert(n, o->dtype, to, stride, o->as, from, 1);
}

/* The next n elements of an operand in the order of the walk, copied (to != NULL) or, for the
 * output, written (from != NULL). */
static void walk_short(const walk *w, operand *o, size_t n, char *to, const char *from)
{
    const int inner = w->ndim - 1;
    const size_t row = w->shape[inner], size = peri_dtype_size(o->as),
                 own = peri_dtype_size(o->dtype);
    const ptrdiff_t step = o->stride[inner];
    while (n > 0) {
        const size_t k = o->index[inner], run = row - k < n ? row - k : n;
        char *here = o->data + (o->at + (ptrdiff_t)k * step) * (ptrdiff_t)own;
        if (to != NULL) {
            gather(o, here, step, run, to);
            to += run * size;
        } else {
            scatter(o, from, here, step, run);
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

/* Whether an input is one row, the same again and again. */
static bool is_repeated(const walk *w, const operand *o)
{
    for (int axis = 0; axis < w->ndim - 1; axis++)
        if (o->stride[axis] != 0)
            return false;
    return true;
}

/* The row of such an input, over and over up to n elements. */
static void repeat_row(const walk *w, const operand *o, size_t n, char *to)
{
    const size_t size = peri_dtype_size(o->as), row = w->shape[w->ndim - 1] * size, all = n * size;
    gather(o, o->data, o->stride[w->ndim - 1], w->shape[w->ndim - 1], to);
    size_t done = row;
    for (; done < all && done < 8 * row; done += row) /* one wide load of fresh stores would wait */
        memcpy(to + done, to, row);
    for (; done < all; done *= 2)
        memcpy(to + done, to, all - done < done ? all - done : done);
}

/* Everything in blocks of whole rows, each input dense, single, repeated or gathered by its own
 * cursor. */
static peri_status run_short(walk *w, size_t n, const peri_stop *stop)
{
    buffers work;
    const int arity = w->count - 1;
    const size_t step = BLOCK - BLOCK % w->shape[w->ndim - 1];
    operand *out = &w->of[arity];
    bool each[3] = {true, true, true}, repeated[3] = {false, false, false};
    size_t since = 0;
    for (int k = 0; k <= arity; k++) {
        operand *o = &w->of[k];
        o->at = 0;
        memset(o->index, 0, (size_t)w->ndim * sizeof *o->index);
        if (k < arity && o->single) {
            gather(o, o->data, 0, arity == 2 ? 1 : BLOCK, work.block[k]);
            each[k] = arity != 2;
        } else if (k < arity && is_repeated(w, o)) {
            repeat_row(w, o, n < step ? n : step, (char *)work.block[k]);
            repeated[k] = true;
        }
    }
    for (size_t i = 0; i < n; i += step) {
        const size_t count = n - i < step ? n - i : step;
        const void *in[3] = {work.block[0], work.block[1], work.block[2]};
        for (int k = 0; k < arity; k++) {
            operand *o = &w->of[k];
            if (o->single || repeated[k])
                continue;
            if (o->dense && o->dtype == o->as)
                in[k] = o->data + i * peri_dtype_size(o->as);
            else
                walk_short(w, o, count, (char *)work.block[k], NULL);
        }
        const bool direct = out->dense && out->dtype == out->as;
        void *to = direct ? (void *)(out->data + i * peri_dtype_size(out->as)) : work.block[arity];
        if (!run(w->op, w->dtype, count, in, each, to))
            return PERI_ERR_DTYPE;
        if (!direct)
            walk_short(w, out, count, NULL, (const char *)work.block[arity]);
        since += count;
        if (since >= POLL) {
            since = 0;
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    }
    return PERI_OK;
}

/* One row of the walk, its operands beginning at from[]. */
static bool run_row(const walk *w, size_t n, char *const from[], buffers *work)
{
    const int arity = w->count - 1, inner = w->ndim - 1;
    const operand *out = &w->of[arity];
    const bool direct_out = out->stride[inner] == 1 && out->dtype == out->as;
    bool each[3] = {true, true, true}, gathered[3] = {false, false, false};
    bool blocked = !direct_out;
    for (int k = 0; k < arity; k++) {
        const operand *o = &w->of[k];
        const ptrdiff_t stride = o->stride[inner];
        if (stride == 0) {
            /* run_rows sets from[] for every operand, which the analyzer does not follow.
             * NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
            gather(o, from[k], 0, arity == 2 || n == 1 ? 1 : n < BLOCK ? n : BLOCK, work->block[k]);
            each[k] = arity != 2;
            blocked = blocked || each[k];
        } else if (stride != 1 || o->dtype != o->as) {
            gathered[k] = blocked = true;
        }
    }
    const size_t step = blocked ? BLOCK : n;
    for (size_t i = 0; i < n; i += step) {
        const size_t count = n - i < step ? n - i : step;
        const void *in[3] = {work->block[0], work->block[1], work->block[2]};
        for (int k = 0; k < arity; k++) {
            const operand *o = &w->of[k];
            const ptrdiff_t stride = o->stride[inner];
            const char *here =
                from[k] + (ptrdiff_t)i * stride * (ptrdiff_t)peri_dtype_size(o->dtype);
            if (gathered[k])
                gather(o, here, stride, count, work->block[k]);
            else if (stride != 0)
                in[k] = here;
        }
        const ptrdiff_t stride = out->stride[inner];
        char *to = from[arity] + (ptrdiff_t)i * stride * (ptrdiff_t)peri_dtype_size(out->dtype);
        if (!run(w->op, w->dtype, count, in, each, direct_out ? (void *)to : work->block[arity]))
            return false;
        if (!direct_out)
            scatter(out, work->block[arity], to, stride, count);
    }
    return true;
}

static peri_status run_rows(walk *w, const peri_stop *stop)
{
    buffers work;
    const int inner = w->ndim - 1;
    const size_t n = w->shape[inner];
    size_t since = 0;
    peri_walk rows = peri_walk_begin(inner, w->shape);
    for (int k = 0; k < w->count; k++)
        peri_walk_along(&rows, w->of[k].stride);
    do {
        for (size_t i = 0; i < n; i += POLL) {
            const size_t count = n - i < POLL ? n - i : POLL;
            char *part[MAX_OPERANDS];
            for (int k = 0; k < w->count; k++)
                part[k] = w->of[k].data + (rows.at[k] + (ptrdiff_t)i * w->of[k].stride[inner]) *
                                              (ptrdiff_t)peri_dtype_size(w->of[k].dtype);
            if (!run_row(w, count, part, &work))
                return PERI_ERR_DTYPE;
            since += count;
            if (since >= POLL) {
                since = 0;
                if (peri_stop_requested(stop))
                    return PERI_ERR_INTERRUPTED;
            }
        }
    } while (peri_walk_next(&rows));
    return PERI_OK;
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

/* From SHARED elements one after another on, the threads of the pool take pieces of them. */
enum { SHARED = 1 << 19, PIECE = 1 << 16 };

typedef struct {
    peri_ew op;
    int dtype, arity;
    size_t n;
    const char *in[3];
    bool each[3];
    size_t step[3], width; /* bytes from one element to the next: of inputs, of the output */
    char *out;
    const peri_stop *stop;
    atomic_bool refused;
} pieces;

static void run_piece(void *context, size_t i)
{
    pieces *w = context;
    const size_t from = i * PIECE, count = w->n - from < PIECE ? w->n - from : PIECE;
    const void *in[3] = {w->out, w->out, w->out}; /* those beyond arity are not read */
    for (int k = 0; k < w->arity; k++)
        in[k] = w->in[k] + from * w->step[k];
    if (!peri_stop_requested(w->stop) &&
        !run(w->op, w->dtype, count, in, w->each, w->out + from * w->width))
        atomic_store(&w->refused, true);
}

peri_status peri_elementwise_dense(peri_ew op, int dtype, size_t n, const void *const in[],
                                   const bool each[], void *out, const peri_stop *stop)
{
    const int arity = peri_ew_ops[op].arity;
    if (n <= POLL)
        return run(op, dtype, n, in, each, out) ? PERI_OK : PERI_ERR_DTYPE;
    pieces w = {.op = op,
                .dtype = dtype,
                .arity = arity,
                .n = n,
                .width = peri_dtype_size(peri_op_dtype(&peri_ew_ops[op], dtype)),
                .out = out,
                .stop = stop};
    for (int k = 0; k < arity && k < MOST_INPUTS; k++) {
        w.in[k] = in[k];
        w.each[k] = each[k];
        w.step[k] = each[k] ? peri_dtype_size(input_dtype(op, k, dtype)) : 0;
    }
    const size_t count = n / PIECE + (n % PIECE != 0);
    if (n >= SHARED)
        peri_pool_run(count, run_piece, &w);
    else
        for (size_t i = 0; i < count; i++)
            run_piece(&w, i);
    if (atomic_load(&w.refused))
        return PERI_ERR_DTYPE;
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

peri_status peri_elementwise_where(int condition, int dtype, size_t n, const void *const in[],
                                   void *out, const peri_stop *stop)
{
    _Alignas(64) unsigned char mask[BLOCK];
    const bool each[3] = {true, true, true};
    const loops *table = loops_of(dtype);
    if (condition == input_dtype(PERI_EW_WHERE, 0, dtype))
        return peri_elementwise_dense(PERI_EW_WHERE, dtype, n, in, each, out, stop);
    const bool same = condition == dtype && peri_is_real(dtype);
    const size_t width = peri_dtype_size(dtype), own = peri_dtype_size(condition);
    const size_t step = same ? POLL : BLOCK;
    for (size_t i = 0; i < n; i += step) {
        const size_t count = n - i < step ? n - i : step;
        const char *c = (const char *)in[0] + i * own, *a = (const char *)in[1] + i * width,
                   *b = (const char *)in[2] + i * width;
        char *to = (char *)out + i * width;
        if (same) {
            table->choose(count, c, a, b, to);
        } else {
            peri_convert(count, PERI_BOOL, mask, 1, condition, c, 1);
            table->ternary[PERI_EW_WHERE - PERI_EW_TERNARY](count, mask, a, b, to);
        }
        if (i % POLL == 0 && peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    return PERI_OK;
}

peri_status peri_elementwise(peri_ew op, const peri_view in[], const peri_view *out,
                             const peri_stop *stop)
{
    const peri_op *row = &peri_ew_ops[op];
    const int arity = row->arity, first = op == PERI_EW_WHERE;
    const size_t n = peri_view_size(out);
    const void *data[3] = {out->data, out->data, out->data}; /* those beyond arity are not read */
    bool each[3] = {true, true, true}, single;
    if (n == 0)
        return PERI_OK;
    int common = in[first].dtype;
    for (int k = first + 1; k < arity; k++)
        common = peri_common(common, in[k].dtype);
    const int dtype = peri_ew_dtype(op, common), result = peri_op_dtype(row, common);
    bool plain = is_plain(out, &single) && out->dtype == result;
    for (int k = 0; plain && k < arity; k++) {
        data[k] = in[k].data;
        if (!is_plain(&in[k], &single)) {
            each[k] = false;
            plain = single && arity == 2;
        }
        plain = plain && (in[k].dtype == input_dtype(op, k, dtype) || k < first);
    }
    if (plain && op == PERI_EW_WHERE)
        return peri_elementwise_where(in[0].dtype, dtype, n, data, out->data, stop);
    if (plain)
        return peri_elementwise_dense(op, dtype, n, data, each, out->data, stop);
    walk w;
    w.op = op;
    w.dtype = dtype;
    const peri_view *views[MAX_OPERANDS];
    for (int k = 0; k < arity; k++) {
        views[k] = &in[k];
        w.of[k].as = input_dtype(op, k, dtype);
    }
    views[arity] = out;
    w.of[arity].as = result;
    join_axes(&w, arity + 1, views);
    if (w.ndim == 0) { /* one element, of another dtype */
        w.ndim = 1;
        w.shape[0] = 1;
        for (int k = 0; k <= arity; k++)
            w.of[k].stride[0] = 1;
    }
    if (w.ndim > 1 && w.shape[w.ndim - 1] < SHORT_ROW)
        return run_short(&w, n, stop);
    return run_rows(&w, stop);
}

/* Whether two contiguous views of one dtype have the same elements. */
static bool all_equal(const peri_view *a, const peri_view *b)
{
    const size_t n = peri_view_size(a);
    unsigned char differ[BLOCK];
    const bool each[2] = {true, true};
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t count = n - i < BLOCK ? n - i : BLOCK;
        const void *in[2] = {peri_address(a, (ptrdiff_t)i), peri_address(b, (ptrdiff_t)i)};
        run(PERI_EW_NE, a->dtype, count, in, each, differ);
        if (memchr(differ, 1, count) != NULL)
            return false;
    }
    return true;
}

bool peri_elementwise_all_close(const peri_view *a, const peri_view *b, double rtol, double atol,
                                bool equal_nan)
{
    if (peri_view_size(a) == 0)
        return true;
    bool single;
    if (rtol == 0 && atol == 0 && !equal_nan && a->dtype == b->dtype && is_plain(a, &single) &&
        is_plain(b, &single))
        return all_equal(a, b);
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
