/* SPDX-License-Identifier: MIT
 *
 * kernel/covariance against the definition, on data far from 0. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/covariance.h"

enum { N = 600, M = 5 };

static void test_definition(void **state)
{
    (void)state;
    static double X[N * M];
    double C[M * M], R[M * M];
    uint32_t seed = 7;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < M; j++) {
            seed = seed * 1664525u + 1013904223u;
            /* integers, so that the means are exact enough for an exact answer below */
            X[i * M + j] = 1e6 * (j + 1) + (double)(seed >> 24) + (j > 0 ? i % (j + 1) : 0);
        }
    const size_t shape[2] = {N, M}, square[2] = {M, M};
    const ptrdiff_t stride[2] = {M, 1};
    const peri_view x = {X, PERI_F64, 2, shape, stride};
    const peri_view c = {C, PERI_F64, 2, square, stride}, r = {R, PERI_F64, 2, square, stride};
    double *work = malloc(peri_covariance_work(M) * sizeof *work);
    peri_facts facts = {0};
    assert_int_equal(peri_covariance(&x, 1, &c, work, NULL, &facts), PERI_OK);
    assert_int_equal(peri_correlation(&x, &r, work, NULL, &facts), PERI_OK);
    double want[M * M];
    for (int j = 0; j < M; j++)
        for (int k = 0; k < M; k++) {
            /* shifted by the same integers: every sum is exact */
            double sj = 0, sk = 0, sjk = 0;
            for (int i = 0; i < N; i++) {
                const double u = X[i * M + j] - 1e6 * (j + 1), v = X[i * M + k] - 1e6 * (k + 1);
                sj += u, sk += v, sjk += u * v;
            }
            want[j * M + k] = (sjk - sj * sk / N) / (N - 1);
        }
    for (int j = 0; j < M; j++)
        for (int k = 0; k < M; k++) {
            const double scale = sqrt(want[j * M + j] * want[k * M + k]);
            assert_true(fabs(C[j * M + k] - want[j * M + k]) < 1e-11 * scale);
            assert_true(fabs(R[j * M + k] - want[j * M + k] / scale) < 1e-11);
            assert_true(C[j * M + k] == C[k * M + j]);
        }
    for (int j = 0; j < M; j++)
        assert_true(R[j * M + j] == 1);
    for (int i = 0; i < N; i++)
        X[i * M] = 3;
    assert_int_equal(peri_correlation(&x, &r, work, NULL, &facts), PERI_OK);
    assert_true(isnan(R[1]));
    free(work);
}

static void test_bounds(void **state)
{
    (void)state;
    double X[14], R[4], work[1024];
    const size_t shape[2] = {7, 2}, square[2] = {2, 2};
    const ptrdiff_t stride[2] = {2, 1};
    const peri_view x = {X, PERI_F64, 2, shape, stride}, r = {R, PERI_F64, 2, square, stride};
    peri_facts facts = {0};
    assert_true(peri_covariance_work(2) <= 1024);
    for (int trial = 1; trial < 200; trial++) {
        for (int i = 0; i < 7; i++) {
            X[2 * i] = sin(trial * (i + 1));
            X[2 * i + 1] = (trial % 2 ? 0.3 : -0.7) * X[2 * i];
        }
        assert_int_equal(peri_correlation(&x, &r, work, NULL, &facts), PERI_OK);
        assert_true(fabs(R[1]) <= 1 && fabs(R[1]) > 1 - 1e-14 && R[0] == 1);
    }
}

static void test_too_wide(void **state)
{
    (void)state;
    const size_t shape[2] = {1, (size_t)1 << 31};
    const ptrdiff_t stride[2] = {1, 1};
    const peri_view x = {NULL, PERI_F64, 2, shape, stride};
    peri_facts facts = {0};
    assert_int_equal(peri_covariance(&x, 1, &x, NULL, NULL, &facts), PERI_ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_definition),
                                       cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_too_wide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
