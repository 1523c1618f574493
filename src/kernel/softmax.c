/* SPDX-License-Identifier: MIT */
#include "kernel/softmax.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/view.h"

/* A row of cross-entropy: what is asked for is not NULL. */
typedef struct {
    size_t n, chosen; /* chosen: n or more: the row counts nothing; unused with T */
    const void *x, *T;
    double smoothing;
    bool forward; /* l is to be found, not given */
    double *loss;
    void *l;
    const void *g; /* of the loss; NULL: scale */
    double scale;
    void *dx;
} peri_cross_row;

typedef struct {
    void (*softmax)(const void *x, size_t n, void *y);
    void (*log_softmax)(const void *x, size_t n, void *y);
    void (*softmax_back)(const void *y, const void *g, size_t n, void *dx);
    void (*log_softmax_back)(const void *y, const void *g, size_t n, void *dx);
    void (*logsumexp)(const void *x, size_t n, void *y);
    void (*logsumexp_back)(const void *x, const void *l, const void *g, size_t n, void *dx);
    void (*cross)(const peri_cross_row *r);
} row_functions;

#define LANES_LOOPS "kernel/softmax_loops.h"
#include "kernel/lanes_each.h"

static const row_functions *choose(int dtype)
{
    return LANES_CHOOSE(rows, dtype);
}

enum { BLOCK = 1 << 14 /* elements of a block of rows, or one row */ };

typedef enum { FORWARD, BACKWARD, SUM, SUM_BACKWARD, CROSS } task;

typedef struct {
    const row_functions *f;
    task task;
    peri_softmax_kind kind;
    size_t rows, cols, elem, each; /* each: rows of a block */
    const char *X, *Y, *G;
    char *out;
    const peri_target *target;
    peri_cross_row cross; /* but for what differs from row to row */
} job;

static void run_row(const job *j, size_t row)
{
    const size_t at = row * j->cols * j->elem, one = row * j->elem;
    switch (j->task) {
    case FORWARD:
        (j->kind == PERI_SOFTMAX ? j->f->softmax : j->f->log_softmax)(j->X + at, j->cols,
                                                                      j->out + at);
        return;
    case BACKWARD:
        (j->kind == PERI_SOFTMAX ? j->f->softmax_back : j->f->log_softmax_back)(
            j->Y + at, j->G + at, j->cols, j->out + at);
        return;
    case SUM:
        j->f->logsumexp(j->X + at, j->cols, j->out + one);
        return;
    case SUM_BACKWARD:
        j->f->logsumexp_back(j->X + at, j->Y + one, j->G + one, j->cols, j->out + at);
        return;
    case CROSS: {
        peri_cross_row r = j->cross;
        r.n = j->cols;
        r.x = j->X + at;
        r.chosen = j->target != NULL && j->target->classes != NULL ? j->target->classes[row] : 0;
        r.T = r.T != NULL ? (const char *)r.T + at : NULL;
        r.loss = r.loss != NULL ? r.loss + row : NULL;
        r.l = r.l != NULL ? (char *)r.l + one : NULL;
        r.g = r.g != NULL ? (const char *)r.g + one : NULL;
        r.dx = r.dx != NULL ? (char *)r.dx + at : NULL;
        j->f->cross(&r);
        return;
    }
    }
}

static void run_block(void *context, size_t block)
{
    const job *j = context;
    const size_t first = block * j->each;
    for (size_t row = first; row < j->rows && row < first + j->each; row++)
        run_row(j, row);
}

static void run(job *j, int dtype)
{
    if (j->rows == 0 || j->cols == 0)
        return;
    j->f = choose(dtype);
    j->elem = peri_dtype_size(dtype);
    j->each = BLOCK / j->cols < 1 ? 1 : BLOCK / j->cols;
    peri_pool_run((j->rows + j->each - 1) / j->each, run_block, j);
}

void peri_softmax(peri_softmax_kind kind, size_t rows, size_t cols, int dtype, const void *X,
                  void *Y)
{
    job j = {.task = FORWARD, .kind = kind, .rows = rows, .cols = cols, .X = X, .out = Y};
    run(&j, dtype);
}

void peri_softmax_backward(peri_softmax_kind kind, size_t rows, size_t cols, int dtype,
                           const void *Y, const void *G, void *dX)
{
    job j = {.task = BACKWARD, .kind = kind, .rows = rows, .cols = cols, .Y = Y, .G = G, .out = dX};
    run(&j, dtype);
}

void peri_logsumexp(size_t rows, size_t cols, int dtype, const void *X, void *y)
{
    for (size_t i = 0; i < rows && cols == 0; i++)
        peri_write(dtype, (char *)y + i * peri_dtype_size(dtype), -INFINITY);
    job j = {.task = SUM, .rows = rows, .cols = cols, .X = X, .out = y};
    run(&j, dtype);
}

void peri_logsumexp_backward(size_t rows, size_t cols, int dtype, const void *X, const void *y,
                             const void *g, void *dX)
{
    job j = {.task = SUM_BACKWARD, .rows = rows, .cols = cols, .X = X, .Y = y, .G = g, .out = dX};
    run(&j, dtype);
}

peri_status peri_read_classes(size_t count, int dtype, const void *x, size_t cols, double ignore,
                              size_t *target, peri_facts *facts)
{
    *facts = (peri_facts){0};
    for (size_t i = 0; i < count; i++) {
        const double v = peri_read(dtype, (const char *)x + i * peri_dtype_size(dtype));
        if (v == ignore) {
            target[i] = SIZE_MAX;
        } else if (v >= 1 && v <= (double)cols && v == floor(v)) {
            target[i] = (size_t)v - 1;
        } else {
            *facts = (peri_facts){
                .arg = "classes", .wanted = "a class", .nindex = 1, .index = {i}, .got = v};
            return PERI_ERR_VALUE;
        }
    }
    return PERI_OK;
}

void peri_cross_entropy(size_t rows, size_t cols, int dtype, const void *X, const peri_target *t,
                        double *loss, void *l, double scale, void *dX)
{
    job j = {.task = CROSS, .rows = rows, .cols = cols, .X = X, .target = t};
    j.cross = (peri_cross_row){.T = t->classes != NULL ? NULL : t->T,
                               .smoothing = t->smoothing,
                               .forward = true,
                               .loss = loss,
                               .l = l,
                               .scale = scale,
                               .dx = dX};
    run(&j, dtype);
}

void peri_cross_entropy_backward(size_t rows, size_t cols, int dtype, const void *X,
                                 const peri_target *t, const void *l, const void *g, void *dX)
{
    job j = {.task = CROSS, .rows = rows, .cols = cols, .X = X, .target = t};
    j.cross = (peri_cross_row){.T = t->classes != NULL ? NULL : t->T,
                               .smoothing = t->smoothing,
                               .l = (void *)l,
                               .g = g,
                               .dx = dX};
    run(&j, dtype);
}
