/* SPDX-License-Identifier: MIT
 *
 * How a run goes: the weights are packed; each block of sequences is taken, some rows at a time
 * (as many as keep its history in the second-level cache), forward through all layers, to the
 * loss and back, and adds to a gradient of its own; these are added in the order of the blocks.
 *
 * The history of `rows` sequences is time-major: row t rows + r is sequence r at step t. So a
 * step of the recurrence reads rows that lie together, and the input of a layer, its products
 * with W_ih and all weight gradients are single products over T rows rows.
 *
 * Where matrices are small everything is lstm_cell.h; where W_ih is large its products and the
 * weight gradients go to OpenBLAS, which beats a simple kernel there. The recurrent product stays
 * ours at all sizes: OpenBLAS would pack W_hh anew at each step.
 */
#include "kernel/lstm.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <cblas.h>

#include "kernel/pool.h"
#include "kernel/view.h"

/* One step of one layer for B rows. Where `projected`, G holds W_ih x already and D is 0. */
typedef struct {
    size_t B, D, H, W, ldx;
    size_t S, S4; /* from row to row of what is (B,W), and (B,4W) */
    bool projected;
    bool reverse;  /* last panel first: steps take turns, so that the weights used last by
                      one are still in the cache when the next begins */
    const void *x; /* (B,D), rows ldx apart */
    const void *h_before, *c_before; /* (B,W) */
    const void *packed, *bias;       /* by pack_forward; (4W) */
    void *G;                         /* (B,4W): out, the gates */
    void *c, *h, *tanh_c;            /* (B,W): out */
} cell_forward;

typedef struct {
    size_t B, W, S, S4;
    bool reverse;
    const void *packed;            /* W_hh by pack_rows */
    const void *dG_after;          /* (B,4W) of the step after; NULL at the last */
    void *dH;                      /* (B,W) from above; overwritten */
    void *G;                       /* (B,4W) in: the gates, out: their gradients */
    void *dC;                      /* (B,W) in: of c_t from the step after, out: of c_(t-1) */
    const void *tanh_c, *c_before; /* (B,W) */
} cell_backward;

typedef struct {
    size_t lanes;
    void (*forward)(const cell_forward *);
    void (*backward)(const cell_backward *);
    void (*multiply)(size_t M, size_t N, size_t K, const void *A, size_t lda, const void *B,
                     void *C, size_t ldc);
    void (*gather)(size_t M, size_t N, size_t K, const void *A, size_t lda, const void *B,
                   size_t ldb, void *C, size_t ldc, bool add);
    void (*column_sums)(size_t N, size_t K, const void *A, size_t lda, void *out, bool add);
    void (*dots)(size_t M, size_t N, size_t W, const void *A, size_t lda, const void *B,
                 const void *bias, void *out);
    void (*pack_forward)(size_t panel, size_t D, size_t H, const void *W_ih, const void *W_hh,
                         void *packed);
    void (*pack_rows)(size_t K, size_t columns, const void *B, size_t gate, void *packed);
} cell_functions;

#define LANES_BITS  32
#define LANES_BYTES 16
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#if LANES_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#endif

static const cell_functions *choose_cell(int dtype)
{
#if LANES_X86
    if (peri_lanes_bytes() == 64)
        return dtype == PERI_F32 ? &cell_f32_64 : &cell_f64_64;
    if (peri_lanes_bytes() == 32)
        return dtype == PERI_F32 ? &cell_f32_32 : &cell_f64_32;
#endif
    return dtype == PERI_F32 ? &cell_f32_16 : &cell_f64_16;
}

/* ---- parameters -------------------------------------------------------------------------- */

static size_t layer_input(const peri_lstm_sizes *net, size_t layer)
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
    const size_t D = layer_input(net, layer), offset = layer_offset(net, layer);
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

/* ---- checks ------------------------------------------------------------------------------ */

static double get(const void *a, size_t i, int dtype)
{
    return dtype == PERI_F32 ? (double)((const float *)a)[i] : ((const double *)a)[i];
}

static void put(void *a, size_t i, int dtype, double x)
{
    if (dtype == PERI_F32)
        ((float *)a)[i] = (float)x;
    else
        ((double *)a)[i] = x;
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
    MAX_BLOCKS = 8,
    SMALL_ROWS = 16, /* rows at a time */
    LARGE_ROWS = 32  /* the same where the weights do not fit the second-level cache */
};

