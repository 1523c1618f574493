/* SPDX-License-Identifier: MIT
 *
 * A dense layer against plain loops and differences, at each level. */
#include "nets.h"

#include "kernel/dense.h"

typedef struct {
    size_t n, in, out;
    peri_act f;
    block x, w, b, y, z;
} problem;

static void forward(void *context)
{
    const problem *p = context;
    assert_int_equal(peri_dense_forward(p->n, p->in, p->out, p->x.dtype, p->x.data, p->w.data,
                                        p->b.data, p->f, 0.2, p->z.data, p->y.data, NULL),
                     PERI_OK);
}

static void check(size_t n, size_t in, size_t out, peri_act f, bool differences)
{
    problem p = {n,
                 in,
                 out,
                 f,
                 random_block(PERI_F64, n * in),
                 random_block(PERI_F64, out * in),
                 random_block(PERI_F64, out),
                 take(PERI_F64, n * out),
                 take(PERI_F64, n * out)};
    block g = random_block(PERI_F64, n * out), dz = take(PERI_F64, n * out);
    block dx = take(PERI_F64, n * in), dw = take(PERI_F64, out * in), db = take(PERI_F64, out);
    double *wanted = malloc((n * out + 1) * sizeof *wanted);
    forward(&p);
    for (size_t i = 0; i < n * out; i++) {
        wanted[i] = get(&p.b, i % out);
        for (size_t k = 0; k < in; k++)
            wanted[i] += get(&p.x, i / out * in + k) * get(&p.w, i % out * in + k);
    }
    assert_block_near(&p.z, wanted, 1e-14, "z");
    memcpy(wanted, p.z.data, n * out * sizeof *wanted);
    peri_activate(f, n * out, PERI_F64, 0.2, p.z.data, dz.data);
    assert_block_near(&p.y, dz.data, 1e-15, "y");
    peri_activate_backward(f, n * out, PERI_F64, 0.2, p.z.data, g.data, dz.data);
    assert_int_equal(peri_dense_backward(n, in, out, PERI_F64, p.x.data, p.w.data, dz.data, dx.data,
                                         0, dw.data, db.data, NULL),
                     PERI_OK);
    if (differences) {
        assert_gradient(&p.x, &p.y, &g, forward, &p, &dx, 1e-7, "dX");
        assert_gradient(&p.w, &p.y, &g, forward, &p, &dw, 1e-7, "dW");
        assert_gradient(&p.b, &p.y, &g, forward, &p, &db, 1e-7, "db");
    }
    /* added to what is there, and in f32 */
    block twice = take(PERI_F64, out * in), xs = as_f32(&p.x), ws = as_f32(&p.w), dzs = as_f32(&dz);
    block bs = as_f32(&p.b), ys = take(PERI_F32, n * out), dxs = take(PERI_F32, n * in);
    block dws = take(PERI_F32, out * in), dbs = take(PERI_F32, out);
    memcpy(twice.data, dw.data, out * in * sizeof(double));
    peri_dense_backward(n, in, out, PERI_F64, p.x.data, p.w.data, dz.data, NULL, 1, twice.data,
                        NULL, NULL);
    for (size_t i = 0; i < out * in; i++)
        assert_true(fabs(get(&twice, i) - 2 * get(&dw, i)) <= 1e-13 * (1 + fabs(get(&dw, i))));
    peri_dense_forward(n, in, out, PERI_F32, xs.data, ws.data, bs.data, f, 0.2, NULL, ys.data,
                       NULL);
    assert_close(&ys, &p.y, 2e-6, "y in f32");
    peri_dense_backward(n, in, out, PERI_F32, xs.data, ws.data, dzs.data, dxs.data, 0, dws.data,
                        dbs.data, NULL);
    assert_close(&dxs, &dx, 2e-6, "dX in f32");
    assert_close(&dws, &dw, 2e-6, "dW in f32");
    assert_close(&dbs, &db, 1e-6, "db in f32");
    block *const all[] = {&p.x,   &p.w, &p.b, &p.y, &p.z, &g,  &dz,  &dx,  &dw, &db,
                          &twice, &xs,  &ws,  &dzs, &bs,  &ys, &dxs, &dws, &dbs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(*all[i]);
    free(wanted);
}

static void check_all(void)
{
    for (peri_act f = PERI_ACT_NONE; f < PERI_ACT_COUNT; f++)
        check(5, 7, 3, f, f != PERI_ACT_RELU && f != PERI_ACT_LEAKY_RELU && f != PERI_ACT_ELU);
    check(1, 1, 1, PERI_ACT_NONE, true);
    check(0, 3, 2, PERI_ACT_TANH, true);
    check(70, 130, 300, PERI_ACT_RELU, false);
    check(601, 20, 33, PERI_ACT_GELU, false);
}

static void test_values_and_gradients(void **state)
{
    (void)state;
    at_each_level(check_all);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    const size_t n = 300, in = 90, out = 270;
    block x = random_block(PERI_F32, n * in), w = random_block(PERI_F32, out * in);
    block y[2], dx[2], dw[2], db[2];
    for (int t = 0; t < 2; t++) {
        peri_threads(t + 1);
        y[t] = take(PERI_F32, n * out);
        dx[t] = take(PERI_F32, n * in);
        dw[t] = take(PERI_F32, out * in);
        db[t] = take(PERI_F32, out);
        peri_dense_forward(n, in, out, PERI_F32, x.data, w.data, NULL, PERI_ACT_RELU, 0, NULL,
                           y[t].data, NULL);
        peri_dense_backward(n, in, out, PERI_F32, x.data, w.data, y[t].data, dx[t].data, 0,
                            dw[t].data, db[t].data, NULL);
    }
    assert_true(same_bytes(&y[0], &y[1]) && same_bytes(&dx[0], &dx[1]));
    assert_true(same_bytes(&dw[0], &dw[1]) && same_bytes(&db[0], &db[1]));
    for (int t = 0; t < 2; t++) {
        drop(y[t]);
        drop(dx[t]);
        drop(dw[t]);
        drop(db[t]);
    }
    drop(x);
    drop(w);
    peri_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_gradients),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
