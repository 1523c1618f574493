/* SPDX-License-Identifier: MIT
 *
 * Optimisers over flat arrays, with the formulas of torch.optim. p parameters, g gradient, all of
 * length n and one dtype; the state arrays m, v, b start as zeros and belong to the caller.
 */
#ifndef PERIGEE_KERNEL_OPTIM_H
#define PERIGEE_KERNEL_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    double lr, beta1, beta2, eps, weight_decay;
    int64_t step;     /* 1 at the first */
    bool decoupled;   /* weight decay beside the step: AdamW */
    const void *mask; /* (n): weight_decay is multiplied by it; NULL: 1 */
} peri_adam;

/* Kingma & Ba 2015, algorithm 1, eps outside the root's correction as in PyTorch:
 *     g += weight_decay p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *     p -= lr / (1 - beta1^step) m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
 * decoupled (Loshchilov & Hutter 2019, algorithm 2): p *= 1 - lr weight_decay in place of the
 * first. g itself is not written. */
void peri_optim_adam(int dtype, size_t n, const peri_adam *adam, const void *g, void *p, void *m,
                     void *v);

typedef struct {
    double lr, momentum, dampening, weight_decay;
    bool nesterov;
    int64_t step;     /* 1 at the first, where b becomes g */
    const void *mask; /* (n): weight_decay is multiplied by it; NULL: 1 */
} peri_sgd;

/*     g += weight_decay p;  b = momentum b + (1 - dampening) g;  p -= lr b
 * With nesterov p -= lr (g + momentum b). Without momentum b is not used and may be NULL. */
void peri_optim_sgd(int dtype, size_t n, const peri_sgd *sgd, const void *g, void *p, void *b);

typedef struct {
    double lr, alpha, eps, weight_decay, momentum;
    bool centered;
    const void *mask; /* as above */
} peri_rmsprop;

/* Tieleman & Hinton 2012; centered: Graves 2013.
 *     g += weight_decay p;  v = alpha v + (1 - alpha) g^2;  m = alpha m + (1 - alpha) g
 *     d = g / (sqrt(v) + eps), centered g / (sqrt(v - m^2) + eps)
 *     b = momentum b + d;  p -= lr b
 * m is not used and may be NULL unless centered, and so b without momentum. */
void peri_optim_rmsprop(int dtype, size_t n, const peri_rmsprop *o, const void *g, void *p, void *v,
                        void *m, void *b);

/* Scales g by min(1, max_norm / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_. Returns the
 * Euclidean norm that g had. */
double peri_optim_clip(int dtype, size_t n, double max_norm, void *g);

#endif
