/* SPDX-License-Identifier: MIT
 *
 * The likelihood of graphs against its definition in long double, at every level of instructions,
 * with edges as bits and as lists; and at any a and b.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/graph.h"
#include "kernel/graph_layout.h"
#include "kernel/pool.h"
#include "levels.h"

/* A graph of n nodes with m features, every fourth pair or so an edge, in all its forms. */
typedef struct {
    peri_graph bits, lists, flat; /* flat: where it is small enough, else as bits */
    double *x, *edges, *work, *s;
    uint64_t *words, *e;
    size_t *start, k;
    uint32_t *to;
} sample;

static void draw(sample *t, size_t n, size_t m, double scale)
{
    const size_t W = peri_graph_words(n);
    t->x = malloc(n * m * 8);
    t->words = calloc(n * W, 8);
    peri_rng rng;
    peri_random_mt19937(&rng, 11);
    for (size_t i = 0; i < n * m; i++)
        t->x[i] = scale * (2 * peri_random_uniform(&rng) - 1);
    t->k = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            if (peri_random_uniform(&rng) < 0.25) {
                t->words[i * W + j / 64] |= (uint64_t)1 << j % 64;
                t->k++;
            }
    t->edges = malloc(t->k * 16 + 16);
    peri_graph_unpack(t->words, n, t->edges);
    t->start = malloc((n + 1) * sizeof *t->start);
    t->to = malloc(t->k * 4 + 4);
    size_t *work = malloc((t->k + n + 1) * sizeof *work);
    peri_facts facts;
    /* Last edge first, and every other one turned round. */
    double *turned = malloc(t->k * 16 + 16);
    for (size_t r = 0; r < t->k; r++)
        for (size_t c = 0; c < 2; c++)
            turned[2 * r + c] = t->edges[2 * (t->k - 1 - r) + (c ^ (r & 1))];
    assert_int_equal(peri_graph_lists(turned, t->k, n, t->start, t->to, work, &facts), PERI_OK);
    free(turned);
    free(work);
    t->bits = (peri_graph){.n = n, .m = m, .x = t->x, .bits = t->words};
    t->lists = (peri_graph){.n = n, .m = m, .x = t->x, .start = t->start, .to = t->to};
    t->flat = t->bits;
    const size_t size = peri_graph_flat(n);
    t->s = malloc(size * 8 + 8);
    t->e = malloc(peri_graph_words(size) * 8 + 8);
    if (size > 0) {
        peri_graph_flatten(&t->lists, t->s, t->e);
        t->flat.s = t->s;
        t->flat.e = t->e;
    }
    t->work = aligned_alloc(64, (peri_graph_work(&t->bits) * 8 + 63) / 64 * 64);
}

static void drop(sample *t)
{
    free(t->x);
    free(t->words);
    free(t->work);
    free(t->edges);
    free(t->start);
    free(t->to);
    free(t->s);
    free(t->e);
}

static void define(const sample *t, double a, double b, long double out[6])
{
    const peri_graph *g = &t->bits;
    memset(out, 0, 6 * sizeof *out);
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = i + 1; j < g->n; j++) {
            long double s = 0;
            for (size_t k = 0; k < g->m; k++)
                s += (long double)g->x[i * g->m + k] * g->x[j * g->m + k];
            const long double z = a * s + b;
            const int e = g->bits[i * peri_graph_words(g->n) + j / 64] >> j % 64 & 1;
            const long double u = e ? z : -z, r = 1 / (1 + expl(u)), d = e ? r : -r;
            const long double h = r / (1 + expl(-u));
            out[0] -= u < 0 ? log1pl(expl(u)) - u : log1pl(expl(-u));
            out[1] += d * s;
            out[2] += d;
            out[3] -= h * s * s;
            out[4] -= h * s;
            out[5] -= h;
        }
}

static void compare(const char *what, const double *got, const long double want[6], double tol)
{
    /* Each sum is compared in units of the sums of its absolute terms, near enough. */
    for (int i = 0; i < 6; i++) {
        const long double unit = i == 0 ? fabsl(want[0]) : fabsl(want[i]) + fabsl(want[5]);
        if (!(fabsl(got[i] - want[i]) <= (long double)tol * unit + 1e-300L))
            fail_msg("%s[%d]: %.17g, wanted %.17Lg", what, i, got[i], want[i]);
    }
}

