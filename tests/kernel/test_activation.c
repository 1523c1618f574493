/* SPDX-License-Identifier: MIT
 *
 * Activations against the C library in double, their slopes against differences, at each level;
 * binary cross-entropy. */
#include "nets.h"

#include "kernel/activation.h"

static double plain(peri_act f, double x, double slope)
{
    switch (f) {
    case PERI_ACT_RELU:
        return x > 0 ? x : 0;
    case PERI_ACT_LEAKY_RELU:
        return x > 0 ? x : slope * x;
    case PERI_ACT_ELU:
        return x > 0 ? x : slope * expm1(x);
    case PERI_ACT_GELU:
        return 0.5 * x * erfc(-x / sqrt(2));
    case PERI_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case PERI_ACT_SILU:
        return x / (1 + exp(-x));
    case PERI_ACT_TANH:
        return tanh(x);
    case PERI_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case PERI_ACT_NONE:
    case PERI_ACT_COUNT:
        break;
    }
    return x;
}

typedef struct {
    peri_act f;
    block x, y;
} map;

static void run(void *context)
{
    const map *m = context;
    peri_activate(m->f, m->x.count, m->x.dtype, 0.3, m->x.data, m->y.data);
}

static void check_function(peri_act f, size_t n)
{
    block x = random_block(PERI_F64, n), y = take(PERI_F64, n), g = random_block(PERI_F64, n);
    block dx = take(PERI_F64, n);
    double *wanted = malloc((n + 1) * sizeof *wanted);
    for (size_t i = 0; i < n; i++) {
        set(&x, i, (i % 3 == 0 ? 20 : 4) * get(&x, i) + 0.01);
        if (fabs(get(&x, i)) < 0.01) /* not at the kink */
            set(&x, i, 0.5);
        wanted[i] = plain(f, get(&x, i), 0.3);
    }
    map m = {f, x, y};
    run(&m);
    assert_block_near(&y, wanted, 4e-16, "activation");
    peri_activate_backward(f, n, PERI_F64, 0.3, x.data, g.data, dx.data);
    assert_gradient(&x, &y, &g, run, &m, &dx, 1e-7, "slope");
    block xs = as_f32(&x), gs = as_f32(&g), ys = take(PERI_F32, n), dxs = take(PERI_F32, n);
    peri_activate(f, n, PERI_F32, 0.3, xs.data, ys.data);
    for (size_t i = 0; i < n; i++) {
        const double want = plain(f, get(&xs, i), (double)0.3F);
        assert_true(fabs(get(&ys, i) - want) <= 4e-7 * (fabs(want) + fabs(get(&xs, i)) + 1e-30));
    }
    peri_activate_backward(f, n, PERI_F32, 0.3, xs.data, gs.data, dxs.data);
    assert_close(&dxs, &dx, 2e-6, "slope in f32");
    /* in place, and by rows with a bias */
    peri_activate(f, n, PERI_F32, 0.3, xs.data, xs.data);
    assert_true(same_bytes(&xs, &ys));
    for (size_t i = 0; i < n; i++)
        set(&x, i, get(&x, i) - get(&g, i % 7));
    if (n >= 14) {
        peri_activate_rows(f, 2, 7, 7, PERI_F64, 0.3, g.data, x.data);
        for (size_t i = 0; i < 14; i++)
            assert_true(fabs(get(&x, i) - wanted[i]) < 1e-14 * (1 + fabs(wanted[i])));
    }
    drop(x);
    drop(y);
    drop(g);
    drop(dx);
    drop(xs);
    drop(gs);
    drop(ys);
    drop(dxs);
    free(wanted);
}

static void check_functions(void)
{
    static const size_t sizes[] = {0, 1, 7, 16, 33, 515, 1300};
    for (int f = PERI_ACT_NONE; f < PERI_ACT_COUNT; f++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_function((peri_act)f, sizes[i]);
        for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++) {
            block x = take(dtype, 3), y = take(dtype, 3);
            set(&x, 0, NAN);
            set(&x, 1, INFINITY);
            set(&x, 2, 0);
            peri_activate((peri_act)f, 3, dtype, 0.3, x.data, y.data);
            assert_true(isnan(get(&y, 0)));
            assert_true(get(&y, 1) == (f == PERI_ACT_TANH || f == PERI_ACT_SIGMOID ? 1 : INFINITY));
            assert_true(get(&y, 2) == (f == PERI_ACT_SIGMOID ? 0.5 : 0));
            set(&y, 0, 1);
            set(&y, 1, 1);
            set(&y, 2, 1);
            peri_activate_backward((peri_act)f, 3, dtype, 0.3, x.data, y.data, y.data);
            if (f == PERI_ACT_RELU)
                assert_true(get(&y, 2) == 0 && get(&y, 1) == 1);
            drop(x);
            drop(y);
        }
    }
}

static void test_functions(void **state)
{
    (void)state;
    at_each_level(check_functions);
}

static void check_bce(void)
{
    static const size_t sizes[] = {0, 1, 5, 16, 100, 513, 20000};
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const size_t n = sizes[s];
            const double near = dtype == PERI_F32 ? 1e-6 : 1e-14;
            block z = random_block(dtype, n), y = random_block(dtype, n), loss = take(dtype, n);
            block dz = take(dtype, n), work = take(PERI_F64, peri_bce_work(n));
            double sum = 0, *wl = malloc((n + 1) * sizeof *wl), *wz = malloc((n + 1) * sizeof *wz);
            for (size_t i = 0; i < n; i++) {
                set(&z, i, (i % 5 == 0 ? 100 : 6) * get(&z, i));
                set(&y, i, i % 2 == 0 ? fabs(get(&y, i)) : (double)(i % 4 == 1));
                const double v = get(&z, i), t = get(&y, i);
                wl[i] = fmax(v, 0) - v * t + log1p(exp(-fabs(v)));
                wz[i] = 0.25 * (1 / (1 + exp(-v)) - t);
                sum += wl[i];
            }
            const double got =
                peri_bce(n, dtype, z.data, y.data, loss.data, 0.25, dz.data, work.data);
            assert_true(fabs(got - sum) <= near * (1 + sum));
            assert_block_near(&loss, wl, near, "bce");
            assert_block_near(&dz, wz, near, "bce's gradient");
            assert_true(peri_bce(n, dtype, z.data, y.data, NULL, 0, NULL, work.data) == got);
            drop(z);
            drop(y);
            drop(loss);
            drop(dz);
            drop(work);
            free(wl);
            free(wz);
        }
}

static void test_bce(void **state)
{
    (void)state;
    at_each_level(check_bce);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    const size_t n = 100003;
    block z = random_block(PERI_F32, n), y = random_block(PERI_F32, n), one = take(PERI_F32, n);
    block two = take(PERI_F32, n), work = take(PERI_F64, peri_bce_work(n));
    peri_threads(1);
    const double a = peri_bce(n, PERI_F32, z.data, y.data, one.data, 0, NULL, work.data);
    peri_threads(2);
    const double b = peri_bce(n, PERI_F32, z.data, y.data, two.data, 0, NULL, work.data);
    assert_true(a == b && same_bytes(&one, &two));
    peri_threads(threads);
    drop(z);
    drop(y);
    drop(one);
    drop(two);
    drop(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_bce),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