/* Where things lie in the workspace, in elements. */
typedef struct {
    const peri_lstm_sizes *net;
    const cell_functions *cell;
    size_t element;  /* bytes */
    size_t T, W, Dp; /* Dp: D in whole vectors */
    size_t S, S4;    /* from row to row of what is W, and 4W, wide */
    size_t rows;     /* at most, at a time */
    size_t nblocks;
    bool large, gradient;
    /* shared */
    size_t forward, forward_layer; /* packed for forward; a layer's share */
    size_t bias;                   /* (L,4W) b_ih + b_hh */
    size_t back_hh, back_ih;       /* (L)(4W,W) packed for backward */
    size_t fc, fc_back;            /* (O,W) padded; packed */
    size_t fc_bias;                /* (O) */
    size_t shared;
    /* a block, from the start of its own */
    size_t x;                      /* (T,rows,Dp) */
    size_t G, h, c, tanh_c, layer; /* (T,rows,4W), (T+1,rows,W) twice, (T,rows,W); from layer on */
    size_t dH, dC;                 /* (T,rows,W), (rows,W) */
    size_t z;                      /* (T,rows,O) logits, then their gradients */
    size_t sums;                   /* (4W) */
    size_t own_grads;              /* (nparams) when there are several blocks */
    size_t block;                  /* all of it */
} plan;

static size_t whole(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

/* Adds a region of a x b x c elements, at a multiple of 64 bytes. Returns its offset; a size that
 * overflows sets *at to SIZE_MAX, which stays. */
static size_t reserve(size_t *at, size_t a, size_t b, size_t c)
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
    while (n < MAX_BLOCKS && n * rows < batch)
        n *= 2;
    return n;
}

/* Packed weights for everything but `gradient`'s need. */
static void plan_shared(plan *p)
{
    const peri_lstm_sizes *net = p->net;
    const size_t H = net->hidden, L = net->layers, W = p->W;
    const size_t widest = net->input > H && !p->large ? net->input : H;
    size_t at = 0;
    p->forward_layer = p->large ? 0 : widest;
    p->forward = reserve(&at, L, p->forward_layer + H, 4 * W);
    p->forward_layer = (p->forward_layer + H) * 4 * W;
    p->bias = reserve(&at, L, 4, W);
    p->fc = reserve(&at, net->output, W, 1);
    p->fc_bias = reserve(&at, net->output, 1, 1);
    if (p->gradient) {
        p->back_hh = reserve(&at, L, 4 * W, W);
        p->back_ih = reserve(&at, p->large ? 0 : L, 4 * W, W);
        p->fc_back = reserve(&at, net->output, W, 1);
    }
    p->shared = at;
}

static void start_plan(plan *p, const peri_lstm_sizes *net, bool gradient)
{
    *p = (plan){.net = net, .cell = choose_cell(net->dtype), .gradient = gradient};
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

static bool make_plan(plan *p, const peri_lstm_sizes *net, size_t batch, size_t steps,
                      bool gradient)
{
    const size_t params = peri_lstm_nparams(net);
    if (params == 0 || steps > INT_MAX || batch > INT_MAX)
        return false;
    start_plan(p, net, gradient);
    p->T = steps;
    const size_t most = p->large ? LARGE_ROWS : SMALL_ROWS;
    p->nblocks = count_blocks(batch, most);
    const size_t in_block = (batch + p->nblocks - 1) / p->nblocks;
    const size_t turns = (in_block + most - 1) / most;
    p->rows = turns == 0 ? 1 : (in_block + turns - 1) / turns;

    const size_t TR = steps * p->rows, W = p->W;
    if (TR > INT_MAX)
        return false;
    size_t at = 0;
    p->x = reserve(&at, TR, p->Dp, 1);
    p->G = reserve(&at, TR, p->S4, 1);
    p->h = reserve(&at, TR + p->rows, p->S, 1);
    p->c = reserve(&at, TR + p->rows, p->S, 1);
    p->tanh_c = reserve(&at, TR, p->S, 1);
    p->layer = at - p->G;
    reserve(&at, net->layers - 1, p->layer, 1);
    p->dH = reserve(&at, gradient ? TR : 0, p->S, 1);
    p->dC = reserve(&at, gradient ? p->rows : 0, p->S, 1);
    p->z = reserve(&at, TR, net->output, 1);
    p->sums = reserve(&at, 4, W, 1);
    p->own_grads = reserve(&at, gradient && p->nblocks > 1 ? params : 0, 1, 1);
    p->block = at;
    size_t all = p->shared;
    reserve(&all, p->nblocks, at, 1);
    return p->shared != SIZE_MAX && at != SIZE_MAX && all != SIZE_MAX;
}

size_t peri_lstm_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps, bool gradient)
{
    plan p;
    if (!make_plan(&p, net, batch, steps, gradient))
        return 0;
    return (p.shared + p.nblocks * p.block) * p.element;
}

