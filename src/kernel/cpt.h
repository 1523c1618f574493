/* SPDX-License-Identifier: MIT
 *
 * Conditional probability tables of binary images:
 *
 *     p(x_1 .. x_d) = prod_k p(x_k | x_1 .. x_(k-1)),    x_k in {0, 1}
 *
 * in one of two forms that behave the same.
 *
 * Dense: table k has 2^k numbers, indexed [x_1]..[x_k]; pair `prefix` of it, the pixels before read
 * as a binary number, is p(0), p(1). All together 2^(d+1) - 2 numbers.
 *
 * Compact: the distinct images a sample of N held, sorted, under a binary tree that has a node
 * wherever they part, so that d = 784 costs no more than the images do. With c rows below a
 * prefix, c_v of them going on with v, p(v) = (c_v + alpha) / (c + 2 alpha), and 1/2 where c = 0
 * and alpha = 0: what dense tables made by counting hold.
 *
 * Letters: d pixels, u distinct images, W = (d + 63) / 64 words a packed image (the first pixel is
 * the highest bit of the first word).
 */
#ifndef PERIGEE_KERNEL_CPT_H
#define PERIGEE_KERNEL_CPT_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/random.h"
#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* Nodes are numbered in preorder: the 0-branch of node v is v + 1, the 1-branch nodes[v].right. */
typedef struct {
    uint32_t row;   /* an image below this node */
    uint32_t bit;   /* the pixel at which the images below part, from 0; d at a leaf */
    uint32_t right; /* 0 at a leaf */
    double count;   /* how many observations are below */
} peri_cpt_node;

/* Dense where tables is set. The memory is the caller's. */
typedef struct {
    size_t d;
    const double *const *tables; /* d pointers */
    size_t u;
    const peri_cpt_node *nodes; /* 2 u - 1 */
    const uint64_t *rows;       /* (u, W) */
    double alpha;
} peri_cpt;

static inline size_t peri_cpt_words(size_t d)
{
    return (d + 63) / 64;
}

/* Table k (k axes of 2, so 2^k numbers): PERI_ERR_NONFINITE or PERI_ERR_VALUE with index[0] the
 * pair and index[1] the element of it at fault; where a pair does not sum to 1 within 1e-6,
 * PERI_ERR_VALUE with nindex 1, the pair, and got the sum. */
peri_status peri_cpt_check_table(const double *table, size_t k, peri_facts *facts);

/* Packs X (n,d), of 0 and 1, sorts the images and merges equal ones.
 *   weights   n counts >= 1, or NULL: 1 each
 *   rows      (n,W): on return the first *u hold the distinct images, ascending
 *   counts    n: how many observations each of them stands for
 *   work      (n,W) words and then 2n 32-bit numbers
 * PERI_ERR_VALUE or PERI_ERR_NONFINITE with index {row, pixel} where an element is neither 0 nor
 * 1. n < 2^31. */
peri_status peri_cpt_collect(const peri_view *X, const double *weights, uint64_t *rows,
                             double *counts, uint64_t *work, size_t *u, const peri_stop *stop,
                             peri_facts *facts);

/* Builds the tree over u >= 1 sorted, distinct images; nodes has 2u - 1, work 3 (d + 1). Returns
 * how many prefixes of length 0..d-1 the images have: the pairs a table would have to store. */
double peri_cpt_grow(const uint64_t *rows, const double *counts, size_t u, size_t d,
                     peri_cpt_node *nodes, size_t *work);

/* n images into out (n,d), row-major, 0 and 1. Draws n d uniforms, pixel by pixel in order; a
 * pixel is 0 where its uniform is below p(0). */
peri_status peri_cpt_sample(const peri_cpt *m, peri_rng *rng, size_t n, double *out,
                            const peri_stop *stop);

/* out[i] = log p(row i of X (n,d)); -inf where p is 0. Statuses as peri_cpt_collect. */
peri_status peri_cpt_logprob(const peri_cpt *m, const peri_view *X, double *out,
                             const peri_stop *stop, peri_facts *facts);

/* p(next pixel = 1) after `length` < d pixels, each 0 or 1. */
double peri_cpt_conditional(const peri_cpt *m, const double *prefix, size_t length);

/* The entropy of an image in nats. work has 4 u doubles (none when dense). */
peri_status peri_cpt_entropy(const peri_cpt *m, double *entropy, double *work,
                             const peri_stop *stop);

/* The images with p > 0 in ascending order (the first pixel counts most) and their p, at most
 * `cap` of them; X (cap,d) and p (cap), or both NULL to count. *count is cap + 1 where there are
 * more. */
peri_status peri_cpt_support(const peri_cpt *m, size_t cap, double *X, double *p, size_t *count,
                             const peri_stop *stop);

/* Unpacks row i of rows into out (d). */
void peri_cpt_unpack(const uint64_t *rows, size_t i, size_t d, double *out);

#endif
