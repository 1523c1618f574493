/* SPDX-License-Identifier: MIT
 *
 * From the gradients of the logits and of the last state to those of the parameters, of x and of
 * the first state, over the history of a forward run.
 */
#include <string.h>

#include "kernel/lstm_plan.h"

/* grads of a part (M,N) = or += A' B over T R rows. A may be the planes of the gates. */
static void gather_part(const lstm_turn *t, size_t index, bool gates, const char *A, size_t lda,
                        const void *B, size_t ldb)
{
    const lstm_plan *p = &t->r->p;
    const peri_lstm_part part = peri_lstm_get_part(p->net, index);
    const size_t K = p->T * t->R, planes = gates && p->W != p->net->hidden ? 4 : 1;
    const size_t M = part.rows / planes, N = part.columns;
    for (size_t q = 0; q < planes; q++) {
        const char *a = A + q * p->W * p->element;
        char *to = (char *)t->grads + (part.offset + q * M * N) * p->element;
        if (p->large && M * N >= 4096)
            peri_lstm_gemm(p, CblasTrans, CblasNoTrans, M, N, K, a, lda, B, ldb, t->add, to, N);
        else
            p->cell->gather(M, N, K, a, lda, B, ldb, to, N, t->add);
    }
}

/* Both biases' gradients are the column sums of the gates'. */
static void gather_bias(const lstm_turn *t, size_t layer, const void *dG)
{
    const lstm_plan *p = &t->r->p;
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

/* out (T R, columns; rows ldo apart) = dG W_ih; packed as pack_rows() leaves W_ih. */
static void pass_down(const lstm_turn *t, size_t layer, const char *dG, const void *packed,
                      void *out, size_t ldo)
{
    const lstm_plan *p = &t->r->p;
    const size_t H = p->net->hidden, W = p->W, TR = p->T * t->R;
    const size_t columns = peri_lstm_layer_input(p->net, layer);
    if (!p->large) {
        p->cell->multiply(TR, layer == 0 ? p->Dp : W, 4 * W, dG, p->S4, packed, out, ldo);
        return;
    }
    const char *W_ih = part_at(t->r, t->r->params, 4 * layer);
    if (W == H) {
        peri_lstm_gemm(p, CblasNoTrans, CblasNoTrans, TR, columns, 4 * H, dG, p->S4, W_ih, columns,
                       false, out, ldo);
        return;
    }
    memset(out, 0, TR * ldo * p->element);
    for (size_t q = 0; q < 4; q++)
        peri_lstm_gemm(p, CblasNoTrans, CblasNoTrans, TR, columns, H, dG + q * W * p->element,
                       p->S4, W_ih + q * H * columns * p->element, columns, true, out, ldo);
}

/* to (H) += what lies at (layer, n) of a (L,N,H). */
static void add_state(const lstm_turn *t, const void *a, size_t layer, size_t r, char *to)
{
    const lstm_plan *p = &t->r->p;
    const size_t H = p->net->hidden, from = (layer * t->r->in->batch + t->first + r) * H;
    for (size_t j = 0; j < H; j++)
        put(to, j, p->net->dtype, get(to, j, p->net->dtype) + get(a, from + j, p->net->dtype));
}

static void save_first(const lstm_turn *t, size_t layer, const char *from, void *a)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->hidden * p->element;
    for (size_t r = 0; r < t->R; r++)
        memcpy((char *)a + (layer * t->r->in->batch + t->first + r) * bytes,
               from + r * p->S * p->element, bytes);
}

static void save_inputs(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->input * p->element;
    for (size_t r = 0; r < t->R; r++)
        for (size_t s = 0; s < p->T; s++)
            memcpy((char *)t->r->back->dx + ((t->first + r) * p->T + s) * bytes,
                   own_at(t, p->dx + (s * t->R + r) * p->Dp), bytes);
}

/* Row `row` of the gates' gradients. */
static char *gradient_at(const lstm_turn *t, size_t layer, size_t row)
{
    const lstm_plan *p = &t->r->p;
    return p->wants.kept ? own_at(t, p->dG + row * p->S4) : history_at(t, layer, p->G, row, p->S4);
}

