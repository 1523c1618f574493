/* SPDX-License-Identifier: MIT */
#include "kernel/optim.h"

#include <math.h>
#include <stdint.h>

#include "kernel/view.h"

typedef struct {
    void (*adam)(size_t n, const peri_adam *a, double scale, double root2, const void *grad,
                 void *params, void *first, void *second);
    void (*sgd)(size_t n, const peri_sgd *s, const void *grad, void *params, void *buffer);
    void (*rmsprop)(size_t n, const peri_rmsprop *o, const void *grad, void *params, void *second,
                    void *first, void *buffer);
} optim_functions;

#define LANES_LOOPS "kernel/optim_step.h"
#include "kernel/lanes_each.h"

static const optim_functions *choose(int dtype)
{
    return LANES_CHOOSE(optim, dtype);
}

void peri_optim_adam(int dtype, size_t n, const peri_adam *adam, const void *g, void *p, void *m,
                     void *v)
{
    const double step = (double)adam->step;
    const double scale = adam->lr / (1 - pow(adam->beta1, step));
    const double root2 = sqrt(1 - pow(adam->beta2, step));
    choose(dtype)->adam(n, adam, scale, root2, g, p, m, v);
}

void peri_optim_sgd(int dtype, size_t n, const peri_sgd *sgd, const void *g, void *p, void *b)
{
    choose(dtype)->sgd(n, sgd, g, p, b);
}

void peri_optim_rmsprop(int dtype, size_t n, const peri_rmsprop *o, const void *g, void *p, void *v,
                        void *m, void *b)
{
    choose(dtype)->rmsprop(n, o, g, p, v, m, b);
}

static double sum_squares(int dtype, size_t n, const void *g)
{
    enum { CHAINS = 8 };
    double sum[CHAINS] = {0};
    for (size_t i = 0; i < n; i++) {
        const double x =
            PERI_REAL_PICK(dtype, ((const double *)g)[i], (double)((const float *)g)[i]);
        sum[i % CHAINS] += x * x;
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double peri_optim_clip(int dtype, size_t n, double max_norm, void *g)
{
    const double norm = sqrt(sum_squares(dtype, n, g));
    const double factor = max_norm / (norm + 1e-6);
    if (factor >= 1)
        return norm;
    for (size_t i = 0; i < n; i++)
        PERI_REAL_DO(dtype, ((double *)g)[i] *= factor, ((float *)g)[i] *= (float)factor);
    return norm;
}
