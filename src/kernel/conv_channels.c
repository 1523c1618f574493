/* SPDX-License-Identifier: MIT
 *
 * The product for many channels and narrow rows. The staged images have their channels together,
 * so that the channels of a kernel's row of pixels are one run of memory:
 *
 *     out[pixel, m] = sum over rows a of the kernel, j < xtaps K of
 *                     staged[pixel + a jump + j] B[a, j, m]
 *
 * Nothing is packed but the weights, however few pixels a row has and whatever the stride. dX has
 * one such product for each phase of the stride, its kernel turned round. A block of the pool is
 * some panels of output channels of some images of a group.
 */
#include <stdint.h>
#include <string.h>

#include "kernel/conv_parts.h"
#include "kernel/pool.h"

enum {
    BLOCK_PIXELS = 192,
    WANTED_BLOCKS = 16,
    NARROW = 32,
    ENOUGH_PIXELS = 256,
    FEW_BYTES = 512 << 10
};

/* Along one axis: output pixels first, first + stride, ... (count of them); number i meets staged
 * pixels i step + start and on, kernel elements tap, tap + next, ... (taps of them). */
typedef struct {
    size_t first, stride, count, step, start, taps, tap;
    ptrdiff_t next;
} axis;

typedef struct {
    axis y, x;
    size_t pixels; /* of one image */
    size_t list;   /* of its pixels, in plan.from and plan.to */
    size_t B;      /* elements before its weights, of one group */
} phase;

typedef struct {
    const peri_conv *s;
    const peri_conv_functions *f;
    const peri_stop *stop;
    int dtype;
    bool data;
    size_t elem, K, M, K8, M8; /* channels of a group in and out, and in whole vectors */
    size_t h, w, out_h, out_w;
    size_t top, left, rows, cols; /* staged */
    size_t together, nsets, parts, panels, nphases;
    size_t staged_bytes, c_bytes, group_B;
    const char *in, *W, *bias;
    char *out, *B, *T;
    phase *phases;
    size_t *from, *to;
    peri_slots slots;
} plan;

static axis find_axis(const peri_conv *s, int k, bool data, size_t p, size_t out, size_t before)
{
    const size_t stride = s->stride[k], pad = s->padding[k], size = k == 0 ? s->h : s->w;
    const size_t taps = k == 0 ? s->kh : s->kw;
    if (!data)
        return (axis){.stride = 1, .count = out, .step = stride, .taps = taps, .next = 1};
    axis a = {.stride = stride, .step = 1, .next = -(ptrdiff_t)stride};
    /* the first pixel i with (i + pad) mod stride = p */
    a.first = (p + stride - pad % stride) % stride;
    a.count = a.first < size ? (size - a.first - 1) / stride + 1 : 0;
    a.taps = p < taps ? (taps - p - 1) / stride + 1 : 0;
    if (a.taps > 0) {
        a.tap = p + (a.taps - 1) * stride;
        a.start = (a.first + pad) / stride + before - (a.taps - 1);
    }
    return a;
}

bool peri_channels_fit(const peri_conv *s, int dtype, bool data)
{
    const size_t lanes = peri_conv_choose(dtype)->lanes, c = s->c / s->groups, o = s->o / s->groups;
    size_t oh, ow;
    peri_facts facts;
    if (s->dilation[0] != 1 || s->dilation[1] != 1 || s->kh * s->kw == 1 ||
        peri_conv_output(s, &oh, &ow, &facts) != PERI_OK)
        return false;
    /* the forward pass of the other product packs no weights, which few pixels would not repay */
    if (!data && s->n * oh * ow < ENOUGH_PIXELS &&
        s->o * c * s->kh * s->kw * peri_dtype_size(dtype) > FEW_BYTES)
        return false;
    return peri_round_up(c, lanes) * 4 <= c * 5 && peri_round_up(o, lanes) * 4 <= o * 5 &&
           (data ? s->w / s->stride[1] : ow) < NARROW;
}

