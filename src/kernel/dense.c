/* SPDX-License-Identifier: MIT */
#include "kernel/dense.h"

#include <stdint.h>
#include <string.h>

#include "kernel/gemm.h"
#include "kernel/pool.h"

enum {
    ROWS = 256,   /* of a block */
    COLS = 128,   /* of a block, where there are few blocks of rows */
    ENOUGH = 8,   /* blocks of rows */
    SMALL = 65536 /* products below this are one block */
};

typedef struct {
    size_t n, in, out, elem, row_blocks, cols, col_blocks;
    int dtype;
    const char *X, *W, *b, *dZ;
    char *Y, *Z;
    peri_act f;
    double slope, beta;
    const peri_stop *stop;
} job;

/* Cuts a product (rows,cols) of sums over k. */
static void cut(job *j, size_t rows, size_t cols, size_t k)
{
    j->row_blocks = (rows + ROWS - 1) / ROWS;
    j->cols = cols;
    if (j->row_blocks < ENOUGH && rows * cols * k > SMALL)
        j->cols = COLS < cols ? COLS : cols;
    j->col_blocks = j->cols == 0 ? 0 : (cols + j->cols - 1) / j->cols;
}

static void find(const job *j, size_t block, size_t rows, size_t cols, size_t *r, size_t *nr,
                 size_t *c, size_t *nc)
{
    *r = block / j->col_blocks * ROWS;
    *c = block % j->col_blocks * j->cols;
    *nr = rows - *r < ROWS ? rows - *r : ROWS;
    *nc = cols - *c < j->cols ? cols - *c : j->cols;
}

static void run_forward(void *context, size_t block)
{
    const job *j = context;
    size_t r, nr, c, nc;
    if (peri_stop_requested(j->stop))
        return;
    find(j, block, j->n, j->out, &r, &nr, &c, &nc);
    char *y = j->Y + (r * j->out + c) * j->elem;
    const char *b = j->b == NULL ? NULL : j->b + c * j->elem;
    peri_gemm(j->dtype, false, true, nr, nc, j->in, 1, j->X + r * j->in * j->elem, j->in,
              j->W + c * j->in * j->elem, j->in, 0, y, j->out);
    if (j->Z == NULL) {
        peri_activate_rows(j->f, nr, nc, j->out, j->dtype, j->slope, b, y);
        return;
    }
    peri_activate_rows(PERI_ACT_NONE, nr, nc, j->out, j->dtype, 0, b, y);
    for (size_t i = 0; i < nr; i++)
        memcpy(j->Z + ((r + i) * j->out + c) * j->elem, y + i * j->out * j->elem, nc * j->elem);
    peri_activate_rows(j->f, nr, nc, j->out, j->dtype, j->slope, NULL, y);
}

peri_status peri_dense_forward(size_t n, size_t in, size_t out, int dtype, const void *X,
                               const void *W, const void *b, peri_act f, double slope, void *Z,
                               void *Y, const peri_stop *stop)
{
    job j = {.n = n,
             .in = in,
             .out = out,
             .elem = peri_dtype_size(dtype),
             .dtype = dtype,
             .X = X,
             .W = W,
             .b = b,
             .Y = Y,
             .Z = Z,
             .f = f,
             .slope = slope,
             .stop = stop};
    cut(&j, n, out, in);
    peri_pool_run(j.row_blocks * j.col_blocks, run_forward, &j);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

static void run_data(void *context, size_t block)
{
    const job *j = context;
    size_t r, nr, c, nc;
    if (peri_stop_requested(j->stop))
        return;
    find(j, block, j->n, j->in, &r, &nr, &c, &nc);
    peri_gemm(j->dtype, false, false, nr, nc, j->out, 1, j->dZ + r * j->out * j->elem, j->out,
              j->W + c * j->elem, j->in, 0, j->Y + (r * j->in + c) * j->elem, j->in);
}

static void run_weights(void *context, size_t block)
{
    const job *j = context;
    size_t r, nr, c, nc;
    if (peri_stop_requested(j->stop))
        return;
    find(j, block, j->out, j->in, &r, &nr, &c, &nc);
    char *dW = j->Y + (r * j->in + c) * j->elem;
    if (j->n == 0 && j->beta != 0)
        return;
    peri_gemm(j->dtype, true, false, nr, nc, j->n, 1, j->dZ + r * j->elem, j->out,
              j->X + c * j->elem, j->in, j->beta, dW, j->in);
}

peri_status peri_dense_backward(size_t n, size_t in, size_t out, int dtype, const void *X,
                                const void *W, const void *dZ, void *dX, double beta, void *dW,
                                void *db, const peri_stop *stop)
{
    job j = {.n = n,
             .in = in,
             .out = out,
             .elem = peri_dtype_size(dtype),
             .dtype = dtype,
             .X = X,
             .W = W,
             .dZ = dZ,
             .beta = beta,
             .stop = stop};
    if (dX != NULL) {
        j.Y = dX;
        cut(&j, n, in, out);
        peri_pool_run(j.row_blocks * j.col_blocks, run_data, &j);
    }
    if (dW != NULL) {
        j.Y = dW;
        cut(&j, out, in, n);
        peri_pool_run(j.row_blocks * j.col_blocks, run_weights, &j);
    }
    if (db != NULL)
        peri_column_sums(n, out, dtype, dZ, beta, db);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

/* ---- column sums ---------------------------------------------------------------------------- */

enum { STRIPE = 256, TOGETHER = 32 /* rows added before they go to the sums in double */ };

static void run_sums(void *context, size_t block)
{
    const job *j = context;
    const size_t c = block * STRIPE, count = j->out - c < STRIPE ? j->out - c : STRIPE;
    double sums[STRIPE] = {0};
    union {
        float f[STRIPE];
        double d[STRIPE];
    } some;
    for (size_t r = 0; r < j->n; r += TOGETHER) {
        const size_t rows = j->n - r < TOGETHER ? j->n - r : TOGETHER;
        const char *x = j->X + (r * j->out + c) * j->elem;
        memcpy(&some, x, count * j->elem);
        for (size_t i = 1; i < rows; i++)
            peri_activate_rows(PERI_ACT_NONE, 1, count, 0, j->dtype, 0, x + i * j->out * j->elem,
                               &some);
        for (size_t k = 0; k < count; k++)
            sums[k] += PERI_REAL_PICK(j->dtype, some.d[k], (double)some.f[k]);
    }
    for (size_t k = 0; k < count; k++) {
        char *to = j->Y + (c + k) * j->elem;
        peri_write(j->dtype, to, sums[k] + (j->beta != 0 ? peri_read(j->dtype, to) : 0));
    }
}

void peri_column_sums(size_t n, size_t cols, int dtype, const void *X, double beta, void *sums)
{
    job j = {.n = n,
             .out = cols,
             .elem = peri_dtype_size(dtype),
             .dtype = dtype,
             .X = X,
             .Y = sums,
             .beta = beta};
    peri_pool_run((cols + STRIPE - 1) / STRIPE, run_sums, &j);
}
