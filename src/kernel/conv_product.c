/* SPDX-License-Identifier: MIT
 *
 * Shapes, staging, and the products over staged images that give Y and dX. A block of the pool is
 * a range of panels of some images of one group (and, for dX, all phases of them); it stages its
 * images into its slot, for a copy costs next to nothing beside the product.
 */
#include "kernel/conv.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "kernel/conv_parts.h"
#include "kernel/pool.h"

/* ---- shapes ------------------------------------------------------------------------------- */

static peri_status refuse(peri_facts *facts, const char *arg, const char *wanted, size_t got)
{
    *facts = (peri_facts){.arg = arg, .wanted = wanted, .got = (double)got};
    return PERI_ERR_VALUE;
}

static bool multiply(size_t a, size_t b, size_t c, size_t d, size_t *product)
{
    size_t p;
    return !__builtin_mul_overflow(a, b, &p) && !__builtin_mul_overflow(p, c, &p) &&
           !__builtin_mul_overflow(p, d, product) && *product <= PTRDIFF_MAX / 64;
}

peri_status peri_conv_output(const peri_conv *s, size_t *oh, size_t *ow, peri_facts *facts)
{
    const size_t in[2] = {s->h, s->w}, k[2] = {s->kh, s->kw}, most = INT_MAX / 4;
    size_t out[2], unused;
    *facts = (peri_facts){0};
    if (s->groups < 1 || s->c < 1 || s->c % s->groups != 0)
        return refuse(facts, "groups", "a divisor of the channels of x", s->groups);
    if (s->o < 1 || s->o % s->groups != 0)
        return refuse(facts, "groups", "a divisor of the channels of w", s->groups);
    for (int axis = 0; axis < 2; axis++) {
        if (s->stride[axis] < 1 || s->stride[axis] > most)
            return refuse(facts, "stride", "at least 1", s->stride[axis]);
        if (s->dilation[axis] < 1 || s->dilation[axis] > most)
            return refuse(facts, "dilation", "at least 1", s->dilation[axis]);
        if (s->padding[axis] > most)
            return refuse(facts, "padding", "at least 0", s->padding[axis]);
        if (k[axis] < 1)
            return refuse(facts, "w", "a kernel of at least 1 x 1", k[axis]);
        if (in[axis] > most || k[axis] > most || s->dilation[axis] > most / k[axis]) {
            *facts = (peri_facts){.arg = in[axis] > most ? "x" : "w"};
            return PERI_ERR_TOO_LARGE;
        }
        const size_t padded = in[axis] + 2 * s->padding[axis];
        const size_t reach = s->dilation[axis] * (k[axis] - 1) + 1;
        if (padded < reach) {
            *facts = (peri_facts){.arg = "w",
                                  .wanted = "a kernel no larger than the padded image",
                                  .nindex = 1,
                                  .index = {(size_t)axis + 2},
                                  .got = (double)reach};
            return PERI_ERR_SHAPE;
        }
        out[axis] = (padded - reach) / s->stride[axis] + 1;
    }
    if (!multiply(s->n, s->c, s->h + 2 * s->padding[0], s->w + 2 * s->padding[1], &unused) ||
        !multiply(s->n, s->o, out[0], out[1], &unused) ||
        !multiply(s->o, s->c / s->groups, s->kh, s->kw, &unused)) {
        *facts = (peri_facts){.arg = "x"};
        return PERI_ERR_TOO_LARGE;
    }
    *oh = out[0];
    *ow = out[1];
    return PERI_OK;
}

size_t peri_conv_input(size_t out, size_t kernel, size_t stride, size_t padding, size_t dilation,
                       size_t extra)
{
    size_t size;
    if (out < 1 || kernel < 1 || stride < 1 || dilation < 1 || extra >= stride ||
        __builtin_mul_overflow(out - 1, stride, &size) || size > INT_MAX / 4 ||
        kernel > INT_MAX / 4 || dilation > INT_MAX / 4 / kernel || padding > INT_MAX / 4)
        return 0;
    size += dilation * (kernel - 1) + 1 + extra;
    return size > 2 * padding ? size - 2 * padding : 0;
}

