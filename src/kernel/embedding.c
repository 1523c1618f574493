/* SPDX-License-Identifier: MIT */
#include "kernel/embedding.h"

#include <string.h>

#include "kernel/activation.h"
#include "kernel/pool.h"
#include "kernel/view.h"

enum { BLOCK = 1 << 14, RANGES = 8 };

typedef struct {
    size_t n, rows, cols, each;
    int dtype;
    const char *from;
    const size_t *index;
    double beta;
    char *to;
} job;

static void run_take(void *context, size_t block)
{
    const job *j = context;
    const size_t line = j->cols * peri_dtype_size(j->dtype);
    for (size_t i = block * j->each; i < j->n && i < (block + 1) * j->each; i++)
        memcpy(j->to + i * line, j->from + j->index[i] * line, line);
}

void peri_embedding(size_t n, size_t rows, size_t cols, int dtype, const void *W,
                    const size_t *index, void *Y)
{
    if (n == 0 || cols == 0)
        return;
    job j = {
        .n = n, .rows = rows, .cols = cols, .dtype = dtype, .from = W, .index = index, .to = Y};
    j.each = BLOCK / cols < 1 ? 1 : BLOCK / cols;
    peri_pool_run((n + j.each - 1) / j.each, run_take, &j);
}

/* A block has a range of rows of W, and looks through the whole index. */
static void run_add(void *context, size_t block)
{
    const job *j = context;
    const size_t line = j->cols * peri_dtype_size(j->dtype);
    const size_t lo = block * j->each, hi = lo + j->each < j->rows ? lo + j->each : j->rows;
    if (j->beta == 0)
        memset(j->to + lo * line, 0, (hi - lo) * line);
    for (size_t i = 0; i < j->n; i++)
        if (j->index[i] >= lo && j->index[i] < hi)
            peri_activate_rows(PERI_ACT_NONE, 1, j->cols, 0, j->dtype, 0, j->from + i * line,
                               j->to + j->index[i] * line);
}

void peri_embedding_backward(size_t n, size_t rows, size_t cols, int dtype, const void *G,
                             const size_t *index, double beta, void *dW)
{
    if (rows == 0 || cols == 0)
        return;
    job j = {.n = n,
             .rows = rows,
             .cols = cols,
             .dtype = dtype,
             .from = G,
             .index = index,
             .beta = beta,
             .to = dW};
    const size_t ranges = n * cols + rows * cols > BLOCK ? RANGES : 1;
    j.each = (rows + ranges - 1) / ranges;
    peri_pool_run((rows + j.each - 1) / j.each, run_add, &j);
}
