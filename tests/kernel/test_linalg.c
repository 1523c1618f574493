/* SPDX-License-Identifier: MIT
 *
 * Decompositions by LAPACK's own test ratios, residual / (n eps |A|), below 30; and what LAPACK
 * cannot be asked: elements that are not finite (some routines never return), extremes, sizes.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/linalg.h"
#include "levels.h"

static uint64_t seed = 4711;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-52 - 1;
}

/* A matrix in both dtypes' shape: raw is what the kernel reads, x the same numbers in double. */
typedef struct {
    size_t m, n;
    int dtype;
    void *raw;
    double *x;
} matrix;

static matrix make(int dtype, size_t m, size_t n)
{
    matrix a = {m, n, dtype, calloc(m * n + 1, 8), calloc(m * n + 1, 8)};
    return a;
}

static void sync_raw(matrix *a)
{
    for (size_t i = 0; i < a->m * a->n; i++)
        if (a->dtype == PERI_F32)
            a->x[i] = (double)(((float *)a->raw)[i] = (float)a->x[i]);
        else
            ((double *)a->raw)[i] = a->x[i];
}

static void sync_x(matrix *a)
{
    for (size_t i = 0; i < a->m * a->n; i++)
        a->x[i] = a->dtype == PERI_F32 ? (double)((float *)a->raw)[i] : ((double *)a->raw)[i];
}

static matrix random_matrix(int dtype, size_t m, size_t n)
{
    matrix a = make(dtype, m, n);
    for (size_t i = 0; i < m * n; i++)
        a.x[i] = uniform();
    sync_raw(&a);
    return a;
}

static void drop(matrix *a)
{
    free(a->raw), free(a->x);
}

static void *room(peri_linalg_op op, int dtype, size_t m, size_t n)
{
    return aligned_alloc(64, (peri_linalg_work(op, dtype, m, n) + 64) / 64 * 64);
}

static double eps_of(int dtype)
{
    return dtype == PERI_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

static double largest(const matrix *a)
{
    double most = 0;
    for (size_t i = 0; i < a->m * a->n; i++)
        most = fmax(most, fabs(a->x[i]));
    return most;
}

/* The largest element of A B - C, each optionally transposed, over (k eps |A| |B|). */
static double ratio(const matrix *A, bool ta, const matrix *B, bool tb, const matrix *C)
{
    const size_t m = ta ? A->n : A->m, k = ta ? A->m : A->n, n = tb ? B->m : B->n;
    double worst = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (ta ? A->x[l * A->n + i] : A->x[i * A->n + l]) *
                       (tb ? B->x[j * B->n + l] : B->x[l * B->n + j]);
            worst = fmax(worst, fabs(sum - (C != NULL ? C->x[i * n + j] : i == j)));
        }
    const double scale = largest(A) * largest(B);
    return worst / ((double)(k > m ? k : m) * eps_of(A->dtype) * (scale > 0 ? scale : 1));
}

static const size_t sizes[] = {1, 2, 3, 7, 10, 33, 100, 161};
enum { NSIZES = sizeof sizes / sizeof *sizes };