static void test_likelihood(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{2, 1},  {3, 3},  {15, 3},  {17, 2}, {64, 2},
                                      {65, 2}, {67, 5}, {301, 4}, {530, 3}};
    static const double at[][2] = {{3, -3.5}, {0, 0}, {-1.3, 0.7}, {12, 5}};
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
        sample t;
        draw(&t, sizes[c][0], sizes[c][1], 1.0);
        for (size_t p = 0; p < 4; p++) {
            long double want[6];
            define(&t, at[p][0], at[p][1], want);
            for (int isa = PERI_ISA_BASE; isa <= PERI_ISA_AVX512; isa++) {
                if (!use_level(isa))
                    continue;
                peri_graph_sums bits = {0}, lists = {0}, flat = {0};
                assert_int_equal(
                    peri_graph_loglik(&t.bits, 1, at[p][0], at[p][1], &bits, t.work, NULL),
                    PERI_OK);
                assert_int_equal(
                    peri_graph_loglik(&t.lists, 1, at[p][0], at[p][1], &lists, t.work, NULL),
                    PERI_OK);
                compare("sums", &bits.loglik, want, 2e-12);
                assert_memory_equal(&bits, &lists, sizeof bits);
                assert_int_equal(
                    peri_graph_loglik(&t.flat, 1, at[p][0], at[p][1], &flat, t.work, NULL),
                    PERI_OK);
                compare("flat sums", &flat.loglik, want, 2e-12);
            }
        }
        drop(&t);
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* An epoch is a step a graph, each from where the last one led; graphs of all kinds in one list. */
static void test_ascend(void **state)
{
    (void)state;
    sample t[4];
    static const size_t sizes[][2] = {{15, 3}, {1, 2}, {90, 4}, {64, 1}};
    peri_graph list[4];
    double *work = NULL;
    size_t most = 0;
    for (size_t i = 0; i < 4; i++) {
        draw(&t[i], sizes[i][0], sizes[i][1], 0.8);
        list[i] = t[i].flat;
        if (peri_graph_work(&list[i]) >= most) {
            most = peri_graph_work(&list[i]);
            work = t[i].work;
        }
    }
    assert_true(list[0].s != NULL && list[2].s == NULL && list[3].s != NULL);
    double at[2] = {0.5, 0.25}, want[2] = {0.5, 0.25}, last = 0, want_last = 0;
    peri_graph_sums all = {0}, one_by_one = {0};
    for (size_t i = 0; i < 4; i++) {
        peri_graph_sums one = {0};
        peri_graph_loglik(&list[i], 1, want[0], want[1], &one, work, NULL);
        want_last = one.loglik;
        for (int k = 0; k < 2; k++)
            want[k] += 0.003 * one.gradient[k];
        peri_graph_loglik(&list[i], 1, 1.1, -2, &one_by_one, work, NULL);
    }
    assert_int_equal(peri_graph_ascend(list, 4, 0.003, at, &last, work, NULL), PERI_OK);
    assert_true(at[0] == want[0] && at[1] == want[1] && last == want_last);
    assert_true(at[0] != 0.5 && last < 0);
    assert_int_equal(peri_graph_loglik(list, 4, 1.1, -2, &all, work, NULL), PERI_OK);
    assert_memory_equal(&all, &one_by_one, sizeof all);
    peri_stop stop = {.requested = 1};
    assert_int_equal(peri_graph_ascend(list, 4, 0.003, at, &last, work, &stop),
                     PERI_ERR_INTERRUPTED);
    for (size_t i = 0; i < 4; i++)
        drop(&t[i]);
}

/* The thread count does not change a bit, and sums add up. */
static void test_threads(void **state)
{
    (void)state;
    sample t;
    draw(&t, 1000, 3, 1.0);
    const int before = peri_threads(0);
    peri_graph_sums one = {0}, two = {0};
    peri_threads(1);
    peri_graph_loglik(&t.bits, 1, 3, -3.5, &one, t.work, NULL);
    peri_threads(2);
    peri_graph_loglik(&t.bits, 1, 3, -3.5, &two, t.work, NULL);
    peri_threads(before);
    assert_memory_equal(&one, &two, sizeof one);
    peri_graph_loglik(&t.bits, 1, 3, -3.5, &two, t.work, NULL);
    assert_true(two.loglik == 2 * one.loglik && two.hessian[1] == 2 * one.hessian[1]);
    peri_stop stop = {.requested = 1};
    assert_int_equal(peri_graph_loglik(&t.bits, 1, 3, -3.5, &two, t.work, &stop),
                     PERI_ERR_INTERRUPTED);
    drop(&t);
}