/* ---- OpenBLAS ---------------------------------------------------------------------------- */

/* C = op(A) op(B) + beta C, row-major. */
static void gemm(const plan *p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t M, size_t N,
                 size_t K, const void *A, size_t lda, const void *B, size_t ldb, bool add, void *C,
                 size_t ldc)
{
    if (p->net->dtype == PERI_F32)
        cblas_sgemm(CblasRowMajor, ta, tb, (int)M, (int)N, (int)K, 1, A, (int)lda, B, (int)ldb,
                    add ? 1 : 0, C, (int)ldc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, (int)M, (int)N, (int)K, 1, A, (int)lda, B, (int)ldb,
                    add ? 1 : 0, C, (int)ldc);
}

/* ---- packing ----------------------------------------------------------------------------- */

typedef struct {
    plan p;
    const void *params;
    const peri_lstm_input *in;
    const peri_lstm_output *out;
    const peri_stop *stop;
    char *work;
    double scale; /* of a step's loss in the mean */
    double loss[MAX_BLOCKS];
    bool stopped[MAX_BLOCKS];
} run;

static void *shared_at(const run *r, size_t offset)
{
    return r->work + offset * r->p.element;
}

static const void *part_at(const run *r, const void *base, size_t index)
{
    return (const char *)base + peri_lstm_get_part(r->p.net, index).offset * r->p.element;
}

static void pack_small(const run *r)
{
    const plan *p = &r->p;
    const peri_lstm_sizes *net = p->net;
    const size_t H = net->hidden, W = p->W, O = net->output;
    for (size_t layer = 0; layer < net->layers; layer++) {
        const void *b_ih = part_at(r, r->params, 4 * layer + 2);
        const void *b_hh = part_at(r, r->params, 4 * layer + 3);
        void *bias = shared_at(r, p->bias + layer * 4 * W);
        memset(bias, 0, 4 * W * p->element);
        for (size_t q = 0; q < 4; q++)
            for (size_t j = 0; j < H; j++)
                if (net->dtype == PERI_F32)
                    ((float *)bias)[q * W + j] =
                        ((const float *)b_ih)[q * H + j] + ((const float *)b_hh)[q * H + j];
                else
                    ((double *)bias)[q * W + j] =
                        ((const double *)b_ih)[q * H + j] + ((const double *)b_hh)[q * H + j];
    }
    const char *fc = part_at(r, r->params, 4 * net->layers);
    char *padded = shared_at(r, p->fc);
    for (size_t o = 0; o < O; o++) {
        memcpy(padded + o * W * p->element, fc + o * H * p->element, H * p->element);
        memset(padded + (o * W + H) * p->element, 0, (W - H) * p->element);
    }
    memcpy(shared_at(r, p->fc_bias), part_at(r, r->params, 4 * net->layers + 1), O * p->element);
    if (p->gradient)
        p->cell->pack_rows(O, H, fc, 0, shared_at(r, p->fc_back));
}

/* Layer by layer one block for each panel of the forward sum, and one for each matrix of the
 * backward. */
static size_t count_packs(const plan *p)
{
    return p->net->layers * (p->W / p->cell->lanes + 2);
}

static void pack_block(void *context, size_t block)
{
    const run *r = context;
    const plan *p = &r->p;
    const peri_lstm_sizes *net = p->net;
    const size_t panels = p->W / p->cell->lanes, layer = block / (panels + 2);
    const size_t which = block % (panels + 2), H = net->hidden;
    const void *W_ih = part_at(r, r->params, 4 * layer);
    const void *W_hh = part_at(r, r->params, 4 * layer + 1);
    if (which < panels)
        p->cell->pack_forward(which, p->large ? 0 : layer_input(net, layer), H, W_ih, W_hh,
                              shared_at(r, p->forward + layer * p->forward_layer));
    else if (p->gradient && which == panels)
        p->cell->pack_rows(4 * H, H, W_hh, H, shared_at(r, p->back_hh + layer * 4 * p->W * p->W));
    else if (p->gradient && layer > 0 && !p->large)
        p->cell->pack_rows(4 * H, H, W_ih, H, shared_at(r, p->back_ih + layer * 4 * p->W * p->W));
}