static void lu(void **state)
{
    (void)state;
    peri_facts facts;
    for (int dtype = 0; dtype < 2; dtype++)
        for (size_t s = 0; s < NSIZES; s++)
            for (size_t p = 0; p < 4; p += 1 + p) {
                const size_t n = sizes[s];
                matrix A = random_matrix(dtype, n, n), B = random_matrix(dtype, n, p);
                matrix X = make(dtype, n, p), I = make(dtype, n, n);
                double condition, exact, sign, logdet, det;
                void *work = room(PERI_LINALG_SOLVE, dtype, n, n);
                assert_int_equal(
                    peri_linalg_solve(dtype, n, p, A.raw, B.raw, X.raw, &condition, work, &facts),
                    PERI_OK);
                sync_x(&X);
                assert_true(p == 0 || ratio(&A, false, &X, false, &B) < 30);
                free(work);
                work = room(PERI_LINALG_INV, dtype, n, n);
                assert_int_equal(peri_linalg_inv(dtype, n, A.raw, I.raw, &exact, work, &facts),
                                 PERI_OK);
                sync_x(&I);
                assert_true(ratio(&A, false, &I, false, NULL) < 30);
                assert_true(condition <= exact * 1.001 && condition >= exact / (10 * (double)n));
                free(work);
                work = room(PERI_LINALG_DET, dtype, n, n);
                assert_int_equal(
                    peri_linalg_det(dtype, n, A.raw, &sign, &logdet, &det, work, &facts), PERI_OK);
                assert_true(fabs(det - sign * exp(logdet)) <= 1e-12 * fabs(det));
                if (n == 2) {
                    const double want = A.x[0] * A.x[3] - A.x[1] * A.x[2];
                    assert_true(fabs(det - want) < 8 * eps_of(dtype));
                }
                if (n == 3) {
                    const double *a = A.x;
                    const double want = a[0] * (a[4] * a[8] - a[5] * a[7]) -
                                        a[1] * (a[3] * a[8] - a[5] * a[6]) +
                                        a[2] * (a[3] * a[7] - a[4] * a[6]);
                    assert_true(fabs(det - want) < 16 * eps_of(dtype));
                }
                free(work);
                drop(&A), drop(&B), drop(&X), drop(&I);
            }
}

/* Hilbert matrices, whose condition is known to grow from 19 to over 1e12, are told by it. */
static void ill_conditions(void **state)
{
    (void)state;
    static const double known[] = {27, 748, 28375, 943656, 2.9e7, 9.85e8, 3.38e10, 1.1e12, 3.54e13};
    peri_facts facts;
    for (size_t n = 2; n <= 10; n++)
        for (size_t p = 1; p <= 9; p += 8) {
            double A[100], B[100], X[100], condition;
            for (size_t i = 0; i < n; i++) {
                for (size_t j = 0; j < n; j++)
                    A[i * n + j] = 1 / (double)(i + j + 1);
                for (size_t j = 0; j < p; j++)
                    B[i * p + j] = (double)(i + j);
            }
            void *work = room(PERI_LINALG_SOLVE, PERI_F64, n, n);
            assert_int_equal(peri_linalg_solve(PERI_F64, n, p, A, B, X, &condition, work, &facts),
                             PERI_OK);
            assert_true(condition < 1.01 * known[n - 2]);
            assert_true(condition > known[n - 2] / (known[n - 2] > 1e8 ? 3 : 10));
            free(work);
        }
}

static void cholesky_and_triangles(void **state)
{
    (void)state;
    peri_facts facts;
    for (int dtype = 0; dtype < 2; dtype++)
        for (size_t s = 0; s < NSIZES; s++) {
            const size_t n = sizes[s];
            matrix G = random_matrix(dtype, n, n), A = make(dtype, n, n), L = make(dtype, n, n);
            matrix B = random_matrix(dtype, n, 2), X = make(dtype, n, 2);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    for (size_t l = 0; l < n; l++)
                        A.x[i * n + j] += G.x[i * n + l] * G.x[j * n + l];
                    A.x[i * n + j] += i == j;
                }
            sync_raw(&A);
            for (size_t i = 0; i < n; i++) /* what is above the diagonal does not count */
                for (size_t j = i + 1; j < n && dtype == PERI_F64; j++)
                    ((double *)A.raw)[i * n + j] = 99;
            assert_int_equal(peri_linalg_cholesky(dtype, n, A.raw, L.raw, &facts), PERI_OK);
            sync_x(&L);
            assert_true(ratio(&L, false, &L, true, &A) < 30);
            for (size_t i = 0; i < n; i++)
                for (size_t j = i + 1; j < n; j++)
                    assert_true(L.x[i * n + j] == 0);
            for (int transpose = 0; transpose < 2; transpose++)
                for (size_t p = 1; p <= 2; p++) {
                    matrix b = {n, p, dtype, B.raw, B.x}, x = {n, p, dtype, X.raw, X.x};
                    assert_int_equal(peri_linalg_triangular(dtype, n, p, L.raw, true, transpose,
                                                            false, B.raw, X.raw, &facts),
                                     PERI_OK);
                    sync_x(&x);
                    assert_true(ratio(&L, transpose, &x, false, &b) < 30);
                }
            /* the unit upper triangle of G */
            assert_int_equal(peri_linalg_triangular(dtype, n, 2, G.raw, false, false, true, B.raw,
                                                    X.raw, &facts),
                             PERI_OK);
            sync_x(&X);
            if (n <= 3) {
                matrix T = make(dtype, n, n);
                for (size_t i = 0; i < n; i++)
                    for (size_t j = i; j < n; j++)
                        T.x[i * n + j] = i == j ? 1 : G.x[i * n + j];
                assert_true(ratio(&T, false, &X, false, &B) < 30);
                drop(&T);
            }
            drop(&G), drop(&A), drop(&L), drop(&B), drop(&X);
        }
}

