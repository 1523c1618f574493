/* SPDX-License-Identifier: MIT
 *
 * Tables against their definition: dense tables are made here by counting, and the compact form
 * has to behave as they do; images are NumPy's, bit for bit (tests/golden/numpy_cpt.txt, made by
 * the program beside it).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpt.h"

typedef struct {
    peri_cpt m;
    double stored;
    uint64_t *rows;
    double *counts;
    peri_cpt_node *nodes;
} compact;

static peri_status grow(compact *c, const double *X, size_t n, size_t d, const double *weights,
                        double alpha, peri_facts *facts)
{
    const size_t W = peri_cpt_words(d), shape[] = {n, d};
    const ptrdiff_t stride[] = {(ptrdiff_t)d, 1};
    const peri_view view = {(void *)(uintptr_t)X, PERI_F64, 2, shape, stride};
    memset(c, 0, sizeof *c);
    c->rows = malloc(n * W * 8);
    c->counts = malloc(n * 8);
    c->nodes = malloc((2 * n - 1) * sizeof *c->nodes);
    uint64_t *work = malloc(n * W * 8 + 8 * n);
    size_t *stack = malloc(3 * (d + 1) * sizeof *stack), u = 0;
    const peri_status status =
        peri_cpt_collect(&view, weights, c->rows, c->counts, work, &u, NULL, facts);
    if (status == PERI_OK) {
        c->stored = peri_cpt_grow(c->rows, c->counts, u, d, c->nodes, stack);
        c->m = (peri_cpt){.d = d, .u = u, .nodes = c->nodes, .rows = c->rows, .alpha = alpha};
    }
    free(work);
    free(stack);
    return status;
}

static void drop(compact *c)
{
    free(c->rows);
    free(c->counts);
    free(c->nodes);
}

/* Dense tables by counting, as NumPy code would. */
typedef struct {
    peri_cpt m;
    double *tables[16];
} dense;

static void count(dense *t, const double *X, size_t n, size_t d, double alpha)
{
    for (size_t k = 1; k <= d; k++) {
        const size_t size = (size_t)1 << k;
        double *table = calloc(size, sizeof *table);
        for (size_t i = 0; i < n; i++) {
            size_t at = 0;
            for (size_t j = 0; j < k; j++)
                at = 2 * at + (X[i * d + j] == 1.0);
            table[at]++;
        }
        for (size_t at = 0; at < size; at += 2) {
            const double total = table[at] + table[at + 1];
            for (size_t v = 0; v < 2; v++)
                table[at + v] =
                    total + alpha > 0.0 ? (table[at + v] + alpha) / (total + 2 * alpha) : 0.5;
        }
        t->tables[k - 1] = table;
    }
    t->m = (peri_cpt){.d = d, .tables = (const double *const *)t->tables};
}

static void forget(dense *t)
{
    for (size_t k = 0; k < t->m.d; k++)
        free(t->tables[k]);
}

/* 40 images of 9 pixels, some equal, from a generator of bits of its own. */
enum { N = 40, D = 9 };

static void images(double X[N * D])
{
    uint32_t s = 12345;
    for (int i = 0; i < N * D; i++) {
        s = s * 1664525u + 1013904223u;
        X[i] = s >> 28 < 5 ? 1.0 : 0.0;
    }
    memcpy(X + 7 * D, X + 3 * D, D * sizeof *X);
    memcpy(X + 39 * D, X + 3 * D, D * sizeof *X);
}

