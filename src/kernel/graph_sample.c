/* SPDX-License-Identifier: MIT
 *
 * Edges drawn from the model.
 */
#include "kernel/graph.h"

#include <math.h>

#include "kernel/graph_pairs.h"

enum { AT_ONCE = 256 };

void peri_graph_draw(const double *x, size_t n, size_t m, double a, double b, peri_rng *rng,
                     double *E)
{
    double u[AT_ONCE];
    for (size_t i = 0; i < n; i++) {
        E[i * n + i] = 0.0;
        for (size_t j0 = i + 1; j0 < n; j0 += AT_ONCE) {
            const size_t count = n - j0 < AT_ONCE ? n - j0 : AT_ONCE;
            peri_random_uniforms(rng, count, u);
            for (size_t j = j0; j < j0 + count; j++) {
                const double z = a * dot(x + i * m, x + j * m, m) + b;
                const double t = exp(-fabs(z));
                const double p = z >= 0.0 ? 1.0 / (1.0 + t) : t / (1.0 + t);
                E[i * n + j] = E[j * n + i] = u[j - j0] < p ? 1.0 : 0.0;
            }
        }
    }
}