static void qr_and_svd(void **state)
{
    (void)state;
    peri_facts facts;
    for (int dtype = 0; dtype < 2; dtype++)
        for (size_t s = 0; s < NSIZES; s++)
            for (size_t t = 0; t < NSIZES; t++) {
                const size_t m = sizes[s], n = sizes[t], k = m < n ? m : n;
                matrix A = random_matrix(dtype, m, n), Q = make(dtype, m, k);
                matrix R = make(dtype, k, n), S = make(dtype, k, 1);
                void *work = room(PERI_LINALG_QR, dtype, m, n);
                assert_int_equal(peri_linalg_qr(dtype, m, n, A.raw, Q.raw, R.raw, work, &facts),
                                 PERI_OK);
                sync_x(&Q), sync_x(&R);
                assert_true(ratio(&Q, false, &R, false, &A) < 30);
                assert_true(ratio(&Q, true, &Q, false, NULL) < 30);
                for (size_t i = 0; i < k; i++)
                    for (size_t j = 0; j < i; j++)
                        assert_true(R.x[i * n + j] == 0);
                free(work);
                work = room(PERI_LINALG_SVD, dtype, m, n);
                assert_int_equal(
                    peri_linalg_svd(dtype, m, n, A.raw, Q.raw, S.raw, R.raw, work, &facts),
                    PERI_OK);
                free(work);
                sync_x(&Q), sync_x(&R), sync_x(&S);
                assert_true(ratio(&Q, true, &Q, false, NULL) < 30);
                assert_true(ratio(&R, false, &R, true, NULL) < 30);
                for (size_t i = 0; i < k; i++) {
                    assert_true(S.x[i] >= 0 && (i == 0 || S.x[i] <= S.x[i - 1]));
                    for (size_t j = 0; j < n; j++)
                        R.x[i * n + j] *= S.x[i];
                }
                assert_true(ratio(&Q, false, &R, false, &A) < 30);
                double *values = calloc(k, 8);
                work = room(PERI_LINALG_VALUES, dtype, m, n);
                assert_int_equal(peri_linalg_values(dtype, m, n, A.raw, values, work, &facts),
                                 PERI_OK);
                for (size_t i = 0; i < k; i++)
                    assert_true(fabs(values[i] - S.x[i]) < 30 * eps_of(dtype) * values[0]);
                free(work), free(values);
                /* A P A = A */
                matrix P = make(dtype, n, m), AP = make(dtype, m, m);
                size_t rank;
                work = room(PERI_LINALG_PINV, dtype, m, n);
                assert_int_equal(
                    peri_linalg_pinv(dtype, m, n, A.raw, 1e-6, P.raw, &rank, work, &facts),
                    PERI_OK);
                sync_x(&P);
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < m; j++)
                        for (size_t l = 0; l < n; l++)
                            AP.x[i * m + j] += A.x[i * n + l] * P.x[l * m + j];
                assert_int_equal(rank, k);
                assert_true(ratio(&AP, false, &A, false, &A) <
                            30 * S.x[0] / fmax(S.x[k - 1], 1e-3));
                free(work);
                drop(&P), drop(&AP), drop(&A), drop(&Q), drop(&R), drop(&S);
            }
}

