/* SPDX-License-Identifier: MIT
 *
 * The sizes of a net and of a run, the packed weights, and the blocks that a run is cut into.
 */
#include "kernel/lstm_plan.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"

/* ---- parameters -------------------------------------------------------------------------- */

size_t peri_lstm_layer_input(const peri_lstm_sizes *net, size_t layer)
{
    return layer == 0 ? net->input : net->hidden;
}

size_t peri_lstm_nparams(const peri_lstm_sizes *net)
{
    const size_t D = net->input, H = net->hidden, L = net->layers, O = net->output;
    const size_t most = INT_MAX / 4;
    if (D < 1 || H < 1 || L < 1 || O < 1 || D > most || H > most || L > most || O > most)
        return 0;
    size_t first, each, layers, output, sum;
    if (__builtin_mul_overflow(4 * H, D + H + 2, &first) ||
        __builtin_mul_overflow(4 * H, 2 * H + 2, &each) ||
        __builtin_mul_overflow(each, L - 1, &layers) || __builtin_mul_overflow(O, H + 1, &output) ||
        __builtin_add_overflow(first, layers, &sum) || __builtin_add_overflow(sum, output, &sum) ||
        sum > PTRDIFF_MAX / 8)
        return 0;
    return sum;
}

size_t peri_lstm_nparts(const peri_lstm_sizes *net)
{
    return 4 * net->layers + 2;
}

static size_t layer_offset(const peri_lstm_sizes *net, size_t layer)
{
    const size_t D = net->input, H = net->hidden;
    return layer == 0 ? 0 : 4 * H * (D + H + 2) + (layer - 1) * 4 * H * (2 * H + 2);
}

peri_lstm_part peri_lstm_get_part(const peri_lstm_sizes *net, size_t index)
{
    const size_t H = net->hidden, layer = index / 4;
    assert(index < peri_lstm_nparts(net));
    if (layer == net->layers) {
        const size_t offset = layer_offset(net, layer);
        if (index % 4 == 0)
            return (peri_lstm_part){PERI_LSTM_FC_W, layer, offset, net->output, H};
        return (peri_lstm_part){PERI_LSTM_FC_B, layer, offset + net->output * H, net->output, 1};
    }
    const size_t D = peri_lstm_layer_input(net, layer), offset = layer_offset(net, layer);
    switch (index % 4) {
    case 0:
        return (peri_lstm_part){PERI_LSTM_W_IH, layer, offset, 4 * H, D};
    case 1:
        return (peri_lstm_part){PERI_LSTM_W_HH, layer, offset + 4 * H * D, 4 * H, H};
    case 2:
        return (peri_lstm_part){PERI_LSTM_B_IH, layer, offset + 4 * H * (D + H), 4 * H, 1};
    default:
        return (peri_lstm_part){PERI_LSTM_B_HH, layer, offset + 4 * H * (D + H + 1), 4 * H, 1};
    }
}

size_t peri_lstm_find_bad(int dtype, const void *a, size_t batch, size_t steps, size_t wide,
                          bool bits, const size_t *lengths)
{
    const size_t n = batch * steps * wide;
    for (size_t i = 0; i < n; i++) {
        const double x = get(a, i, dtype);
        const bool good = bits ? x == 0 || x == 1 : isfinite(x);
        if (!good && (lengths == NULL || i / wide % steps < lengths[i / wide / steps]))
            return i;
    }
    return n;
}

/* ---- the plan of a run ------------------------------------------------------------------- */

enum {
    SMALL_ROWS = 16, /* rows at a time */
    LARGE_ROWS = 32  /* the same where the weights do not fit the second-level cache */
};