static size_t make_plan(plan *p, const peri_conv *s, int dtype, bool data, size_t slots)
{
    size_t oh, ow;
    peri_facts facts;
    *p = (plan){.s = s, .f = peri_conv_choose(dtype), .dtype = dtype, .data = data};
    if (peri_conv_output(s, &oh, &ow, &facts) != PERI_OK)
        return SIZE_MAX;
    const size_t c = s->c / s->groups, o = s->o / s->groups, n = s->n > 0 ? s->n : 1;
    p->elem = peri_dtype_size(dtype);
    p->K = data ? o : c;
    p->M = data ? c : o;
    p->K8 = peri_round_up(p->K, p->f->lanes);
    p->M8 = peri_round_up(p->M, p->f->lanes);
    p->h = data ? oh : s->h;
    p->w = data ? ow : s->w;
    p->out_h = data ? s->h : oh;
    p->out_w = data ? s->w : ow;
    p->top = s->padding[0];
    p->left = s->padding[1];
    p->rows = s->h + 2 * s->padding[0];
    p->cols = s->w + 2 * s->padding[1];
    p->nphases = 1;
    if (data) {
        for (int k = 0; k < 2; k++) {
            const size_t before = ((k == 0 ? s->kh : s->kw) - 1) / s->stride[k];
            const size_t out = k == 0 ? oh : ow, size = k == 0 ? s->h : s->w;
            const size_t last = (size - 1 + s->padding[k]) / s->stride[k] + 1;
            *(k == 0 ? &p->top : &p->left) = before;
            *(k == 0 ? &p->rows : &p->cols) = before + (last > out ? last : out);
        }
        p->nphases = s->stride[0] * s->stride[1];
    }
    const size_t area = p->out_h * p->out_w, taps = s->kh * s->kw;
    const size_t pixels = area / p->nphases + 1;
    p->together = BLOCK_PIXELS / pixels < 1 ? 1 : BLOCK_PIXELS / pixels;
    p->together = p->together > n ? n : p->together;
    p->nsets = (n + p->together - 1) / p->together;
    p->panels = (p->M8 + p->f->panel - 1) / p->f->panel;
    p->parts = 1;
    while (p->parts < p->panels && p->nsets * s->groups * p->parts < WANTED_BLOCKS)
        p->parts++;
    p->staged_bytes = peri_lines(p->together * p->rows * p->cols * p->K8 * p->elem);
    p->c_bytes = peri_lines(p->together * area * p->f->panel * p->elem);
    p->slots.each = p->staged_bytes + p->c_bytes;
    p->slots.count = peri_slots_count(p->nsets * p->parts * s->groups, slots);
    p->group_B = p->K8 * p->M8 * taps;
    return p->slots.count * p->slots.each + peri_lines(s->groups * p->group_B * p->elem) +
           peri_lines(s->groups * p->panels * p->K * taps * p->f->panel * p->elem) +
           peri_lines(p->nphases * sizeof *p->phases) +
           2 * peri_lines(p->together * area * sizeof *p->from);
}

static void place(plan *p, char *work)
{
    const size_t area = p->out_h * p->out_w, taps = p->s->kh * p->s->kw;
    p->slots.memory = work;
    work += p->slots.count * p->slots.each;
    p->B = work;
    work += peri_lines(p->s->groups * p->group_B * p->elem);
    p->T = work;
    work += peri_lines(p->s->groups * p->panels * p->K * taps * p->f->panel * p->elem);
    p->phases = (phase *)(void *)work;
    work += peri_lines(p->nphases * sizeof *p->phases);
    p->from = (size_t *)(void *)work;
    work += peri_lines(p->together * area * sizeof *p->from);
    p->to = (size_t *)(void *)work;
}

/* The phases, and where in a block their pixels come from and go to. */
static void list_pixels(plan *p)
{
    const peri_conv *s = p->s;
    const size_t area = p->out_h * p->out_w, wide = p->data ? s->stride[1] : 1;
    size_t B = 0, n = 0;
    for (size_t i = 0; i < p->nphases; i++) {
        phase *f = &p->phases[i];
        *f = (phase){.y = find_axis(s, 0, p->data, i / wide, p->out_h, p->top),
                     .x = find_axis(s, 1, p->data, i % wide, p->out_w, p->left),
                     .list = n,
                     .B = B};
        f->pixels = f->y.count * f->x.count;
        B += f->y.taps * f->x.taps * p->K8 * p->M8;
        for (size_t image = 0; image < p->together; image++)
            for (size_t r = 0; r < f->y.count; r++)
                for (size_t q = 0; q < f->x.count; q++, n++) {
                    p->from[n] = ((image * p->rows + f->y.start + r * f->y.step) * p->cols +
                                  f->x.start + q * f->x.step) *
                                 p->K8;
                    p->to[n] = image * area + (f->y.first + r * f->y.stride) * p->out_w +
                               f->x.first + q * f->x.stride;
                }
    }
}

/* B of one panel of output channels: for each phase (rows a, columns b, K8, panel). W's rows of
 * panels go to T first, (K, kh kw, panel). */
