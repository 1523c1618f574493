/* SPDX-License-Identifier: MIT
 *
 * The gradient of W as a product of X's staged images with dY, transposed to pixels by channels.
 * A block of the pool takes some images (a chunk) and some channels of X; each chunk has sums of
 * its own, (K, O) in memory, which are added in order at the end. The chunks follow from the sizes
 * alone.
 */
#include <stdint.h>
#include <string.h>

#include "kernel/conv_parts.h"
#include "kernel/pool.h"

enum {
    MAX_CHUNKS = 8,
    MAX_PARTS = 8,
    MOST_SUMS = 1 << 22, /* elements of all chunks' sums, unless one chunk alone has more */
    STRIP = 128 << 10    /* bytes of dY that all rows of W pass over before the next come */
};

typedef struct {
    const peri_conv *s;
    const peri_conv_functions *f;
    const peri_stop *stop;
    int dtype;
    size_t elem, oh, ow, C, O, ldo, taps; /* C, O channels of a group; taps = kh kw */
    size_t chunks, parts, part;           /* part: channels of a block */
    size_t strip;                         /* rows of dY at a time */
    peri_staging staging;
    size_t staged_bytes, sums_bytes;
    const char *X, *dY;
    char *sums;
    size_t *tap;
    peri_slots slots;
    double beta;
    void *dW;
} plan;

static size_t make_plan(plan *p, const peri_conv *s, int dtype, size_t slots)
{
    peri_facts facts;
    *p = (plan){.s = s, .f = peri_conv_choose(dtype), .dtype = dtype};
    if (peri_conv_output(s, &p->oh, &p->ow, &facts) != PERI_OK)
        return SIZE_MAX;
    p->elem = peri_dtype_size(dtype);
    p->C = s->c / s->groups;
    p->O = s->o / s->groups;
    p->taps = s->kh * s->kw;
    p->ldo = peri_round_up(p->O, p->f->lanes);
    const size_t n = s->n > 0 ? s->n : 1, K = p->C * p->taps;
    p->chunks = n < MAX_CHUNKS ? n : MAX_CHUNKS;
    while (p->chunks > 1 && p->chunks * s->groups * K * p->ldo > MOST_SUMS)
        p->chunks /= 2;
    p->parts = 1;
    while (p->parts < MAX_PARTS && p->parts * p->chunks * s->groups < MAX_CHUNKS &&
           p->C / (2 * p->parts) * p->taps >= 64)
        p->parts *= 2;
    p->part = (p->C + p->parts - 1) / p->parts;
    peri_staging *g = &p->staging;
    *g = (peri_staging){.channels = p->part,
                        .h = s->h,
                        .w = s->w,
                        .top = s->padding[0],
                        .left = s->padding[1],
                        .rows = s->h + 2 * s->padding[0],
                        .deal = s->stride[1]};
    g->cols = (s->w + 2 * s->padding[1] + g->deal - 1) / g->deal;
    p->strip = STRIP / (p->ow * p->ldo * p->elem);
    p->strip = p->strip < 1 ? 1 : p->strip > p->oh ? p->oh : p->strip;
    p->staged_bytes = peri_lines(peri_staged_size(g) * p->elem);
    p->slots.each = p->staged_bytes + peri_lines(p->strip * p->ow * p->ldo * p->elem);
    p->slots.count = peri_slots_count(p->chunks * p->parts * s->groups, slots);
    p->sums_bytes = peri_lines(s->groups * K * p->ldo * p->elem);
    return p->slots.count * p->slots.each + p->chunks * p->sums_bytes +
           peri_lines(p->part * p->taps * sizeof *p->tap);
}

