/* SPDX-License-Identifier: MIT
 *
 * Undirected graphs whose edges follow their nodes' features:
 *
 *     e_ij ~ Bernoulli(p_ij),   p = s(z),   z = a x_i.x_j + b,   s(z) = 1 / (1 + e^-z)
 *
 *     L      = sum_{i<j} e log p + (1 - e) log(1 - p)
 *     dL/da  = sum (e - p) x_i.x_j            dL/db = sum (e - p)
 *     d2L    = -sum p (1 - p) [ (x_i.x_j)^2, x_i.x_j; x_i.x_j, 1 ]
 *
 * With u = z where e = 1 and -z elsewhere every pair contributes log s(u) = -max(-u, 0) -
 * log(1 + t), t = e^-|u|, and |e - p| = s(-u), so nothing overflows or cancels at any a, b. The
 * logarithms are taken of products: q' = q + t (1 + q) holds prod (1 + t) - 1 with full relative
 * accuracy, and one log1p(q) closes some hundred pairs.
 *
 * Letters: n nodes, m features, W = (n + 63) / 64 words a row of edges, k edges.
 */
#ifndef PERIGEE_KERNEL_GRAPH_H
#define PERIGEE_KERNEL_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/random.h"
#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* Edges in one of two forms, the other NULL: as bits, or as lists. A small graph has its pairs
 * beside them (peri_graph_flatten), which spares every pass the products; else s is NULL. */
typedef struct {
    size_t n, m;
    const double *x;      /* (n,m), finite */
    const uint64_t *bits; /* (n,W): bit j % 64 of word j / 64 of row i is e_ij, for j > i; else 0 */
    const size_t *start;  /* n + 1: the edges i, j > i of node i are to[start[i]..start[i+1]) */
    const uint32_t *to;   /* k, ascending within a node */
    const double *s;      /* x_i.x_j, i < j, row by row */
    const uint64_t *e;    /* their edges as bits */
} peri_graph;

typedef struct {
    double loglik;
    double gradient[2]; /* a, b */
    double hessian[3];  /* aa, ab, bb */
} peri_graph_sums;

static inline size_t peri_graph_words(size_t n)
{
    return (n + 63) / 64;
}

/* ---- edges ---------------------------------------------------------------------------------- */

/* Packs E (n,n), any strides, into bits (n,W) and counts the edges. PERI_ERR_VALUE with index
 * {i, j} where an element is neither 0 nor 1, differs from element (j, i) or is on the diagonal
 * and not 0. */
peri_status peri_graph_pack(const peri_view *E, uint64_t *bits, size_t *edges, peri_facts *facts);

/* Makes the lists of `edges` (k,2), node numbers from 1, either end first. start n + 1, to k,
 * work k + n + 1. PERI_ERR_VALUE with index {row, column} where a number is no node of n, where
 * an edge joins a node with itself, and where one is listed twice. n, k < 2^32. */
peri_status peri_graph_lists(const double *edges, size_t k, size_t n, size_t *start, uint32_t *to,
                             size_t *work, peri_facts *facts);

/* Every edge of bits (n,W) as a row i, j of out (k,2), numbers from 1, i < j, in order. */
void peri_graph_unpack(const uint64_t *bits, size_t n, double *out);

/* Degrees (n), how many triangles, from bits (n,W). work n W words. */
void peri_graph_count(const uint64_t *bits, size_t n, double *degrees, double *triangles,
                      uint64_t *work);

/* Pairs of a graph of n nodes, rounded up to whole registers; 0 where there are too many to keep,
 * or none. */
size_t peri_graph_flat(size_t n);

/* Fills s, F = peri_graph_flat(n) numbers, and e, peri_graph_words(F) words, from the rest of g. */
void peri_graph_flatten(const peri_graph *g, double *s, uint64_t *e);

/* x_i.x_j and e_ij of each pair i < j, row by row; n (n - 1) / 2 of each. */
void peri_graph_pairs(const peri_graph *g, double *s, double *e);

/* ---- the likelihood ------------------------------------------------------------------------- */

/* Doubles of workspace for a graph in the functions below. */
size_t peri_graph_work(const peri_graph *g);

/* Adds the log-likelihood, gradient and Hessian in a and b of `count` graphs to *sums. The rows of
 * a large graph are split into blocks among threads; the result does not depend on how many there
 * are. work: the most that one of the graphs needs. */
peri_status peri_graph_loglik(const peri_graph *graphs, size_t count, double a, double b,
                              peri_graph_sums *sums, double *work, const peri_stop *stop);

/* An epoch of gradient ascent: at = (a, b) goes lr times the gradient of each graph uphill, graph
 * after graph. *last is the log-likelihood of the last one before its step. work as above. */
peri_status peri_graph_ascend(const peri_graph *graphs, size_t count, double lr, double at[2],
                              double *last, double *work, const peri_stop *stop);

/* The least and greatest x_i.x_j: range[0..1] over pairs without an edge, range[2..3] over those
 * with one; +inf, -inf where there is no such pair. Takes in what range holds already. */
peri_status peri_graph_range(const peri_graph *g, double range[4], const peri_stop *stop);

/* ---- sampling ------------------------------------------------------------------------------- */

/* Draws E (n,n) for features x (n,m): one uniform number a pair i < j, row by row, an edge where
 * it is below p. */
void peri_graph_draw(const double *x, size_t n, size_t m, double a, double b, peri_rng *rng,
                     double *E);

#endif