static size_t whole(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

size_t peri_lstm_reserve(size_t *at, size_t a, size_t b, size_t c)
{
    const size_t offset = *at;
    size_t n;
    if (offset == SIZE_MAX || __builtin_mul_overflow(a, b, &n) ||
        __builtin_mul_overflow(n, c, &n) || n > PTRDIFF_MAX / 64 ||
        __builtin_add_overflow(offset, whole(n, 16), at) || *at > PTRDIFF_MAX / 64)
        *at = SIZE_MAX;
    return offset;
}

/* Blocks are a power of two, so that two or four threads share them evenly. */
static size_t count_blocks(size_t batch, size_t rows)
{
    size_t n = 1;
    while (n < LSTM_MAX_BLOCKS && n * rows < batch)
        n *= 2;
    return n;
}

/* Packed weights for everything but `gradient`'s need. */
static void plan_shared(lstm_plan *p)
{
    const peri_lstm_sizes *net = p->net;
    const size_t H = net->hidden, L = net->layers, W = p->W;
    const size_t widest = net->input > H && !p->large ? net->input : H;
    size_t at = 0;
    p->forward_layer = p->large ? 0 : widest;
    p->forward = peri_lstm_reserve(&at, p->wants.forward ? L : 0, p->forward_layer + H, 4 * W);
    p->forward_layer = (p->forward_layer + H) * 4 * W;
    p->bias = peri_lstm_reserve(&at, L, 4, W);
    p->fc = peri_lstm_reserve(&at, net->output, W, 1);
    p->fc_bias = peri_lstm_reserve(&at, net->output, 1, 1);
    if (p->wants.backward) {
        p->back_hh = peri_lstm_reserve(&at, L, 4 * W, W);
        p->back_ih = peri_lstm_reserve(&at, p->large ? 0 : L, 4 * W, W);
        p->back_x = peri_lstm_reserve(&at, p->wants.inputs && !p->large ? 4 * W : 0, p->Dp, 1);
        p->fc_back = peri_lstm_reserve(&at, net->output, W, 1);
    }
    p->shared = at;
}

void peri_lstm_start_plan(lstm_plan *p, const peri_lstm_sizes *net, lstm_wants wants)
{
    *p = (lstm_plan){.net = net, .cell = peri_lstm_choose_cell(net->dtype), .wants = wants};
    p->element = peri_dtype_size(net->dtype);
    p->W = whole(net->hidden, p->cell->lanes);
    /* Rows a multiple of 4 KiB apart would share few sets of the cache, and the processor takes a
     * load from one row for a reader of what was just stored to another. */
    const size_t odd = p->W * p->element % 1024 == 0 ? p->cell->lanes : 0;
    p->S = p->W + odd;
    p->S4 = 4 * p->W + odd;
    p->Dp = whole(net->input, p->cell->lanes);
    const size_t widest = net->input > net->hidden ? net->input : net->hidden;
    p->large = (widest + net->hidden) * 4 * net->hidden * p->element > (size_t)1 << 20;
    plan_shared(p);
}

bool peri_lstm_make_plan(lstm_plan *p, const peri_lstm_sizes *net, size_t batch, size_t steps,
                         lstm_wants wants)
{
    const size_t params = peri_lstm_nparams(net);
    if (params == 0 || steps > INT_MAX || batch > INT_MAX)
        return false;
    peri_lstm_start_plan(p, net, wants);
    p->T = steps;
    const size_t most = p->large ? LARGE_ROWS : SMALL_ROWS;
    p->nblocks = count_blocks(batch, most);
    const size_t in_block = (batch + p->nblocks - 1) / p->nblocks;
    p->turns = (in_block + most - 1) / most;
    p->rows = p->turns == 0 ? 1 : (in_block + p->turns - 1) / p->turns;

    const size_t TR = steps * p->rows, W = p->W;
    if (TR > INT_MAX)
        return false;
    size_t at = 0;
    p->x = peri_lstm_reserve(&at, TR, p->Dp, 1);
    p->G = peri_lstm_reserve(&at, TR, p->S4, 1);
    p->h = peri_lstm_reserve(&at, TR + p->rows, p->S, 1);
    p->c = peri_lstm_reserve(&at, TR + p->rows, p->S, 1);
    p->tanh_c = peri_lstm_reserve(&at, TR, p->S, 1);
    p->layer = at - p->G;
    peri_lstm_reserve(&at, net->layers - 1, p->layer, 1);
    p->history = at;
    size_t kept = 0;
    if (wants.kept) {
        peri_lstm_reserve(&kept, p->nblocks, p->turns, at);
        at = at == SIZE_MAX ? at : 0;
    }
    p->dG = peri_lstm_reserve(&at, wants.backward && wants.kept ? TR : 0, p->S4, 1);
    p->dH = peri_lstm_reserve(&at, wants.backward ? TR : 0, p->S, 1);
    p->dC = peri_lstm_reserve(&at, wants.backward ? p->rows : 0, p->S, 1);
    p->dx = peri_lstm_reserve(&at, wants.inputs ? TR : 0, p->Dp, 1);
    p->z = peri_lstm_reserve(&at, TR, net->output, 1);
    p->sums = peri_lstm_reserve(&at, 4, W, 1);
    p->own_grads = peri_lstm_reserve(&at, wants.backward && p->nblocks > 1 ? params : 0, 1, 1);
    p->block = at;
    size_t all = p->shared;
    peri_lstm_reserve(&all, p->nblocks, at, 1);
    return p->shared != SIZE_MAX && at != SIZE_MAX && all != SIZE_MAX && kept != SIZE_MAX;
}

static size_t workspace(const peri_lstm_sizes *net, size_t batch, size_t steps, lstm_wants wants)
{
    lstm_plan p;
    if (!peri_lstm_make_plan(&p, net, batch, steps, wants))
        return 0;
    return (p.shared + p.nblocks * p.block) * p.element;
}

size_t peri_lstm_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps, bool gradient)
{
    return workspace(net, batch, steps, (lstm_wants){.forward = true, .backward = gradient});
}