static void run_block(void *context, size_t block)
{
    plan *p = context;
    if (peri_stop_requested(p->stop))
        return;
    const peri_conv *s = p->s;
    const size_t part = block % p->parts, group = block / p->parts % s->groups;
    const size_t chunk = block / p->parts / s->groups;
    const size_t c0 = part * p->part;
    if (c0 >= p->C)
        return;
    peri_staging g = p->staging;
    g.channels = p->C - c0 < p->part ? p->C - c0 : p->part;
    const size_t lo = chunk * s->n / p->chunks, hi = (chunk + 1) * s->n / p->chunks;
    char *slot = peri_slot_take(&p->slots), *dyt = slot + p->staged_bytes;
    char *sums = p->sums + chunk * p->sums_bytes + (group * p->C + c0) * p->taps * p->ldo * p->elem;
    memset(sums, 0, g.channels * p->taps * p->ldo * p->elem);
    const size_t row = peri_staged_row(&g) * s->stride[0];
    for (size_t n = lo; n < hi; n++) {
        peri_stage(&g, p->dtype, p->X + ((n * s->c + group * p->C + c0) * s->h * s->w) * p->elem,
                   slot);
        const char *dY = p->dY + (n * s->o + group * p->O) * p->oh * p->ow * p->elem;
        for (size_t r = 0; r < p->oh; r += p->strip) {
            const size_t rows = p->oh - r < p->strip ? p->oh - r : p->strip;
            const void *from = dY + r * p->ow * p->elem;
            const size_t pixels = rows * p->ow, panel = p->f->panel;
            for (size_t o = 0; o < p->O && p->O > 1; o += panel)
                p->f->spread((const char *)from + o * p->oh * p->ow * p->elem, p->oh * p->ow,
                             p->O - o < panel ? p->O - o : panel, pixels, pixels,
                             dyt + o * pixels * p->elem, p->ldo - o < panel ? p->ldo - o : panel,
                             0);
            const peri_gathering q = {.thin = p->O == 1,
                                      .K = g.channels * p->taps,
                                      .rows = rows,
                                      .cols = p->ow,
                                      .x_row = row,
                                      .ldo = p->ldo,
                                      .x = slot + r * row * p->elem,
                                      .tap = p->tap,
                                      .acc = sums,
                                      .dyt = p->O == 1 ? from : dyt};
            p->f->gather(&q);
        }
    }
    peri_slot_give(&p->slots, slot);
}

enum { ROWS = 128 /* of sums that are added up at a time */ };

#define ADD_CHUNKS(REAL)                                                                           \
    for (size_t i = 1; i < p->chunks; i++) {                                                       \
        const REAL *x = (const REAL *)(const void *)(sums + i * p->sums_bytes);                    \
        for (size_t j = 0; j < count * p->ldo; j++)                                                \
            ((REAL *)(void *)sums)[j] += x[j];                                                     \
    }

#define ADD_TO(REAL)                                                                               \
    for (size_t k = 0; k < count; k++)                                                             \
        for (size_t o = 0; o < p->O; o++)                                                          \
    ((REAL *)(void *)to)[o * K + k] += ((const REAL *)(void *)sums)[k * p->ldo + o]

/* dW[o,k] = beta dW + the chunks' sums [k,o], for some rows k of one group. */
static void add_up(void *context, size_t block)
{
    const plan *p = context;
    const size_t K = p->C * p->taps, blocks = (K + ROWS - 1) / ROWS, group = block / blocks;
    const size_t first = block % blocks * ROWS, count = K - first < ROWS ? K - first : ROWS;
    char *sums = p->sums + (group * K + first) * p->ldo * p->elem;
    char *to = (char *)p->dW + (group * p->O * K + first) * p->elem;
    PERI_REAL_RUN(p->dtype, ADD_CHUNKS(double), ADD_CHUNKS(float));
    if (p->beta == 0)
        p->f->collect(sums, p->ldo, 0, K, NULL, to, K, p->O, count);
    else
        PERI_REAL_RUN(p->dtype, ADD_TO(double), ADD_TO(float));
}

size_t peri_weights_work(const peri_conv *s, int dtype, size_t slots)
{
    plan p;
    return make_plan(&p, s, dtype, slots);
}

peri_status peri_weights_product(const peri_conv *s, int dtype, const void *X, const void *dY,
                                 double beta, void *dW, void *work, size_t slots,
                                 const peri_stop *stop)
{
    plan p;
    if (make_plan(&p, s, dtype, slots) == SIZE_MAX)
        return PERI_OK;
    p.X = X;
    p.dY = dY;
    p.beta = beta;
    p.dW = dW;
    p.stop = stop;
    p.slots.memory = work;
    p.sums = (char *)work + p.slots.count * p.slots.each;
    p.tap = (size_t *)(void *)(p.sums + p.chunks * p.sums_bytes);
    const peri_staging *g = &p.staging;
    size_t *tap = p.tap;
    for (size_t c = 0; c < p.part; c++)
        for (size_t a = 0; a < s->kh; a++)
            for (size_t b = 0; b < s->kw; b++)
                *tap++ = c * g->rows * peri_staged_row(g) +
                         peri_staged_at(g, a * s->dilation[0], b * s->dilation[1]);
    peri_pool_run(p.chunks * p.parts * s->groups, run_block, &p);
    if (peri_stop_requested(stop))
        return PERI_ERR_INTERRUPTED;
    peri_pool_run(s->groups * ((p.C * p.taps + ROWS - 1) / ROWS), add_up, &p);
    return PERI_OK;
}