static void eigh(void **state)
{
    (void)state;
    peri_facts facts;
    for (int dtype = 0; dtype < 2; dtype++)
        for (size_t s = 0; s < NSIZES; s++) {
            const size_t n = sizes[s];
            matrix A = random_matrix(dtype, n, n), V = make(dtype, n, n), W = make(dtype, n, 1);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < i; j++)
                    A.x[j * n + i] = A.x[i * n + j]; /* raw keeps noise above the diagonal */
            void *work = room(PERI_LINALG_EIGH, dtype, n, n);
            assert_int_equal(peri_linalg_eigh(dtype, n, A.raw, W.raw, V.raw, work, &facts),
                             PERI_OK);
            sync_x(&V), sync_x(&W);
            assert_true(ratio(&V, true, &V, false, NULL) < 30);
            matrix VW = make(dtype, n, n);
            for (size_t i = 0; i < n * n; i++)
                VW.x[i] = V.x[i] * W.x[i % n];
            assert_true(ratio(&A, false, &V, false, &VW) < 30);
            for (size_t i = 1; i < n; i++)
                assert_true(W.x[i] >= W.x[i - 1]);
            free(work);
            drop(&A), drop(&V), drop(&W), drop(&VW);
        }
}

/* Each function on a 6 x 6 (or 6 x 4) matrix with one bad element, at each place. */
static void one_bad_element(void **state)
{
    (void)state;
    static const double bad[] = {INFINITY, -INFINITY, NAN};
    enum { N = 6 };
    double A[N * N], out[N * N], R[N * N], w[N], condition, sign, logdet, det;
    size_t rank;
    peri_facts facts;
    void *work = malloc(1 << 20);
    for (int op = 0; op < 11; op++)
        for (int at = 0; at < N * N; at++) {
            for (int i = 0; i < N; i++)
                for (int j = 0; j <= i; j++)
                    A[i * N + j] = A[j * N + i] = i == j ? 9 + uniform() : uniform();
            float F[N * N];
            A[at] = bad[at % 3];
            for (int i = 0; i < N * N; i++)
                F[i] = (float)A[i];
            for (int dtype = 0; dtype < 2; dtype++) {
                const void *a = dtype == PERI_F32 ? (const void *)F : A;
                double good[N] = {1, 2, 3, 4, 5, 6};
                peri_status status = PERI_OK;
                facts = (peri_facts){0};
                switch (op) {
                case 0:
                    status = peri_linalg_solve(dtype, N, 1, a, good, out, &condition, work, &facts);
                    break;
                case 1:
                    status = peri_linalg_inv(dtype, N, a, out, &condition, work, &facts);
                    break;
                case 2:
                    status = peri_linalg_det(dtype, N, a, &sign, &logdet, &det, work, &facts);
                    break;
                case 3:
                    status = peri_linalg_cholesky(dtype, N, a, out, &facts);
                    break;
                case 4:
                    status = peri_linalg_qr(dtype, N, N, a, out, R, work, &facts);
                    break;
                case 5:
                    status = peri_linalg_svd(dtype, N, N, a, out, w, R, work, &facts);
                    break;
                case 6:
                    status = peri_linalg_values(dtype, N, N, a, w, work, &facts);
                    break;
                case 7:
                    status = peri_linalg_pinv(dtype, N, N, a, 1e-15, out, &rank, work, &facts);
                    break;
                case 8:
                    status = peri_linalg_eigh(dtype, N, a, w, out, work, &facts);
                    break;
                case 9:
                    status = peri_linalg_triangular(dtype, N, 1, a, true, false, false, good, out,
                                                    &facts);
                    break;
                case 10:
                    status = peri_linalg_svd(dtype, N * N / 4, 4, a, out, w, R, work, &facts);
                    break;
                }
                const int cols = op == 10 ? 4 : N;
                if (op == 9 && at % N > at / N) { /* in the triangle that is not read */
                    assert_int_equal(status, PERI_OK);
                    continue;
                }
                assert_int_equal(status, PERI_ERR_NONFINITE);
                assert_string_equal(facts.arg, "A");
                assert_int_equal(facts.index[0], at / cols);
                assert_int_equal(facts.index[1], at % cols);
            }
        }
    double good[4] = {2, 1, 1, 3}, b[2] = {1, NAN};
    assert_int_equal(peri_linalg_solve(PERI_F64, 2, 1, good, b, out, &condition, work, &facts),
                     PERI_ERR_NONFINITE);
    assert_string_equal(facts.arg, "B");
    assert_int_equal(facts.index[0], 1);
    assert_int_equal(
        peri_linalg_triangular(PERI_F64, 2, 1, good, true, false, false, b, out, &facts),
        PERI_ERR_NONFINITE);
    free(work);
}

