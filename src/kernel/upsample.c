/* SPDX-License-Identifier: MIT
 *
 * Rows first, then columns: a row of X becomes as wide as Y once, and rows of Y are mixed from two
 * of these; the adjoint goes the other way.
 */
#include <string.h>

#include "kernel/plane_parts.h"
#include "kernel/pool.h"
#include "kernel/pooling.h"
#include "kernel/slots.h"
#include "kernel/view.h"

typedef struct {
    const peri_upsampling *s;
    const peri_plane_functions *f;
    int dtype;
    size_t elem;
    uint32_t *at, *next, *row, *below; /* columns and rows of X, each and the one after it */
    char *weight;                      /* (W) of the column after, in the dtype */
    double *down;                      /* (H) of the row after */
    size_t *line;                      /* (H) where rows of Y begin */
    const char *in;
    char *out;
    peri_slots slots;
} job;

static size_t make_job(job *j, const peri_upsampling *s, int dtype, size_t slots)
{
    *j = (job){
        .s = s, .f = peri_plane_choose(dtype), .dtype = dtype, .elem = peri_dtype_size(dtype)};
    j->slots.each = peri_lines((s->h + 2) * s->W * j->elem + 64);
    j->slots.count = peri_slots_count(s->planes, slots);
    return j->slots.count * j->slots.each + 2 * peri_lines(s->W * sizeof(uint32_t)) +
           2 * peri_lines(s->H * sizeof(uint32_t)) + peri_lines(s->W * j->elem) +
           peri_lines(s->H * sizeof(double)) + peri_lines(s->H * sizeof(size_t));
}

size_t peri_upsample_work(const peri_upsampling *s, int dtype, size_t slots)
{
    job j;
    return make_job(&j, s, dtype, slots);
}

/* Where element i of `large` lies among `small`, and how much of the one after it has. */
static double find(const peri_upsampling *s, size_t i, size_t small, size_t large, uint32_t *at,
                   uint32_t *next)
{
    if (!s->bilinear) {
        *at = *next = (uint32_t)(i * small / large);
        return 0;
    }
    double place;
    if (s->align_corners)
        place = large > 1 ? (double)i * (double)(small - 1) / (double)(large - 1) : 0;
    else
        place = ((double)i + 0.5) * (double)small / (double)large - 0.5;
    if (place < 0)
        place = 0;
    size_t first = (size_t)place;
    if (first > small - 1)
        first = small - 1;
    *at = (uint32_t)first;
    *next = (uint32_t)(first + 1 < small ? first + 1 : first);
    return place - (double)first;
}

static void place(job *j, char *work)
{
    const peri_upsampling *s = j->s;
    j->slots.memory = work;
    work += j->slots.count * j->slots.each;
    j->at = (uint32_t *)(void *)work;
    work += peri_lines(s->W * sizeof(uint32_t));
    j->next = (uint32_t *)(void *)work;
    work += peri_lines(s->W * sizeof(uint32_t));
    j->row = (uint32_t *)(void *)work;
    work += peri_lines(s->H * sizeof(uint32_t));
    j->below = (uint32_t *)(void *)work;
    work += peri_lines(s->H * sizeof(uint32_t));
    j->down = (double *)(void *)work;
    work += peri_lines(s->H * sizeof(double));
    j->line = (size_t *)(void *)work;
    work += peri_lines(s->H * sizeof(size_t));
    j->weight = work;
    for (size_t i = 0; i < s->W; i++)
        peri_write(j->dtype, j->weight + i * j->elem,
                   find(s, i, s->w, s->W, &j->at[i], &j->next[i]));
    for (size_t i = 0; i < s->H; i++)
        j->line[i] = i * s->W;
    for (size_t i = 0; i < s->H; i++)
        j->down[i] = find(s, i, s->h, s->H, &j->row[i], &j->below[i]);
}

static void widen(const job *j, const char *x, char *to)
{
    if (j->s->bilinear)
        j->f->between(j->s->W, x, j->at, j->next, j->weight, to);
    else
        j->f->pick(j->s->W, x, j->at, to);
}

