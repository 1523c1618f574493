/* SPDX-License-Identifier: MIT
 *
 * A plane is staged as convolution has it (conv_parts.h): padded, its columns dealt by the stride,
 * so that an element of the window meets a row of Y in one piece.
 */
#include "kernel/pooling.h"

#include <math.h>
#include <string.h>

#include "kernel/conv_parts.h"
#include "kernel/plane_parts.h"
#include "kernel/pool.h"

enum { TABLE = 64, MOST_TAPS = 65535 };

typedef struct {
    const peri_pooling *s;
    const peri_plane_functions *f;
    int dtype;
    size_t elem, oh, ow, taps, staged_bytes;
    peri_staging staging;
    size_t *tap;
    const char *in;
    char *out;
    uint16_t *which;
    peri_slots slots;
} job;

static peri_status refuse(peri_facts *facts, const char *arg, const char *wanted, size_t got)
{
    *facts = (peri_facts){.arg = arg, .wanted = wanted, .got = (double)got};
    return PERI_ERR_VALUE;
}

peri_status peri_pool_output(const peri_pooling *s, size_t *oh, size_t *ow, peri_facts *facts)
{
    const size_t in[2] = {s->h, s->w}, k[2] = {s->kh, s->kw}, most = INT32_MAX / 4;
    size_t out[2], count;
    *facts = (peri_facts){0};
    for (int axis = 0; axis < 2; axis++) {
        if (k[axis] < 1)
            return refuse(facts, "k", "at least 1", k[axis]);
        if (s->stride[axis] < 1 || s->stride[axis] > most)
            return refuse(facts, "stride", "at least 1", s->stride[axis]);
        if (s->padding[axis] > k[axis] / 2)
            return refuse(facts, "padding", "at most half of the window", s->padding[axis]);
        if (in[axis] > most || k[axis] > most) {
            *facts = (peri_facts){.arg = in[axis] > most ? "x" : "k"};
            return PERI_ERR_TOO_LARGE;
        }
        if (in[axis] + 2 * s->padding[axis] < k[axis]) {
            *facts = (peri_facts){.arg = "k",
                                  .wanted = "a window no larger than the padded image",
                                  .nindex = 1,
                                  .index = {(size_t)axis},
                                  .got = (double)k[axis]};
            return PERI_ERR_SHAPE;
        }
        out[axis] = (in[axis] + 2 * s->padding[axis] - k[axis]) / s->stride[axis] + 1;
    }
    if (k[0] * k[1] > MOST_TAPS) {
        *facts = (peri_facts){.arg = "k"};
        return PERI_ERR_TOO_LARGE;
    }
    if (__builtin_mul_overflow(s->planes, (s->h + k[0]) * (s->w + k[1]), &count) ||
        count > PTRDIFF_MAX / 64) {
        *facts = (peri_facts){.arg = "x"};
        return PERI_ERR_TOO_LARGE;
    }
    *oh = out[0];
    *ow = out[1];
    return PERI_OK;
}

static size_t make_job(job *j, const peri_pooling *s, int dtype, size_t slots)
{
    peri_facts facts;
    *j = (job){.s = s,
               .f = peri_plane_choose(dtype),
               .dtype = dtype,
               .elem = peri_dtype_size(dtype),
               .taps = s->kh * s->kw};
    if (peri_pool_output(s, &j->oh, &j->ow, &facts) != PERI_OK)
        return SIZE_MAX;
    peri_staging *g = &j->staging;
    *g = (peri_staging){.channels = 1,
                        .h = s->h,
                        .w = s->w,
                        .top = s->padding[0],
                        .left = s->padding[1],
                        .rows = s->h + 2 * s->padding[0],
                        .deal = s->stride[1]};
    g->cols = (s->w + 2 * s->padding[1] + g->deal - 1) / g->deal;
    j->staged_bytes = peri_lines(peri_staged_size(g) * j->elem);
    j->slots.each = j->staged_bytes + 64;
    j->slots.count = peri_slots_count(s->planes, slots);
    return j->slots.count * j->slots.each + peri_lines(j->taps * sizeof *j->tap);
}

size_t peri_pool_work(const peri_pooling *s, int dtype, size_t slots)
{
    job j;
    return make_job(&j, s, dtype, slots);
}

static void place(job *j, void *work)
{
    j->slots.memory = work;
    j->tap = (size_t *)(void *)(j->slots.memory + j->slots.count * j->slots.each);
    for (size_t a = 0; a < j->s->kh; a++)
        for (size_t b = 0; b < j->s->kw; b++)
            j->tap[a * j->s->kw + b] = peri_staged_at(&j->staging, a, b);
}

