/* SPDX-License-Identifier: MIT
 *
 * matmul against a plain triple loop over every layout, dtype and broadcast; against C x = A (B x)
 * where it is large; its own blocks, bits and stop flag.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/matmul.h"

static uint64_t seed = 2385;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-52 - 1;
}

/* An array of our own: a view and its memory. */
typedef struct {
    peri_view view;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    void *memory;
} array;

enum layout { ROWS, COLUMNS, STEP, FLIPPED, PADDED, BROADCAST, NLAYOUT };

static array *make(enum layout layout, int dtype, int ndim, const size_t *shape)
{
    array *a = calloc(1, sizeof *a);
    size_t size = 1;
    for (int i = 0; i < ndim; i++)
        size *= a->shape[i] = shape[i];
    const size_t room =
        (layout == PADDED ? 4 : 2) * size + 64 * (size_t)(ndim > 0 ? shape[ndim - 1] + 1 : 1) + 64;
    ptrdiff_t step = layout == STEP ? 2 : 1, offset = 0;
    for (int i = ndim - 1; i >= 0; i--) {
        a->stride[i] = step;
        step *= (ptrdiff_t)shape[i] + (layout == PADDED && i == ndim - 1 ? 3 : 0);
    }
    if (layout == COLUMNS && ndim >= 2) {
        a->stride[ndim - 2] = 1;
        a->stride[ndim - 1] = (ptrdiff_t)shape[ndim - 2];
    }
    if (layout == FLIPPED)
        for (int i = 0; i < ndim && size > 0; i++) {
            offset += a->stride[i] * ((ptrdiff_t)shape[i] - 1);
            a->stride[i] = -a->stride[i];
        }
    if (layout == BROADCAST && ndim > 0)
        a->stride[ndim - 1] = 0;
    a->memory = malloc(room * 8);
    for (size_t i = 0; i < room; i++)
        if (dtype == PERI_F32)
            ((float *)a->memory)[i] = (float)uniform();
        else
            ((double *)a->memory)[i] = uniform();
    a->view = (peri_view){(char *)a->memory + (size_t)offset * peri_dtype_size(dtype), dtype, ndim,
                          a->shape, a->stride};
    return a;
}

static void drop(array *a)
{
    free(a->memory);
    free(a);
}

static void fill(array *a, double value)
{
    size_t size = peri_view_size(&a->view);
    size_t at[PERI_MAX_NDIM] = {0};
    for (; size > 0; size--) {
        ptrdiff_t offset = 0;
        for (int i = 0; i < a->view.ndim; i++)
            offset += (ptrdiff_t)at[i] * a->stride[i];
        if (a->view.dtype == PERI_F32)
            ((float *)a->view.data)[offset] = (float)value;
        else
            ((double *)a->view.data)[offset] = value;
        for (int i = a->view.ndim - 1; i >= 0 && ++at[i] == a->shape[i]; i--)
            at[i] = 0;
    }
}

static double get(const peri_view *v, ptrdiff_t at)
{
    return v->dtype == PERI_F32 ? (double)((float *)v->data)[at] : ((double *)v->data)[at];
}

static peri_status run(array *a, array *b, array *c, const peri_stop *stop)
{
    peri_facts facts;
    const size_t bytes = peri_matmul_work(&a->view, &b->view, &c->view);
    void *work = malloc(bytes + 1);
    const peri_status status = peri_matmul(&a->view, &b->view, &c->view, work, stop, &facts);
    free(work);
    return status;
}