static void pack(run *r)
{
    pack_small(r);
    if (r->p.large) {
        peri_pool_run(count_packs(&r->p), pack_block, r);
    } else {
        for (size_t block = 0; block < count_packs(&r->p); block++)
            pack_block(r, block);
    }
}

/* ---- some rows of a block ---------------------------------------------------------------- */

/* Sequences first .. first+R-1 of the batch, in the memory of a block. */
typedef struct {
    const run *r;
    char *own;
    size_t first, R;
    void *grads;
    bool add; /* to grads, else set them */
    double loss;
} turn;

static char *own_at(const turn *t, size_t offset)
{
    return t->own + offset * t->r->p.element;
}

/* Within a layer's history: row `row` of what lies at offset, `wide` elements a row. */
static char *history(const turn *t, size_t layer, size_t offset, size_t row, size_t wide)
{
    return own_at(t, offset + layer * t->r->p.layer + row * wide);
}

static size_t source_row(const turn *t, size_t r)
{
    const size_t *rows = t->r->in->rows;
    return rows == NULL ? t->first + r : rows[t->first + r];
}

static size_t steps_of(const turn *t, size_t r)
{
    const size_t *lengths = t->r->in->lengths;
    return lengths == NULL ? t->r->p.T : lengths[source_row(t, r)];
}

static void load_input(const turn *t)
{
    const plan *p = &t->r->p;
    const size_t D = p->net->input, bytes = D * p->element, padding = (p->Dp - D) * p->element;
    for (size_t r = 0; r < t->R; r++) {
        const char *x = (const char *)t->r->in->x + source_row(t, r) * p->T * bytes;
        const size_t steps = steps_of(t, r);
        for (size_t s = 0; s < p->T; s++) {
            char *to = own_at(t, p->x + (s * t->R + r) * p->Dp);
            if (s < steps)
                memcpy(to, x + s * bytes, bytes);
            else
                memset(to, 0, bytes);
            memset(to + bytes, 0, padding);
        }
    }
}

/* Copies the state of a layer in (to the row before the first step) or out of the history. */
static void load_state(const turn *t, size_t layer)
{
    const plan *p = &t->r->p;
    const size_t bytes = p->net->hidden * p->element, N = t->r->in->batch;
    char *h = history(t, layer, p->h, 0, p->S), *c = history(t, layer, p->c, 0, p->S);
    memset(h, 0, t->R * p->S * p->element);
    memset(c, 0, t->R * p->S * p->element);
    if (t->r->in->h0 == NULL)
        return;
    for (size_t r = 0; r < t->R; r++) {
        const size_t from = (layer * N + t->first + r) * bytes, to = r * p->S * p->element;
        memcpy(h + to, (const char *)t->r->in->h0 + from, bytes);
        memcpy(c + to, (const char *)t->r->in->c0 + from, bytes);
    }
}

static void save_state(const turn *t, size_t layer)
{
    const plan *p = &t->r->p;
    const size_t bytes = p->net->hidden * p->element, N = t->r->in->batch;
    for (size_t r = 0; r < t->R; r++) {
        const size_t to = (layer * N + t->first + r) * bytes, row = steps_of(t, r) * t->R + r;
        memcpy((char *)t->r->out->hn + to, history(t, layer, p->h, row, p->S), bytes);
        memcpy((char *)t->r->out->cn + to, history(t, layer, p->c, row, p->S), bytes);
    }
}

/* The input of a layer as (T R, its D), and how far apart the rows are. */
static const void *input_of(const turn *t, size_t layer, size_t *ld)
{
    const plan *p = &t->r->p;
    *ld = layer == 0 ? p->Dp : p->S;
    return layer == 0 ? own_at(t, p->x) : history(t, layer - 1, p->h, t->R, p->S);
}

/* G = x W_ih' for all steps at once. */
static void project_input(const turn *t, size_t layer)
{
    const plan *p = &t->r->p;
    const size_t H = p->net->hidden, D = layer_input(p->net, layer), W = p->W;
    const char *W_ih = part_at(t->r, t->r->params, 4 * layer);
    char *G = history(t, layer, p->G, 0, p->S4);
    size_t ldx;
    const void *x = input_of(t, layer, &ldx);
    if (W == H) {
        gemm(p, CblasNoTrans, CblasTrans, p->T * t->R, 4 * H, D, x, ldx, W_ih, D, false, G, p->S4);
        return;
    }
    memset(G, 0, p->T * t->R * p->S4 * p->element);
    for (size_t q = 0; q < 4; q++)
        gemm(p, CblasNoTrans, CblasTrans, p->T * t->R, H, D, x, ldx, W_ih + q * H * D * p->element,
             D, false, G + q * W * p->element, p->S4);
}