/* The elements of row i, column k of the window that are in the image: kh kw unless only those
 * inside count. */
static double count_inside(const peri_pooling *s, size_t i, size_t k)
{
    size_t count = 1;
    const size_t at[2] = {i, k}, size[2] = {s->h, s->w}, window[2] = {s->kh, s->kw};
    for (int axis = 0; axis < 2; axis++) {
        const size_t lo = at[axis] * s->stride[axis], hi = lo + window[axis];
        const size_t first = lo > s->padding[axis] ? lo : s->padding[axis];
        const size_t end = hi < size[axis] + s->padding[axis] ? hi : size[axis] + s->padding[axis];
        count *= end - first;
    }
    return (double)count;
}

/* ---- max ----------------------------------------------------------------------------------- */

static void run_max(void *context, size_t plane)
{
    job *j = context;
    const peri_pooling *s = j->s;
    char *x = peri_slot_take(&j->slots);
    const size_t size = peri_staged_size(&j->staging), row = peri_staged_row(&j->staging);
    for (size_t i = 0; i < size && (s->padding[0] + s->padding[1] > 0 || s->stride[1] > 1); i++)
        peri_write(j->dtype, x + i * j->elem, -INFINITY);
    peri_stage_inside(&j->staging, j->dtype, j->in + plane * s->h * s->w * j->elem, x);
    for (size_t i = 0; i < j->oh; i++) {
        const size_t at = (plane * j->oh + i) * j->ow;
        j->f->max_row(x + i * s->stride[0] * row * j->elem, j->tap, j->taps, j->ow,
                      j->out + at * j->elem, j->which == NULL ? NULL : j->which + at);
    }
    peri_slot_give(&j->slots, x);
}

void peri_max_pool(const peri_pooling *s, int dtype, const void *X, void *Y, uint16_t *which,
                   void *work, size_t slots)
{
    job j;
    if (s->planes == 0 || make_job(&j, s, dtype, slots) == SIZE_MAX)
        return;
    place(&j, work);
    j.in = X;
    j.out = Y;
    j.which = which;
    peri_pool_run(s->planes, run_max, &j);
}

/* An element that only stood in the padding, where all others were -inf, gets nothing. */
#define SCATTER(REAL)                                                                              \
    {                                                                                              \
        const REAL *g = (const REAL *)(const void *)j->in + plane * j->oh * j->ow;                 \
        REAL *dx = (REAL *)(void *)j->out + plane * s->h * s->w;                                   \
        for (size_t i = 0; i < j->oh; i++)                                                         \
            for (size_t k = 0; k < j->ow; k++, g++, which++) {                                     \
                const size_t x = k * s->stride[1] + *which % s->kw - s->padding[1];                \
                const size_t y = i * s->stride[0] + *which / s->kw - s->padding[0];                \
                if (y < s->h && x < s->w)                                                          \
                    dx[y * s->w + x] += *g;                                                        \
            }                                                                                      \
    }

/* The same where there is no padding and the window is small: one offset for each element. */
#define SCATTER_SMALL(REAL)                                                                        \
    {                                                                                              \
        const REAL *g = (const REAL *)(const void *)j->in + plane * j->oh * j->ow;                 \
        REAL *dx = (REAL *)(void *)j->out + plane * s->h * s->w;                                   \
        for (size_t i = 0; i < j->oh; i++, g += j->ow, which += j->ow) {                           \
            REAL *to = dx + i * s->stride[0] * s->w;                                               \
            for (size_t k = 0; k < j->ow; k++, to += s->stride[1])                                 \
                to[offset[which[k]]] += g[k];                                                      \
        }                                                                                          \
    }

static void run_max_back(void *context, size_t plane)
{
    const job *j = context;
    const peri_pooling *s = j->s;
    const uint16_t *which = j->which + plane * j->oh * j->ow;
    const bool small = j->taps <= TABLE && s->padding[0] + s->padding[1] == 0;
    uint32_t offset[TABLE] = {0};
    for (size_t t = 0; t < j->taps && small; t++)
        offset[t] = (uint32_t)(t / s->kw * s->w + t % s->kw);
    memset(j->out + plane * s->h * s->w * j->elem, 0, s->h * s->w * j->elem);
    if (small)
        PERI_REAL_RUN(j->dtype, SCATTER_SMALL(double), SCATTER_SMALL(float));
    else
        PERI_REAL_RUN(j->dtype, SCATTER(double), SCATTER(float));
}