static void test_compact_is_dense(void **state)
{
    (void)state;
    double X[N * D];
    images(X);
    for (int smooth = 0; smooth < 2; smooth++) {
        const double alpha = smooth ? 0.385 : 0.0;
        compact c;
        dense t;
        peri_facts facts;
        assert_int_equal(grow(&c, X, N, D, NULL, alpha, &facts), PERI_OK);
        count(&t, X, N, D, alpha);

        peri_seeds seeds;
        peri_seeds_begin(&seeds);
        peri_seeds_finish(&seeds);
        peri_rng a, b;
        peri_random_pcg64(&a, &seeds);
        b = a;
        enum { S = 501 };
        double *one = malloc(S * D * 8), *other = malloc(S * D * 8);
        peri_cpt_sample(&c.m, &a, S, one, NULL);
        peri_cpt_sample(&t.m, &b, S, other, NULL);
        assert_memory_equal(one, other, S * D * 8);
        assert_memory_equal(&a.pcg, &b.pcg, sizeof a.pcg);

        /* Every image of D pixels: logprob, conditional and their sum. */
        enum { ALL = 1 << D };
        double *every = malloc(ALL * D * 8), *la = malloc(ALL * 8), *lb = malloc(ALL * 8);
        for (size_t i = 0; i < ALL; i++)
            for (size_t k = 0; k < D; k++)
                every[i * D + k] = (double)(i >> (D - 1 - k) & 1);
        const size_t shape[] = {ALL, D};
        const ptrdiff_t stride[] = {D, 1};
        const peri_view view = {every, PERI_F64, 2, shape, stride};
        assert_int_equal(peri_cpt_logprob(&c.m, &view, la, NULL, &facts), PERI_OK);
        assert_int_equal(peri_cpt_logprob(&t.m, &view, lb, NULL, &facts), PERI_OK);
        double total = 0, entropy = 0;
        size_t positive = 0;
        for (size_t i = 0; i < ALL; i++) {
            if (la[i] != lb[i])
                assert_true(fabs(la[i] - lb[i]) < 1e-13);
            total += exp(lb[i]);
            entropy -= lb[i] > -HUGE_VAL ? exp(lb[i]) * lb[i] : 0.0;
            positive += lb[i] > -HUGE_VAL;
            for (size_t k = 0; k < D; k++)
                assert_true(peri_cpt_conditional(&c.m, every + i * D, k) ==
                            peri_cpt_conditional(&t.m, every + i * D, k));
        }
        assert_true(fabs(total - 1) < 1e-13);

        double h, work[4 * N];
        assert_int_equal(peri_cpt_entropy(&c.m, &h, work, NULL), PERI_OK);
        assert_true(fabs(h - entropy) < 1e-12);
        assert_int_equal(peri_cpt_entropy(&t.m, &h, NULL, NULL), PERI_OK);
        assert_true(fabs(h - entropy) < 1e-12);

        size_t found;
        double *xa = malloc(ALL * D * 8), *xb = malloc(ALL * D * 8);
        assert_int_equal(peri_cpt_support(&c.m, ALL, xa, la, &found, NULL), PERI_OK);
        assert_int_equal(found, positive);
        assert_int_equal(peri_cpt_support(&t.m, ALL, xb, lb, &found, NULL), PERI_OK);
        assert_int_equal(found, positive);
        assert_memory_equal(xa, xb, found * D * 8);
        for (size_t i = 0; i < found; i++)
            assert_true(fabs(la[i] - lb[i]) < 1e-15);
        assert_int_equal(peri_cpt_support(&t.m, 3, NULL, NULL, &found, NULL), PERI_OK);
        assert_int_equal(found, 4);
        assert_int_equal(peri_cpt_support(&c.m, 3, NULL, NULL, &found, NULL), PERI_OK);
        assert_int_equal(found, 4);

        free(one);
        free(other);
        free(every);
        free(la);
        free(lb);
        free(xa);
        free(xb);
        forget(&t);
        drop(&c);
    }
}

