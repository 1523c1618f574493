/* SPDX-License-Identifier: MIT
 *
 * Scaled dot-product attention of several heads, forward and backward.
 *
 *     s_ij = scale q_i . k_j + mask_ij,  p_ij = exp(s_ij - l_i),  l_i = log sum_j exp(s_ij)
 *     y_i = sum_j p_ij v_j
 *     dv_j = sum_i p_ij dy_i,  ds_ij = p_ij (dy_i . v_j - dy_i . y_i)
 *     dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i
 *
 * Q (batch,heads,T,D), K (batch,heads,S,D), V (batch,heads,S,E), Y (batch,heads,T,E). causal: i
 * meets the keys up to i + S - T, so the last query meets all of them. A query that may meet no key
 * has y = 0 (and l = -inf).
 *
 * Of T x S only some rows at a time exist, in the workspace; the backward pass makes them again
 * from l. Vaswani et al. 2017 (arXiv:1706.03762); Dao et al. 2022 (arXiv:2205.14135), section 3.1
 * and algorithm 4.
 */
#ifndef PERIGEE_KERNEL_ATTENTION_H
#define PERIGEE_KERNEL_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/status.h"
#include "kernel/stop.h"

typedef struct {
    size_t batch, heads, T, S, D, E;
    bool causal;
    double scale;
} peri_attention;

/* Rows of an array: element (b,h,t,i) is at data[b * batch + h * head + t * row + i]. So heads that
 * lie beside each other in (batch,T,heads D) are read and written in place. */
typedef struct {
    void *data;
    size_t batch, head, row;
} peri_heads;

/* Bytes of workspace; slots as in conv.h. */
size_t peri_attention_work(const peri_attention *a, int dtype, size_t slots);
size_t peri_attention_backward_work(const peri_attention *a, int dtype, size_t slots);

/* Y, and l (batch,heads,T). mask, of rows of S, is added to the scores; NULL for none; a stride of
 * 0 repeats it. Every size fits an int. */
peri_status peri_attention_forward(const peri_attention *a, int dtype, const peri_heads *Q,
                                   const peri_heads *K, const peri_heads *V, const peri_heads *mask,
                                   const peri_heads *Y, void *l, void *work, size_t slots,
                                   const peri_stop *stop);

/* dQ, dK and dV from what the forward pass had and gave, and the gradient G of Y. l may be NULL:
 * then it is found again. */
peri_status peri_attention_backward(const peri_attention *a, int dtype, const peri_heads *Q,
                                    const peri_heads *K, const peri_heads *V,
                                    const peri_heads *mask, const peri_heads *Y, const void *l,
                                    const peri_heads *G, const peri_heads *dQ, const peri_heads *dK,
                                    const peri_heads *dV, void *work, size_t slots,
                                    const peri_stop *stop);

#endif