void peri_max_pool_backward(const peri_pooling *s, int dtype, const void *G, const uint16_t *which,
                            void *dX)
{
    job j;
    if (s->planes == 0 || make_job(&j, s, dtype, 1) == SIZE_MAX)
        return;
    j.in = G;
    j.out = dX;
    j.which = (uint16_t *)which;
    peri_pool_run(s->planes, run_max_back, &j);
}

/* ---- average ------------------------------------------------------------------------------- */

#define RESCALE(REAL)                                                                              \
    for (size_t k = 0; k < j->ow; k++)                                                             \
    ((REAL *)(void *)to)[k] =                                                                      \
        (REAL)((double)((const REAL *)(const void *)from)[k] * full / count_inside(j->s, i, k))

/* to = from kh kw / the elements inside, along row i of Y. */
static void rescale(const job *j, size_t i, const char *from, char *to)
{
    const double full = (double)j->taps;
    PERI_REAL_RUN(j->dtype, RESCALE(double), RESCALE(float));
}

static void run_avg(void *context, size_t plane)
{
    job *j = context;
    const peri_pooling *s = j->s;
    char *x = peri_slot_take(&j->slots);
    const size_t row = peri_staged_row(&j->staging);
    peri_stage(&j->staging, j->dtype, j->in + plane * s->h * s->w * j->elem, x);
    for (size_t i = 0; i < j->oh; i++) {
        char *y = j->out + (plane * j->oh + i) * j->ow * j->elem;
        j->f->sum_row(x + i * s->stride[0] * row * j->elem, j->tap, j->taps, j->ow,
                      1 / (double)j->taps, y);
        if (s->inside)
            rescale(j, i, y, y);
    }
    peri_slot_give(&j->slots, x);
}

void peri_avg_pool(const peri_pooling *s, int dtype, const void *X, void *Y, void *work,
                   size_t slots)
{
    job j;
    if (s->planes == 0 || make_job(&j, s, dtype, slots) == SIZE_MAX)
        return;
    place(&j, work);
    j.in = X;
    j.out = Y;
    peri_pool_run(s->planes, run_avg, &j);
}

/* A row of an image out of its staged row. */
#define DEAL(REAL)                                                                                 \
    const REAL *piece = (const REAL *)(const void *)from;                                          \
    for (size_t q = first; q < g->w; q += g->deal)                                                 \
    ((REAL *)(void *)dx)[q] = *piece++

static void gather_row(const job *j, const char *row, char *dx)
{
    const peri_staging *g = &j->staging;
    if (g->deal == 1) {
        memcpy(dx, row + g->left * j->elem, g->w * j->elem);
        return;
    }
    for (size_t first = 0; first < g->deal && first < g->w; first++) {
        const char *from = row + peri_staged_at(g, 0, first + g->left) * j->elem;
        PERI_REAL_RUN(j->dtype, DEAL(double), DEAL(float));
    }
}

static void run_avg_back(void *context, size_t plane)
{
    job *j = context;
    const peri_pooling *s = j->s;
    char *x = peri_slot_take(&j->slots);
    const size_t row = peri_staged_row(&j->staging);
    memset(x, 0, j->staged_bytes);
    for (size_t i = 0; i < j->oh; i++) {
        const char *g = j->in + (plane * j->oh + i) * j->ow * j->elem;
        char *to = x + i * s->stride[0] * row * j->elem;
        if (!s->inside) {
            j->f->spread_row(g, j->tap, j->taps, j->ow, 1 / (double)j->taps, to);
            continue;
        }
        for (size_t k = 0; k < j->ow; k++) {
            size_t tap[1];
            for (size_t t = 0; t < j->taps; t++) {
                tap[0] = j->tap[t] + k;
                j->f->spread_row(g + k * j->elem, tap, 1, 1, 1 / count_inside(s, i, k), to);
            }
        }
    }
    for (size_t i = 0; i < s->h; i++)
        gather_row(j, x + (i + s->padding[0]) * row * j->elem,
                   j->out + (plane * s->h + i) * s->w * j->elem);
    peri_slot_give(&j->slots, x);
}

void peri_avg_pool_backward(const peri_pooling *s, int dtype, const void *G, void *dX, void *work,
                            size_t slots)
{
    job j;
    if (s->planes == 0 || make_job(&j, s, dtype, slots) == SIZE_MAX)
        return;
    place(&j, work);
    j.in = G;
    j.out = dX;
    peri_pool_run(s->planes, run_avg_back, &j);
}
