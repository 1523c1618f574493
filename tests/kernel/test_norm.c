/* SPDX-License-Identifier: MIT
 *
 * Normalisations: mean 0 and variance 1, gradients against differences, f32 against f64, at each
 * level; running statistics; one and two threads. */
#include "nets.h"

#include "kernel/norm.h"

typedef enum { LAYER, GROUP, BATCH, EVAL } kind;

typedef struct {
    kind kind;
    size_t n, c, pixels, groups;
    int dtype;
    bool weighted;
    block x, w, b, y, g, dx, dw, db, running_mean, running_var;
    double *mean, *rstd;
} problem;

static void forward(void *context)
{
    problem *q = context;
    const void *w = q->weighted ? q->w.data : NULL, *b = q->weighted ? q->b.data : NULL;
    switch (q->kind) {
    case LAYER:
        peri_layer_norm(q->n, q->c, q->dtype, q->x.data, w, b, 1e-5, q->y.data, q->mean, q->rstd);
        break;
    case GROUP:
        peri_group_norm(q->n, q->c, q->pixels, q->groups, q->dtype, q->x.data, w, b, 1e-5,
                        q->y.data, q->mean, q->rstd);
        break;
    case BATCH:
        peri_batch_norm(q->n, q->c, q->pixels, q->dtype, q->x.data, w, b, 1e-5, 0.1, NULL, NULL,
                        q->y.data, q->mean, q->rstd);
        break;
    case EVAL:
        peri_batch_norm_eval(q->n, q->c, q->pixels, q->dtype, q->x.data, w, b, 1e-5,
                             q->running_mean.data, q->running_var.data, q->y.data, q->mean,
                             q->rstd);
    }
}

static void backward(problem *q, double beta)
{
    const void *w = q->weighted ? q->w.data : NULL;
    if (q->kind == LAYER) {
        block work = take_work(peri_layer_norm_work(q->n, q->c, q->dtype));
        peri_layer_norm_backward(q->n, q->c, q->dtype, q->x.data, w, q->mean, q->rstd, q->g.data,
                                 q->dx.data, beta, q->dw.data, q->db.data, work.data);
        drop(work);
    } else if (q->kind == GROUP) {
        block work = take_work(2 * q->n * q->c * sizeof(double));
        peri_group_norm_backward(q->n, q->c, q->pixels, q->groups, q->dtype, q->x.data, w, q->mean,
                                 q->rstd, q->g.data, q->dx.data, beta, q->dw.data, q->db.data,
                                 work.data);
        drop(work);
    } else {
        peri_batch_norm_backward(q->n, q->c, q->pixels, q->dtype, q->x.data, w, q->mean, q->rstd,
                                 q->kind == EVAL, q->g.data, q->dx.data, beta, q->dw.data,
                                 q->db.data);
    }
}

static problem make_problem(kind which, size_t n, size_t c, size_t pixels, size_t groups,
                            bool weighted, double offset)
{
    const size_t count = n * c * pixels;
    problem q = {.kind = which,
                 .n = n,
                 .c = c,
                 .pixels = pixels,
                 .groups = groups,
                 .dtype = PERI_F64,
                 .weighted = weighted};
    q.x = random_block(PERI_F64, count);
    for (size_t i = 0; i < count; i++)
        set(&q.x, i, offset + get(&q.x, i));
    q.w = random_block(PERI_F64, c);
    q.b = random_block(PERI_F64, c);
    q.g = random_block(PERI_F64, count);
    q.running_mean = random_block(PERI_F64, c);
    q.running_var = random_block(PERI_F64, c);
    for (size_t i = 0; i < c; i++)
        set(&q.running_var, i, 0.5 + fabs(get(&q.running_var, i)));
    q.y = take(PERI_F64, count);
    q.dx = take(PERI_F64, count);
    q.dw = zeros(PERI_F64, c);
    q.db = zeros(PERI_F64, c);
    q.mean = calloc((n + 1) * c, sizeof *q.mean);
    q.rstd = calloc((n + 1) * c, sizeof *q.rstd);
    return q;
}

static problem in_f32(const problem *q)
{
    problem p = *q;
    p.dtype = PERI_F32;
    p.x = as_f32(&q->x);
    p.w = as_f32(&q->w);
    p.b = as_f32(&q->b);
    p.g = as_f32(&q->g);
    p.running_mean = as_f32(&q->running_mean);
    p.running_var = as_f32(&q->running_var);
    p.y = take(PERI_F32, q->x.count);
    p.dx = take(PERI_F32, q->x.count);
    p.dw = zeros(PERI_F32, q->c);
    p.db = zeros(PERI_F32, q->c);
    p.mean = calloc((q->n + 1) * q->c, sizeof *p.mean);
    p.rstd = calloc((q->n + 1) * q->c, sizeof *p.rstd);
    return p;
}

static void drop_problem(problem *q)
{
    drop(q->x);
    drop(q->w);
    drop(q->b);
    drop(q->y);
    drop(q->g);
    drop(q->dx);
    drop(q->dw);
    drop(q->db);
    drop(q->running_mean);
    drop(q->running_var);
    free(q->mean);
    free(q->rstd);
}

