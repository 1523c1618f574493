/* SPDX-License-Identifier: MIT
 *
 * Softmax, its relatives and cross-entropy against plain loops in double, finite differences and
 * their limits, at each level and in both dtypes. */
#include "nets.h"

#include "kernel/softmax.h"

static double plain_logsumexp(const block *x, size_t row, size_t n)
{
    double most = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++)
        most = fmax(most, get(x, row * n + j));
    for (size_t j = 0; j < n; j++)
        sum += exp(get(x, row * n + j) - most);
    return most + log(sum);
}

static const size_t widths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 200, 1001};
enum { WIDTHS = sizeof widths / sizeof *widths };

static block scores(int dtype, size_t count, double scale)
{
    block x = random_block(dtype, count);
    for (size_t i = 0; i < count; i++)
        set(&x, i, scale * get(&x, i));
    return x;
}

static void compare_rows(int dtype, size_t rows, size_t n, double scale)
{
    const double near = dtype == PERI_F32 ? 1e-6 : 2e-15;
    block x = scores(dtype, rows * n, scale), g = random_block(dtype, rows * n);
    block y = take(dtype, rows * n), dx = take(dtype, rows * n), l = take(dtype, rows);
    block gl = random_block(dtype, rows);
    double *want = malloc(rows * n * sizeof *want), *wl = malloc(rows * sizeof *wl);
    for (size_t i = 0; i < rows; i++)
        wl[i] = plain_logsumexp(&x, i, n);
    peri_logsumexp(rows, n, dtype, x.data, l.data);
    assert_block_near(&l, wl, near, "logsumexp");
    for (size_t i = 0; i < rows * n; i++)
        want[i] = get(&gl, i / n) * exp(get(&x, i) - wl[i / n]);
    peri_logsumexp_backward(rows, n, dtype, x.data, l.data, gl.data, dx.data);
    assert_block_near(&dx, want, 4 * near * (1 + scale), "logsumexp backward");
    for (int kind = PERI_SOFTMAX; kind <= PERI_LOG_SOFTMAX; kind++) {
        for (size_t i = 0; i < rows * n; i++)
            want[i] = kind == PERI_SOFTMAX ? exp(get(&x, i) - wl[i / n]) : get(&x, i) - wl[i / n];
        peri_softmax((peri_softmax_kind)kind, rows, n, dtype, x.data, y.data);
        assert_block_near(&y, want, near * (1 + scale), "softmax");
        for (size_t i = 0; i < rows; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += get(&g, i * n + j) * (kind == PERI_SOFTMAX ? get(&y, i * n + j) : 1);
            for (size_t j = 0; j < n; j++) {
                const double v = get(&y, i * n + j), d = get(&g, i * n + j);
                want[i * n + j] = kind == PERI_SOFTMAX ? v * (d - sum) : d - exp(v) * sum;
            }
        }
        peri_softmax_backward((peri_softmax_kind)kind, rows, n, dtype, y.data, g.data, dx.data);
        assert_block_near(&dx, want, 4 * near * (1 + sqrt((double)n)), "softmax backward");
    }
    drop(x);
    drop(g);
    drop(y);
    drop(dx);
    drop(l);
    drop(gl);
    free(want);
    free(wl);
}

static void compare_all(void)
{
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t i = 0; i < WIDTHS; i++) {
            compare_rows(dtype, 5, widths[i], 3);
            compare_rows(dtype, 2, widths[i], 40);
        }
}

static void test_rows_equal_plain_loops(void **state)
{
    (void)state;
    at_each_level(compare_all);
}

