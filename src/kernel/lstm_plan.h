/* SPDX-License-Identifier: MIT
 *
 * What the lstm_*.c files share: the arithmetic by element type and instruction set, where things
 * lie in memory, and one turn, some sequences that go through the net together.
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
#ifndef PERIGEE_KERNEL_LSTM_PLAN_H
#define PERIGEE_KERNEL_LSTM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include <cblas.h>

#include "kernel/lstm.h"
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
    const void *G;                 /* (B,4W) the gates */
    void *dG;                      /* (B,4W) out: their gradients; may be G */
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

const cell_functions *peri_lstm_choose_cell(int dtype);

/* What a run does, beside the outputs of the net. */
typedef struct {
    bool forward, backward;
    bool kept;   /* the history lies in memory of the caller's */
    bool inputs; /* gradients of x are wanted */
} lstm_wants;

/* Where things lie in the workspace, in elements. */
typedef struct {
    const peri_lstm_sizes *net;
    const cell_functions *cell;
    lstm_wants wants;
    size_t element;        /* bytes */
    size_t T, W, Dp;       /* Dp: D in whole vectors */
    size_t S, S4;          /* from row to row of what is W, and 4W, wide */
    size_t rows;           /* at most, at a time */
    size_t nblocks, turns; /* turns of a block, at most */
    bool large;
    /* shared */
    size_t forward, forward_layer; /* packed for forward; a layer's share */
    size_t bias;                   /* (L,4W) b_ih + b_hh */
    size_t back_hh, back_ih;       /* (L)(4W,W) packed for backward */
    size_t back_x;                 /* (4W,Dp), the same of the first W_ih */
    size_t fc, fc_back;            /* (O,W) padded; packed */
    size_t fc_bias;                /* (O) */
    size_t shared;
    /* the history of a turn, from its start */
    size_t x;                      /* (T,rows,Dp) */
    size_t G, h, c, tanh_c, layer; /* (T,rows,4W), (T+1,rows,W) twice, (T,rows,W); from layer on */
    size_t history;                /* all of it */
    /* a block, from the start of its own, where the history stands unless it is kept */
    size_t dG;        /* (T,rows,4W) when the history is kept: gates stay as they are */
    size_t dH, dC;    /* (T,rows,W), (rows,W) */
    size_t dx;        /* (T,rows,Dp) */
    size_t z;         /* (T,rows,O) logits, then their gradients */
    size_t sums;      /* (4W) */
    size_t own_grads; /* (nparams) when there are several blocks */
    size_t block;     /* all of it */
} lstm_plan;

enum { LSTM_MAX_BLOCKS = 8 };

typedef struct {
    lstm_plan p;
    const void *params;
    const peri_lstm_input *in;
    const peri_lstm_output *out;
    const peri_lstm_gradients *back;
    const peri_stop *stop;
    char *work, *history; /* history: where it is kept */
    void *grads;
    double scale; /* of a step's loss in the mean */
    double loss[LSTM_MAX_BLOCKS];
    bool stopped[LSTM_MAX_BLOCKS];
} lstm_run;

/* Sequences first .. first+R-1 of the batch, in the memory of a block. */
typedef struct {
    const lstm_run *r;
    char *own, *history;
    size_t first, R;
    void *grads;
    bool add; /* to grads, else set them */
    double loss;
} lstm_turn;

/* ---- the plan ---------------------------------------------------------------------------- */

size_t peri_lstm_layer_input(const peri_lstm_sizes *net, size_t layer);

/* Adds a region of a x b x c elements, at a multiple of 64 bytes. Returns its offset; a size that
 * overflows sets *at to SIZE_MAX, which stays. */
size_t peri_lstm_reserve(size_t *at, size_t a, size_t b, size_t c);

/* What does not depend on the batch. */
void peri_lstm_start_plan(lstm_plan *p, const peri_lstm_sizes *net, lstm_wants wants);

/* Returns false when a size overflows. */
bool peri_lstm_make_plan(lstm_plan *p, const peri_lstm_sizes *net, size_t batch, size_t steps,
                         lstm_wants wants);

void peri_lstm_pack(lstm_run *r);

/* Takes every turn of every block through `work`, which returns false when it was stopped; blocks
 * run on the pool, turns of a block in order. Then adds up the gradients of the blocks. */
peri_status peri_lstm_run_turns(lstm_run *r, bool (*work)(lstm_turn *t));

/* C = op(A) op(B) + beta C, row-major, by OpenBLAS. */
void peri_lstm_gemm(const lstm_plan *p, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, size_t M, size_t N,
                    size_t K, const void *A, size_t lda, const void *B, size_t ldb, bool add,
                    void *C, size_t ldc);

static inline void *shared_at(const lstm_run *r, size_t offset)
{
    return r->work + offset * r->p.element;
}

static inline const void *part_at(const lstm_run *r, const void *base, size_t index)
{
    return (const char *)base + peri_lstm_get_part(r->p.net, index).offset * r->p.element;
}

static inline double get(const void *a, size_t i, int dtype)
{
    return PERI_REAL_PICK(dtype, ((const double *)a)[i], (double)((const float *)a)[i]);
}

static inline void put(void *a, size_t i, int dtype, double x)
{
    PERI_REAL_DO(dtype, ((double *)a)[i] = x, ((float *)a)[i] = (float)x);
}

/* ---- a turn ------------------------------------------------------------------------------ */

static inline char *own_at(const lstm_turn *t, size_t offset)
{
    return t->own + offset * t->r->p.element;
}

/* Within a layer's history: row `row` of what lies at offset, `wide` elements a row. */
static inline char *history_at(const lstm_turn *t, size_t layer, size_t offset, size_t row,
                               size_t wide)
{
    return t->history + (offset + layer * t->r->p.layer + row * wide) * t->r->p.element;
}

/* Which sequence of x and y is the turn's r-th, and its steps. */
static inline size_t source_row(const lstm_turn *t, size_t r)
{
    const size_t *rows = t->r->in->rows;
    return rows == NULL ? t->first + r : rows[t->first + r];
}

static inline size_t steps_of(const lstm_turn *t, size_t r)
{
    const size_t *lengths = t->r->in->lengths;
    return lengths == NULL ? t->r->p.T : lengths[source_row(t, r)];
}

/* The input of a layer as (T R, its D), and how far apart the rows are. */
static inline const void *input_of(const lstm_turn *t, size_t layer, size_t *ld)
{
    const lstm_plan *p = &t->r->p;
    *ld = layer == 0 ? p->Dp : p->S;
    return layer == 0 ? t->history + p->x * p->element : history_at(t, layer - 1, p->h, t->R, p->S);
}

/* x and the first state into the history; states, gates and logits z; what of them the outputs
 * ask for. Returns false when it was stopped. */
bool peri_lstm_turn_forward(lstm_turn *t);

/* From the gradients of the logits in z, and of the last state where r->back has them, to the
 * gradients of the parameters and whatever else r->back asks for. Returns false when it was
 * stopped. */
bool peri_lstm_turn_backward(lstm_turn *t);

#endif