/* No log of 0, no overflow; and with every pair as expected the sum of tiny terms is exact. */
static void test_extremes(void **state)
{
    (void)state;
    sample t;
    draw(&t, 40, 2, 1.0);
    static const double at[][2] = {{1e3, 1}, {-1e4, 3}, {1e297, -1e297}, {0, 800}, {0, -1e305}};
    for (int isa = PERI_ISA_BASE; isa <= PERI_ISA_AVX512; isa++) {
        if (!use_level(isa))
            continue;
        for (size_t p = 0; p < 5; p++) {
            long double want[6];
            define(&t, at[p][0], at[p][1], want);
            peri_graph_sums got = {0};
            peri_graph_loglik(&t.bits, 1, at[p][0], at[p][1], &got, t.work, NULL);
            compare("extreme", &got.loglik, want, 1e-11);
            got = (peri_graph_sums){0};
            peri_graph_loglik(&t.flat, 1, at[p][0], at[p][1], &got, t.work, NULL);
            compare("flat extreme", &got.loglik, want, 1e-11);
        }
        /* No edges and b = -30: L = -780 log1p(e^-30), far below the last digit of 1. */
        uint64_t none[40] = {0};
        const peri_graph g = {.n = 40, .m = 2, .x = t.x, .bits = none};
        for (int step = 1; step < 24; step++) {
            const double b = -30.0 * step, want = -780 * log1p(exp(b));
            peri_graph_sums got = {0};
            peri_graph_loglik(&g, 1, 0, b, &got, t.work, NULL);
            if (!(fabs(got.loglik - want) <= 1e-13 * fabs(want) && got.loglik < 0))
                fail_msg("b = %g: %.17g, wanted %.17g", b, got.loglik, want);
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
    drop(&t);
}

static void test_range_and_pairs(void **state)
{
    (void)state;
    sample t;
    draw(&t, 300, 3, 1.0);
    enum { P = 300 * 299 / 2 };
    double *s = malloc(P * 8), *e = malloc(P * 8), *s2 = malloc(P * 8), *e2 = malloc(P * 8);
    peri_graph_pairs(&t.bits, s, e);
    peri_graph_pairs(&t.lists, s2, e2);
    assert_memory_equal(s, s2, P * 8);
    assert_memory_equal(e, e2, P * 8);
    double want[4] = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL}, sum = 0;
    for (size_t i = 0; i < P; i++) {
        double *kind = want + (e[i] == 1 ? 2 : 0);
        kind[0] = fmin(kind[0], s[i]);
        kind[1] = fmax(kind[1], s[i]);
        sum += e[i];
    }
    assert_int_equal((size_t)sum, t.k);
    double got[4] = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL};
    peri_graph_range(&t.lists, got, NULL);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(got[i] - want[i]) < 1e-14);
    sample small;
    draw(&small, 20, 3, 1.0);
    double flat[4] = {HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL}, same[4];
    memcpy(same, flat, sizeof same);
    peri_graph_range(&small.flat, flat, NULL);
    peri_graph_range(&small.bits, same, NULL);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(flat[i] - same[i]) < 1e-14);
    drop(&small);
    free(s);
    free(e);
    free(s2);
    free(e2);
    drop(&t);
}

