/* SPDX-License-Identifier: MIT
 *
 * A stack of LSTM layers with a linear output, its mean binary cross-entropy and the gradient:
 *
 *     a = W_ih x_t + b_ih + W_hh h_(t-1) + b_hh        the rows of a are the gates i, f, g, o
 *     c_t = sigmoid(a_f) c_(t-1) + sigmoid(a_i) tanh(a_g),   h_t = sigmoid(a_o) tanh(c_t)
 *     z_t = W h_t + b (last layer),   loss = mean over steps of log(1 + e^z) - y z
 *
 * (Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, as torch.nn.LSTM.)
 *
 * Letters: N sequences, T steps, D inputs, H hidden units, L layers, O outputs. All parameters are
 * one array, in PyTorch's order and layouts: for each layer W_ih (4H,D; above the first 4H,H),
 * W_hh (4H,H), b_ih (4H), b_hh (4H); then W (O,H), b (O). A gradient is another of that length.
 * All arrays are of the net's dtype, row-major and without gaps.
 *
 * The work is cut into blocks of sequences by sizes alone and runs on the pool.
 */
#ifndef PERIGEE_KERNEL_LSTM_H
#define PERIGEE_KERNEL_LSTM_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

typedef struct {
    size_t input, hidden, layers, output;
    int dtype;
} peri_lstm_sizes;

enum {
    PERI_LSTM_W_IH,
    PERI_LSTM_W_HH,
    PERI_LSTM_B_IH,
    PERI_LSTM_B_HH,
    PERI_LSTM_FC_W,
    PERI_LSTM_FC_B
};

/* One array among the parameters: elements offset .. offset + rows * columns - 1. A bias has
 * columns 1. */
typedef struct {
    int kind;
    size_t layer, offset, rows, columns;
} peri_lstm_part;

typedef struct {
    size_t batch, steps;   /* N, T */
    const void *x;         /* (*,T,D) */
    const void *y;         /* (*,T,O), 0 or 1; NULL where no loss is wanted */
    const size_t *rows;    /* (N) which sequences of x and y; NULL: 0..N-1 */
    const size_t *lengths; /* for each sequence of x its steps, 1..T; NULL: all have T. What lies
                              beyond counts in no sum and is not read */
    const void *h0, *c0;   /* (L,N,H); both NULL: 0 */
} peri_lstm_input;

/* Each may be NULL. */
typedef struct {
    void *logits;     /* (N,T,O) */
    void *hn, *cn;    /* (L,N,H), the state after each sequence's last step */
    double *loss;     /* mean over all steps and outputs that count; needs y */
    double *row_loss; /* (N) sum over the steps and outputs of a sequence; needs y */
    void *grads;      /* of the mean loss; needs y */
} peri_lstm_output;

/* The number of parameters; 0 when it overflows or an extent is 0 or too large. */
size_t peri_lstm_nparams(const peri_lstm_sizes *net);

/* How many arrays the parameters are, 4L + 2, and the one at index. */
size_t peri_lstm_nparts(const peri_lstm_sizes *net);
peri_lstm_part peri_lstm_get_part(const peri_lstm_sizes *net, size_t index);

/* The first element of a (batch,steps,wide) that is not finite, or with bits not 0 or 1; the
 * number of elements when there is none. Beyond its length a sequence may hold anything. */
size_t peri_lstm_find_bad(int dtype, const void *a, size_t batch, size_t steps, size_t wide,
                          bool bits, const size_t *lengths);

/* What a backward run takes, each NULL for 0, and what it gives, each NULL where it is not wanted.
 * Beyond a sequence's length dlogits are not read and dx is 0. */
typedef struct {
    const void *dlogits;   /* (N,T,O) */
    const void *dhn, *dcn; /* (L,N,H) */
    void *grads;           /* (nparams), overwritten */
    void *dx;              /* (N,T,D) */
    void *dh0, *dc0;       /* (L,N,H) */
} peri_lstm_gradients;

/* Bytes of workspace, aligned to 64, for a run; 0 when they overflow. */
size_t peri_lstm_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps, bool gradient);

/* Forward, the loss and the gradient, as far as the outputs ask for. Non-finite values pass
 * through to the loss. PERI_ERR_INTERRUPTED leaves the outputs unspecified. */
peri_status peri_lstm_run(const peri_lstm_sizes *net, const void *params,
                          const peri_lstm_input *input, const peri_stop *stop,
                          const peri_lstm_output *output, void *work);

/* How many steps and outputs count: what a mean loss is a mean over. */
double peri_lstm_counted(const peri_lstm_sizes *net, const peri_lstm_input *input);

/* Bytes of what a forward run leaves for a backward one, and of workspace for each, all aligned to
 * 64; 0 when they overflow. */
size_t peri_lstm_history(const peri_lstm_sizes *net, size_t batch, size_t steps);
size_t peri_lstm_forward_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps);
size_t peri_lstm_backward_workspace(const peri_lstm_sizes *net, size_t batch, size_t steps);

/* The logits and the last state, and in `history` what peri_lstm_backward() needs; y is not read
 * and `output` asks for no loss. */
peri_status peri_lstm_forward(const peri_lstm_sizes *net, const void *params,
                              const peri_lstm_input *input, void *history, const peri_stop *stop,
                              const peri_lstm_output *output, void *work);

/* From the gradients of a forward run's outputs to those of what went in: the vector-Jacobian
 * product. input, params and history as they were; the history is read only, so that it serves
 * any number of calls. x, y, h0 and c0 are not read. peri_lstm_run() composes the two turn by turn.
 */
peri_status peri_lstm_backward(const peri_lstm_sizes *net, const void *params,
                               const peri_lstm_input *input, const void *history,
                               const peri_stop *stop, const peri_lstm_gradients *gradients,
                               void *work);

/* Bytes of workspace for peri_lstm_sample(); 0 when they overflow. */
size_t peri_lstm_sample_workspace(const peri_lstm_sizes *net, size_t count);

/* Draws `count` sequences bit by bit: x_t is 1 where uniform_t < sigmoid(z_(t-1)); the first
 * input is 0. Needs O = D. uniform is (count,T,D) in [0,1), out (count,T,D) of the dtype.
 * PERI_ERR_NONFINITE names the first element of out, in order, whose z is NaN. */
peri_status peri_lstm_sample(const peri_lstm_sizes *net, const void *params, size_t count,
                             size_t steps, const double *uniform, const peri_stop *stop, void *out,
                             void *work, peri_facts *facts);

#endif