/* ---- staging ------------------------------------------------------------------------------ */

static void deal_row(const peri_staging *g, size_t elem, const char *from, char *row)
{
    for (size_t first = 0; first < g->deal && first < g->w; first++) {
        const size_t q = first + g->left;
        char *piece = row + (q % g->deal * g->cols + q / g->deal) * elem;
        if (elem == sizeof(float)) {
            const float *x = (const float *)(const void *)from;
            for (size_t i = first; i < g->w; i += g->deal, piece += elem)
                *(float *)(void *)piece = x[i];
        } else {
            const double *x = (const double *)(const void *)from;
            for (size_t i = first; i < g->w; i += g->deal, piece += elem)
                *(double *)(void *)piece = x[i];
        }
    }
}

void peri_stage_inside(const peri_staging *g, int dtype, const void *image, void *staged)
{
    const peri_conv_functions *f = peri_conv_choose(dtype);
    const size_t elem = peri_dtype_size(dtype), row = peri_staged_row(g) * elem;
    const char *from = image;
    char *to = staged;
    for (size_t c = 0; c < g->channels; c++, to += g->rows * row)
        for (size_t r = 0; r < g->h; r++, from += g->w * elem) {
            char *line = to + (r + g->top) * row;
            const size_t q = g->left, cols = g->cols;
            if (g->deal == 1)
                memcpy(line + q * elem, from, g->w * elem);
            else if (g->deal == 2)
                f->deal(from, g->w, line + (q % 2 * cols + q / 2) * elem,
                        line + ((q + 1) % 2 * cols + (q + 1) / 2) * elem);
            else
                deal_row(g, elem, from, line);
        }
}

void peri_stage(const peri_staging *g, int dtype, const void *image, void *staged)
{
    memset(staged, 0, peri_staged_size(g) * peri_dtype_size(dtype));
    peri_stage_inside(g, dtype, image, staged);
}

/* ---- the plan of a product ---------------------------------------------------------------- */

enum { MAX_SPLIT = 8, ENOUGH_PIXELS = 512 };

/* Phase p of one axis of dX: pixels `first`, first + stride, ... (count of them) meet dY at
 * quotient q0, q0 + 1, ..., less (k dilation - p) / stride for the kernel elements k = tap, tap +
 * step, ... that fall on them (taps of them). */
typedef struct {
    size_t first, count, q0, tap, step, taps;
} axis_phase;

/* One correlation over staged images, seen from outside: the forward pass has one phase, that of
 * dX as many as the stride has. */
typedef struct {
    size_t K, rows, cols; /* of the pixels of this phase */
    size_t first;         /* in the staged image, of pixel 0 */
    size_t out;           /* in the output image, of pixel 0 */
    const size_t *tap;
    const void *A;   /* of group 0 */
    axis_phase y, x; /* dX */
} phase;

typedef struct {
    const peri_conv *s;
    const peri_conv_functions *f;
    const peri_stop *stop;
    int dtype;
    bool data, bare; /* bare: nothing is put around or dealt */
    size_t elem;
    size_t N, K, M;       /* images; channels of a group in, and out */
    peri_staging staging; /* of one group of one image */
    size_t in_image, in_group, out_image, out_group, out_area, out_width, out_stride[2];
    size_t together, nsets, split; /* images of a block, blocks over images, over panels */
    size_t nphases, kmax;
    const char *in, *bias;
    char *out;
    phase *phases;
    size_t *taps;
    char *A;
    size_t staged_bytes, b_bytes, c_bytes;
    peri_slots slots;
} plan;

