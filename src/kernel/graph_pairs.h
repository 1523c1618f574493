/* SPDX-License-Identifier: MIT
 *
 * What the graph_*.c files share: sizes, bits, products.
 */
#ifndef PERIGEE_KERNEL_GRAPH_PAIRS_H
#define PERIGEE_KERNEL_GRAPH_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Graphs of up to this many nodes keep their products. */
enum { PERI_GRAPH_FLAT = 64 };

static inline bool bit_at(const uint64_t *row, size_t j)
{
    return row[j / 64] >> (j % 64) & 1;
}

/* In whole registers of 8. */
static inline size_t padded(size_t n)
{
    return (n + 7) / 8 * 8;
}

static inline size_t pair_count(size_t n)
{
    return n < 2 ? 0 : n * (n - 1) / 2;
}

static inline double dot(const double *x, const double *y, size_t m)
{
    double sum = 0.0;
    for (size_t k = 0; k < m; k++)
        sum += x[k] * y[k];
    return sum;
}

#endif