/* Elements near the ends of the range: the same answers as for the matrix times a power of 2. */
static void extremes(void **state)
{
    (void)state;
    enum { N = 5 };
    peri_facts facts;
    void *work = malloc(1 << 20);
    for (int dtype = 0; dtype < 2; dtype++)
        for (int sign = -1; sign <= 1; sign += 2) {
            const int power = sign * (dtype == PERI_F32 ? 124 : 1020);
            const double up = ldexp(1, power / 2);
            matrix A = random_matrix(dtype, N, N), H = make(dtype, N, N);
            /* not symmetric for solve and det; eigh and cholesky read the lower triangle */
            for (int i = 0; i < N; i++)
                A.x[i * N + i] += 4;
            sync_raw(&A);
            for (int i = 0; i < N * N; i++)
                H.x[i] = A.x[i] * up * up / 8;
            sync_raw(&H);
            matrix b = random_matrix(dtype, N, 1), x = make(dtype, N, 1), y = make(dtype, N, 1);
            matrix U = make(dtype, N, N), V = make(dtype, N, N);
            double c1, c2, d1, d2, s1, s2, det;
            const double tolerance = 100 * eps_of(dtype);
            assert_int_equal(peri_linalg_solve(dtype, N, 1, A.raw, b.raw, x.raw, &c1, work, &facts),
                             PERI_OK);
            assert_int_equal(peri_linalg_solve(dtype, N, 1, H.raw, b.raw, y.raw, &c2, work, &facts),
                             PERI_OK);
            sync_x(&x), sync_x(&y);
            assert_true(fabs(c1 / c2 - 1) < tolerance);
            if (sign < 0) /* 1/x of the large case is below the range's end */
                for (int i = 0; i < N; i++)
                    assert_true(fabs(y.x[i] * up * up / 8 - x.x[i]) < tolerance || isinf(y.x[i]));
            peri_linalg_det(dtype, N, A.raw, &s1, &d1, &det, work, &facts);
            peri_linalg_det(dtype, N, H.raw, &s2, &d2, &det, work, &facts);
            assert_true(s1 == s2);
            assert_true(fabs(d1 + N * (power - 3) * log(2) - d2) < tolerance * fabs(d2));
            assert_true(det == (sign < 0 ? 0 : INFINITY) || dtype == PERI_F32);
            assert_int_equal(peri_linalg_svd(dtype, N, N, A.raw, U.raw, x.raw, V.raw, work, &facts),
                             PERI_OK);
            assert_int_equal(peri_linalg_svd(dtype, N, N, H.raw, U.raw, y.raw, V.raw, work, &facts),
                             PERI_OK);
            sync_x(&x), sync_x(&y);
            for (int i = 0; i < N; i++)
                assert_true(fabs(y.x[i] / up / up * 8 - x.x[i]) < tolerance * x.x[0]);
            assert_int_equal(peri_linalg_eigh(dtype, N, A.raw, x.raw, V.raw, work, &facts),
                             PERI_OK);
            assert_int_equal(peri_linalg_eigh(dtype, N, H.raw, y.raw, V.raw, work, &facts),
                             PERI_OK);
            sync_x(&x), sync_x(&y);
            for (int i = 0; i < N; i++)
                assert_true(fabs(y.x[i] / up / up * 8 - x.x[i]) < 10 * tolerance);
            assert_int_equal(peri_linalg_qr(dtype, N, N, H.raw, U.raw, V.raw, work, &facts),
                             PERI_OK);
            sync_x(&U);
            assert_true(ratio(&U, true, &U, false, NULL) < 30);
            assert_int_equal(peri_linalg_cholesky(dtype, N, H.raw, V.raw, &facts), PERI_OK);
            sync_x(&V);
            for (int i = 0; i < N * N; i++)
                V.x[i] /= up;
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++)
                    H.x[i * N + j] = A.x[(i > j ? i : j) * N + (i > j ? j : i)] / 8;
            assert_true(ratio(&V, false, &V, true, &H) < 30);
            drop(&A), drop(&H), drop(&b), drop(&x), drop(&y), drop(&U), drop(&V);
        }
    free(work);
}

