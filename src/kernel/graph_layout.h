/* SPDX-License-Identifier: MIT */
#ifndef PERIGEE_KERNEL_GRAPH_LAYOUT_H
#define PERIGEE_KERNEL_GRAPH_LAYOUT_H

#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

/* Positions for drawing, force-directed after Fruchterman & Reingold (1991): nodes repel each
 * other, edges pull, and everything is drawn to the middle, so that a node without edges stays in
 * the picture. pos (n,2) holds where to start, and then the positions within [0, 1]^2.
 * edges (k,2) are rows of node numbers from 1; work 4 (n + 8). */
peri_status peri_graph_layout(size_t n, const double *edges, size_t k, size_t iterations,
                              double *pos, double *work, const peri_stop *stop);

#endif