static axis_phase find_phase(const peri_conv *s, int axis, size_t p)
{
    const size_t stride = s->stride[axis], pad = s->padding[axis], d = s->dilation[axis];
    const size_t size = axis == 0 ? s->h : s->w, k = axis == 0 ? s->kh : s->kw;
    axis_phase a = {.step = 1};
    /* the first pixel i with (i + pad) mod stride = p */
    a.first = (p + stride - pad % stride) % stride;
    a.count = a.first < size ? (size - a.first - 1) / stride + 1 : 0;
    a.q0 = (a.first + pad) / stride;
    for (size_t i = 0; i < k; i++)
        if (i * d % stride == p) {
            if (a.taps == 0)
                a.tap = i;
            else if (a.taps == 1)
                a.step = i - a.tap;
            a.taps++;
        }
    return a;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* All that follows from the sizes. Returns the bytes of workspace. */
static size_t make_plan(plan *p, const peri_conv *s, int dtype, bool data, size_t slots)
{
    size_t oh, ow;
    peri_facts facts;
    *p = (plan){.s = s, .f = peri_conv_choose(dtype), .dtype = dtype, .data = data, .N = s->n};
    if (peri_conv_output(s, &oh, &ow, &facts) != PERI_OK)
        return SIZE_MAX;
    const size_t c = s->c / s->groups, o = s->o / s->groups;
    p->elem = peri_dtype_size(dtype);
    p->K = data ? o : c;
    p->M = data ? c : o;
    peri_staging *g = &p->staging;
    if (!data) {
        *g = (peri_staging){.channels = c,
                            .h = s->h,
                            .w = s->w,
                            .top = s->padding[0],
                            .left = s->padding[1],
                            .rows = s->h + 2 * s->padding[0],
                            .deal = s->stride[1]};
        g->cols = (s->w + 2 * s->padding[1] + g->deal - 1) / g->deal;
        p->out_stride[0] = p->out_stride[1] = 1;
        p->nphases = 1;
    } else {
        /* A quotient q less a tap's t is a row of dY: zeros stand before as far as t passes q, and
         * behind as far as the last q passes the last row. */
        size_t behind[2];
        for (int axis = 0; axis < 2; axis++) {
            const size_t k = axis == 0 ? s->kh : s->kw, out = axis == 0 ? oh : ow;
            size_t before = 0, after = 0;
            for (size_t i = 0; i < s->stride[axis]; i++) {
                const axis_phase a = find_phase(s, axis, i);
                if (a.count == 0)
                    continue;
                before = most(before, (k - 1) * s->dilation[axis] / s->stride[axis]);
                after = most(after, a.q0 + a.count > out ? a.q0 + a.count - out : 0);
            }
            behind[axis] = after;
            *(axis == 0 ? &g->top : &g->left) = before;
        }
        g->channels = o;
        g->h = oh;
        g->w = ow;
        g->rows = g->top + oh + behind[0];
        g->deal = 1;
        g->cols = g->left + ow + behind[1];
        p->out_stride[0] = s->stride[0];
        p->out_stride[1] = s->stride[1];
        p->nphases = s->stride[0] * s->stride[1];
    }
    p->bare = g->deal == 1 && g->rows == g->h && g->cols == g->w;
    p->in_group = g->channels * g->h * g->w;
    p->in_image = p->in_group * s->groups;
    p->out_area = data ? s->h * s->w : oh * ow;
    p->out_width = data ? s->w : ow;
    p->out_group = p->M * p->out_area;
    p->out_image = p->out_group * s->groups;
    p->kmax = p->K * s->kh * s->kw;

    const size_t pixels = p->out_area / (p->out_stride[0] * p->out_stride[1]) + 1;
    p->together = least(most(ENOUGH_PIXELS / pixels, 1), most(s->n, 1));
    p->nsets = (s->n + p->together - 1) / p->together;
    p->split = 1;
    while (p->split < MAX_SPLIT && p->nsets * s->groups * p->split < 2 * MAX_SPLIT &&
           p->together * pixels / (2 * p->split) >= p->f->panel)
        p->split *= 2;

    size_t staged;
    if (!multiply(p->together, peri_staged_size(g), p->elem, 1, &staged))
        return SIZE_MAX;
    p->staged_bytes = peri_lines(staged + p->f->lanes * p->elem);
    p->b_bytes = peri_correlate_b(p->f, p->kmax, p->elem);
    p->c_bytes = peri_correlate_c(p->f, p->M, p->elem);
    p->slots.each = p->staged_bytes + p->b_bytes + p->c_bytes;
    p->slots.count = peri_slots_count(p->nsets * p->split * s->groups, slots);
    const size_t packed = data ? peri_lines(s->o * c * s->kh * s->kw * p->elem) : 0;
    return p->slots.count * p->slots.each + packed + peri_lines(p->kmax * sizeof *p->taps) +
           peri_lines(p->nphases * sizeof *p->phases);
}

static void place(plan *p, char *work)
{
    p->slots.memory = work;
    work += p->slots.count * p->slots.each;
    if (p->data) {
        p->A = work;
        work += peri_lines(p->s->o * p->M * p->s->kh * p->s->kw * p->elem);
    }
    p->taps = (size_t *)(void *)work;
    work += peri_lines(p->kmax * sizeof *p->taps);
    p->phases = (phase *)(void *)work;
}

static void plan_forward(plan *p, const void *W)
{
    const peri_conv *s = p->s;
    const peri_staging *g = &p->staging;
    size_t *tap = p->taps, area = g->rows * peri_staged_row(g);
    for (size_t c = 0; c < g->channels; c++)
        for (size_t a = 0; a < s->kh; a++)
            for (size_t b = 0; b < s->kw; b++)
                *tap++ = c * area + peri_staged_at(g, a * s->dilation[0], b * s->dilation[1]);
    const size_t ow = p->out_width;
    p->phases[0] =
        (phase){.K = p->kmax, .rows = p->out_area / ow, .cols = ow, .tap = p->taps, .A = W};
}

enum { PACKED = 8 /* channels whose weights are packed at a time */ };

typedef struct {
    plan *p;
    const void *W;
} packing;

#define COPY_TAPS(REAL)                                                                            \
    {                                                                                              \
        const REAL *from = (const REAL *)W + (o * p->M + c) * area + y->tap * s->kw + x->tap;      \
        REAL *to = (REAL *)(void *)A + (c * p->K + o) * taps;                                      \
        for (size_t a = 0; a < y->taps; a++)                                                       \
            for (size_t b = 0; b < x->taps; b++)                                                   \
                *to++ = from[a * y->step * s->kw + b * x->step];                                   \
    }

/* For each phase A[group][c][o,a,b] = W[o,c,a,b], a and b those of the phase; a block takes some c
 * of a group. */
static void pack_weights(void *context, size_t block)
{
    const packing *k = context;
    const plan *p = k->p;
    const peri_conv *s = p->s;
    const size_t blocks = (p->M + PACKED - 1) / PACKED, group = block / blocks;
    const size_t c0 = block % blocks * PACKED, c1 = least(c0 + PACKED, p->M), area = s->kh * s->kw;
    const char *W = (const char *)k->W + group * p->K * p->M * area * p->elem;
    for (size_t i = 0; i < p->nphases; i++) {
        const axis_phase *y = &p->phases[i].y, *x = &p->phases[i].x;
        const size_t taps = y->taps * x->taps;
        char *A = (char *)p->phases[i].A + group * p->M * p->K * taps * p->elem;
        for (size_t o = 0; o < p->K; o++)
            for (size_t c = c0; c < c1; c++)
                PERI_REAL_RUN(p->dtype, COPY_TAPS(double), COPY_TAPS(float));
    }
}

static void plan_data(plan *p, const void *W)
{
    const peri_conv *s = p->s;
    const peri_staging *g = &p->staging;
    const size_t area = g->rows * peri_staged_row(g);
    size_t *tap = p->taps;
    char *A = p->A;
    for (size_t py = 0; py < s->stride[0]; py++) {
        const axis_phase y = find_phase(s, 0, py);
        for (size_t px = 0; px < s->stride[1]; px++) {
            const axis_phase x = find_phase(s, 1, px);
            phase *f = &p->phases[py * s->stride[1] + px];
            *f = (phase){.K = p->K * y.taps * x.taps,
                         .rows = y.count,
                         .cols = x.count,
                         .out = y.first * s->w + x.first,
                         .tap = tap,
                         .A = A,
                         .y = y,
                         .x = x};
            for (size_t o = 0; o < p->K; o++)
                for (size_t i = 0; i < y.taps; i++)
                    for (size_t j = 0; j < x.taps; j++) {
                        const size_t ky = (y.tap + i * y.step) * s->dilation[0] / s->stride[0];
                        const size_t kx = (x.tap + j * x.step) * s->dilation[1] / s->stride[1];
                        *tap++ = o * area + (g->top + y.q0 - ky) * peri_staged_row(g) + g->left +
                                 x.q0 - kx;
                    }
            A += s->o * p->M * y.taps * x.taps * p->elem;
        }
    }
    packing k = {p, W};
    peri_pool_run(s->groups * ((p->M + PACKED - 1) / PACKED), pack_weights, &k);
}

static void run_block(void *context, size_t block)
{
    plan *p = context;
    if (peri_stop_requested(p->stop))
        return;
    const size_t part = block % p->split, group = block / p->split % p->s->groups;
    const size_t first = block / p->split / p->s->groups * p->together;
    const size_t images = least(p->together, p->N - first);
    char *slot = peri_slot_take(&p->slots), *staged = slot;
    char *B = staged + p->staged_bytes, *C = B + p->b_bytes;
    /* In place where the staged image would be the same, but for the last image, behind which a
     * panel may read as far as a vector goes. */
    const bool in_place = p->bare && first + images < p->N;
    const size_t size = in_place ? p->in_image : peri_staged_size(&p->staging);
    for (size_t i = 0; i < images && !in_place; i++)
        peri_stage(&p->staging, p->dtype,
                   p->in + ((first + i) * p->in_image + group * p->in_group) * p->elem,
                   staged + i * size * p->elem);
    peri_correlation q = {
        .M = p->M,
        .images = images,
        .source = in_place ? p->in + (first * p->in_image + group * p->in_group) * p->elem : staged,
        .source_image = size,
        .source_row = peri_staged_row(&p->staging) * (p->data ? 1 : p->s->stride[0]),
        .out_image = p->out_image,
        .out_m = p->out_area,
        .out_row = p->out_stride[0] * p->out_width,
        .out_col = p->out_stride[1],
        .B = B,
        .C = C};
    char *out = p->out + (first * p->out_image + group * p->out_group) * p->elem;
    if (p->bias != NULL)
        q.bias = p->bias + group * p->M * p->elem;
    for (size_t i = 0; i < p->nphases; i++) {
        const phase *f = &p->phases[i];
        const size_t pixels = images * f->rows * f->cols;
        const size_t panels = (pixels + p->f->panel - 1) / p->f->panel;
        const size_t lo = part * panels / p->split, hi = (part + 1) * panels / p->split;
        q.K = f->K;
        q.A = (const char *)f->A + group * p->M * f->K * p->elem;
        q.tap = f->tap;
        q.rows = f->rows;
        q.cols = f->cols;
        q.out = out + f->out * p->elem;
        if (lo < hi)
            p->f->correlate(&q, lo * p->f->panel, least(hi * p->f->panel, pixels));
    }
    peri_slot_give(&p->slots, slot);
}

static peri_status run_product(const peri_conv *s, int dtype, bool data, const void *in,
                               const void *W, const void *bias, void *out, void *work, size_t slots,
                               const peri_stop *stop)
{
    plan p;
    if (s->n == 0 || make_plan(&p, s, dtype, data, slots) == SIZE_MAX)
        return PERI_OK;
    place(&p, work);
    p.in = in;
    p.bias = bias;
    p.out = out;
    p.stop = stop;
    if (data)
        plan_data(&p, W);
    else
        plan_forward(&p, W);
    peri_pool_run(p.nsets * p.split * s->groups, run_block, &p);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

/* ---- the ways in -------------------------------------------------------------------------- */

static bool use_winograd(const peri_conv *s, peri_conv_pass pass, peri_conv_method method)
{
    return peri_wino_fits(s) &&
           (method == PERI_CONV_WINOGRAD || (method == PERI_CONV_AUTO && peri_wino_pays(s, pass)));
}

static bool use_channels(const peri_conv *s, int dtype, peri_conv_pass pass,
                         peri_conv_method method)
{
    return method != PERI_CONV_PRODUCT && peri_channels_fit(s, dtype, pass == PERI_CONV_DATA);
}

size_t peri_conv_work(const peri_conv *s, int dtype, peri_conv_pass pass, peri_conv_method method,
                      size_t slots)
{
    plan p;
    if (use_winograd(s, pass, method))
        return peri_wino_work(s, dtype, pass, slots);
    if (pass == PERI_CONV_WEIGHTS)
        return peri_weights_work(s, dtype, slots);
    if (use_channels(s, dtype, pass, method))
        return peri_channels_work(s, dtype, pass == PERI_CONV_DATA, slots);
    return make_plan(&p, s, dtype, pass == PERI_CONV_DATA, slots);
}

peri_status peri_conv_forward(const peri_conv *s, int dtype, peri_conv_method method, const void *X,
                              const void *W, const void *bias, void *Y, void *work, size_t slots,
                              const peri_stop *stop)
{
    if (use_winograd(s, PERI_CONV_FORWARD, method))
        return peri_wino_forward(s, dtype, false, X, W, bias, Y, work, slots, stop);
    if (use_channels(s, dtype, PERI_CONV_FORWARD, method))
        return peri_channels_product(s, dtype, false, X, W, bias, Y, work, slots, stop);
    return run_product(s, dtype, false, X, W, bias, Y, work, slots, stop);
}

peri_status peri_conv_backward_data(const peri_conv *s, int dtype, peri_conv_method method,
                                    const void *dY, const void *W, const void *bias, void *dX,
                                    void *work, size_t slots, const peri_stop *stop)
{
    if (use_winograd(s, PERI_CONV_DATA, method))
        return peri_wino_forward(s, dtype, true, dY, W, bias, dX, work, slots, stop);
    if (use_channels(s, dtype, PERI_CONV_DATA, method))
        return peri_channels_product(s, dtype, true, dY, W, bias, dX, work, slots, stop);
    return run_product(s, dtype, true, dY, W, bias, dX, work, slots, stop);
}

peri_status peri_conv_backward_weights(const peri_conv *s, int dtype, peri_conv_method method,
                                       const void *X, const void *dY, double beta, void *dW,
                                       void *work, size_t slots, const peri_stop *stop)
{
    if (use_winograd(s, PERI_CONV_WEIGHTS, method))
        return peri_wino_weights(s, dtype, X, dY, beta, dW, work, slots, stop);
    return peri_weights_product(s, dtype, X, dY, beta, dW, work, slots, stop);
}

#define SUM_LINE(REAL)                                                                             \
    const REAL *x = line;                                                                          \
    for (; i + 8 <= count; i += 8)                                                                 \
        for (size_t k = 0; k < 8; k++)                                                             \
            s[k] += (double)x[i + k];                                                              \
    for (; i < count; i++)                                                                         \
    s[i % 8] += (double)x[i]

/* Eight sums side by side, in double. */
static double sum_line(int dtype, const void *line, size_t count)
{
    double s[8] = {0};
    size_t i = 0;
    PERI_REAL_RUN(dtype, SUM_LINE(double), SUM_LINE(float));
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

void peri_conv_backward_bias(size_t n, size_t channels, size_t pixels, int dtype, const void *G,
                             double beta, void *db)
{
    for (size_t c = 0; c < channels; c++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += sum_line(dtype,
                            (const char *)G + (i * channels + c) * pixels * peri_dtype_size(dtype),
                            pixels);
        PERI_REAL_DO(dtype, ((double *)db)[c] = sum + (beta != 0 ? ((double *)db)[c] : 0),
                     ((float *)db)[c] = (float)(sum + (beta != 0 ? (double)((float *)db)[c] : 0)));
    }
}