/* Multiplies and compares each element with a plain loop. */
static void check(array *a, array *b, enum layout out_layout)
{
    int dtype, ndim;
    size_t shape[PERI_MAX_NDIM];
    peri_facts facts;
    assert_int_equal(peri_matmul_shape(&a->view, &b->view, &dtype, &ndim, shape, &facts), PERI_OK);
    array *c = make(out_layout, dtype, ndim, shape);
    fill(c, NAN); /* what was there before must not matter */
    assert_int_equal(run(a, b, c, NULL), PERI_OK);

    const int na = a->view.ndim == 1 ? 1 : 2, nb = b->view.ndim == 1 ? 1 : 2;
    const size_t k = a->shape[a->view.ndim - 1];
    const double eps = dtype == PERI_F32 ? 0x1p-23 : 0x1p-52;
    size_t at[PERI_MAX_NDIM] = {0};
    for (size_t left = peri_view_size(&c->view); left > 0; left--) {
        ptrdiff_t ao = 0, bo = 0, co = 0;
        for (int i = 0; i < ndim; i++)
            co += (ptrdiff_t)at[i] * c->stride[i];
        const int nbatch = ndim - (na - 1) - (nb - 1);
        for (int i = 0; i < nbatch; i++) {
            const int ia = i - (nbatch - (a->view.ndim - na)),
                      ib = i - (nbatch - (b->view.ndim - nb));
            if (ia >= 0 && a->shape[ia] > 1)
                ao += (ptrdiff_t)at[i] * a->stride[ia];
            if (ib >= 0 && b->shape[ib] > 1)
                bo += (ptrdiff_t)at[i] * b->stride[ib];
        }
        if (na == 2)
            ao += (ptrdiff_t)at[nbatch] * a->stride[a->view.ndim - 2];
        if (nb == 2)
            bo += (ptrdiff_t)at[ndim - 1] * b->stride[b->view.ndim - 1];
        double sum = 0, scale = 0;
        for (size_t l = 0; l < k; l++) {
            const double x = get(&a->view, ao + (ptrdiff_t)l * a->stride[a->view.ndim - 1]);
            const double y =
                get(&b->view, bo + (ptrdiff_t)l * b->stride[nb == 1 ? 0 : b->view.ndim - 2]);
            sum += x * y;
            scale += fabs(x * y);
        }
        const double got = get(&c->view, co);
        if (!(fabs(got - sum) <= (double)(k + 1) * eps * scale))
            fail_msg("element %zu from the end: got %.17g, wanted %.17g", left, got, sum);
        for (int i = ndim - 1; i >= 0 && ++at[i] == shape[i]; i--)
            at[i] = 0;
    }
    drop(c);
}

static void every_layout_and_dtype(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{3, 4, 5},   {1, 7, 9},  {7, 1, 9},    {6, 8, 1},
                                      {1, 1, 40},  {1, 40, 1}, {33, 17, 29}, {1, 60, 50},
                                      {60, 1, 50}, {9, 9, 9},  {1, 1, 1500}, {2, 900, 3},
                                      {0, 3, 2},   {3, 0, 2},  {3, 2, 0}};
    static const int dtypes[][2] = {
        {PERI_F64, PERI_F64}, {PERI_F32, PERI_F32}, {PERI_F32, PERI_F64}, {PERI_F64, PERI_F32}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t d = 0; d < 4; d++)
            for (int la = 0; la < NLAYOUT; la++)
                for (int lb = 0; lb < NLAYOUT; lb++)
                    for (int lc = 0; lc < BROADCAST; lc++) {
                        array *a = make((enum layout)la, dtypes[d][0], 2,
                                        (size_t[]){sizes[s][0], sizes[s][2]});
                        array *b = make((enum layout)lb, dtypes[d][1], 2,
                                        (size_t[]){sizes[s][2], sizes[s][1]});
                        check(a, b, (enum layout)lc);
                        drop(a);
                        drop(b);
                    }
}

