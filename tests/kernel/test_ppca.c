/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/ppca.h"
#include "kernel/view.h"

enum { N = 40, M = 9 };

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("got %.17g, wanted %.17g within %g", got, wanted, tolerance);
}

static double next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53 - 0.5;
}

/* Rows of a few directions plus noise, with features of different sizes. */
static void fill(double *X, size_t n, size_t m)
{
    uint64_t state = 2385;
    double *directions = calloc(3 * m, sizeof *directions);
    for (size_t k = 0; k < 3 * m; k++)
        directions[k] = next(&state);
    for (size_t i = 0; i < n; i++) {
        const double z[3] = {5 * next(&state), 3 * next(&state), 2 * next(&state)};
        for (size_t j = 0; j < m; j++) {
            X[i * m + j] = 10.5 * (double)j + 0.3 * next(&state);
            for (size_t k = 0; k < 3; k++)
                X[i * m + j] += z[k] * directions[k * m + j];
        }
    }
    free(directions);
}

static void covariance(const double *X, size_t n, size_t m, double *mean, double *S)
{
    for (size_t j = 0; j < m; j++) {
        mean[j] = 0;
        for (size_t i = 0; i < n; i++)
            mean[j] += X[i * m + j] / (double)n;
    }
    for (size_t a = 0; a < m; a++)
        for (size_t b = 0; b < m; b++) {
            S[a * m + b] = 0;
            for (size_t i = 0; i < n; i++)
                S[a * m + b] += (X[i * m + a] - mean[a]) * (X[i * m + b] - mean[b]) / (double)n;
        }
}

struct fit {
    double mean[64], values[64], U[64 * 64], W[64 * 64], sigma2;
};

enum how { COVARIANCE, GRAM, SVD };

static void fit(const peri_rows *X, size_t d, enum how how, struct fit *f)
{
    const size_t n = X->n, m = X->m;
    double *work = malloc(8u << 20);
    int *iwork = malloc(12 * 64 * sizeof *iwork);
    peri_facts facts;
    assert_int_equal(peri_ppca_mean(X, f->mean, &facts), PERI_OK);
    if (how == COVARIANCE) {
        double *S = calloc(m * m, sizeof *S), sum[64] = {0}, mean[64];
        assert_int_equal(peri_ppca_scatter(X, f->mean, sum, S, work, NULL, &facts), PERI_OK);
        peri_ppca_moments(n, m, f->mean, sum, S, mean);
        assert_int_equal(peri_ppca_eig(m, d, S, f->values, f->U, work, iwork, &facts), PERI_OK);
        free(S);
    } else if (how == GRAM) {
        assert_int_equal(
            peri_ppca_eig_gram(X, f->mean, d, f->values, f->U, work, iwork, NULL, &facts), PERI_OK);
    } else {
        assert_int_equal(peri_ppca_eig_svd(X, f->mean, d, f->values, f->U, work, iwork, &facts),
                         PERI_OK);
    }
    peri_ppca_loadings(m, d, f->values, f->U, &f->sigma2, f->W);
    free(work);
    free(iwork);
}

/* S u = l u, u'u = 1, in each of the three ways, which also agree with one another. */
static void test_eigenpairs(void **state)
{
    (void)state;
    double X[N * M], mean[M], S[M * M];
    fill(X, N, M);
    covariance(X, N, M, mean, S);
    const peri_rows rows = {X, PERI_F64, N, M};
    for (enum how how = COVARIANCE; how <= SVD; how++) {
        struct fit f;
        fit(&rows, 4, how, &f);
        for (size_t k = 0; k < 4; k++) {
            const double *u = f.U + k * M;
            for (size_t a = 0; a < M; a++) {
                double Su = 0;
                for (size_t b = 0; b < M; b++)
                    Su += S[a * M + b] * u[b];
                assert_near(Su, f.values[k] * u[a], 1e-13 * f.values[0]);
            }
        }
        double trace = 0, sum = 0;
        for (size_t j = 0; j < M; j++) {
            trace += S[j * M + j];
            sum += f.values[j];
        }
        assert_near(trace, sum, 1e-13 * trace);
    }
}

/* An identity covariance splits into blocks, where inverse iteration is not used. */
static void test_degenerate(void **state)
{
    (void)state;
    enum { m = 6, d = 3 };
    double S[m * m] = {0}, values[m], U[d * m], work[4096];
    int iwork[12 * m];
    for (size_t j = 0; j < m; j++)
        S[j * m + j] = 2.385;
    peri_facts facts;
    assert_true(peri_ppca_eig_work(m, d) <= sizeof work / sizeof *work);
    assert_int_equal(peri_ppca_eig(m, d, S, values, U, work, iwork, &facts), PERI_OK);
    for (size_t a = 0; a < d; a++)
        for (size_t b = 0; b < d; b++) {
            double dot = 0;
            for (size_t j = 0; j < m; j++)
                dot += U[a * m + j] * U[b * m + j];
            assert_near(dot, a == b, 1e-14);
        }
    assert_near(values[m - 1], 2.385, 1e-14);
}

