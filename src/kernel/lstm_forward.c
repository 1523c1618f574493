/* SPDX-License-Identifier: MIT
 *
 * x and the first state to the history, the logits and the last state.
 */
#include <assert.h>
#include <string.h>

#include "kernel/lstm_plan.h"

static void load_input(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t D = p->net->input, bytes = D * p->element, padding = (p->Dp - D) * p->element;
    for (size_t r = 0; r < t->R; r++) {
        const char *x = (const char *)t->r->in->x + source_row(t, r) * p->T * bytes;
        const size_t steps = steps_of(t, r);
        for (size_t s = 0; s < p->T; s++) {
            char *to = t->history + (p->x + (s * t->R + r) * p->Dp) * p->element;
            if (s < steps)
                memcpy(to, x + s * bytes, bytes);
            else
                memset(to, 0, bytes);
            memset(to + bytes, 0, padding);
        }
    }
}

/* Copies the state of a layer in (to the row before the first step) or out of the history. */
static void load_state(const lstm_turn *t, size_t layer)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->hidden * p->element, N = t->r->in->batch;
    char *h = history_at(t, layer, p->h, 0, p->S), *c = history_at(t, layer, p->c, 0, p->S);
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

static void save_state(const lstm_turn *t, size_t layer)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->hidden * p->element, N = t->r->in->batch;
    for (size_t r = 0; r < t->R; r++) {
        const size_t to = (layer * N + t->first + r) * bytes, row = steps_of(t, r) * t->R + r;
        memcpy((char *)t->r->out->hn + to, history_at(t, layer, p->h, row, p->S), bytes);
        memcpy((char *)t->r->out->cn + to, history_at(t, layer, p->c, row, p->S), bytes);
    }
}

/* G = x W_ih' for all steps at once. */
static void project_input(const lstm_turn *t, size_t layer)
{
    const lstm_plan *p = &t->r->p;
    const size_t H = p->net->hidden, D = peri_lstm_layer_input(p->net, layer), W = p->W;
    const char *W_ih = part_at(t->r, t->r->params, 4 * layer);
    char *G = history_at(t, layer, p->G, 0, p->S4);
    size_t ldx;
    const void *x = input_of(t, layer, &ldx);
    if (W == H) {
        peri_lstm_gemm(p, CblasNoTrans, CblasTrans, p->T * t->R, 4 * H, D, x, ldx, W_ih, D, false,
                       G, p->S4);
        return;
    }
    memset(G, 0, p->T * t->R * p->S4 * p->element);
    for (size_t q = 0; q < 4; q++)
        peri_lstm_gemm(p, CblasNoTrans, CblasTrans, p->T * t->R, H, D, x, ldx,
                       W_ih + q * H * D * p->element, D, false, G + q * W * p->element, p->S4);
}

/* Returns false when the run was stopped. */
static bool run_layers(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t R = t->R, W = p->W;
    load_input(t);
    for (size_t layer = 0; layer < p->net->layers; layer++) {
        load_state(t, layer);
        if (p->large)
            project_input(t, layer);
        size_t ldx;
        const char *x = input_of(t, layer, &ldx);
        cell_forward f = {.B = R,
                          .D = p->large ? 0 : peri_lstm_layer_input(p->net, layer),
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
            f.h_before = history_at(t, layer, p->h, s * R, p->S);
            f.c_before = history_at(t, layer, p->c, s * R, p->S);
            f.G = history_at(t, layer, p->G, s * R, p->S4);
            f.h = history_at(t, layer, p->h, (s + 1) * R, p->S);
            f.c = history_at(t, layer, p->c, (s + 1) * R, p->S);
            f.tanh_c = history_at(t, layer, p->tanh_c, s * R, p->S);
            p->cell->forward(&f);
        }
        if (t->r->out->hn != NULL)
            save_state(t, layer);
    }
    return true;
}

/* z = W h + b */
static void run_output(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t TR = p->T * t->R, O = p->net->output, H = p->net->hidden;
    const size_t top = p->net->layers - 1;
    const void *h = history_at(t, top, p->h, t->R, p->S), *bias = shared_at(t->r, p->fc_bias);
    void *z = own_at(t, p->z);
    if (O <= 4) {
        p->cell->dots(TR, O, p->W, h, p->S, shared_at(t->r, p->fc), bias, z);
        return;
    }
    for (size_t row = 0; row < TR; row++)
        memcpy((char *)z + row * O * p->element, bias, O * p->element);
    peri_lstm_gemm(p, CblasNoTrans, CblasTrans, TR, O, H, h, p->S,
                   part_at(t->r, t->r->params, 4 * top + 4), H, true, z, O);
}

static void save_logits(const lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
    const size_t bytes = p->net->output * p->element;
    for (size_t r = 0; r < t->R; r++)
        for (size_t s = 0; s < p->T; s++)
            memcpy((char *)t->r->out->logits + ((t->first + r) * p->T + s) * bytes,
                   own_at(t, p->z) + (s * t->R + r) * bytes, bytes);
}

bool peri_lstm_turn_forward(lstm_turn *t)
{
    if (!run_layers(t))
        return false;
    run_output(t);
    if (t->r->out->logits != NULL)
        save_logits(t);
    return true;
}

peri_status peri_lstm_forward(const peri_lstm_sizes *net, const void *params,
                              const peri_lstm_input *input, void *history, const peri_stop *stop,
                              const peri_lstm_output *output, void *work)
{
    assert(output->loss == NULL && output->row_loss == NULL && output->grads == NULL);
    lstm_run r = {.params = params,
                  .in = input,
                  .out = output,
                  .stop = stop,
                  .work = work,
                  .history = history};
    if (!peri_lstm_make_plan(&r.p, net, input->batch, input->steps,
                             (lstm_wants){.forward = true, .kept = true}))
        return PERI_ERR_TOO_LARGE;
    return peri_lstm_run_turns(&r, peri_lstm_turn_forward);
}