static void batches_broadcast(void **state)
{
    (void)state;
    static const struct {
        int na, nb;
        size_t a[5], b[5];
    } cases[] = {
        {3, 2, {4, 6, 7}, {7, 8}},
        {3, 2, {40, 1, 7}, {7, 80}},
        {2, 3, {6, 7}, {4, 7, 8}},
        {3, 3, {4, 2, 3}, {4, 3, 2}},
        {3, 3, {1, 12, 13}, {5, 13, 11}},
        {4, 4, {3, 1, 10, 12}, {1, 4, 12, 9}},
        {4, 1, {3, 2, 10, 12}, {12}},
        {1, 4, {12}, {3, 2, 12, 9}},
        {1, 1, {700}, {700}},
        {1, 2, {30}, {30, 40}},
        {2, 1, {30, 40}, {40}},
        {3, 3, {0, 2, 3}, {0, 3, 2}},
        {3, 2, {5, 0, 3}, {3, 2}},
        {5, 3, {2, 3, 2, 9, 8}, {2, 8, 9}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int la = 0; la < NLAYOUT; la++)
            for (int lb = 0; lb < NLAYOUT; lb++)
                for (int lc = 0; lc < BROADCAST; lc++)
                    for (int dtype = 0; dtype < 2; dtype++) {
                        array *a = make((enum layout)la, dtype, cases[i].na, cases[i].a);
                        array *b = make((enum layout)lb, PERI_F64, cases[i].nb, cases[i].b);
                        check(a, b, (enum layout)lc);
                        drop(a);
                        drop(b);
                    }
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    int dtype, ndim;
    size_t shape[PERI_MAX_NDIM];
    peri_facts facts;
    array *a = make(ROWS, PERI_F64, 2, (size_t[]){3, 4});
    array *b = make(ROWS, PERI_F64, 2, (size_t[]){5, 6});
    assert_int_equal(peri_matmul_shape(&a->view, &b->view, &dtype, &ndim, shape, &facts),
                     PERI_ERR_SHAPE);
    assert_string_equal(facts.arg, "B");
    assert_int_equal(facts.index[0], 0);
    assert_true(facts.got == 5);
    array *c = make(ROWS, PERI_F64, 3, (size_t[]){2, 3, 4});
    array *d = make(ROWS, PERI_F64, 3, (size_t[]){3, 4, 6});
    assert_int_equal(peri_matmul_shape(&c->view, &d->view, &dtype, &ndim, shape, &facts),
                     PERI_ERR_SHAPE);
    assert_true(facts.got == 3);
    array *e = make(ROWS, PERI_F64, 0, NULL);
    assert_int_equal(peri_matmul_shape(&e->view, &d->view, &dtype, &ndim, shape, &facts),
                     PERI_ERR_SHAPE);
    assert_string_equal(facts.arg, "A");
    drop(a), drop(b), drop(c), drop(d), drop(e);
}

/* Larger than one block each way, checked through C x = A (B x). */
static void blocks_join(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1700, 1690, 1680}, {40, 30, 700000}, {300000, 9, 30}};
    for (size_t s = 0; s < 3; s++)
        for (int dtype = 0; dtype < 2; dtype++) {
            const size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
            array *a = make(ROWS, dtype, 2, (size_t[]){m, k});
            array *b = make(COLUMNS, dtype, 2, (size_t[]){k, n});
            array *c = make(ROWS, dtype, 2, (size_t[]){m, n}), *x = make(ROWS, PERI_F64, 1, &n);
            array *bx = make(ROWS, PERI_F64, 1, &k), *abx = make(ROWS, PERI_F64, 1, &m);
            array *cx = make(ROWS, PERI_F64, 1, &m);
            assert_int_equal(run(a, b, c, NULL), PERI_OK);
            run(b, x, bx, NULL);
            run(a, bx, abx, NULL);
            run(c, x, cx, NULL);
            const double eps = dtype == PERI_F32 ? 0x1p-23 : 0x1p-52;
            for (size_t i = 0; i < m; i++)
                assert_true(fabs(get(&cx->view, (ptrdiff_t)i) - get(&abx->view, (ptrdiff_t)i)) <
                            8 * eps * sqrt((double)(k * n)) * sqrt((double)n));
            drop(a), drop(b), drop(c), drop(x), drop(bx), drop(abx), drop(cx);
        }
}

