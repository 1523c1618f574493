/* SPDX-License-Identifier: MIT */
#include "kernel/attention.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/gemm.h"
#include "kernel/pool.h"
#include "kernel/slots.h"

/* One query's scores: x (n) in, turned as the functions say. */
typedef struct {
    size_t n;
    double scale;
    const void *mask; /* (n) or NULL */
} score_row;

typedef struct {
    /* x becomes exp(s - l), unnormalised; returns what y is to be multiplied with; *l is found */
    double (*forward)(const score_row *r, void *x, void *l);
    /* x becomes p, d (in: dy . v) becomes p (d - delta) */
    void (*backward)(const score_row *r, void *x, const void *l, double delta, void *d);
    void (*scale)(void *y, size_t n, double by);
    double (*dot)(const void *x, const void *y, size_t n);
} row_functions;

#define LANES_LOOPS "kernel/attention_loops.h"
#include "kernel/lanes_each.h"

static const row_functions *choose(int dtype)
{
    return LANES_CHOOSE(attention, dtype);
}

enum { QUERIES = 32 /* rows of scores at a time */ };

typedef struct {
    const peri_attention *a;
    const row_functions *f;
    const peri_stop *stop;
    int dtype;
    size_t elem, blocks; /* of queries in a head */
    const peri_heads *Q, *K, *V, *mask, *Y, *G, *dQ, *dK, *dV;
    char *l;
    peri_slots slots;
} job;

static size_t query_blocks(const peri_attention *a)
{
    return (a->T + QUERIES - 1) / QUERIES;
}

static size_t scores_bytes(const peri_attention *a, int dtype)
{
    const size_t rows = a->T < QUERIES ? a->T : QUERIES;
    return peri_lines(rows * a->S * peri_dtype_size(dtype) + 1);
}

size_t peri_attention_work(const peri_attention *a, int dtype, size_t slots)
{
    return peri_slots_count(a->batch * a->heads * query_blocks(a), slots) * scores_bytes(a, dtype);
}

size_t peri_attention_backward_work(const peri_attention *a, int dtype, size_t slots)
{
    return peri_slots_count(a->batch * a->heads, slots) * 2 * scores_bytes(a, dtype);
}

static char *row_of(const job *j, const peri_heads *x, size_t head, size_t row)
{
    return (char *)x->data +
           (head / j->a->heads * x->batch + head % j->a->heads * x->head + row * x->row) * j->elem;
}

/* How many keys query t meets. */
static size_t keys_of(const peri_attention *a, size_t t)
{
    if (!a->causal)
        return a->S;
    const size_t end = t + 1 + a->S;
    return end > a->T ? (end - a->T < a->S ? end - a->T : a->S) : 0;
}

static score_row make_row(const job *j, size_t head, size_t t)
{
    return (score_row){keys_of(j->a, t), j->a->scale,
                       j->mask == NULL ? NULL : row_of(j, j->mask, head, t)};
}

static void run_forward(void *context, size_t block)
{
    job *j = context;
    const peri_attention *a = j->a;
    if (peri_stop_requested(j->stop))
        return;
    const size_t head = block / j->blocks, t0 = block % j->blocks * QUERIES;
    const size_t rows = a->T - t0 < QUERIES ? a->T - t0 : QUERIES;
    const size_t keys = keys_of(a, t0 + rows - 1);
    char *x = peri_slot_take(&j->slots), *y = row_of(j, j->Y, head, t0);
    double by[QUERIES];
    peri_gemm(j->dtype, false, true, rows, keys, a->D, 1, row_of(j, j->Q, head, t0), j->Q->row,
              row_of(j, j->K, head, 0), j->K->row, 0, x, a->S);
    for (size_t i = 0; i < rows; i++) {
        const score_row r = make_row(j, head, t0 + i);
        char *row = x + i * a->S * j->elem;
        by[i] = j->f->forward(&r, row, j->l + (head * a->T + t0 + i) * j->elem);
        memset(row + r.n * j->elem, 0, (keys - r.n) * j->elem);
    }
    peri_gemm(j->dtype, false, false, rows, a->E, keys, 1, x, a->S, row_of(j, j->V, head, 0),
              j->V->row, 0, y, j->Y->row);
    for (size_t i = 0; i < rows; i++)
        j->f->scale(y + i * j->Y->row * j->elem, a->E, by[i]);
    peri_slot_give(&j->slots, x);
}

