/* SPDX-License-Identifier: MIT
 *
 * Least squares: NIST's certified digits, the conditions that make x the answer (residual
 * orthogonal to the columns, x orthogonal to the null space), rank, bad input, streams; and the QR
 * by blocks of rows behind it.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/lstsq.h"
#include "kernel/pool.h"
#include "kernel/tsqr.h"
#include "nist.h"

static uint64_t seed = 9371;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-52 - 1;
}

static double *random_matrix(size_t m, size_t n)
{
    double *a = malloc((m * n + 1) * sizeof *a);
    for (size_t i = 0; i < m * n; i++)
        a[i] = uniform();
    return a;
}

typedef struct {
    peri_lstsq_result r;
    peri_facts facts;
    peri_status status;
} solution;

static void *room(size_t bytes)
{
    return aligned_alloc(64, (bytes + 64) / 64 * 64);
}

static solution solve(size_t m, size_t n, size_t p, const double *A, const double *B)
{
    solution s = {0};
    s.r.x = calloc(n * p + 1, 8);
    s.r.residual = calloc(m * p + 1, 8);
    s.r.rss = calloc(p + 1, 8);
    s.r.s = calloc((m < n ? m : n) + 1, 8);
    s.r.root = calloc(n * n + 1, 8);
    void *work = room(peri_lstsq_work(m, n, p));
    s.status = peri_lstsq(m, n, p, A, B, DBL_EPSILON, &s.r, work, NULL, &s.facts);
    free(work);
    return s;
}

static void drop(solution *s)
{
    free(s->r.x), free(s->r.residual), free(s->r.rss), free(s->r.s), free(s->r.root);
}

static double digits(double got, double wanted)
{
    const double error = wanted == 0 ? fabs(got) : fabs(got - wanted) / fabs(wanted);
    return error < 1e-15 ? 15 : -log10(error);
}

static double deviation(const solution *s, size_t n, size_t j)
{
    double sum = 0;
    for (size_t l = 0; l < n; l++)
        sum += s->r.root[j * n + l] * s->r.root[j * n + l];
    return sqrt(sum);
}

static void nist_digits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nist_sets / sizeof *nist_sets; i++) {
        const struct nist_set *set = &nist_sets[i];
        const size_t m = set->rows, n = (set->degree > 0 ? (size_t)set->degree : set->predictors) +
                                        (size_t)set->intercept;
        double *A = malloc(m * n * 8), *y = malloc(m * 8);
        for (size_t r = 0; r < m; r++) {
            const double *row = set->data + r * (set->predictors + 1);
            size_t at = 0;
            y[r] = row[0];
            if (set->intercept)
                A[r * n + at++] = 1;
            for (int d = 1; d <= set->degree; d++)
                A[r * n + at++] = (double)powl((long double)row[1], d);
            for (size_t j = 0; j < set->predictors && set->degree == 0; j++)
                A[r * n + at++] = row[1 + j];
        }
        solution s = solve(m, n, 1, A, y);
        assert_int_equal(s.status, PERI_OK);
        assert_int_equal(s.r.rank, n);
        double worst = 15, worst_deviation = 15;
        const double sd = sqrt(s.r.rss[0] / (double)(m - n));
        for (size_t j = 0; j < n; j++) {
            worst = fmin(worst, digits(s.r.x[j], set->coefficient[j]));
            worst_deviation =
                fmin(worst_deviation, digits(sd * deviation(&s, n, j), set->deviation[j]));
        }
        printf("%-9s coefficients %.1f, their deviations %.1f, residual's %.1f, corrections %d\n",
               set->name, worst, worst_deviation, digits(sd, set->residual_deviation), s.r.steps);
        assert_true(worst >= set->digits);
        /* Filip's condition takes 10 of the 16 digits that R^-1 could have */
        assert_true(worst_deviation >= (strcmp(set->name, "Filip") == 0 ? 5 : 7));
        assert_true(digits(sd, set->residual_deviation) >= 7);
        drop(&s);
        free(A), free(y);
    }
}