static void pack(void *context, size_t block)
{
    const plan *p = context;
    const peri_conv *s = p->s;
    const size_t group = block / p->panels, m = block % p->panels * p->f->panel;
    const size_t wide = p->M8 - m < p->f->panel ? p->M8 - m : p->f->panel;
    const size_t channels = p->M - m < wide ? p->M - m : wide;
    const size_t taps = s->kh * s->kw, line = wide * p->elem;
    const char *W = p->W + group * p->K * p->M * taps * p->elem;
    char *T = p->T + block * p->K * taps * p->f->panel * p->elem;
    if (!p->data)
        p->f->spread(W + m * p->K * taps * p->elem, p->K * taps, channels, p->K * taps, p->K * taps,
                     T, wide, 0);
    for (size_t k = 0; k < p->K && p->data; k++)
        p->f->spread(W + (k * p->M + m) * taps * p->elem, taps, channels, taps, taps,
                     T + k * taps * line, wide, 0);
    for (size_t i = 0; i < p->nphases; i++) {
        const phase *f = &p->phases[i];
        char *to = p->B + (group * p->group_B + f->B + f->y.taps * f->x.taps * p->K8 * m) * p->elem;
        for (size_t a = 0; a < f->y.taps; a++)
            for (size_t b = 0; b < f->x.taps; b++) {
                const size_t tap =
                    (size_t)((ptrdiff_t)f->y.tap + (ptrdiff_t)a * f->y.next) * s->kw +
                    (size_t)((ptrdiff_t)f->x.tap + (ptrdiff_t)b * f->x.next);
                for (size_t k = 0; k < p->K; k++, to += line)
                    memcpy(to, T + (k * taps + tap) * line, line);
                memset(to, 0, (p->K8 - p->K) * line);
                to += (p->K8 - p->K) * line;
            }
    }
}

static void run_block(void *context, size_t block)
{
    plan *p = context;
    if (peri_stop_requested(p->stop))
        return;
    const peri_conv *s = p->s;
    const size_t part = block % p->parts, group = block / p->parts % s->groups;
    const size_t first = block / p->parts / s->groups * p->together;
    const size_t images = s->n - first < p->together ? s->n - first : p->together;
    const size_t area = p->out_h * p->out_w, panel = p->f->panel;
    char *staged = peri_slot_take(&p->slots), *C = staged + p->staged_bytes;
    for (size_t i = 0; i < images; i++)
        p->f->spread(p->in + ((first + i) * s->groups + group) * p->K * p->h * p->w * p->elem,
                     p->h * p->w, p->K, p->h * p->w, p->w,
                     staged + ((i * p->rows + p->top) * p->cols + p->left) * p->K8 * p->elem, p->K8,
                     p->cols * p->K8);
    for (size_t q = part * p->panels / p->parts; q < (part + 1) * p->panels / p->parts; q++) {
        const size_t m = q * panel, wide = p->M8 - m < panel ? p->M8 - m : panel;
        for (size_t i = 0; i < p->nphases; i++) {
            const phase *f = &p->phases[i];
            const size_t inner = f->x.taps * p->K8;
            const peri_pixels job = {
                .count = images * f->pixels,
                .from = p->from + f->list,
                .to = p->to + f->list,
                .wide = wide,
                .outer = f->y.taps,
                .inner = inner,
                .jump = p->cols * p->K8,
                .staged = staged,
                .B = p->B + (group * p->group_B + f->B + f->y.taps * inner * m) * p->elem,
                .C = C};
            p->f->pixels(&job);
        }
        for (size_t i = 0; i < images; i++)
            p->f->collect(C + i * area * wide * p->elem, wide, 0, area,
                          p->bias == NULL ? NULL : p->bias + (group * p->M + m) * p->elem,
                          p->out + (((first + i) * s->groups + group) * p->M + m) * area * p->elem,
                          area, p->M - m < wide ? p->M - m : wide, area);
    }
    peri_slot_give(&p->slots, staged);
}

size_t peri_channels_work(const peri_conv *s, int dtype, bool data, size_t slots)
{
    plan p;
    return make_plan(&p, s, dtype, data, slots);
}

peri_status peri_channels_product(const peri_conv *s, int dtype, bool data, const void *in,
                                  const void *W, const void *bias, void *out, void *work,
                                  size_t slots, const peri_stop *stop)
{
    plan p;
    if (s->n == 0 || make_plan(&p, s, dtype, data, slots) == SIZE_MAX)
        return PERI_OK;
    place(&p, work);
    p.in = in;
    p.W = W;
    p.bias = bias;
    p.out = out;
    p.stop = stop;
    list_pixels(&p);
    /* every block writes the same pixels of its slot: what stands around them stays 0 */
    for (size_t i = 0; i < p.slots.count; i++)
        memset(p.slots.memory + i * p.slots.each, 0, p.staged_bytes);
    peri_pool_run(s->groups * p.panels, pack, &p);
    peri_pool_run(p.nsets * p.parts * s->groups, run_block, &p);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}
