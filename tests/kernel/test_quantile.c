/* SPDX-License-Identifier: MIT
 *
 * kernel/quantile against sorting; a few numbers from numpy.quantile. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/quantile.h"

static double got[64];

static void quantile(double *x, size_t lanes, size_t n, const double *q, size_t nq, bool median)
{
    const size_t in[2] = {lanes, n}, out[2] = {nq, lanes};
    const ptrdiff_t sin[2] = {(ptrdiff_t)n, 1}, sout[2] = {(ptrdiff_t)lanes, 1};
    const peri_view a = {x, PERI_F64, 2, in, sin}, b = {got, PERI_F64, 2, out, sout};
    void *work = malloc(peri_quantile_work(n, nq) + 1);
    assert_int_equal(peri_quantile(&a, q, nq, median, &b, work, NULL), PERI_OK);
    free(work);
}

static int ascending(const void *p, const void *q)
{
    const double a = *(const double *)p, b = *(const double *)q;
    return (a > b) - (a < b);
}

static void test_against_sorting(void **state)
{
    (void)state;
    static double x[5000], sorted[5000];
    static const double q[] = {0.5, 0, 1, 0.25, 0.999, 0.001, 0.3333};
    uint32_t seed = 1;
    for (int kind = 0; kind < 6; kind++)
        for (size_t n = 1; n <= 5000; n = n * 3 + 1) {
            for (size_t i = 0; i < n; i++) {
                seed = seed * 1664525u + 1013904223u;
                x[i] = kind == 0   ? (double)(seed >> 8)
                       : kind == 1 ? (double)(seed >> 30)
                       : kind == 2 ? (double)i
                       : kind == 3 ? -(double)i
                       : kind == 4 ? 2.385
                                   : (double)(i % 2 == 0 ? i : n - i);
                sorted[i] = x[i];
            }
            qsort(sorted, n, sizeof *sorted, ascending);
            quantile(x, 1, n, q, 7, false);
            for (int k = 0; k < 7; k++) {
                const double h = q[k] * (double)(n - 1), t = h - floor(h);
                const double a = sorted[(size_t)h], b = sorted[(size_t)h + (t > 0)];
                assert_true(got[k] >= a && got[k] <= b);
                assert_true(fabs(got[k] - (a + t * (b - a))) <= 1e-9);
            }
        }
}

static void test_values(void **state)
{
    (void)state;
    /* numpy.quantile([3, 1, 2, 10], [0.1, 0.5, 0.9]) */
    double x[] = {3, 1, 2, 10};
    quantile(x, 1, 4, (double[]){0.1, 0.5, 0.9}, 3, false);
    assert_true(got[0] == 1.3 && got[1] == 2.5 && fabs(got[2] - 7.9) < 1e-15);
    double rows[] = {1, NAN, 3, INFINITY, INFINITY, 1};
    quantile(rows, 2, 3, (double[]){0.5}, 1, true);
    assert_true(isnan(got[0]) && isinf(got[1]));
    for (size_t at = 0; at < 60; at++) {
        double hole[60];
        for (size_t i = 0; i < 60; i++)
            hole[i] = i == at ? NAN : (double)(i * 7 % 60);
        quantile(hole, 1, 60, (double[]){0.1}, 1, false);
        assert_true(isnan(got[0]));
    }
    double huge[] = {1e308, 1.5e308};
    quantile(huge, 1, 2, (double[]){0.5}, 1, true);
    assert_true(got[0] == 1.25e308);
    quantile(x, 2, 0, (double[]){0.5}, 1, true);
    assert_true(isnan(got[0]) && isnan(got[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_sorting),
                                       cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
