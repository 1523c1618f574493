/* SPDX-License-Identifier: MIT
 *
 * Sequences drawn bit by bit, all of a block at once; the first input is 0.
 */
#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "kernel/lstm_plan.h"
#include "kernel/pool.h"

enum { SAMPLE_ROWS = 96 };

/* Of a block, in elements: two states and one step of gates for each layer. */
typedef struct {
    size_t h, c, G, tanh_c, layer, x, z, all;
} sample_plan;

typedef struct {
    lstm_run r;
    sample_plan s;
    size_t count, steps, blocks;
    const double *uniform;
    void *draws;
    atomic_bool stopped;
} sample_run;

static bool make_sample_plan(lstm_plan *p, sample_plan *s, const peri_lstm_sizes *net, size_t count,
                             size_t *blocks)
{
    if (peri_lstm_nparams(net) == 0)
        return false;
    peri_lstm_start_plan(p, net, (lstm_wants){.forward = true});
    *blocks = (count + SAMPLE_ROWS - 1) / SAMPLE_ROWS;
    size_t at = 0;
    s->h = peri_lstm_reserve(&at, 2, SAMPLE_ROWS, p->S);
    s->c = peri_lstm_reserve(&at, 2, SAMPLE_ROWS, p->S);
    s->G = peri_lstm_reserve(&at, 1, SAMPLE_ROWS, p->S4);
    s->tanh_c = peri_lstm_reserve(&at, 1, SAMPLE_ROWS, p->S);
    s->layer = at;
    peri_lstm_reserve(&at, net->layers - 1, s->layer, 1);
    s->x = peri_lstm_reserve(&at, 1, SAMPLE_ROWS, p->Dp);
    s->z = peri_lstm_reserve(&at, 1, SAMPLE_ROWS, net->output);
    s->all = at;
    size_t all = p->shared;
    peri_lstm_reserve(&all, *blocks, at, 1);
    return at != SIZE_MAX && all != SIZE_MAX && p->shared != SIZE_MAX;
}

size_t peri_lstm_sample_workspace(const peri_lstm_sizes *net, size_t count)
{
    lstm_plan p;
    sample_plan s;
    size_t blocks;
    if (!make_sample_plan(&p, &s, net, count, &blocks))
        return 0;
    return (p.shared + blocks * s.all) * p.element;
}

static void sample_step(const sample_run *q, char *own, size_t R, size_t step)
{
    const lstm_plan *p = &q->r.p;
    const sample_plan *s = &q->s;
    const size_t W = p->W, e = p->element, H = p->net->hidden, half = SAMPLE_ROWS * p->S;
    const size_t before = step % 2 * half, after = half - before;
    for (size_t layer = 0; layer < p->net->layers; layer++) {
        char *mine = own + layer * s->layer * e;
        const size_t D = peri_lstm_layer_input(p->net, layer), ldx = layer == 0 ? p->Dp : p->S;
        char *x = layer == 0 ? own + s->x * e : mine + (s->h + after) * e - s->layer * e;
        cell_forward f = {.B = R,
                          .D = p->large ? 0 : D,
                          .H = H,
                          .W = W,
                          .S = p->S,
                          .S4 = p->S4,
                          .ldx = ldx,
                          .projected = p->large,
                          .reverse = step % 2 != 0,
                          .packed = shared_at(&q->r, p->forward + layer * p->forward_layer),
                          .bias = shared_at(&q->r, p->bias + layer * 4 * W),
                          .x = x,
                          .h_before = mine + (s->h + before) * e,
                          .c_before = mine + (s->c + before) * e,
                          .G = mine + s->G * e,
                          .h = mine + (s->h + after) * e,
                          .c = mine + (s->c + after) * e,
                          .tanh_c = mine + s->tanh_c * e};
        if (p->large) {
            const char *W_ih = part_at(&q->r, q->r.params, 4 * layer);
            for (size_t gate = 0; gate < 4; gate++)
                peri_lstm_gemm(p, CblasNoTrans, CblasTrans, R, H, D, x, ldx,
                               W_ih + gate * H * D * e, D, false, (char *)f.G + gate * W * e,
                               p->S4);
        }
        p->cell->forward(&f);
    }
    p->cell->dots(R, p->net->output, W, own + ((p->net->layers - 1) * s->layer + s->h + after) * e,
                  p->S, shared_at(&q->r, p->fc), shared_at(&q->r, p->fc_bias), own + s->z * e);
}

static void sample_block(void *context, size_t block)
{
    sample_run *q = context;
    const lstm_plan *p = &q->r.p;
    const int dtype = p->net->dtype;
    const size_t first = q->count * block / q->blocks;
    const size_t R = q->count * (block + 1) / q->blocks - first, D = p->net->input;
    char *own = q->r.work + (p->shared + block * q->s.all) * p->element;
    memset(own, 0, q->s.all * p->element);
    for (size_t step = 0; step < q->steps; step++) {
        if (peri_stop_requested(q->r.stop)) {
            atomic_store(&q->stopped, true);
            return;
        }
        sample_step(q, own, R, step);
        for (size_t r = 0; r < R; r++)
            for (size_t d = 0; d < D; d++) {
                const size_t at = ((first + r) * q->steps + step) * D + d;
                const double z = get(own + q->s.z * p->element, r * D + d, dtype);
                const double bit = isnan(z) ? z : q->uniform[at] < 1 / (1 + exp(-z)) ? 1 : 0;
                put(q->draws, at, dtype, bit);
                put(own + q->s.x * p->element, r * p->Dp + d, dtype, bit);
            }
    }
}

peri_status peri_lstm_sample(const peri_lstm_sizes *net, const void *params, size_t count,
                             size_t steps, const double *uniform, const peri_stop *stop, void *out,
                             void *work, peri_facts *facts)
{
    assert(net->input == net->output);
    sample_run q = {.r = {.params = params, .stop = stop, .work = work},
                    .count = count,
                    .steps = steps,
                    .uniform = uniform,
                    .draws = out};
    if (!make_sample_plan(&q.r.p, &q.s, net, count, &q.blocks))
        return PERI_ERR_TOO_LARGE;
    peri_lstm_pack(&q.r);
    peri_pool_run(q.blocks, sample_block, &q);
    if (atomic_load(&q.stopped))
        return PERI_ERR_INTERRUPTED;
    const size_t D = net->input;
    const size_t bad = peri_lstm_find_bad(net->dtype, out, count, steps, D, true, NULL);
    if (bad == count * steps * D)
        return PERI_OK;
    *facts = (peri_facts){"out", NULL, 3, {bad / D / steps, bad / D % steps, bad % D}, NAN};
    return PERI_ERR_NONFINITE;
}