/* -inf has probability 0, a row of it NaN; inf takes all; NaN spreads; large numbers are safe. */
static void check_limits(void)
{
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t i = 1; i < WIDTHS; i++) {
            const size_t n = widths[i];
            block x = scores(dtype, n, 5), y = take(dtype, n), l = take(dtype, 1);
            set(&x, n - 1, -INFINITY);
            peri_softmax(PERI_SOFTMAX, 1, n, dtype, x.data, y.data);
            assert_true(get(&y, n - 1) == 0);
            set(&x, 0, 1000);
            set(&x, n / 2, -1000);
            set(&x, n - 1, n == 2 ? 1000 : -INFINITY);
            peri_softmax(PERI_SOFTMAX, 1, n, dtype, x.data, y.data);
            assert_true(get(&y, 0) == (n == 2 ? 0.5 : 1));
            set(&x, n / 2, NAN);
            peri_softmax(PERI_SOFTMAX, 1, n, dtype, x.data, y.data);
            assert_true(isnan(get(&y, 0)));
            peri_logsumexp(1, n, dtype, x.data, l.data);
            assert_true(isnan(get(&l, 0)));
            for (size_t j = 0; j < n; j++)
                set(&x, j, -INFINITY);
            peri_softmax(PERI_SOFTMAX, 1, n, dtype, x.data, y.data);
            assert_true(isnan(get(&y, 0)));
            peri_logsumexp(1, n, dtype, x.data, l.data);
            assert_true(get(&l, 0) == -INFINITY);
            set(&x, n - 1, INFINITY);
            peri_logsumexp(1, n, dtype, x.data, l.data);
            assert_true(get(&l, 0) == INFINITY);
            set(&x, 0, NAN);
            peri_logsumexp(1, n, dtype, x.data, l.data);
            assert_true(isnan(get(&l, 0)));
            drop(x);
            drop(y);
            drop(l);
        }
}

static void test_limits(void **state)
{
    (void)state;
    at_each_level(check_limits);
}

/* The loss by its definition. */
static double plain_cross(const block *x, size_t row, size_t n, const double *t)
{
    const double l = plain_logsumexp(x, row, n);
    double loss = 0;
    for (size_t j = 0; j < n; j++)
        loss -= t[j] * (get(x, row * n + j) - l);
    return loss;
}

static void compare_cross(int dtype, size_t n, bool classes, double smoothing)
{
    enum { ROWS = 6 };
    const double near = dtype == PERI_F32 ? 2e-6 : 1e-14;
    block x = scores(dtype, ROWS * n, 4), T = random_block(dtype, ROWS * n);
    block dx = take(dtype, ROWS * n), l = take(dtype, ROWS), g = random_block(dtype, ROWS);
    size_t chosen[ROWS];
    double loss[ROWS], wanted[ROWS], *t = calloc(ROWS * n, sizeof *t);
    double *want = malloc(ROWS * n * sizeof *want);
    for (size_t i = 0; i < ROWS; i++) {
        chosen[i] = i == 2 ? SIZE_MAX : between(0, n - 1);
        for (size_t j = 0; j < n; j++) {
            set(&T, i * n + j, j % 3 == 1 ? 0 : fabs(get(&T, i * n + j)));
            const double p = classes ? (double)(chosen[i] == j) : get(&T, i * n + j);
            const bool counts = !classes || i != 2;
            t[i * n + j] = counts ? (1 - smoothing) * p + smoothing / (double)n : 0;
        }
        wanted[i] = plain_cross(&x, i, n, t + i * n);
    }
    const peri_target target = {classes ? chosen : NULL, T.data, smoothing};
    peri_cross_entropy(ROWS, n, dtype, x.data, &target, loss, l.data, 0.75, dx.data);
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(fabs(loss[i] - wanted[i]) <= near * 4 * (1 + fabs(wanted[i])));
        double sum = 0;
        const double all = plain_logsumexp(&x, i, n);
        for (size_t j = 0; j < n; j++)
            sum += t[i * n + j];
        for (size_t j = 0; j < n; j++)
            want[i * n + j] = 0.75 * (sum * exp(get(&x, i * n + j) - all) - t[i * n + j]);
    }
    assert_block_near(&dx, want, 2 * near, "cross-entropy, forward and backward");
    for (size_t i = 0; i < ROWS * n; i++)
        want[i] *= get(&g, i / n) / 0.75;
    peri_cross_entropy_backward(ROWS, n, dtype, x.data, &target, l.data, g.data, dx.data);
    assert_block_near(&dx, want, 2 * near, "cross-entropy backward");
    peri_cross_entropy_backward(ROWS, n, dtype, x.data, &target, NULL, g.data, dx.data);
    assert_block_near(&dx, want, 2 * near, "cross-entropy backward, l found again");
    /* a difference of the loss itself */
    if (dtype == PERI_F64) {
        const size_t at = n / 2;
        const double h = 1e-5, before = get(&x, at);
        double up[ROWS], down[ROWS];
        set(&x, at, before + h);
        peri_cross_entropy(ROWS, n, dtype, x.data, &target, up, NULL, 0, NULL);
        set(&x, at, before - h);
        peri_cross_entropy(ROWS, n, dtype, x.data, &target, down, NULL, 0, NULL);
        assert_true(fabs((up[0] - down[0]) / (2 * h) - want[at] / get(&g, 0)) < 1e-6);
    }
    drop(x);
    drop(T);
    drop(dx);
    drop(l);
    drop(g);
    free(t);
    free(want);
}

