/* SPDX-License-Identifier: MIT */
#include "kernel/dropout.h"

enum { PIECE = 512 };

void peri_dropout_mask(peri_rng *rng, double p, size_t n, int dtype, void *mask)
{
    double u[PIECE];
    const double kept = p < 1 ? 1 / (1 - p) : 0;
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        peri_random_uniforms(rng, count, u);
        if (dtype == PERI_F32)
            for (size_t k = 0; k < count; k++)
                ((float *)mask)[i + k] = u[k] < p ? 0 : (float)kept;
        else
            for (size_t k = 0; k < count; k++)
                ((double *)mask)[i + k] = u[k] < p ? 0 : kept;
    }
}