size_t peri_lstm_forward_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps)
{
    return workspace(net, batch, steps, (lstm_wants){.forward = true, .kept = true});
}

size_t peri_lstm_backward_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps)
{
    return workspace(net, batch, steps,
                     (lstm_wants){.backward = true, .kept = true, .inputs = true});
}

size_t peri_lstm_history(const peri_lstm_sizes *net, size_t batch, size_t steps)
{
    lstm_plan p;
    if (!peri_lstm_make_plan(&p, net, batch, steps, (lstm_wants){.forward = true, .kept = true}))
        return 0;
    return p.nblocks * p.turns * p.history * p.element;
}

/* ---- OpenBLAS ---------------------------------------------------------------------------- */

void peri_lstm_gemm(const lstm_plan *p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t M, size_t N,
                    size_t K, const void *A, size_t lda, const void *B, size_t ldb, bool add,
                    void *C, size_t ldc)
{
    PERI_REAL_DO(p->net->dtype,
                 cblas_dgemm(CblasRowMajor, ta, tb, (int)M, (int)N, (int)K, 1, A, (int)lda, B,
                             (int)ldb, add ? 1 : 0, C, (int)ldc),
                 cblas_sgemm(CblasRowMajor, ta, tb, (int)M, (int)N, (int)K, 1, A, (int)lda, B,
                             (int)ldb, add ? 1 : 0, C, (int)ldc));
}

/* ---- packing ----------------------------------------------------------------------------- */

static void pack_small(const lstm_run *r)
{
    const lstm_plan *p = &r->p;
    const peri_lstm_sizes *net = p->net;
    const size_t H = net->hidden, W = p->W, O = net->output;
    for (size_t layer = 0; layer < net->layers; layer++) {
        const void *b_ih = part_at(r, r->params, 4 * layer + 2);
        const void *b_hh = part_at(r, r->params, 4 * layer + 3);
        void *bias = shared_at(r, p->bias + layer * 4 * W);
        memset(bias, 0, 4 * W * p->element);
        for (size_t q = 0; q < 4; q++)
            for (size_t j = 0; j < H; j++)
                PERI_REAL_DO(net->dtype,
                             ((double *)bias)[q * W + j] = ((const double *)b_ih)[q * H + j] +
                                                           ((const double *)b_hh)[q * H + j],
                             ((float *)bias)[q * W + j] = ((const float *)b_ih)[q * H + j] +
                                                          ((const float *)b_hh)[q * H + j]);
    }
    const char *fc = part_at(r, r->params, 4 * net->layers);
    char *padded = shared_at(r, p->fc);
    for (size_t o = 0; o < O; o++) {
        memcpy(padded + o * W * p->element, fc + o * H * p->element, H * p->element);
        memset(padded + (o * W + H) * p->element, 0, (W - H) * p->element);
    }
    memcpy(shared_at(r, p->fc_bias), part_at(r, r->params, 4 * net->layers + 1), O * p->element);
    if (p->wants.backward)
        p->cell->pack_rows(O, H, fc, 0, shared_at(r, p->fc_back));
}

/* Layer by layer one block for each panel of the forward sum, and one for each matrix of the
 * backward. */
static size_t count_packs(const lstm_plan *p)
{
    return p->net->layers * (p->W / p->cell->lanes + 2);
}