static void compare_all_cross(void)
{
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++)
        for (size_t i = 0; i < WIDTHS; i++)
            for (int classes = 0; classes <= 1; classes++) {
                compare_cross(dtype, widths[i], classes != 0, 0);
                compare_cross(dtype, widths[i], classes != 0, 0.1);
            }
}

static void test_cross_entropy(void **state)
{
    (void)state;
    at_each_level(compare_all_cross);
}

/* A probability of 0 takes nothing from a score of -inf. */
static void test_impossible_classes(void **state)
{
    (void)state;
    const double x[] = {0, -INFINITY, 0}, T[] = {0.5, 0, 0.5};
    const peri_target target = {NULL, T, 0};
    double loss, dx[3];
    peri_cross_entropy(1, 3, PERI_F64, x, &target, &loss, NULL, 1, dx);
    assert_true(fabs(loss - log(2)) < 1e-15);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 0);
}

static void test_classes_are_read(void **state)
{
    (void)state;
    const double good[] = {1, 3, -1, 2}, bad[] = {1, 0, 3}, half[] = {1.5}, large[] = {4},
                 nan[] = {NAN};
    const double *wrong[] = {bad, half, large, nan};
    size_t t[4];
    peri_facts facts;
    assert_int_equal(peri_read_classes(4, PERI_F64, good, 3, -1, t, &facts), PERI_OK);
    assert_true(t[0] == 0 && t[1] == 2 && t[2] == SIZE_MAX && t[3] == 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(peri_read_classes(i == 0 ? 3 : 1, PERI_F64, wrong[i], 3, NAN, t, &facts),
                         PERI_ERR_VALUE);
        assert_string_equal(facts.arg, "classes");
        assert_int_equal(facts.index[0], i == 0);
    }
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    const size_t rows = 900, n = 77;
    block x = random_block(PERI_F32, rows * n), one = take(PERI_F32, rows * n),
          two = take(PERI_F32, rows * n);
    peri_threads(1);
    peri_softmax(PERI_SOFTMAX, rows, n, PERI_F32, x.data, one.data);
    peri_threads(2);
    peri_softmax(PERI_SOFTMAX, rows, n, PERI_F32, x.data, two.data);
    assert_true(same_bytes(&one, &two));
    peri_threads(threads);
    drop(x);
    drop(one);
    drop(two);
}

static void test_nothing_is_nothing(void **state)
{
    (void)state;
    float l[2] = {1, 1};
    peri_softmax(PERI_SOFTMAX, 0, 5, PERI_F32, NULL, NULL);
    peri_softmax(PERI_SOFTMAX, 5, 0, PERI_F32, NULL, NULL);
    peri_logsumexp(2, 0, PERI_F32, NULL, l);
    assert_true(l[0] == -INFINITY && l[1] == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_equal_plain_loops), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cross_entropy),          cmocka_unit_test(test_classes_are_read),
        cmocka_unit_test(test_impossible_classes),     cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