static void singular_indefinite_empty(void **state)
{
    (void)state;
    peri_facts facts;
    double condition, sign, logdet, det, out[16], w[4];
    void *work = malloc(1 << 20);
    const double S[] = {1.5, 2.5, 3, 5}, I[] = {1, 2, 2, 1}, Z[] = {2, 0, 1, 0}, b[] = {1, 2};
    assert_int_equal(peri_linalg_solve(PERI_F64, 2, 1, S, b, out, &condition, work, &facts),
                     PERI_ERR_SINGULAR);
    assert_string_equal(facts.arg, "A");
    assert_int_equal(peri_linalg_inv(PERI_F64, 2, S, out, &condition, work, &facts),
                     PERI_ERR_SINGULAR);
    assert_int_equal(peri_linalg_det(PERI_F64, 2, S, &sign, &logdet, &det, work, &facts), PERI_OK);
    assert_true(sign == 0 && det == 0 && logdet == -INFINITY);
    assert_int_equal(peri_linalg_cholesky(PERI_F64, 2, I, out, &facts), PERI_ERR_NOT_POSITIVE);
    assert_int_equal(facts.index[0], 1);
    assert_int_equal(peri_linalg_triangular(PERI_F64, 2, 1, Z, true, false, false, b, out, &facts),
                     PERI_ERR_SINGULAR);
    assert_int_equal(facts.index[0], 1);

    assert_int_equal(peri_linalg_solve(PERI_F64, 0, 3, S, b, out, &condition, NULL, &facts),
                     PERI_OK);
    assert_int_equal(peri_linalg_inv(PERI_F64, 0, S, out, &condition, NULL, &facts), PERI_OK);
    assert_int_equal(peri_linalg_det(PERI_F64, 0, S, &sign, &logdet, &det, NULL, &facts), PERI_OK);
    assert_true(sign == 1 && det == 1 && logdet == 0);
    assert_int_equal(peri_linalg_cholesky(PERI_F64, 0, S, out, &facts), PERI_OK);
    assert_int_equal(peri_linalg_qr(PERI_F64, 0, 3, S, out, out, NULL, &facts), PERI_OK);
    assert_int_equal(peri_linalg_svd(PERI_F64, 3, 0, S, out, w, out, NULL, &facts), PERI_OK);
    assert_int_equal(peri_linalg_eigh(PERI_F64, 0, S, w, out, NULL, &facts), PERI_OK);
    assert_int_equal(peri_linalg_triangular(PERI_F64, 0, 0, S, true, false, false, b, out, &facts),
                     PERI_OK);

    /* Sizes LAPACK cannot count: refused before anything is read. */
    const size_t big = (size_t)INT_MAX + 1;
    for (int op = PERI_LINALG_SOLVE; op <= PERI_LINALG_EIGH; op++)
        assert_int_equal(peri_linalg_work((peri_linalg_op)op, PERI_F64, big, big), 0);
    assert_int_equal(
        peri_linalg_solve(PERI_F64, big, 1, NULL, NULL, NULL, &condition, NULL, &facts),
        PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_inv(PERI_F64, big, NULL, NULL, &condition, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_det(PERI_F64, big, NULL, &sign, &logdet, &det, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_cholesky(PERI_F64, big, NULL, NULL, &facts), PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_qr(PERI_F64, big, 2, NULL, NULL, NULL, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_svd(PERI_F64, 2, big, NULL, NULL, NULL, NULL, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_linalg_eigh(PERI_F64, big, NULL, NULL, NULL, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    /* 2 n^2 over INT_MAX: eigh's own workspace cannot be counted. */
    assert_int_equal(peri_linalg_eigh(PERI_F64, 40000, NULL, NULL, NULL, NULL, &facts),
                     PERI_ERR_TOO_LARGE);
    free(work);
}

static void norms(void **state)
{
    (void)state;
    const double A[] = {1, -2, 3, -4, 5, -6};
    assert_true(fabs(peri_linalg_norm(PERI_F64, 2, 3, A, PERI_NORM_FROBENIUS) - sqrt(91)) < 1e-15);
    assert_true(peri_linalg_norm(PERI_F64, 2, 3, A, PERI_NORM_ONE) == 9);
    assert_true(peri_linalg_norm(PERI_F64, 2, 3, A, PERI_NORM_MINUS_ONE) == 5);
    assert_true(peri_linalg_norm(PERI_F64, 2, 3, A, PERI_NORM_INF) == 15);
    assert_true(peri_linalg_norm(PERI_F64, 2, 3, A, PERI_NORM_MINUS_INF) == 6);
    assert_true(peri_linalg_vector_norm(PERI_F64, 6, A, 0) == 6);
    assert_true(peri_linalg_vector_norm(PERI_F64, 6, A, 1) == 21);
    assert_true(peri_linalg_vector_norm(PERI_F64, 6, A, INFINITY) == 6);
    assert_true(peri_linalg_vector_norm(PERI_F64, 6, A, -INFINITY) == 1);
    assert_true(fabs(peri_linalg_vector_norm(PERI_F64, 6, A, 3) - cbrt(441)) < 4e-15);
    const double huge[] = {3e300, -4e300}, inf[] = {1, INFINITY}, nan[] = {1, NAN};
    assert_true(fabs(peri_linalg_vector_norm(PERI_F64, 2, huge, 2) / 5e300 - 1) < 1e-15);
    assert_true(fabs(peri_linalg_norm(PERI_F64, 2, 1, huge, PERI_NORM_FROBENIUS) / 5e300 - 1) <
                1e-15);
    assert_true(peri_linalg_norm(PERI_F64, 1, 2, inf, PERI_NORM_FROBENIUS) == INFINITY);
    assert_true(isnan(peri_linalg_norm(PERI_F64, 1, 2, nan, PERI_NORM_FROBENIUS)));
    assert_true(isnan(peri_linalg_norm(PERI_F64, 1, 2, nan, PERI_NORM_ONE)));
    assert_true(peri_linalg_vector_norm(PERI_F64, 2, inf, -1) == 1);
    assert_true(peri_linalg_norm(PERI_F64, 0, 2, inf, PERI_NORM_ONE) == 0);
}

/* What machines with shorter registers do. */
static void shorter_registers(void **state)
{
    for (int level = PERI_ISA_BASE; level < PERI_ISA_AVX512; level++) {
        if (!use_level(level))
            continue;
        lu(state);
        cholesky_and_triangles(state);
        qr_and_svd(state);
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lu),
                                       cmocka_unit_test(ill_conditions),
                                       cmocka_unit_test(cholesky_and_triangles),
                                       cmocka_unit_test(qr_and_svd),
                                       cmocka_unit_test(eigh),
                                       cmocka_unit_test(one_bad_element),
                                       cmocka_unit_test(extremes),
                                       cmocka_unit_test(singular_indefinite_empty),
                                       cmocka_unit_test(norms),
                                       cmocka_unit_test(shorter_registers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
