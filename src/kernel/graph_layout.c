/* SPDX-License-Identifier: MIT
 *
 * The nodes' coordinates lie in four arrays, x, y and the forces on them, padded to whole
 * registers with nodes far away.
 */
#include "kernel/graph_layout.h"

#include <math.h>
#include <string.h>

typedef double v8 __attribute__((vector_size(64)));

static double total(const v8 *v)
{
    double sum = 0.0;
    for (int l = 0; l < 8; l++)
        sum += (*v)[l];
    return sum;
}

peri_status peri_graph_layout(size_t n, const double *edges, size_t k, size_t iterations,
                              double *pos, double *work, const peri_stop *stop)
{
    if (n == 0)
        return PERI_OK;
    /* In units that leave a node without edges about 1.8 of room, an edge about 1.6. */
    const double gravity = 1.0, pull = 0.25;
    const size_t N = (n + 7) / 8 * 8;
    double *x = work, *y = x + N, *fx = y + N, *fy = fx + N;
    const double side = sqrt((double)n);
    for (size_t i = 0; i < N; i++) {
        x[i] = i < n ? pos[2 * i] * side : 1e9; /* the padding pushes from far away */
        y[i] = i < n ? pos[2 * i + 1] * side : 1e9;
    }
    for (size_t round = 0; round < iterations; round++) {
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        double middle[2] = {0.0, 0.0};
        for (size_t i = 0; i < n; i++) {
            middle[0] += x[i] / (double)n;
            middle[1] += y[i] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            v8 sx = {0}, sy = {0};
            for (size_t j = 0; j < N; j += 8) {
                v8 dx, dy;
                memcpy(&dx, x + j, sizeof dx);
                memcpy(&dy, y + j, sizeof dy);
                dx = x[i] - dx;
                dy = y[i] - dy;
                const v8 push = 1.0 / (dx * dx + dy * dy + 1e-6);
                sx += dx * push;
                sy += dy * push;
            }
            fx[i] = total(&sx) - gravity * (x[i] - middle[0]);
            fy[i] = total(&sy) - gravity * (y[i] - middle[1]);
        }
        for (size_t e = 0; e < k; e++) {
            const size_t i = (size_t)edges[2 * e] - 1, j = (size_t)edges[2 * e + 1] - 1;
            const double dx = x[i] - x[j], dy = y[i] - y[j], d = pull * sqrt(dx * dx + dy * dy);
            fx[i] -= d * dx;
            fy[i] -= d * dy;
            fx[j] += d * dx;
            fy[j] += d * dy;
        }
        /* No node moves further than the temperature, which falls to 0. */
        const double left = 1.0 - (double)round / (double)iterations;
        const double heat = 0.1 * (side + 1.0) * left * left;
        for (size_t i = 0; i < n; i++) {
            const double force = sqrt(fx[i] * fx[i] + fy[i] * fy[i]);
            const double reach = force > heat ? heat / force : 1.0;
            x[i] += reach * fx[i] * (force > heat ? 1.0 : 0.2);
            y[i] += reach * fy[i] * (force > heat ? 1.0 : 0.2);
        }
    }
    double lo[2] = {x[0], y[0]}, hi[2] = {x[0], y[0]};
    for (size_t i = 0; i < n; i++) {
        lo[0] = fmin(lo[0], x[i]);
        hi[0] = fmax(hi[0], x[i]);
        lo[1] = fmin(lo[1], y[i]);
        hi[1] = fmax(hi[1], y[i]);
    }
    const double extent = fmax(hi[0] - lo[0], hi[1] - lo[1]);
    const double scale = extent > 0.0 ? 1.0 / extent : 0.0;
    for (size_t i = 0; i < n; i++) {
        pos[2 * i] = 0.5 + (x[i] - 0.5 * (lo[0] + hi[0])) * scale;
        pos[2 * i + 1] = 0.5 + (y[i] - 0.5 * (lo[1] + hi[1])) * scale;
    }
    return PERI_OK;
}