peri_status peri_attention_forward(const peri_attention *a, int dtype, const peri_heads *Q,
                                   const peri_heads *K, const peri_heads *V, const peri_heads *mask,
                                   const peri_heads *Y, void *l, void *work, size_t slots,
                                   const peri_stop *stop)
{
    job j = {.a = a,
             .f = choose(dtype),
             .stop = stop,
             .dtype = dtype,
             .elem = peri_dtype_size(dtype),
             .blocks = query_blocks(a),
             .Q = Q,
             .K = K,
             .V = V,
             .mask = mask,
             .Y = Y,
             .l = l};
    const size_t all = a->batch * a->heads * j.blocks;
    if (all == 0)
        return PERI_OK;
    j.slots.memory = work;
    j.slots.each = scores_bytes(a, dtype);
    j.slots.count = peri_slots_count(all, slots);
    peri_pool_run(all, run_forward, &j);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

static void clear_rows(const job *j, const peri_heads *x, size_t head, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++)
        memset(row_of(j, x, head, i), 0, cols * j->elem);
}

/* A head: its blocks of queries add to dK and dV one after another. */
static void run_backward(void *context, size_t head)
{
    job *j = context;
    const peri_attention *a = j->a;
    char *x = peri_slot_take(&j->slots), *d = x + j->slots.each / 2;
    clear_rows(j, j->dK, head, a->S, a->D);
    clear_rows(j, j->dV, head, a->S, a->E);
    for (size_t t0 = 0; t0 < a->T && !peri_stop_requested(j->stop); t0 += QUERIES) {
        const size_t rows = a->T - t0 < QUERIES ? a->T - t0 : QUERIES;
        const size_t keys = keys_of(a, t0 + rows - 1);
        char *q = row_of(j, j->Q, head, t0), *k = row_of(j, j->K, head, 0);
        char *v = row_of(j, j->V, head, 0), *g = row_of(j, j->G, head, t0);
        peri_gemm(j->dtype, false, true, rows, keys, a->D, 1, q, j->Q->row, k, j->K->row, 0, x,
                  a->S);
        peri_gemm(j->dtype, false, true, rows, keys, a->E, 1, g, j->G->row, v, j->V->row, 0, d,
                  a->S);
        for (size_t i = 0; i < rows; i++) {
            const score_row r = make_row(j, head, t0 + i);
            const size_t at = i * a->S * j->elem, rest = (keys - r.n) * j->elem;
            const double delta =
                j->f->dot(g + i * j->G->row * j->elem, row_of(j, j->Y, head, t0 + i), a->E);
            const char *l = j->l == NULL ? NULL : j->l + (head * a->T + t0 + i) * j->elem;
            j->f->backward(&r, x + at, l, delta, d + at);
            memset(x + at + r.n * j->elem, 0, rest);
            memset(d + at + r.n * j->elem, 0, rest);
        }
        peri_gemm(j->dtype, true, false, keys, a->E, rows, 1, x, a->S, g, j->G->row, 1,
                  row_of(j, j->dV, head, 0), j->dV->row);
        peri_gemm(j->dtype, true, false, keys, a->D, rows, a->scale, d, a->S, q, j->Q->row, 1,
                  row_of(j, j->dK, head, 0), j->dK->row);
        peri_gemm(j->dtype, false, false, rows, a->D, keys, a->scale, d, a->S, k, j->K->row, 0,
                  row_of(j, j->dQ, head, t0), j->dQ->row);
    }
    peri_slot_give(&j->slots, x);
}

peri_status peri_attention_backward(const peri_attention *a, int dtype, const peri_heads *Q,
                                    const peri_heads *K, const peri_heads *V,
                                    const peri_heads *mask, const peri_heads *Y, const void *l,
                                    const peri_heads *G, const peri_heads *dQ, const peri_heads *dK,
                                    const peri_heads *dV, void *work, size_t slots,
                                    const peri_stop *stop)
{
    job j = {.a = a,
             .f = choose(dtype),
             .stop = stop,
             .dtype = dtype,
             .elem = peri_dtype_size(dtype),
             .Q = Q,
             .K = K,
             .V = V,
             .mask = mask,
             .Y = Y,
             .G = G,
             .dQ = dQ,
             .dK = dK,
             .dV = dV,
             .l = (char *)l};
    const size_t all = a->batch * a->heads;
    if (all == 0)
        return PERI_OK;
    j.slots.memory = work;
    j.slots.each = 2 * scores_bytes(a, dtype);
    j.slots.count = peri_slots_count(all, slots);
    peri_pool_run(all, run_backward, &j);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}