/* A^T (B - A x) = 0 and, where x is not unique, x in the row space. */
static void answers_are_least_squares(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1},     {7, 3, 1},     {8, 8, 2},      {9, 8, 1},
                                      {30, 17, 3},   {3000, 9, 2},  {5000, 100, 1}, {400, 200, 3},
                                      {200, 300, 2}, {20000, 7, 1}, {3, 7, 1},      {40, 900, 2},
                                      {1, 5, 1},     {5, 1, 3},     {7, 20000, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t m = sizes[i][0], n = sizes[i][1], p = sizes[i][2];
        double *A = random_matrix(m, n), *B = random_matrix(m, p);
        solution s = solve(m, n, p, A, B);
        assert_int_equal(s.status, PERI_OK);
        assert_int_equal(s.r.rank, m < n ? m : n);
        for (size_t q = 0; q < p; q++) {
            for (size_t j = 0; j < n; j++) {
                double dot = 0, scale = 0;
                for (size_t r = 0; r < m; r++) {
                    dot += A[r * n + j] * s.r.residual[r * p + q];
                    scale += fabs(A[r * n + j] * B[r * p + q]);
                }
                assert_true(fabs(dot) <= 8 * DBL_EPSILON * (scale + 1));
            }
            for (size_t r = 0; r < m; r++) {
                double f = B[r * p + q];
                for (size_t j = 0; j < n; j++)
                    f -= A[r * n + j] * s.r.x[j * p + q];
                assert_true(fabs(f - s.r.residual[r * p + q]) < 1e-12);
            }
        }
        drop(&s);
        free(A), free(B);
    }
}

/* A = U diag(s) V^T is not at hand without a solver, so dependence is built from columns: the
 * least-norm solution of two equal columns shares the weight between them. */
static void lost_rank_is_told(void **state)
{
    (void)state;
    const size_t m = 50, n = 4;
    double *A = random_matrix(m, n), *B = random_matrix(m, 1), *C = malloc(m * 3 * 8);
    for (size_t i = 0; i < m; i++) {
        A[i * n + 3] = A[i * n + 1];
        memcpy(C + i * 3, A + i * n, 3 * 8);
    }
    solution s = solve(m, n, 1, A, B), t = solve(m, 3, 1, C, B);
    assert_int_equal(s.r.rank, 3);
    assert_true(s.r.s[3] < 1e-14 * s.r.s[0]);
    assert_true(fabs(s.r.x[0] - t.r.x[0]) < 1e-14);
    assert_true(fabs(s.r.x[1] - t.r.x[1] / 2) < 1e-14);
    assert_true(fabs(s.r.x[3] - t.r.x[1] / 2) < 1e-14);
    assert_true(fabs(s.r.rss[0] - t.r.rss[0]) < 1e-13);
    /* the spread of a halved coefficient is half that of the whole */
    assert_true(fabs(deviation(&s, n, 3) - deviation(&t, 3, 1) / 2) < 1e-14);
    drop(&s), drop(&t);

    /* Rows lost too: 3 equations, of which two say the same. */
    double W[] = {1.5, 2.25, -3.5, 4, 0.5, 2.5, 1.25, -1, 1.5, 2.25, -3.5, 4}, b[] = {2, 3, 2};
    s = solve(3, 4, 1, W, b);
    t = solve(2, 4, 1, W, b);
    assert_int_equal(s.r.rank, 2);
    assert_int_equal(t.r.rank, 2);
    for (int j = 0; j < 4; j++)
        assert_true(fabs(s.r.x[j] - t.r.x[j]) < 1e-14);
    assert_true(s.r.rss[0] < 1e-28);
    drop(&s), drop(&t);

    /* A column of zeros gets weight 0; all zeros have rank 0. */
    for (size_t i = 0; i < m; i++)
        A[i * n + 2] = 0;
    s = solve(m, n, 1, A, B);
    assert_int_equal(s.r.rank, 2);
    assert_true(s.r.x[2] == 0);
    drop(&s);
    memset(A, 0, m * n * 8);
    s = solve(m, n, 1, A, B);
    assert_int_equal(s.r.rank, 0);
    for (size_t j = 0; j < n; j++)
        assert_true(s.r.x[j] == 0);
    drop(&s);
    free(A), free(B), free(C);
}

/* Columns of very different size are no lost rank; x follows exactly. */
static void scale_does_not_matter(void **state)
{
    (void)state;
    const size_t m = 60, n = 5;
    double *A = random_matrix(m, n), *B = random_matrix(m, 1), *S = malloc(m * n * 8);
    static const int powers[][5] = {{0, 300, -300, 12, -40}, {1000, 0, -900, 3, 2}};
    solution s = solve(m, n, 1, A, B);
    for (int c = 0; c < 2; c++) {
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                S[i * n + j] = ldexp(A[i * n + j], powers[c][j]);
        solution t = solve(m, n, 1, S, B);
        assert_int_equal(t.status, PERI_OK);
        assert_int_equal(t.r.rank, n);
        for (size_t j = 0; j < n; j++)
            assert_true(fabs(ldexp(t.r.x[j], powers[c][j]) - s.r.x[j]) <= 1e-14 * fabs(s.r.x[j]));
        drop(&t);
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            S[i * n + j] = A[i * n + j] * 0x1p1023;
        B[i] *= 0x1p1023;
    }
    solution t = solve(m, n, 1, S, B);
    assert_int_equal(t.status, PERI_OK);
    for (size_t j = 0; j < n; j++)
        assert_true(fabs(t.r.x[j] - s.r.x[j]) <= 1e-13 * fabs(s.r.x[j]));
    drop(&s), drop(&t);
    free(A), free(B), free(S);
}

