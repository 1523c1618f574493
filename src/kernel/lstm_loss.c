/* SPDX-License-Identifier: MIT
 *
 * The mean binary cross-entropy, and a whole run: forward, loss and backward turn by turn, so that
 * the history of a turn never leaves the second-level cache.
 */
#include <assert.h>
#include <math.h>

#include "kernel/lstm_plan.h"

/* The loss of the turn; logits become their gradients. log(1 + e^z) - y z is computed as
 * max(z, 0) - y z + log1p(e^-|z|). */
static void take_loss(lstm_turn *t)
{
    const lstm_plan *p = &t->r->p;
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
                switch ((peri_dtype)dtype) {
                case PERI_F32: {
                    float *z = (float *)own_at(t, p->z) + at;
                    const float y = ((const float *)t->r->in->y)[y0 + s * O + o];
                    const float e = expf(-fabsf(*z));
                    const float sigmoid = (*z >= 0 ? 1 : e) / (1 + e);
                    sum += (double)((*z > 0 ? *z : 0) - y * *z + log1pf(e));
                    *z = (sigmoid - y) * (float)t->r->scale;
                    break;
                }
                case PERI_F64: {
                    double *z = (double *)own_at(t, p->z) + at;
                    const double y = ((const double *)t->r->in->y)[y0 + s * O + o];
                    const double e = exp(-fabs(*z));
                    const double sigmoid = (*z >= 0 ? 1 : e) / (1 + e);
                    sum += (*z > 0 ? *z : 0) - y * *z + log1p(e);
                    *z = (sigmoid - y) * t->r->scale;
                    break;
                }
                    PERI_STORED_CASES
                    break;
                }
            }
        }
        t->loss += sum;
        if (t->r->out->row_loss != NULL)
            t->r->out->row_loss[t->first + r] = sum;
    }
}

double peri_lstm_counted(const peri_lstm_sizes *net, const peri_lstm_input *input)
{
    double counted = 0;
    for (size_t i = 0; i < input->batch; i++)
        counted += input->lengths == NULL
                       ? (double)input->steps
                       : (double)input->lengths[input->rows == NULL ? i : input->rows[i]];
    return counted * (double)net->output;
}

static bool run_turn(lstm_turn *t)
{
    if (!peri_lstm_turn_forward(t))
        return false;
    if (t->r->in->y != NULL)
        take_loss(t);
    return t->r->grads == NULL || peri_lstm_turn_backward(t);
}

peri_status peri_lstm_run(const peri_lstm_sizes *net, const void *params,
                          const peri_lstm_input *input, const peri_stop *stop,
                          const peri_lstm_output *output, void *work)
{
    assert(input->y != NULL ||
           (output->loss == NULL && output->row_loss == NULL && output->grads == NULL));
    lstm_run r = {.params = params,
                  .in = input,
                  .out = output,
                  .stop = stop,
                  .work = work,
                  .grads = output->grads};
    if (!peri_lstm_make_plan(&r.p, net, input->batch, input->steps,
                             (lstm_wants){.forward = true, .backward = output->grads != NULL}))
        return PERI_ERR_TOO_LARGE;
    const double counted = peri_lstm_counted(net, input);
    r.scale = 1 / counted;
    const peri_status status = peri_lstm_run_turns(&r, run_turn);
    if (status != PERI_OK)
        return status;
    double loss = 0;
    for (size_t block = 0; block < r.p.nblocks; block++)
        loss += r.loss[block];
    if (output->loss != NULL)
        *output->loss = loss / counted;
    return PERI_OK;
}