/* Returns false when the run was stopped. */
static bool run_forward(const turn *t)
{
    const plan *p = &t->r->p;
    const size_t R = t->R, W = p->W;
    load_input(t);
    for (size_t layer = 0; layer < p->net->layers; layer++) {
        load_state(t, layer);
        if (p->large)
            project_input(t, layer);
        size_t ldx;
        const char *x = input_of(t, layer, &ldx);
        cell_forward f = {.B = R,
                          .D = p->large ? 0 : layer_input(p->net, layer),
                          .H = p->net->hidden,
                          .W = W,
                          .S = p->S,
                          .S4 = p->S4,
                          .ldx = ldx,
                          .projected = p->large,
                          .packed = shared_at(t->r, p->forward + layer * p->forward_layer),
                          .bias = shared_at(t->r, p->bias + layer * 4 * W)};
        for (size_t s = 0; s < p->T; s++) {
            if (peri_stop_requested(t->r->stop))
                return false;
            f.reverse = s % 2 != 0;
            f.x = x + s * R * ldx * p->element;
            f.h_before = history(t, layer, p->h, s * R, p->S);
            f.c_before = history(t, layer, p->c, s * R, p->S);
            f.G = history(t, layer, p->G, s * R, p->S4);
            f.h = history(t, layer, p->h, (s + 1) * R, p->S);
            f.c = history(t, layer, p->c, (s + 1) * R, p->S);
            f.tanh_c = history(t, layer, p->tanh_c, s * R, p->S);
            p->cell->forward(&f);
        }
        if (t->r->out->hn != NULL)
            save_state(t, layer);
    }
    return true;
}

/* z = W h + b */
static void run_output(const turn *t)
{
    const plan *p = &t->r->p;
    const size_t TR = p->T * t->R, O = p->net->output, H = p->net->hidden;
    const size_t top = p->net->layers - 1;
    const void *h = history(t, top, p->h, t->R, p->S), *bias = shared_at(t->r, p->fc_bias);
    void *z = own_at(t, p->z);
    if (O <= 4) {
        p->cell->dots(TR, O, p->W, h, p->S, shared_at(t->r, p->fc), bias, z);
        return;
    }
    for (size_t row = 0; row < TR; row++)
        memcpy((char *)z + row * O * p->element, bias, O * p->element);
    gemm(p, CblasNoTrans, CblasTrans, TR, O, H, h, p->S, part_at(t->r, t->r->params, 4 * top + 4),
         H, true, z, O);
}

static void save_logits(const turn *t)
{
    const plan *p = &t->r->p;
    const size_t bytes = p->net->output * p->element;
    for (size_t r = 0; r < t->R; r++)
        for (size_t s = 0; s < p->T; s++)
            memcpy((char *)t->r->out->logits + ((t->first + r) * p->T + s) * bytes,
                   own_at(t, p->z) + (s * t->R + r) * bytes, bytes);
}

/* The loss of the turn; logits become their gradients. log(1 + e^z) - y z is computed as
 * max(z, 0) - y z + log1p(e^-|z|). */
static void run_loss(turn *t)
{
    const plan *p = &t->r->p;
    const size_t O = p->net->output, R = t->R;
    const int dtype = p->net->dtype;
    for (size_t r = 0; r < R; r++) {
        const size_t steps = steps_of(t, r), y0 = source_row(t, r) * p->T * O;
        double sum = 0;
        for (size_t s = 0; s < p->T; s++) {
            for (size_t o = 0; o < O; o++) {
                const size_t at = (s * R + r) * O + o;
                if (s >= steps) {
                    put(own_at(t, p->z), at, dtype, 0);
                    continue;
                }
                if (dtype == PERI_F32) {
                    float *z = (float *)own_at(t, p->z) + at;
                    const float y = ((const float *)t->r->in->y)[y0 + s * O + o];
                    const float e = expf(-fabsf(*z));
                    const float sigmoid = (*z >= 0 ? 1 : e) / (1 + e);
                    sum += (double)((*z > 0 ? *z : 0) - y * *z + log1pf(e));
                    *z = (sigmoid - y) * (float)t->r->scale;
                } else {
                    double *z = (double *)own_at(t, p->z) + at;
                    const double y = ((const double *)t->r->in->y)[y0 + s * O + o];
                    const double e = exp(-fabs(*z));
                    const double sigmoid = (*z >= 0 ? 1 : e) / (1 + e);
                    sum += (*z > 0 ? *z : 0) - y * *z + log1p(e);
                    *z = (sigmoid - y) * t->r->scale;
                }
            }
        }
        t->loss += sum;
        if (t->r->out->row_loss != NULL)
            t->r->out->row_loss[t->first + r] = sum;
    }
}

