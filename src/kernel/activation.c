/* SPDX-License-Identifier: MIT */
#include "kernel/activation.h"

#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/view.h"
#include "kernel/vmath.h"

typedef struct {
    void (*forward)(peri_act f, size_t n, double slope, const void *x, void *y);
    void (*backward)(peri_act f, size_t n, double slope, const void *x, const void *g, void *dx);
    void (*add_row)(size_t n, const void *b, void *x);
    double (*bce)(size_t n, const void *z, const void *y, void *loss, double scale, void *dz);
} activation_functions;

#define LANES_LOOPS "kernel/activation_loops.h"
#include "kernel/lanes_each.h"

static const activation_functions *choose(int dtype)
{
    return LANES_CHOOSE(activation, dtype);
}

enum { CHUNK = 512, BLOCK = 1 << 14 };

typedef struct {
    const activation_functions *f;
    peri_act act;
    size_t n, elem;
    double slope, *sums;
    const char *x, *g; /* bce: z and y */
    char *y, *loss;    /* y: the result; bce: dz */
} job;

static void run_block(void *context, size_t block)
{
    const job *j = context;
    const size_t end = (block + 1) * BLOCK < j->n ? (block + 1) * BLOCK : j->n;
    double sum = 0;
    for (size_t i = block * BLOCK; i < end; i += CHUNK) {
        const size_t n = end - i < CHUNK ? end - i : CHUNK, at = i * j->elem;
        if (j->sums != NULL)
            sum += j->f->bce(n, j->x + at, j->g + at, j->loss == NULL ? NULL : j->loss + at,
                             j->slope, j->y == NULL ? NULL : j->y + at);
        else if (j->g != NULL)
            j->f->backward(j->act, n, j->slope, j->x + at, j->g + at, j->y + at);
        else
            j->f->forward(j->act, n, j->slope, j->x + at, j->y + at);
    }
    if (j->sums != NULL)
        j->sums[block] = sum;
}

static size_t count_blocks(size_t n)
{
    return (n + BLOCK - 1) / BLOCK;
}

void peri_activate(peri_act f, size_t n, int dtype, double slope, const void *x, void *y)
{
    job j = {.f = choose(dtype),
             .act = f,
             .n = n,
             .elem = peri_dtype_size(dtype),
             .slope = slope,
             .x = x,
             .y = y};
    peri_pool_run(count_blocks(n), run_block, &j);
}

void peri_activate_backward(peri_act f, size_t n, int dtype, double slope, const void *x,
                            const void *g, void *dx)
{
    job j = {.f = choose(dtype),
             .act = f,
             .n = n,
             .elem = peri_dtype_size(dtype),
             .slope = slope,
             .x = x,
             .g = g,
             .y = dx};
    peri_pool_run(count_blocks(n), run_block, &j);
}

void peri_activate_rows(peri_act f, size_t rows, size_t cols, size_t ld, int dtype, double slope,
                        const void *b, void *x)
{
    const activation_functions *a = choose(dtype);
    const size_t elem = peri_dtype_size(dtype);
    for (size_t r = 0; r < rows; r++) {
        char *row = (char *)x + r * ld * elem;
        if (b != NULL)
            a->add_row(cols, b, row);
        for (size_t i = 0; i < cols && f != PERI_ACT_NONE; i += CHUNK)
            a->forward(f, cols - i < CHUNK ? cols - i : CHUNK, slope, row + i * elem,
                       row + i * elem);
    }
}

size_t peri_bce_work(size_t n)
{
    return count_blocks(n) + 1;
}

double peri_bce(size_t n, int dtype, const void *z, const void *y, void *loss, double scale,
                void *dz, double *work)
{
    job j = {.f = choose(dtype),
             .n = n,
             .elem = peri_dtype_size(dtype),
             .slope = scale,
             .x = z,
             .g = y,
             .y = dz,
             .loss = loss,
             .sums = work};
    double sum = 0;
    peri_pool_run(count_blocks(n), run_block, &j);
    for (size_t i = 0; i < count_blocks(n); i++)
        sum += work[i];
    return sum;
}
