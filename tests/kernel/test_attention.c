/* SPDX-License-Identifier: MIT
 *
 * Attention against plain loops and differences, causal and masked, with heads beside each other in
 * memory and one after another, at each level. */
#include "nets.h"

#include "kernel/attention.h"

typedef struct {
    peri_attention a;
    int dtype;
    bool woven, masked; /* woven: (batch,T,heads,D) in memory */
    block q, k, v, y, g, dq, dk, dv, l, mask;
} problem;

static peri_heads heads(const problem *p, const block *b, size_t rows, size_t cols)
{
    const size_t H = p->a.heads;
    if (p->woven)
        return (peri_heads){b->data, rows * H * cols, cols, H * cols};
    return (peri_heads){b->data, H * rows * cols, rows * cols, cols};
}

static void forward(void *context)
{
    problem *p = context;
    const peri_attention *a = &p->a;
    const peri_heads q = heads(p, &p->q, a->T, a->D), k = heads(p, &p->k, a->S, a->D);
    const peri_heads v = heads(p, &p->v, a->S, a->E), y = heads(p, &p->y, a->T, a->E);
    const peri_heads mask = {p->mask.data, a->T * a->S, 0, a->S};
    const size_t slots = (size_t)peri_threads(0);
    block work = take_work(peri_attention_work(a, p->dtype, slots));
    assert_int_equal(peri_attention_forward(a, p->dtype, &q, &k, &v, p->masked ? &mask : NULL, &y,
                                            p->l.data, work.data, slots, NULL),
                     PERI_OK);
    drop(work);
}

static void backward_from(problem *p, const void *l)
{
    const peri_attention *a = &p->a;
    const peri_heads q = heads(p, &p->q, a->T, a->D), k = heads(p, &p->k, a->S, a->D);
    const peri_heads v = heads(p, &p->v, a->S, a->E), y = heads(p, &p->y, a->T, a->E);
    const peri_heads g = heads(p, &p->g, a->T, a->E), dq = heads(p, &p->dq, a->T, a->D);
    const peri_heads dk = heads(p, &p->dk, a->S, a->D), dv = heads(p, &p->dv, a->S, a->E);
    const peri_heads mask = {p->mask.data, a->T * a->S, 0, a->S};
    const size_t slots = (size_t)peri_threads(0);
    block work = take_work(peri_attention_backward_work(a, p->dtype, slots));
    assert_int_equal(peri_attention_backward(a, p->dtype, &q, &k, &v, p->masked ? &mask : NULL, &y,
                                             l, &g, &dq, &dk, &dv, work.data, slots, NULL),
                     PERI_OK);
    drop(work);
}

static void backward(problem *p)
{
    backward_from(p, p->l.data);
}

static problem make_problem(peri_attention a, bool woven, bool masked)
{
    const size_t n = a.batch * a.heads;
    problem p = {.a = a, .dtype = PERI_F64, .woven = woven, .masked = masked};
    p.q = random_block(PERI_F64, n * a.T * a.D);
    p.k = random_block(PERI_F64, n * a.S * a.D);
    p.v = random_block(PERI_F64, n * a.S * a.E);
    p.g = random_block(PERI_F64, n * a.T * a.E);
    p.mask = random_block(PERI_F64, a.batch * a.T * a.S);
    for (size_t i = 0; i < p.mask.count; i++)
        if (i % 3 == 1 || i / (a.S + !a.S) == 1) /* all of the second query */
            set(&p.mask, i, -INFINITY);
    p.y = take(PERI_F64, p.g.count);
    p.dq = take(PERI_F64, p.q.count);
    p.dk = take(PERI_F64, p.k.count);
    p.dv = take(PERI_F64, p.v.count);
    p.l = take(PERI_F64, n * a.T);
    return p;
}

static problem in_f32(const problem *q)
{
    problem p = *q;
    p.dtype = PERI_F32;
    p.q = as_f32(&q->q);
    p.k = as_f32(&q->k);
    p.v = as_f32(&q->v);
    p.g = as_f32(&q->g);
    p.mask = as_f32(&q->mask);
    p.y = take(PERI_F32, q->y.count);
    p.dq = take(PERI_F32, q->q.count);
    p.dk = take(PERI_F32, q->k.count);
    p.dv = take(PERI_F32, q->v.count);
    p.l = take(PERI_F32, q->l.count);
    return p;
}