/* grads of a part (M,N) = or += A' B over T R rows. A may be the planes of the gates. */
static void gather_part(const turn *t, size_t index, bool gates, const char *A, size_t lda,
                        const void *B, size_t ldb)
{
    const plan *p = &t->r->p;
    const peri_lstm_part part = peri_lstm_get_part(p->net, index);
    const size_t K = p->T * t->R, planes = gates && p->W != p->net->hidden ? 4 : 1;
    const size_t M = part.rows / planes, N = part.columns;
    for (size_t q = 0; q < planes; q++) {
        const char *a = A + q * p->W * p->element;
        char *to = (char *)t->grads + (part.offset + q * M * N) * p->element;
        if (p->large && M * N >= 4096)
            gemm(p, CblasTrans, CblasNoTrans, M, N, K, a, lda, B, ldb, t->add, to, N);
        else
            p->cell->gather(M, N, K, a, lda, B, ldb, to, N, t->add);
    }
}

/* Both biases' gradients are the column sums of the gates'. */
static void gather_bias(const turn *t, size_t layer, const void *dG)
{
    const plan *p = &t->r->p;
    const size_t H = p->net->hidden, W = p->W;
    void *sums = own_at(t, p->sums);
    p->cell->column_sums(4 * W, p->T * t->R, dG, p->S4, sums, false);
    for (size_t copy = 2; copy < 4; copy++) {
        void *to =
            (char *)t->grads + peri_lstm_get_part(p->net, 4 * layer + copy).offset * p->element;
        for (size_t q = 0; q < 4; q++)
            for (size_t j = 0; j < H; j++) {
                const double before = t->add ? get(to, q * H + j, p->net->dtype) : 0;
                put(to, q * H + j, p->net->dtype, before + get(sums, q * W + j, p->net->dtype));
            }
    }
}

/* dH of the layer below = dG W_ih */
static void pass_down(const turn *t, size_t layer, const char *dG)
{
    const plan *p = &t->r->p;
    const size_t H = p->net->hidden, W = p->W, TR = p->T * t->R;
    char *dH = own_at(t, p->dH);
    if (!p->large) {
        p->cell->multiply(TR, W, 4 * W, dG, p->S4, shared_at(t->r, p->back_ih + layer * 4 * W * W),
                          dH, p->S);
        return;
    }
    const char *W_ih = part_at(t->r, t->r->params, 4 * layer);
    if (W == H) {
        gemm(p, CblasNoTrans, CblasNoTrans, TR, H, 4 * H, dG, p->S4, W_ih, H, false, dH, p->S);
        return;
    }
    memset(dH, 0, TR * p->S * p->element);
    for (size_t q = 0; q < 4; q++)
        gemm(p, CblasNoTrans, CblasNoTrans, TR, H, H, dG + q * W * p->element, p->S4,
             W_ih + q * H * H * p->element, H, true, dH, p->S);
}