static void check(kind which, size_t n, size_t c, size_t pixels, size_t groups, bool weighted)
{
    problem q = make_problem(which, n, c, pixels, groups, weighted, 3);
    const size_t set_size = which == LAYER ? c : which == GROUP ? c / groups * pixels : n * pixels;
    /* a set of one has no slope to compare; of two a steep one */
    const double near = set_size < 4 ? 1e-2 : 1e-6;
    forward(&q);
    backward(&q, 0);
    if (q.x.count > 0 && set_size > 2) {
        assert_gradient(&q.x, &q.y, &q.g, forward, &q, &q.dx, near, "dX");
        if (weighted) {
            assert_gradient(&q.w, &q.y, &q.g, forward, &q, &q.dw, 1e-9, "dw");
            assert_gradient(&q.b, &q.y, &q.g, forward, &q, &q.db, 1e-9, "db");
        }
    }
    backward(&q, 1);
    block twice = take(PERI_F64, c);
    memcpy(twice.data, q.dw.data, c * sizeof(double));
    backward(&q, 0);
    for (size_t i = 0; i < c; i++)
        assert_true(fabs(get(&twice, i) - 2 * get(&q.dw, i)) <= 1e-12 * (1 + fabs(get(&twice, i))));
    drop(twice);
    problem p = in_f32(&q);
    forward(&p);
    backward(&p, 0);
    if (set_size > 2) {
        assert_close(&p.y, &q.y, 1e-5, "y in f32");
        assert_close(&p.dx, &q.dx, 2e-5, "dX in f32");
        assert_close(&p.dw, &q.dw, 2e-5, "dw in f32");
        assert_close(&p.db, &q.db, 2e-6, "db in f32");
    }
    drop_problem(&p);
    drop_problem(&q);
}

static void check_all(void)
{
    static const size_t sizes[][2] = {{0, 4}, {1, 5}, {3, 7}, {2, 16}, {4, 19}, {2, 33}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int weighted = 0; weighted <= 1; weighted++) {
            const size_t n = sizes[i][0], m = sizes[i][1];
            check(LAYER, n, m, 1, 1, weighted != 0);
            check(GROUP, n, 6, m, 3, weighted != 0);
            check(GROUP, n, 4, m, 1, weighted != 0);
            check(BATCH, n + 1, 3, m, 1, weighted != 0);
            check(BATCH, m, n + 1, 1, 1, weighted != 0);
            check(EVAL, n, 3, m, 1, weighted != 0);
            check(EVAL, m, 19, 1, 1, weighted != 0);
            check(BATCH, m, 37, 1, 1, weighted != 0);
        }
}

static void test_gradients(void **state)
{
    (void)state;
    at_each_level(check_all);
}

/* A mean that is large beside the deviation costs nothing but the rounding of x. */
static void check_offset(void)
{
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++) {
        const size_t n = 5000;
        block x = random_block(dtype, n), y = take(dtype, n);
        double mean, rstd, sum = 0, square = 0;
        for (size_t i = 0; i < n; i++)
            set(&x, i, 1000 + get(&x, i));
        for (size_t i = 0; i < n; i++)
            sum += get(&x, i) - 1000;
        for (size_t i = 0; i < n; i++)
            square += pow(get(&x, i) - 1000 - sum / (double)n, 2);
        peri_layer_norm(1, n, dtype, x.data, NULL, NULL, 0, y.data, &mean, &rstd);
        assert_true(fabs(mean - 1000 - sum / (double)n) < (dtype == PERI_F32 ? 1e-6 : 1e-12));
        assert_true(fabs(rstd * sqrt(square / (double)n) - 1) < (dtype == PERI_F32 ? 1e-5 : 1e-12));
        drop(x);
        drop(y);
    }
}

static void test_large_means(void **state)
{
    (void)state;
    at_each_level(check_offset);
}

static void test_running_statistics(void **state)
{
    (void)state;
    /* torch.nn.BatchNorm1d(2, momentum = 0.1) in double over {{1, 10}, {2, 30}, {6, 20}} */
    const double x[] = {1, 10, 2, 30, 6, 20};
    double y[6], mean[2], rstd[2], running_mean[2] = {0, 0}, running_var[2] = {1, 1};
    peri_batch_norm(3, 2, 1, PERI_F64, x, NULL, NULL, 1e-5, 0.1, running_mean, running_var, y, mean,
                    rstd);
    assert_true(mean[0] == 3 && mean[1] == 20);
    assert_true(fabs(running_mean[0] - 0.3) < 1e-15 && fabs(running_mean[1] - 2) < 1e-15);
    assert_true(fabs(running_var[0] - 1.6) < 1e-15 && fabs(running_var[1] - 10.9) < 1e-14);
    peri_batch_norm_eval(3, 2, 1, PERI_F64, x, NULL, NULL, 0, running_mean, running_var, y, mean,
                         rstd);
    assert_true(fabs(y[1] - 8 / sqrt(10.9)) < 1e-15);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    for (kind which = LAYER; which <= EVAL; which++) {
        problem q = make_problem(which, 700, 12, which == LAYER ? 1 : 20, 4, true, 0);
        problem p = in_f32(&q), o = in_f32(&q);
        peri_threads(1);
        forward(&p);
        backward(&p, 0);
        peri_threads(2);
        forward(&o);
        backward(&o, 0);
        assert_true(same_bytes(&p.y, &o.y) && same_bytes(&p.dx, &o.dx));
        assert_true(same_bytes(&p.dw, &o.dw) && same_bytes(&p.db, &o.db));
        drop_problem(&q);
        drop_problem(&p);
        drop_problem(&o);
    }
    peri_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_large_means),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
