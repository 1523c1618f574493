/* SPDX-License-Identifier: MIT
 *
 * kernel/histogram: the bins of kernel/histogram.h's definition, found one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/histogram.h"

static void test_bins(void **state)
{
    (void)state;
    /* multiples of 0.1 stand on or beside the edges */
    double x[400], edges[31], counts[30], bisected[30];
    for (int i = 0; i < 400; i++)
        x[i] = (i - 20) * 0.01;
    x[7] = NAN;
    x[8] = INFINITY;
    const size_t shape[1] = {400};
    const ptrdiff_t stride[1] = {1};
    const peri_view v = {x, PERI_F64, 1, shape, stride};
    peri_histogram_edges(0, 3, 30, edges);
    assert_true(edges[0] == 0 && edges[30] == 3);
    peri_histogram(&v, NULL, edges, 30, true, counts);
    peri_histogram(&v, NULL, edges, 30, false, bisected);
    for (int k = 0; k < 30; k++) {
        int want = 0;
        for (int i = 0; i < 400; i++)
            want += x[i] >= edges[k] && (x[i] < edges[k + 1] || (k == 29 && x[i] == 3));
        assert_true(counts[k] == want);
        assert_true(bisected[k] == want);
    }
    double weights[400];
    for (int i = 0; i < 400; i++)
        weights[i] = 0.5;
    const peri_view w = {weights, PERI_F64, 1, shape, stride};
    peri_histogram(&v, &w, edges, 30, true, bisected);
    for (int k = 0; k < 30; k++)
        assert_true(bisected[k] == counts[k] / 2);
}

static void test_edges_belong_to_the_upper_bin(void **state)
{
    (void)state;
    const ptrdiff_t stride[1] = {1};
    for (size_t nbins = 1; nbins <= 60; nbins++) {
        double edges[61], counts[60];
        const size_t shape[1] = {nbins + 1};
        peri_histogram_edges(-0.3 * (double)nbins, 0.7, nbins, edges);
        const peri_view v = {edges, PERI_F64, 1, shape, stride};
        peri_histogram(&v, NULL, edges, nbins, true, counts);
        for (size_t k = 0; k < nbins; k++)
            assert_true(counts[k] == (k + 1 == nbins ? 2 : 1));
    }
}

static void test_range(void **state)
{
    (void)state;
    double x[] = {2.385, -1.5, 7}, lo, hi, edges[3];
    size_t shape[1] = {3};
    const ptrdiff_t stride[1] = {1};
    const peri_view v = {x, PERI_F64, 1, shape, stride};
    peri_facts facts = {0};
    assert_int_equal(peri_histogram_range(&v, &lo, &hi, &facts), PERI_OK);
    assert_true(lo == -1.5 && hi == 7);
    x[1] = NAN;
    assert_int_equal(peri_histogram_range(&v, &lo, &hi, &facts), PERI_ERR_NONFINITE);
    assert_int_equal(facts.index[0], 1);
    shape[0] = 0;
    assert_int_equal(peri_histogram_range(&v, &lo, &hi, &facts), PERI_OK);
    assert_true(lo == 0 && hi == 1);
    peri_histogram_edges(2, 2, 2, edges);
    assert_true(edges[0] == 1.5 && edges[1] == 2 && edges[2] == 2.5);
    peri_histogram_edges(-1.7e308, 1.7e308, 2, edges);
    assert_true(edges[0] == -1.7e308 && edges[1] == 0 && edges[2] == 1.7e308);
}

static void test_bincount(void **state)
{
    (void)state;
    double x[] = {1, 3, 3, 1, 3}, largest, counts[3];
    const size_t shape[1] = {5};
    const ptrdiff_t stride[1] = {1};
    const peri_view v = {x, PERI_F64, 1, shape, stride};
    peri_facts facts = {0};
    assert_int_equal(peri_bincount_max(&v, 1, &largest, &facts), PERI_OK);
    assert_true(largest == 3);
    peri_bincount(&v, NULL, 1, 3, counts);
    assert_true(counts[0] == 2 && counts[1] == 0 && counts[2] == 3);
    static const double bad[] = {0, -1, 1.5, NAN, INFINITY, 1e300};
    for (int i = 0; i < 6; i++) {
        x[2] = bad[i];
        assert_int_equal(peri_bincount_max(&v, 1, &largest, &facts), PERI_ERR_VALUE);
        assert_int_equal(facts.index[0], 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bins), cmocka_unit_test(test_edges_belong_to_the_upper_bin),
        cmocka_unit_test(test_range), cmocka_unit_test(test_bincount)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