static void test_refusals(void **state)
{
    (void)state;
    double E[9] = {0, 1, 0, 1, 0, 1, 0, 1, 0};
    const size_t shape[] = {3, 3};
    const ptrdiff_t stride[] = {3, 1};
    const peri_view view = {E, PERI_F64, 2, shape, stride};
    uint64_t bits[3];
    size_t edges, start[4], work[8];
    uint32_t to[4];
    peri_facts facts;
    assert_int_equal(peri_graph_pack(&view, bits, &edges, &facts), PERI_OK);
    assert_int_equal(edges, 2);
    assert_int_equal(bits[0], 2);
    assert_int_equal(bits[1], 4);
    E[2] = 1;
    assert_int_equal(peri_graph_pack(&view, bits, &edges, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 2);
    assert_int_equal(facts.index[1], 0);
    assert_non_null(strstr(facts.wanted, "symmetric"));
    E[2] = 0;
    E[4] = 1;
    assert_int_equal(peri_graph_pack(&view, bits, &edges, &facts), PERI_ERR_VALUE);
    assert_non_null(strstr(facts.wanted, "own neighbour"));
    E[4] = 0;
    E[7] = 0.5;
    assert_int_equal(peri_graph_pack(&view, bits, &edges, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 2);
    assert_int_equal(facts.index[1], 1);
    assert_true(facts.got == 0.5);
    E[7] = NAN;
    assert_int_equal(peri_graph_pack(&view, bits, &edges, &facts), PERI_ERR_NONFINITE);

    const double same[] = {1, 2, 2, 3, 2, 1}, self[] = {1, 2, 3, 3}, far[] = {1, 4},
                 half[] = {1.5, 2};
    assert_int_equal(peri_graph_lists(same, 3, 3, start, to, work, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 2);
    assert_int_equal(peri_graph_lists(self, 2, 3, start, to, work, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[0], 1);
    assert_int_equal(peri_graph_lists(far, 1, 3, start, to, work, &facts), PERI_ERR_VALUE);
    assert_int_equal(facts.index[1], 1);
    assert_int_equal(peri_graph_lists(half, 1, 3, start, to, work, &facts), PERI_ERR_VALUE);
    assert_int_equal(peri_graph_lists(same, 2, 3, start, to, work, &facts), PERI_OK);
    assert_true(start[0] == 0 && start[1] == 1 && start[2] == 2 && start[3] == 2);
    assert_true(to[0] == 1 && to[1] == 2);
}

static void test_count(void **state)
{
    (void)state;
    /* Two triangles that share an edge: 1-2-3, 2-3-4; node 5 alone. */
    uint64_t bits[5] = {1 << 1 | 1 << 2, 1 << 2 | 1 << 3, 1 << 3, 0, 0}, work[5];
    double degrees[5], triangles;
    peri_graph_count(bits, 5, degrees, &triangles, work);
    static const double want[] = {2, 3, 3, 2, 0};
    assert_memory_equal(degrees, want, sizeof want);
    assert_true(triangles == 2);
}

static void test_draw(void **state)
{
    (void)state;
    enum { n = 300 };
    double *x = malloc(n * 2 * 8), *E = malloc(n * n * 8);
    peri_rng rng, again;
    peri_random_mt19937(&rng, 3);
    peri_random_uniforms(&rng, n * 2, x);
    again = rng;
    peri_graph_draw(x, n, 2, 2, -1.5, &rng, E);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const double z = 2 * (x[2 * i] * x[2 * j] + x[2 * i + 1] * x[2 * j + 1]) - 1.5;
            const double u = peri_random_uniform(&again);
            const bool edge = u < 1 / (1 + exp(-z));
            assert_true(E[i * n + j] == edge && E[j * n + i] == edge);
        }
    free(x);
    free(E);
}

static void test_layout(void **state)
{
    (void)state;
    /* A path of 6, and four nodes alone. */
    enum { n = 10 };
    const double edges[] = {1, 2, 2, 3, 3, 4, 4, 5, 5, 6};
    double pos[2 * n], again[2 * n], work[4 * (n + 8)];
    for (int i = 0; i < n; i++) {
        pos[2 * i] = again[2 * i] = cos(i * 2.4) * sqrt((i + 0.5) / n);
        pos[2 * i + 1] = again[2 * i + 1] = sin(i * 2.4) * sqrt((i + 0.5) / n);
    }
    assert_int_equal(peri_graph_layout(n, edges, 5, 300, pos, work, NULL), PERI_OK);
    assert_int_equal(peri_graph_layout(n, edges, 5, 300, again, work, NULL), PERI_OK);
    assert_memory_equal(pos, again, sizeof pos);
    double nearest = HUGE_VAL, linked = 0, all = 0;
    for (int i = 0; i < n; i++) {
        assert_true(pos[2 * i] >= 0 && pos[2 * i] <= 1 && pos[2 * i + 1] >= 0 &&
                    pos[2 * i + 1] <= 1);
        for (int j = i + 1; j < n; j++) {
            const double d = hypot(pos[2 * i] - pos[2 * j], pos[2 * i + 1] - pos[2 * j + 1]);
            nearest = fmin(nearest, d);
            all += d / 45;
        }
    }
    for (int e = 0; e < 5; e++)
        linked += hypot(pos[2 * e] - pos[2 * e + 2], pos[2 * e + 1] - pos[2 * e + 3]) / 5;
    assert_true(nearest > 0.05);
    assert_true(linked < 0.6 * all);
    double alone[2] = {0.3, 0.7};
    assert_int_equal(peri_graph_layout(1, NULL, 0, 10, alone, work, NULL), PERI_OK);
    assert_true(alone[0] == 0.5 && alone[1] == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_likelihood),      cmocka_unit_test(test_ascend),
        cmocka_unit_test(test_threads),         cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_range_and_pairs), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_count),           cmocka_unit_test(test_draw),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