/* Down the steps of a layer, from dH to the gradients of its gates. */
static bool run_steps(const lstm_turn *t, size_t layer)
{
    const lstm_plan *p = &t->r->p;
    const peri_lstm_gradients *back = t->r->back;
    const size_t R = t->R, W = p->W;
    char *dC = own_at(t, p->dC);
    memset(dC, 0, R * p->S * p->element);
    for (size_t r = 0; r < R && back != NULL && back->dhn != NULL; r++)
        add_state(t, back->dhn, layer, r, own_at(t, p->dH + ((steps_of(t, r) - 1) * R + r) * p->S));
    cell_backward b = {.B = R,
                       .W = W,
                       .S = p->S,
                       .S4 = p->S4,
                       .packed = shared_at(t->r, p->back_hh + layer * 4 * W * W),
                       .dC = dC};
    for (size_t s = p->T; s-- > 0;) {
        if (peri_stop_requested(t->r->stop))
            return false;
        for (size_t r = 0; r < R && back != NULL && back->dcn != NULL; r++)
            if (steps_of(t, r) == s + 1)
                add_state(t, back->dcn, layer, r, dC + r * p->S * p->element);
        b.dG_after = s + 1 == p->T ? NULL : gradient_at(t, layer, (s + 1) * R);
        b.reverse = s % 2 != 0;
        b.dH = own_at(t, p->dH + s * R * p->S);
        b.G = history_at(t, layer, p->G, s * R, p->S4);
        b.dG = gradient_at(t, layer, s * R);
        b.tanh_c = history_at(t, layer, p->tanh_c, s * R, p->S);
        b.c_before = history_at(t, layer, p->c, s * R, p->S);
        p->cell->backward(&b);
    }
    if (back != NULL && back->dc0 != NULL)
        save_first(t, layer, dC, back->dc0);
    if (back != NULL && back->dh0 != NULL) { /* dC is free now */
        p->cell->multiply(R, W, 4 * W, b.dG, p->S4, b.packed, dC, p->S);
        save_first(t, layer, dC, back->dh0);
    }
    return true;
}

/* dH of the last layer from dz, and the gradients of the output's own parameters. */
static void pass_output(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t R = t->R, TR = p->T * R, O = p->net->output, L = p->net->layers;
    const char *dz = own_at(t, p->z);
    p->cell->multiply(TR, p->W, O, dz, O, shared_at(t->r, p->fc_back), own_at(t, p->dH), p->S);
    if (t->grads == NULL)
        return;
    gather_part(t, 4 * L, false, dz, O, history_at(t, L - 1, p->h, R, p->S), p->S);
    char *fc_bias = (char *)t->grads + peri_lstm_get_part(p->net, 4 * L + 1).offset * p->element;
    for (size_t o = 0; o < O; o++) {
        double sum = t->add ? get(fc_bias, o, p->net->dtype) : 0;
        for (size_t row = 0; row < TR; row++)
            sum += get(dz, row * O + o, p->net->dtype);
        put(fc_bias, o, p->net->dtype, sum);
    }
}

bool peri_lstm_turn_backward(lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t W = p->W;
    pass_output(t);
    for (size_t layer = p->net->layers; layer-- > 0;) {
        if (!run_steps(t, layer))
            return false;
        const char *dG = gradient_at(t, layer, 0);
        if (t->grads != NULL) {
            size_t ldx;
            const void *x = input_of(t, layer, &ldx);
            gather_part(t, 4 * layer, true, dG, p->S4, x, ldx);
            gather_part(t, 4 * layer + 1, true, dG, p->S4, history_at(t, layer, p->h, 0, p->S),
                        p->S);
            gather_bias(t, layer, dG);
        }
        if (layer > 0) {
            pass_down(t, layer, dG, shared_at(t->r, p->back_ih + layer * 4 * W * W),
                      own_at(t, p->dH), p->S);
        } else if (p->wants.inputs) {
            pass_down(t, 0, dG, shared_at(t->r, p->back_x), own_at(t, p->dx), p->Dp);
            save_inputs(t);
        }
    }
    return true;
}

/* ---- a run of its own -------------------------------------------------------------------- */

static void load_logits(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->output * p->element;
    const char *dlogits = t->r->back->dlogits;
    for (size_t r = 0; r < t->R; r++)
        for (size_t s = 0; s < p->T; s++) {
            char *to = own_at(t, p->z) + (s * t->R + r) * bytes;
            if (dlogits != NULL && s < steps_of(t, r))
                memcpy(to, dlogits + ((t->first + r) * p->T + s) * bytes, bytes);
            else
                memset(to, 0, bytes);
        }
}

static bool run_turn(lstm_turn *t)
{
    load_logits(t);
    return peri_lstm_turn_backward(t);
}

peri_status peri_lstm_backward(const peri_lstm_sizes *net, const void *params,
                               const peri_lstm_input *input, const void *history,
                               const peri_stop *stop, const peri_lstm_gradients *gradients,
                               void *work)
{
    lstm_run r = {.params = params,
                  .in = input,
                  .back = gradients,
                  .stop = stop,
                  .work = work,
                  .history = (char *)history,
                  .grads = gradients->grads};
    if (!peri_lstm_make_plan(
            &r.p, net, input->batch, input->steps,
            (lstm_wants){.backward = true, .kept = true, .inputs = gradients->dx != NULL}))
        return PERI_ERR_TOO_LARGE;
    return peri_lstm_run_turns(&r, run_turn);
}