static void gram_is_symmetric(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < 2; dtype++)
        for (int transposed = 0; transposed < 2; transposed++) {
            const size_t n = 1800, k = 60;
            array *a = make(transposed ? COLUMNS : ROWS, dtype, 2, (size_t[]){n, k});
            array *c = make(ROWS, dtype, 2, (size_t[]){n, n});
            array t = *a;
            t.view.shape = t.shape;
            t.view.stride = t.stride;
            t.shape[0] = k, t.shape[1] = n;
            t.stride[0] = a->stride[1], t.stride[1] = a->stride[0];
            assert_int_equal(run(a, &t, c, NULL), PERI_OK);
            for (size_t i = 0; i < n; i += 7)
                for (size_t j = 0; j < n; j++) {
                    const double got = get(&c->view, (ptrdiff_t)(i * n + j));
                    assert_true(got == get(&c->view, (ptrdiff_t)(j * n + i)));
                    if (j % 11 == 0) {
                        double sum = 0;
                        for (size_t l = 0; l < k; l++)
                            sum += get(&a->view,
                                       (ptrdiff_t)i * a->stride[0] + (ptrdiff_t)l * a->stride[1]) *
                                   get(&a->view,
                                       (ptrdiff_t)j * a->stride[0] + (ptrdiff_t)l * a->stride[1]);
                        assert_true(fabs(got - sum) < (dtype ? 1e-4 : 1e-13));
                    }
                }
            drop(a), drop(c);
        }
}

static void same_bits_twice(void **state)
{
    (void)state;
    const size_t n = 300;
    array *a = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    array *b = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    array *c = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    array *d = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    run(a, b, c, NULL);
    for (int i = 0; i < 20; i++) {
        run(a, b, d, NULL);
        assert_memory_equal(c->view.data, d->view.data, n * n * 8);
    }
    drop(a), drop(b), drop(c), drop(d);
}

static void *set_later(void *stop)
{
    usleep(30000);
    atomic_store(&((peri_stop *)stop)->requested, 1);
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stops_soon(void **state)
{
    (void)state;
    const size_t n = 4000; /* seconds of work in all */
    array *a = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    array *c = make(ROWS, PERI_F64, 2, (size_t[]){n, n});
    peri_stop stop = {0};
    pthread_t thread;
    double start = now();
    pthread_create(&thread, NULL, set_later, &stop);
    assert_int_equal(run(a, a, c, &stop), PERI_ERR_INTERRUPTED);
    assert_true(now() - start < (getenv("SANITIZED") != NULL ? 60 : 2));
    pthread_join(thread, NULL);
    drop(a), drop(c);
}

/* Rows longer than the block that a product with a vector goes in, and no multiple of it. Pages
 * that nothing is written to take no memory. */
static void long_rows(void **state)
{
    (void)state;
    const size_t block = (size_t)1 << 24, n = block + 5;
    float *a = calloc(2 * n, sizeof *a), *x = calloc(n, sizeof *x), y[2];
    const size_t shape[2] = {2, n}, result[1] = {2};
    const ptrdiff_t stride[2] = {(ptrdiff_t)n, 1}, one[1] = {1};
    assert_non_null(a);
    assert_non_null(x);
    x[3] = 2, x[block - 1] = 3, x[block] = 5, x[n - 1] = 7;
    a[3] = 1, a[block] = 2, a[n - 1] = 4;
    a[n + 3] = 8, a[n + block - 1] = 16, a[n + n - 1] = 32;
    const peri_view A = {a, PERI_F32, 2, shape, stride}, X = {x, PERI_F32, 1, &n, one};
    const peri_view Y = {y, PERI_F32, 1, result, one};
    peri_facts facts;
    assert_int_equal(peri_matmul(&A, &X, &Y, NULL, NULL, &facts), PERI_OK);
    assert_true(y[0] == 1 * 2 + 2 * 5 + 4 * 7);
    assert_true(y[1] == 8 * 2 + 16 * 3 + 32 * 7);
    free(a);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_layout_and_dtype),
                                       cmocka_unit_test(batches_broadcast),
                                       cmocka_unit_test(what_does_not_fit_is_named),
                                       cmocka_unit_test(blocks_join),
                                       cmocka_unit_test(long_rows),
                                       cmocka_unit_test(gram_is_symmetric),
                                       cmocka_unit_test(same_bits_twice),
                                       cmocka_unit_test(stops_soon)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
