/* SPDX-License-Identifier: MIT
 *
 * What the files of convolution share; nobody else's business.
 *
 * Staging. An image is copied with zeros around it, its columns dealt by the stride: staged row r
 * is padded row r, and column q of the padded image stands at (q mod deal) cols + q div deal. So
 * what a kernel element meets along a row of Y lies in one piece whatever the stride, and a kernel
 * element is one offset (its tap).
 */
#ifndef PERIGEE_KERNEL_CONV_PARTS_H
#define PERIGEE_KERNEL_CONV_PARTS_H

#include "kernel/conv.h"
#include "kernel/slots.h"
#include "kernel/view.h"

typedef struct {
    size_t channels, h, w;   /* of the image */
    size_t top, left;        /* zeros before it */
    size_t rows, deal, cols; /* staged: rows, and deal pieces of cols each a row */
} peri_staging;

static inline size_t peri_staged_row(const peri_staging *g)
{
    return g->deal * g->cols;
}

static inline size_t peri_staged_size(const peri_staging *g)
{
    return g->channels * g->rows * g->deal * g->cols;
}

/* Where padded row r, column q of channel 0 stands. */
static inline size_t peri_staged_at(const peri_staging *g, size_t r, size_t q)
{
    return r * peri_staged_row(g) + q % g->deal * g->cols + q / g->deal;
}

/* The whole, and without what stands around the image. */
void peri_stage(const peri_staging *g, int dtype, const void *image, void *staged);
void peri_stage_inside(const peri_staging *g, int dtype, const void *image, void *staged);

/* out[image, m, row, col] = bias[m] + sum over k of A[m,k] staged[image source_image + row
 * source_row + col + tap[k]]. Strides are in elements. */
typedef struct {
    size_t M, K;
    const void *A;
    const size_t *tap;
    size_t images, rows, cols;
    const void *source;
    size_t source_image, source_row;
    void *out;
    size_t out_image, out_m, out_row, out_col;
    const void *bias;
    void *B, *C; /* scratch: peri_correlate_work() */
} peri_correlation;

/* acc[k ldo + o] += sum over rows i and columns j of x[tap[k] + i x_row + j] dy[i cols + j, o], for
 * k in [0, K), o in [0, ldo); ldo is a multiple of a vector. dyt has dy in panels of channels,
 * (pixels, panel) each, the last one of what is left: rows as long as ldo would meet in the same
 * sets of the cache. `thin`: dyt is one channel, and only o = 0 is summed. */
typedef struct {
    bool thin;
    size_t K, rows, cols, x_row, ldo;
    const void *x, *dyt;
    const size_t *tap;
    void *acc;
} peri_gathering;

/* C[to[p], v] = sum over i < outer, k < inner of staged[from[p] + i jump + k] B[i inner + k, v] for
 * p < count, v < wide, at most a panel; rows of B and C are `wide` elements. */
typedef struct {
    size_t count, wide, outer, inner, jump;
    const size_t *from, *to;
    const void *staged, *B;
    void *C;
} peri_pixels;

/* A block of `tiles` Winograd tiles: M (count, tiles, N) = V (count, tiles, K) U, where U is packed
 * by pack. N and K are multiples of a vector. */
typedef struct {
    size_t count, tiles, K, N;
    const void *V, *U;
    void *M;
} peri_products;

/* A tile's pixels to its elements, `plane` apart, and back. */
typedef void (*peri_tile_in)(const void *patch, size_t row, size_t step, size_t C, void *V,
                             size_t plane);
typedef void (*peri_tile_out)(const void *M, size_t plane, size_t C, void *patch, size_t row,
                              size_t step);

typedef struct {
    size_t lanes, panel; /* elements of a vector, pixels of a panel */
    void (*correlate)(const peri_correlation *q, size_t first, size_t last);
    void (*gather)(const peri_gathering *q);
    void (*pixels)(const peri_pixels *q);
    void (*products)(const peri_products *q);
    peri_tile_in wino_in, wino_grad, half_in, half_grad;
    peri_tile_out wino_out, half_out;
    void (*wino_sum)(size_t count, size_t tiles, size_t K, size_t N, const void *V, const void *Q,
                     void *acc);
    void (*half_weights)(const void *W, size_t o_step, const size_t at[4], size_t k, size_t K,
                         size_t O, size_t first, size_t N8, size_t N, void *U);
    void (*half_back)(const void *sums, size_t chunks, size_t chunk, size_t k, size_t K, size_t O,
                      size_t N, bool add, size_t o_step, const size_t at[4], void *dW);
    void (*wino_weights)(const void *W, size_t c_step, size_t o_step, bool turned, size_t c,
                         size_t K, size_t O, size_t N, void *U);
    void (*wino_back)(const void *sums, size_t chunks, size_t chunk, size_t c, size_t C, size_t K,
                      size_t O, size_t N, bool add, void *dW);
    void (*spread)(const void *from, size_t apart, size_t C, size_t count, size_t width, void *to,
                   size_t C8, size_t row);
    void (*collect)(const void *from, size_t C8, size_t row, size_t width, const void *bias,
                    void *to, size_t apart, size_t C, size_t count);
    void (*deal)(const void *from, size_t count, void *even, void *odd);
} peri_conv_functions;

/* Of the level in use: conv_f32.c and conv_f64.c hold them. */
const peri_conv_functions *peri_conv_f32(void);
const peri_conv_functions *peri_conv_f64(void);

static inline const peri_conv_functions *peri_conv_choose(int dtype)
{
    return PERI_REAL_PICK(dtype, peri_conv_f64(), peri_conv_f32());
}

enum { PERI_CONV_PIECE = 512 /* K of a packed panel */ };

/* Bytes of B and of C of a correlation with these sizes. */
static inline size_t peri_correlate_b(const peri_conv_functions *f, size_t K, size_t elem)
{
    const size_t piece = K < PERI_CONV_PIECE ? K : PERI_CONV_PIECE;
    return peri_lines((piece * f->panel + f->lanes) * elem);
}

static inline size_t peri_correlate_c(const peri_conv_functions *f, size_t M, size_t elem)
{
    return peri_lines(M * f->panel * elem);
}

static inline size_t peri_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Whether the shape has a Winograd form, and whether it is faster so. */
bool peri_wino_fits(const peri_conv *s);
bool peri_wino_pays(const peri_conv *s, peri_conv_pass pass);
size_t peri_wino_work(const peri_conv *s, int dtype, peri_conv_pass pass, size_t slots);
peri_status peri_wino_forward(const peri_conv *s, int dtype, bool data, const void *X,
                              const void *W, const void *bias, void *Y, void *work, size_t slots,
                              const peri_stop *stop);
peri_status peri_wino_weights(const peri_conv *s, int dtype, const void *X, const void *dY,
                              double beta, void *dW, void *work, size_t slots,
                              const peri_stop *stop);
/* Whether conv_channels.c is for this shape. */
bool peri_channels_fit(const peri_conv *s, int dtype, bool data);
size_t peri_channels_work(const peri_conv *s, int dtype, bool data, size_t slots);
peri_status peri_channels_product(const peri_conv *s, int dtype, bool data, const void *in,
                                  const void *W, const void *bias, void *out, void *work,
                                  size_t slots, const peri_stop *stop);
size_t peri_weights_work(const peri_conv *s, int dtype, size_t slots);
peri_status peri_weights_product(const peri_conv *s, int dtype, const void *X, const void *dY,
                                 double beta, void *dW, void *work, size_t slots,
                                 const peri_stop *stop);

#endif