static bool run_backward(const turn *t)
{
    const plan *p = &t->r->p;
    const size_t R = t->R, W = p->W, TR = p->T * R, O = p->net->output, L = p->net->layers;
    const char *dz = own_at(t, p->z);
    const void *top = history(t, L - 1, p->h, R, p->S);
    p->cell->multiply(TR, W, O, dz, O, shared_at(t->r, p->fc_back), own_at(t, p->dH), p->S);
    gather_part(t, 4 * L, false, dz, O, top, p->S);
    char *fc_bias = (char *)t->grads + peri_lstm_get_part(p->net, 4 * L + 1).offset * p->element;
    for (size_t o = 0; o < O; o++) {
        double sum = t->add ? get(fc_bias, o, p->net->dtype) : 0;
        for (size_t row = 0; row < TR; row++)
            sum += get(dz, row * O + o, p->net->dtype);
        put(fc_bias, o, p->net->dtype, sum);
    }
    for (size_t layer = L; layer-- > 0;) {
        memset(own_at(t, p->dC), 0, R * p->S * p->element);
        cell_backward b = {.B = R,
                           .W = W,
                           .S = p->S,
                           .S4 = p->S4,
                           .packed = shared_at(t->r, p->back_hh + layer * 4 * W * W),
                           .dC = own_at(t, p->dC)};
        for (size_t s = p->T; s-- > 0;) {
            if (peri_stop_requested(t->r->stop))
                return false;
            b.dG_after = s + 1 == p->T ? NULL : history(t, layer, p->G, (s + 1) * R, p->S4);
            b.reverse = s % 2 != 0;
            b.dH = own_at(t, p->dH + s * R * p->S);
            b.G = history(t, layer, p->G, s * R, p->S4);
            b.tanh_c = history(t, layer, p->tanh_c, s * R, p->S);
            b.c_before = history(t, layer, p->c, s * R, p->S);
            p->cell->backward(&b);
        }
        const char *dG = history(t, layer, p->G, 0, p->S4);
        size_t ldx;
        const void *x = input_of(t, layer, &ldx);
        gather_part(t, 4 * layer, true, dG, p->S4, x, ldx);
        gather_part(t, 4 * layer + 1, true, dG, p->S4, history(t, layer, p->h, 0, p->S), p->S);
        gather_bias(t, layer, dG);
        if (layer > 0)
            pass_down(t, layer, dG);
    }
    return true;
}

/* ---- a run ------------------------------------------------------------------------------- */

static void run_block(void *context, size_t block)
{
    run *r = context;
    const plan *p = &r->p;
    const size_t N = r->in->batch;
    const size_t from = N * block / p->nblocks, to = N * (block + 1) / p->nblocks;
    const size_t turns = (to - from + p->rows - 1) / p->rows;
    turn t = {.r = r, .own = r->work + (p->shared + block * p->block) * p->element};
    t.grads = p->nblocks > 1 ? own_at(&t, p->own_grads) : r->out->grads;
    for (size_t i = 0; i < turns; i++) {
        t.first = from + (to - from) * i / turns;
        t.R = from + (to - from) * (i + 1) / turns - t.first;
        t.add = i > 0;
        if (!run_forward(&t)) {
            r->stopped[block] = true;
            return;
        }
        run_output(&t);
        if (r->out->logits != NULL)
            save_logits(&t);
        if (r->in->y != NULL)
            run_loss(&t);
        if (r->out->grads != NULL && !run_backward(&t)) {
            r->stopped[block] = true;
            return;
        }
    }
    r->loss[block] = t.loss;
}

enum { REDUCE = 65536 }; /* parameters to a block of the sum */

static void reduce_block(void *context, size_t block)
{
    const run *r = context;
    const plan *p = &r->p;
    const size_t params = peri_lstm_nparams(p->net), from = block * REDUCE;
    const size_t n = params - from < REDUCE ? params - from : REDUCE;
    for (size_t b = 0; b < p->nblocks; b++) {
        const char *own = r->work + (p->shared + b * p->block + p->own_grads) * p->element;
        if (b == 0)
            memcpy((char *)r->out->grads + from * p->element, own + from * p->element,
                   n * p->element);
        else if (p->net->dtype == PERI_F32)
            cblas_saxpy((int)n, 1, (const float *)own + from, 1, (float *)r->out->grads + from, 1);
        else
            cblas_daxpy((int)n, 1, (const double *)own + from, 1, (double *)r->out->grads + from,
                        1);
    }
}

peri_status peri_lstm_run(const peri_lstm_sizes *net, const void *params,
                          const peri_lstm_input *input, const peri_stop *stop,
                          const peri_lstm_output *output, void *work)
{
    assert(input->y != NULL ||
           (output->loss == NULL && output->row_loss == NULL && output->grads == NULL));
    run r = {.params = params, .in = input, .out = output, .stop = stop, .work = work};
    if (!make_plan(&r.p, net, input->batch, input->steps, output->grads != NULL))
        return PERI_ERR_TOO_LARGE;
    double counted = 0;
    for (size_t i = 0; i < input->batch; i++)
        counted += input->lengths == NULL
                       ? (double)input->steps
                       : (double)input->lengths[input->rows == NULL ? i : input->rows[i]];
    counted *= (double)net->output;
    r.scale = 1 / counted;
    pack(&r);
    peri_pool_run(r.p.nblocks, run_block, &r);
    double loss = 0;
    for (size_t block = 0; block < r.p.nblocks; block++) {
        if (r.stopped[block])
            return PERI_ERR_INTERRUPTED;
        loss += r.loss[block];
    }
    if (output->loss != NULL)
        *output->loss = loss / counted;
    if (output->grads != NULL && r.p.nblocks > 1) {
        const size_t blocks = (peri_lstm_nparams(net) + REDUCE - 1) / REDUCE;
        peri_pool_run(blocks, reduce_block, &r);
    }
    return PERI_OK;
}