/* Equal images merge; a weight stands for as many images. */
static void test_counts(void **state)
{
    (void)state;
    const double X[] = {1, 0, 0, 1, 1, 0}, w[] = {2, 3, 1};
    compact c;
    peri_facts facts;
    assert_int_equal(grow(&c, X, 3, 2, w, 0, &facts), PERI_OK);
    assert_int_equal(c.m.u, 2);
    assert_true(c.counts[0] == 3 && c.counts[1] == 3);
    assert_true(c.stored == 3); /* "", "0", "1" */
    assert_true(peri_cpt_conditional(&c.m, X, 0) == 0.5);
    assert_true(peri_cpt_conditional(&c.m, (const double[]){0}, 1) == 1.0);
    drop(&c);
    assert_int_equal(grow(&c, (const double[]){0, 1, 0, 2}, 2, 2, NULL, 0, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 1);
    assert_int_equal(facts.index[1], 1);
    assert_true(facts.got == 2);
    drop(&c);
    assert_int_equal(grow(&c, (const double[]){0, NAN}, 1, 2, NULL, 0, &facts), PERI_ERR_NONFINITE);
    drop(&c);
}

static void test_check(void **state)
{
    (void)state;
    double table[8] = {1, 0, 0.25, 0.75, 0.5, 0.5, 0.4, 0.6};
    peri_facts facts;
    assert_int_equal(peri_cpt_check_table(table, 3, &facts), PERI_OK);
    table[3] = 0.7500009;
    assert_int_equal(peri_cpt_check_table(table, 3, &facts), PERI_OK);
    table[3] = 0.750002;
    assert_int_equal(peri_cpt_check_table(table, 3, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.nindex, 1);
    assert_int_equal(facts.index[0], 1);
    assert_true(fabs(facts.got - 1.000002) < 1e-12);
    table[3] = -0.25;
    assert_int_equal(peri_cpt_check_table(table, 3, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.nindex, 2);
    assert_int_equal(facts.index[1], 1);
    table[2] = NAN;
    assert_int_equal(peri_cpt_check_table(table, 3, &facts), PERI_ERR_NONFINITE);
    assert_int_equal(facts.index[1], 0);
}

static size_t letters(double X[26 * 25])
{
    FILE *f = fopen("experiments/data/letters.txt", "r");
    assert_non_null(f);
    char line[64];
    size_t n = 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strcspn(line, "\n") == 5)
            for (int k = 0; k < 5; k++) {
                assert_true(n < 26 * 25);
                X[n++] = line[k] == '#';
            }
    fclose(f);
    return n / 25;
}

static void test_letters_as_numpy(void **state)
{
    (void)state;
    double X[26 * 25], out[8 * 25];
    assert_int_equal(letters(X), 26);
    compact c;
    peri_facts facts;
    assert_int_equal(grow(&c, X, 26, 25, NULL, 0, &facts), PERI_OK);
    assert_int_equal(c.m.u, 26);
    double h, work[4 * 26];
    peri_cpt_entropy(&c.m, &h, work, NULL);
    assert_true(fabs(h - log(26)) < 1e-14);
    FILE *f = fopen("tests/golden/numpy_cpt.txt", "r");
    assert_non_null(f);
    unsigned seed;
    int lines = 0;
    for (; fscanf(f, "%u", &seed) == 1; lines++) {
        peri_rng rng;
        peri_random_mt19937(&rng, seed);
        peri_cpt_sample(&c.m, &rng, 8, out, NULL);
        for (int i = 0; i < 8; i++) {
            unsigned want, got = 0;
            assert_int_equal(fscanf(f, "%u", &want), 1);
            for (int k = 0; k < 25; k++)
                got = 2 * got + (out[i * 25 + k] == 1.0);
            assert_int_equal(got, want);
        }
    }
    fclose(f);
    assert_int_equal(lines, 4);
    drop(&c);
}

/* 784 pixels, where dense tables would have 2^785 numbers. */
static void test_many_pixels(void **state)
{
    (void)state;
    enum { n = 300, d = 784 };
    double *X = malloc(n * d * 8), *out = malloc(n * d * 8), *lp = malloc(n * 8);
    uint32_t s = 1;
    for (int i = 0; i < n * d; i++) {
        s = s * 1664525u + 1013904223u;
        X[i] = i % d < 300 ? 0.0 : (double)(s >> 31);
    }
    compact c;
    peri_facts facts;
    assert_int_equal(grow(&c, X, n, d, NULL, 0, &facts), PERI_OK);
    assert_int_equal(c.m.u, n);
    peri_rng rng;
    peri_random_mt19937(&rng, 5);
    assert_int_equal(peri_cpt_sample(&c.m, &rng, n, out, NULL), PERI_OK);
    const size_t shape[] = {n, d};
    const ptrdiff_t stride[] = {d, 1};
    const peri_view view = {out, PERI_F64, 2, shape, stride};
    assert_int_equal(peri_cpt_logprob(&c.m, &view, lp, NULL, &facts), PERI_OK);
    for (int i = 0; i < n; i++)
        assert_true(fabs(lp[i] + log(n)) < 1e-12);
    out[3 * d + 299] = 1 - out[3 * d + 299];
    assert_int_equal(peri_cpt_logprob(&c.m, &view, lp, NULL, &facts), PERI_OK);
    assert_true(lp[3] == -HUGE_VAL);
    free(X);
    free(out);
    free(lp);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact_is_dense),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_letters_as_numpy),
        cmocka_unit_test(test_many_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