/* Row r of X as wide as Y: one of two buffers has it, or is made to. */
static char *wide_row(const job *j, const char *x, size_t r, char *buffer, size_t has[2])
{
    const size_t line = j->s->W * j->elem, which = r % 2;
    if (has[which] != r) {
        widen(j, x + r * j->s->w * j->elem, buffer + which * line);
        has[which] = r;
    }
    return buffer + which * line;
}

static void run_forward(void *context, size_t plane)
{
    job *j = context;
    const peri_upsampling *s = j->s;
    const size_t line = s->W * j->elem;
    char *buffer = peri_slot_take(&j->slots), *y = j->out + plane * s->H * line;
    const char *x = j->in + plane * s->h * s->w * j->elem;
    size_t has[2] = {SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < s->H; i++, y += line) {
        const char *upper = wide_row(j, x, j->row[i], buffer, has);
        const char *lower = wide_row(j, x, j->below[i], buffer, has);
        if (j->down[i] == 0)
            memcpy(y, upper, line);
        else
            j->f->mix(s->W, 1 - j->down[i], upper, j->down[i], lower, y);
    }
    peri_slot_give(&j->slots, buffer);
}

void peri_upsample(const peri_upsampling *s, int dtype, const void *X, void *Y, void *work,
                   size_t slots)
{
    job j;
    if (s->planes * s->H * s->W == 0)
        return;
    make_job(&j, s, dtype, slots);
    place(&j, work);
    j.in = X;
    j.out = Y;
    peri_pool_run(s->planes, run_forward, &j);
}

/* Rows of Y that are copies of one row of X are summed, then its columns. */
static void back_nearest(const job *j, const char *g, char *wide, char *dx)
{
    const peri_upsampling *s = j->s;
    for (size_t i = 0, rows = 0; i < s->H; i += rows) {
        rows = 1;
        while (i + rows < s->H && j->row[i + rows] == j->row[i])
            rows++;
        j->f->sum_row(g + i * s->W * j->elem, j->line, rows, s->W, 1, wide);
        j->f->put(s->W, wide, j->at, dx + j->row[i] * s->w * j->elem);
    }
}

static void back_bilinear(const job *j, const char *g, char *wide, char *dx)
{
    const peri_upsampling *s = j->s;
    const size_t line = s->W * j->elem;
    memset(wide, 0, s->h * line);
    for (size_t i = 0; i < s->H; i++, g += line) {
        char *upper = wide + j->row[i] * line, *lower = wide + j->below[i] * line;
        j->f->mix(s->W, 1, upper, 1 - j->down[i], g, upper);
        if (j->down[i] != 0)
            j->f->mix(s->W, 1, lower, j->down[i], g, lower);
    }
    for (size_t r = 0; r < s->h; r++)
        j->f->share(s->W, wide + r * line, j->at, j->next, j->weight, dx + r * s->w * j->elem);
}

static void run_backward(void *context, size_t plane)
{
    job *j = context;
    const peri_upsampling *s = j->s;
    char *wide = peri_slot_take(&j->slots), *dx = j->out + plane * s->h * s->w * j->elem;
    const char *g = j->in + plane * s->H * s->W * j->elem;
    memset(dx, 0, s->h * s->w * j->elem);
    (s->bilinear ? back_bilinear : back_nearest)(j, g, wide, dx);
    peri_slot_give(&j->slots, wide);
}

void peri_upsample_backward(const peri_upsampling *s, int dtype, const void *G, void *dX,
                            void *work, size_t slots)
{
    job j;
    memset(dX, 0, s->planes * s->h * s->w * peri_dtype_size(dtype));
    if (s->planes * s->H * s->W == 0)
        return;
    make_job(&j, s, dtype, slots);
    place(&j, work);
    j.in = G;
    j.out = dX;
    peri_pool_run(s->planes, run_backward, &j);
}