/* log N(x | mu, C) with C = W W' + sigma2 I written out: Gaussian elimination on C. */
static double density(size_t m, size_t d, const double *x, const double *mu, const double *W,
                      double sigma2)
{
    double C[M * (M + 1)], logdet = 0, quadratic = 0;
    for (size_t a = 0; a < m; a++) {
        for (size_t b = 0; b < m; b++) {
            C[a * (m + 1) + b] = a == b ? sigma2 : 0;
            for (size_t k = 0; k < d; k++)
                C[a * (m + 1) + b] += W[a * d + k] * W[b * d + k];
        }
        C[a * (m + 1) + m] = x[a] - mu[a];
    }
    for (size_t p = 0; p < m; p++) {
        const double pivot = C[p * (m + 1) + p];
        logdet += log(pivot);
        quadratic += C[p * (m + 1) + m] * C[p * (m + 1) + m] / pivot;
        for (size_t a = p + 1; a < m; a++) {
            const double factor = C[a * (m + 1) + p] / pivot;
            for (size_t b = p; b <= m; b++)
                C[a * (m + 1) + b] -= factor * C[p * (m + 1) + b];
        }
    }
    return -0.5 * ((double)m * log(2 * acos(-1.0)) + logdet + quadratic);
}

static void test_density(void **state)
{
    (void)state;
    enum { d = 3 };
    double X[N * M], L[d * d], Z[N * d], logp[N], fitted[N * M];
    fill(X, N, M);
    const peri_rows rows = {X, PERI_F64, N, M};
    struct fit f;
    fit(&rows, d, COVARIANCE, &f);
    double *work = malloc(sizeof(double) * (PERI_PPCA_PROJECT_BLOCK * (2 * M + d) + M * d));
    peri_facts facts;
    assert_int_equal(peri_ppca_factor(M, d, f.W, f.sigma2, L, &facts), PERI_OK);
    assert_int_equal(
        peri_ppca_project(&rows, f.mean, f.W, L, d, f.sigma2, Z, logp, fitted, work, &facts),
        PERI_OK);
    for (size_t i = 0; i < N; i++) {
        assert_near(logp[i], density(M, d, X + i * M, f.mean, f.W, f.sigma2), 1e-10);
        for (size_t j = 0; j < M; j++) {
            double x = f.mean[j];
            for (size_t k = 0; k < d; k++)
                x += f.W[j * d + k] * Z[i * d + k];
            assert_near(x, fitted[i * M + j], 1e-11);
        }
    }
    /* Without gaps the row-by-row way gives the same. */
    double *row_work = malloc(sizeof(double) * peri_ppca_row_work(M, d)), Z2[N * d], logp2[N];
    assert_int_equal(peri_ppca_project_missing(&rows, f.mean, f.W, d, f.sigma2, Z2, logp2, NULL,
                                               NULL, row_work, &facts),
                     PERI_OK);
    for (size_t i = 0; i < N; i++)
        assert_near(logp[i], logp2[i], 1e-10);
    /* With a gap it is the density of the rest: of features 1..M-1 here. */
    double kept[N * M], W_rest[M * d];
    memcpy(kept, X, sizeof X);
    for (size_t i = 0; i < N; i++)
        X[i * M] = NAN;
    memcpy(W_rest, f.W + d, sizeof(double) * (M - 1) * d);
    assert_int_equal(peri_ppca_project_missing(&rows, f.mean, f.W, d, f.sigma2, Z2, logp2, NULL,
                                               NULL, row_work, &facts),
                     PERI_OK);
    for (size_t i = 0; i < N; i++)
        assert_near(logp2[i], density(M - 1, d, kept + i * M + 1, f.mean + 1, W_rest, f.sigma2),
                    1e-10);
    free(work);
    free(row_work);
}

/* From a start away from it, EM climbs, never falls, and ends at the closed form. */
static void test_em(void **state)
{
    (void)state;
    enum { d = 2 };
    double X[N * M], mu[M] = {0}, W[M * d], sigma2 = 1;
    fill(X, N, M);
    const peri_rows rows = {X, PERI_F64, N, M};
    struct fit f;
    fit(&rows, d, COVARIANCE, &f);
    uint64_t seed = 77;
    for (size_t k = 0; k < M * d; k++)
        W[k] = next(&seed);
    double *work = malloc(sizeof(double) * peri_ppca_em_work(M, d)), last = -INFINITY;
    for (int step = 0; step < 3000; step++) {
        double loglik;
        peri_facts facts;
        assert_int_equal(peri_ppca_em(&rows, d, mu, W, &sigma2, &loglik, work, NULL, &facts),
                         PERI_OK);
        assert_true(loglik >= last - 1e-9 * fabs(loglik));
        last = loglik;
    }
    assert_near(sigma2, f.sigma2, 1e-8 * f.sigma2);
    for (size_t a = 0; a < M; a++) {
        assert_near(mu[a], f.mean[a], 1e-8);
        for (size_t b = 0; b < M; b++) {
            double em = 0, closed = 0;
            for (size_t k = 0; k < d; k++) {
                em += W[a * d + k] * W[b * d + k];
                closed += f.W[a * d + k] * f.W[b * d + k];
            }
            assert_near(em, closed, 1e-7);
        }
    }
    free(work);
}

static void test_refusals(void **state)
{
    (void)state;
    double X[N * M], mean[M], count[M], means[M];
    fill(X, N, M);
    X[3 * M + 5] = INFINITY;
    const peri_rows rows = {X, PERI_F64, N, M};
    peri_facts facts;
    assert_int_equal(peri_ppca_mean(&rows, mean, &facts), PERI_ERR_NONFINITE);
    assert_int_equal(facts.index[0], 3);
    assert_int_equal(facts.index[1], 5);
    for (size_t i = 0; i < N; i++)
        X[i * M + 5] = NAN;
    assert_int_equal(peri_ppca_observed(&rows, count, means, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 5);

    size_t largest;
    const double values[5] = {4, 2, 1, 1e-17, 0};
    assert_false(peri_ppca_has_noise(5, 3, values, &largest));
    assert_int_equal(largest, 2);
    assert_true(peri_ppca_has_noise(5, 2, values, &largest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eigenpairs), cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_density),    cmocka_unit_test(test_em),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