static void bad_input(void **state)
{
    (void)state;
    double *A = random_matrix(2000, 5), *B = random_matrix(2000, 2);
    A[1500 * 5 + 3] = INFINITY;
    solution s = solve(2000, 5, 2, A, B);
    assert_int_equal(s.status, PERI_ERR_NONFINITE);
    assert_string_equal(s.facts.arg, "X");
    assert_int_equal(s.facts.index[0], 1500);
    assert_int_equal(s.facts.index[1], 3);
    drop(&s);
    s = solve(5, 2000, 2, A, B); /* the same element, seen as (5,2000) */
    assert_int_equal(s.status, PERI_ERR_NONFINITE);
    assert_int_equal(s.facts.index[0], 7503 / 2000);
    assert_int_equal(s.facts.index[1], 7503 % 2000);
    drop(&s);
    A[1500 * 5 + 3] = 1;
    B[7 * 2 + 1] = NAN;
    for (int wide = 0; wide < 2; wide++) {
        s = solve(wide ? 20 : 2000, wide ? 300 : 5, 2, A, B);
        assert_int_equal(s.status, PERI_ERR_NONFINITE);
        assert_string_equal(s.facts.arg, "y");
        assert_int_equal(s.facts.index[0], 7);
        assert_int_equal(s.facts.index[1], 1);
        drop(&s);
    }
    peri_lstsq_result none = {0};
    peri_facts facts;
    assert_int_equal(
        peri_lstsq((size_t)1 << 31, 1, 1, A, B, DBL_EPSILON, &none, NULL, NULL, &facts),
        PERI_ERR_TOO_LARGE);
    assert_int_equal(peri_lstsq_work((size_t)1 << 31, 1, 1), 0);
    s = solve(0, 3, 1, A, B);
    assert_int_equal(s.status, PERI_OK);
    assert_true(s.r.x[0] == 0 && s.r.rss[0] == 0 && s.r.rank == 0);
    drop(&s);
    for (int wide = 0; wide < 2; wide++) { /* no right side: A is looked at all the same */
        double M[6] = {1, 2, 3, 4, 5, 7};
        s = solve(wide ? 2 : 3, wide ? 3 : 2, 0, M, B);
        assert_int_equal(s.status, PERI_OK);
        assert_true(s.r.rank == 2 && s.r.s[0] > s.r.s[1] && s.r.s[1] > 0.1);
        drop(&s);
    }
    s = solve(3, 0, 1, A, B);
    assert_int_equal(s.status, PERI_OK);
    assert_true(s.r.rss[0] > 0);
    drop(&s);
    free(A), free(B);
}