/* ---- sampling ---------------------------------------------------------------------------- */

enum { SAMPLE_ROWS = 96 };

/* Of a block, in elements: two states and one step of gates for each layer. */
typedef struct {
    size_t h, c, G, tanh_c, layer, x, z, all;
} sample_plan;

typedef struct {
    run r;
    sample_plan s;
    size_t count, steps, blocks;
    const double *uniform;
    void *draws;
    atomic_bool stopped;
} sample_run;

static bool make_sample_plan(plan *p, sample_plan *s, const peri_lstm_sizes *net, size_t count,
                             size_t *blocks)
{
    if (peri_lstm_nparams(net) == 0)
        return false;
    start_plan(p, net, false);
    *blocks = (count + SAMPLE_ROWS - 1) / SAMPLE_ROWS;
    size_t at = 0;
    s->h = reserve(&at, 2, SAMPLE_ROWS, p->S);
    s->c = reserve(&at, 2, SAMPLE_ROWS, p->S);
    s->G = reserve(&at, 1, SAMPLE_ROWS, p->S4);
    s->tanh_c = reserve(&at, 1, SAMPLE_ROWS, p->S);
    s->layer = at;
    reserve(&at, net->layers - 1, s->layer, 1);
    s->x = reserve(&at, 1, SAMPLE_ROWS, p->Dp);
    s->z = reserve(&at, 1, SAMPLE_ROWS, net->output);
    s->all = at;
    size_t all = p->shared;
    reserve(&all, *blocks, at, 1);
    return at != SIZE_MAX && all != SIZE_MAX && p->shared != SIZE_MAX;
}

size_t peri_lstm_sample_workspace(const peri_lstm_sizes *net, size_t count)
{
    plan p;
    sample_plan s;
    size_t blocks;
    if (!make_sample_plan(&p, &s, net, count, &blocks))
        return 0;
    return (p.shared + blocks * s.all) * p.element;
}

static void sample_step(const sample_run *q, char *own, size_t R, size_t step)
{
    const plan *p = &q->r.p;
    const sample_plan *s = &q->s;
    const size_t W = p->W, e = p->element, H = p->net->hidden, half = SAMPLE_ROWS * p->S;
    const size_t before = step % 2 * half, after = half - before;
    for (size_t layer = 0; layer < p->net->layers; layer++) {
        char *mine = own + layer * s->layer * e;
        const size_t D = layer_input(p->net, layer), ldx = layer == 0 ? p->Dp : p->S;
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
                gemm(p, CblasNoTrans, CblasTrans, R, H, D, x, ldx, W_ih + gate * H * D * e, D,
                     false, (char *)f.G + gate * W * e, p->S4);
        }
        p->cell->forward(&f);
    }
    p->cell->dots(R, p->net->output, W, own + ((p->net->layers - 1) * s->layer + s->h + after) * e,
                  p->S, shared_at(&q->r, p->fc), shared_at(&q->r, p->fc_bias), own + s->z * e);
}

static void sample_block(void *context, size_t block)
{
    sample_run *q = context;
    const plan *p = &q->r.p;
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
                const double bit = q->uniform[at] < 1 / (1 + exp(-z)) ? 1 : 0;
                put(q->draws, at, dtype, bit);
                put(own + q->s.x * p->element, r * p->Dp + d, dtype, bit);
            }
    }
}

peri_status peri_lstm_sample(const peri_lstm_sizes *net, const void *params, size_t count,
                             size_t steps, const double *uniform, const peri_stop *stop, void *out,
                             void *work)
{
    assert(net->input == net->output);
    sample_run q = {.r = {.params = params, .stop = stop, .work = work},
                    .count = count,
                    .steps = steps,
                    .uniform = uniform,
                    .draws = out};
    if (!make_sample_plan(&q.r.p, &q.s, net, count, &q.blocks))
        return PERI_ERR_TOO_LARGE;
    pack(&q.r);
    peri_pool_run(q.blocks, sample_block, &q);
    return atomic_load(&q.stopped) ? PERI_ERR_INTERRUPTED : PERI_OK;
}