static void drop_problem(problem *p)
{
    block *const all[] = {&p->q,  &p->k,  &p->v,  &p->y, &p->g,
                          &p->dq, &p->dk, &p->dv, &p->l, &p->mask};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        drop(*all[i]);
}

/* Y by its definition. */
static double *plain(const problem *p)
{
    const peri_attention *a = &p->a;
    double *y = calloc(p->y.count + 1, sizeof *y), *s = malloc((a->S + 1) * sizeof *s);
    const peri_heads q = heads(p, &p->q, a->T, a->D), k = heads(p, &p->k, a->S, a->D);
    const peri_heads v = heads(p, &p->v, a->S, a->E), o = heads(p, &p->y, a->T, a->E);
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < a->T; i++) {
                double sum = 0;
                for (size_t j = 0; j < a->S; j++) {
                    s[j] = 0;
                    for (size_t d = 0; d < a->D; d++)
                        s[j] += a->scale * get(&p->q, b * q.batch + h * q.head + i * q.row + d) *
                                get(&p->k, b * k.batch + h * k.head + j * k.row + d);
                    if (p->masked)
                        s[j] += get(&p->mask, (b * a->T + i) * a->S + j);
                    s[j] = a->causal && j + a->T > i + a->S ? 0 : exp(s[j]);
                    sum += s[j];
                }
                for (size_t j = 0; j < a->S && sum > 0; j++)
                    for (size_t e = 0; e < a->E; e++)
                        y[b * o.batch + h * o.head + i * o.row + e] +=
                            s[j] / sum * get(&p->v, b * v.batch + h * v.head + j * v.row + e);
            }
    free(s);
    return y;
}

static void check(peri_attention a, bool woven, bool masked)
{
    problem p = make_problem(a, woven, masked);
    forward(&p);
    backward(&p);
    double *wanted = plain(&p);
    assert_block_near(&p.y, wanted, 1e-14, "attention");
    free(wanted);
    if (a.T * a.S * a.batch < 2000) {
        assert_gradient(&p.q, &p.y, &p.g, forward, &p, &p.dq, 1e-9, "dQ");
        assert_gradient(&p.k, &p.y, &p.g, forward, &p, &p.dk, 1e-9, "dK");
        assert_gradient(&p.v, &p.y, &p.g, forward, &p, &p.dv, 1e-9, "dV");
    }
    problem f = in_f32(&p);
    forward(&f);
    backward_from(&f, NULL);
    assert_close(&f.y, &p.y, 2e-6, "attention in f32");
    assert_close(&f.dq, &p.dq, 4e-6, "dQ in f32");
    assert_close(&f.dk, &p.dk, 4e-6, "dK in f32");
    assert_close(&f.dv, &p.dv, 4e-6, "dV in f32");
    drop_problem(&f);
    drop_problem(&p);
}

static void check_all(void)
{
    for (int i = 0; i < 16; i++) {
        const bool causal = i % 2 == 1, woven = i / 2 % 2 == 1, masked = i / 4 % 2 == 1;
        check((peri_attention){2, 3, 7, 7, 4, 5, causal, 0.5}, woven, masked);
        check((peri_attention){1, 2, 3, 9, 8, 3, causal, 0.4}, woven, masked);
        check((peri_attention){1, 1, 5, 2, 3, 3, causal, 0.7}, woven, masked);
    }
    check((peri_attention){1, 2, 70, 70, 17, 9, true, 0.3}, true, false);
    check((peri_attention){1, 1, 33, 101, 16, 16, false, 0.25}, false, true);
    check((peri_attention){0, 2, 3, 3, 2, 2, false, 1}, false, false);
    check((peri_attention){1, 2, 3, 0, 2, 2, false, 1}, false, false);
    check((peri_attention){2, 2, 0, 3, 2, 2, true, 1}, false, false);
}

static void test_values_and_gradients(void **state)
{
    (void)state;
    at_each_level(check_all);
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    problem p = make_problem((peri_attention){3, 4, 65, 65, 32, 32, true, 0.2}, true, false);
    problem one = in_f32(&p), two = in_f32(&p);
    peri_threads(1);
    forward(&one);
    backward(&one);
    peri_threads(2);
    forward(&two);
    backward(&two);
    assert_true(same_bytes(&one.y, &two.y) && same_bytes(&one.dq, &two.dq));
    assert_true(same_bytes(&one.dk, &two.dk) && same_bytes(&one.dv, &two.dv));
    peri_threads(threads);
    drop_problem(&p);
    drop_problem(&one);
    drop_problem(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_gradients),
        cmocka_unit_test(test_threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