/* Rows that come in parts give what they give at once. */
static void streams(void **state)
{
    (void)state;
    const size_t m = 2377, n = 6, p = 2, c = n + p;
    double *A = random_matrix(m, n), *B = random_matrix(m, p), *triangle = calloc(c * c, 8);
    peri_facts facts;
    for (size_t at = 0, step = 1; at < m; at += step, step = step * 2 + 3) {
        const size_t rows = m - at < step ? m - at : step;
        void *work = room(peri_lstsq_add_work(rows, n, p));
        assert_int_equal(
            peri_lstsq_add(rows, n, p, A + at * n, B + at * p, triangle, work, NULL, &facts),
            PERI_OK);
        free(work);
    }
    solution s = solve(m, n, p, A, B), t = solve(n, n, p, A, B);
    void *work = room(peri_lstsq_finish_work(n, p));
    assert_int_equal(peri_lstsq_finish(m, n, p, triangle, &t.r, work, &facts), PERI_OK);
    assert_int_equal(t.r.rank, n);
    for (size_t i = 0; i < n * p; i++)
        assert_true(fabs(s.r.x[i] - t.r.x[i]) < 1e-14);
    for (size_t q = 0; q < p; q++)
        assert_true(fabs(s.r.rss[q] - t.r.rss[q]) < 1e-12 * s.r.rss[q]);
    for (size_t j = 0; j < n; j++)
        assert_true(fabs(deviation(&s, n, j) - deviation(&t, n, j)) < 1e-14);
    drop(&s), drop(&t);

    /* A duplicate column: the same least-norm answer and sum of squares. */
    memset(triangle, 0, c * c * 8);
    for (size_t i = 0; i < m; i++)
        A[i * n + 5] = A[i * n];
    free(work);
    work = room(peri_lstsq_add_work(m, n, p));
    assert_int_equal(peri_lstsq_add(m, n, p, A, B, triangle, work, NULL, &facts), PERI_OK);
    free(work);
    s = solve(m, n, p, A, B), t = solve(n, n, p, A, B);
    work = room(peri_lstsq_finish_work(n, p));
    assert_int_equal(peri_lstsq_finish(m, n, p, triangle, &t.r, work, &facts), PERI_OK);
    assert_int_equal(t.r.rank, 5);
    for (size_t i = 0; i < n * p; i++)
        assert_true(fabs(s.r.x[i] - t.r.x[i]) < 1e-13);
    for (size_t q = 0; q < p; q++)
        assert_true(fabs(s.r.rss[q] - t.r.rss[q]) < 1e-12 * s.r.rss[q]);
    drop(&s), drop(&t);
    free(work), free(A), free(B), free(triangle);
}

/* Q^T Q = I, Q R = X, and the bits do not depend on the number of threads. */
static void rows_by_blocks(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{5, 5},     {13, 5},     {1000, 8}, {9000, 100},
                                      {40000, 9}, {30000, 33}, {700, 64}, {30, 29},
                                      {700, 230}, {2500, 161}, {165, 165}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t m = sizes[i][0], n = sizes[i][1];
        double *X = random_matrix(m, n), *colmax = calloc(n, 8), *Q = malloc(m * n * 8);
        const size_t bytes = peri_tsqr_work(m, n, 0, true);
        void *work = room(bytes), *again = room(peri_tsqr_work(m, n, 0, false));
        peri_tsqr f, g;
        peri_facts facts;
        assert_int_equal(
            peri_tsqr_factor(&f, m, n, 0, X, n, NULL, NULL, 0, true, work, colmax, NULL, &facts),
            PERI_OK);
        const int threads = peri_threads(0);
        peri_threads(threads == 1 ? 2 : 1);
        assert_int_equal(
            peri_tsqr_factor(&g, m, n, 0, X, n, NULL, NULL, 0, false, again, colmax, NULL, &facts),
            PERI_OK);
        peri_threads(threads);
        assert_memory_equal(f.r, g.r, n * f.ld * 8);
        /* Q = Q [I; 0], m x n */
        double *top = calloc(n * n, 8);
        memset(Q, 0, m * n * 8);
        for (size_t j = 0; j < n; j++)
            top[j * n + j] = 1;
        void *apply = room(peri_tsqr_apply_work(&f, n));
        peri_tsqr_apply(&f, false, top, Q, n, apply);
        for (size_t j = 0; j < n; j += 3)
            for (size_t k = 0; k <= j; k++) {
                double dot = 0;
                for (size_t r = 0; r < m; r++)
                    dot += Q[r * n + j] * Q[r * n + k];
                if (!(fabs(dot - (j == k)) < 30 * DBL_EPSILON * (sqrt((double)m) + (double)n)))
                    fail_msg("(%zu,%zu): columns %zu and %zu of Q have product %g", m, n, j, k,
                             dot);
            }
        for (size_t r = 0; r < m; r += 7)
            for (size_t j = 0; j < n; j++) {
                double x = 0;
                for (size_t k = 0; k <= j; k++)
                    x += Q[r * n + k] * f.r[k * f.ld + j];
                assert_true(fabs(x - X[r * n + j]) < 30 * DBL_EPSILON * (double)n);
            }
        peri_tsqr_apply(&f, true, top, Q, n, apply); /* and back to [I; 0] */
        for (size_t j = 0; j < n * n; j++)
            assert_true(fabs(top[j] - (j % (n + 1) == 0)) < 1e-13);
        free(X), free(colmax), free(Q), free(work), free(again), free(top), free(apply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_by_blocks),
                                       cmocka_unit_test(nist_digits),
                                       cmocka_unit_test(answers_are_least_squares),
                                       cmocka_unit_test(lost_rank_is_told),
                                       cmocka_unit_test(scale_does_not_matter),
                                       cmocka_unit_test(bad_input),
                                       cmocka_unit_test(streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