static void pack_block(void *context, size_t block)
{
    const lstm_run *r = context;
    const lstm_plan *p = &r->p;
    const peri_lstm_sizes *net = p->net;
    const size_t panels = p->W / p->cell->lanes, layer = block / (panels + 2);
    const size_t which = block % (panels + 2), H = net->hidden;
    const void *W_ih = part_at(r, r->params, 4 * layer);
    const void *W_hh = part_at(r, r->params, 4 * layer + 1);
    if (which < panels) {
        if (p->wants.forward)
            p->cell->pack_forward(which, p->large ? 0 : peri_lstm_layer_input(net, layer), H, W_ih,
                                  W_hh, shared_at(r, p->forward + layer * p->forward_layer));
    } else if (p->wants.backward && which == panels) {
        p->cell->pack_rows(4 * H, H, W_hh, H, shared_at(r, p->back_hh + layer * 4 * p->W * p->W));
    } else if (p->wants.backward && layer > 0 && !p->large) {
        p->cell->pack_rows(4 * H, H, W_ih, H, shared_at(r, p->back_ih + layer * 4 * p->W * p->W));
    } else if (p->wants.inputs && layer == 0 && !p->large) {
        p->cell->pack_rows(4 * H, net->input, W_ih, H, shared_at(r, p->back_x));
    }
}

void peri_lstm_pack(lstm_run *r)
{
    pack_small(r);
    if (r->p.large) {
        peri_pool_run(count_packs(&r->p), pack_block, r);
    } else {
        for (size_t block = 0; block < count_packs(&r->p); block++)
            pack_block(r, block);
    }
}

/* ---- blocks and turns -------------------------------------------------------------------- */

typedef struct {
    lstm_run *r;
    bool (*work)(lstm_turn *t);
} block_job;

static void run_block(void *context, size_t block)
{
    const block_job *job = context;
    lstm_run *r = job->r;
    const lstm_plan *p = &r->p;
    const size_t N = r->in->batch;
    const size_t from = N * block / p->nblocks, to = N * (block + 1) / p->nblocks;
    const size_t turns = (to - from + p->rows - 1) / p->rows;
    lstm_turn t = {.r = r, .own = r->work + (p->shared + block * p->block) * p->element};
    t.grads = p->nblocks > 1 && r->grads != NULL ? own_at(&t, p->own_grads) : r->grads;
    for (size_t i = 0; i < turns; i++) {
        t.first = from + (to - from) * i / turns;
        t.R = from + (to - from) * (i + 1) / turns - t.first;
        t.add = i > 0;
        t.history = t.own;
        if (p->wants.kept)
            t.history = r->history + (block * p->turns + i) * p->history * p->element;
        if (!job->work(&t)) {
            r->stopped[block] = true;
            return;
        }
    }
    r->loss[block] = t.loss;
}

enum { REDUCE = 65536 }; /* parameters to a block of the sum */

static void reduce_block(void *context, size_t block)
{
    const lstm_run *r = context;
    const lstm_plan *p = &r->p;
    const size_t params = peri_lstm_nparams(p->net), from = block * REDUCE;
    const size_t n = params - from < REDUCE ? params - from : REDUCE;
    for (size_t b = 0; b < p->nblocks; b++) {
        const char *own = r->work + (p->shared + b * p->block + p->own_grads) * p->element;
        if (b == 0)
            memcpy((char *)r->grads + from * p->element, own + from * p->element, n * p->element);
        else
            PERI_REAL_DO(
                p->net->dtype,
                cblas_daxpy((int)n, 1, (const double *)own + from, 1, (double *)r->grads + from, 1),
                cblas_saxpy((int)n, 1, (const float *)own + from, 1, (float *)r->grads + from, 1));
    }
}

peri_status peri_lstm_run_turns(lstm_run *r, bool (*work)(lstm_turn *t))
{
    peri_lstm_pack(r);
    peri_pool_run(r->p.nblocks, run_block, &(block_job){r, work});
    for (size_t block = 0; block < r->p.nblocks; block++)
        if (r->stopped[block])
            return PERI_ERR_INTERRUPTED;
    if (r->grads != NULL && r->p.nblocks > 1)
        peri_pool_run((peri_lstm_nparams(r->p.net) + REDUCE - 1) / REDUCE, reduce_block, r);
    return PERI_OK;
}
