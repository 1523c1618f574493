/* SPDX-License-Identifier: MIT
 *
 * Convolutions against seven plain loops at odd sizes, in both dtypes, at each level; Winograd
 * against the product; the adjoint identities; one and two threads. */
#include "nets.h"

#include "kernel/conv.h"

/* ---- seven loops --------------------------------------------------------------------------- */

typedef void tap_function(double *y, double *x, double *w);

static void forward_tap(double *y, double *x, double *w)
{
    *y += *x * *w;
}

static void data_tap(double *y, double *x, double *w)
{
    *x += *y * *w;
}

static void weights_tap(double *y, double *x, double *w)
{
    *w += *y * *x;
}

static void walk(const peri_conv *s, size_t oh, size_t ow, double *Y, double *X, double *W,
                 tap_function *tap)
{
    const size_t cg = s->c / s->groups, og = s->o / s->groups;
    for (size_t n = 0; n < s->n; n++)
        for (size_t o = 0; o < s->o; o++)
            for (size_t i = 0; i < oh; i++)
                for (size_t j = 0; j < ow; j++)
                    for (size_t c = 0; c < cg; c++)
                        for (size_t a = 0; a < s->kh; a++)
                            for (size_t b = 0; b < s->kw; b++) {
                                const ptrdiff_t y =
                                    (ptrdiff_t)(i * s->stride[0] + a * s->dilation[0]) -
                                    (ptrdiff_t)s->padding[0];
                                const ptrdiff_t x =
                                    (ptrdiff_t)(j * s->stride[1] + b * s->dilation[1]) -
                                    (ptrdiff_t)s->padding[1];
                                if (y < 0 || x < 0 || y >= (ptrdiff_t)s->h || x >= (ptrdiff_t)s->w)
                                    continue;
                                const size_t at =
                                    ((n * s->c + o / og * cg + c) * s->h + (size_t)y) * s->w +
                                    (size_t)x;
                                tap(&Y[((n * s->o + o) * oh + i) * ow + j], &X[at],
                                    &W[((o * cg + c) * s->kh + a) * s->kw + b]);
                            }
}

static double *doubles(const block *b)
{
    double *d = malloc((b->count + 1) * sizeof *d);
    for (size_t i = 0; i < b->count; i++)
        d[i] = get(b, i);
    return d;
}

typedef struct {
    block x, w, y, bias_o, bias_c;
    size_t oh, ow;
} problem;

static problem make_problem(const peri_conv *s, int dtype)
{
    problem q;
    peri_facts facts;
    assert_int_equal(peri_conv_output(s, &q.oh, &q.ow, &facts), PERI_OK);
    q.x = random_block(dtype, s->n * s->c * s->h * s->w);
    q.w = random_block(dtype, s->o * s->c / s->groups * s->kh * s->kw);
    q.y = random_block(dtype, s->n * s->o * q.oh * q.ow);
    q.bias_o = random_block(dtype, s->o);
    q.bias_c = random_block(dtype, s->c);
    return q;
}

static void drop_problem(problem *q)
{
    drop(q->x);
    drop(q->w);
    drop(q->y);
    drop(q->bias_o);
    drop(q->bias_c);
}

static block forward(const peri_conv *s, const problem *q, peri_conv_method method, bool bias)
{
    const int dtype = q->x.dtype;
    const size_t slots = (size_t)peri_threads(0);
    block y = take(dtype, q->y.count);
    block work = take_work(peri_conv_work(s, dtype, PERI_CONV_FORWARD, method, slots));
    assert_int_equal(peri_conv_forward(s, dtype, method, q->x.data, q->w.data,
                                       bias ? q->bias_o.data : NULL, y.data, work.data, slots,
                                       NULL),
                     PERI_OK);
    drop(work);
    return y;
}

static block backward_data(const peri_conv *s, const problem *q, peri_conv_method method, bool bias)
{
    const int dtype = q->x.dtype;
    const size_t slots = (size_t)peri_threads(0);
    block dx = take(dtype, q->x.count);
    block work = take_work(peri_conv_work(s, dtype, PERI_CONV_DATA, method, slots));
    assert_int_equal(peri_conv_backward_data(s, dtype, method, q->y.data, q->w.data,
                                             bias ? q->bias_c.data : NULL, dx.data, work.data,
                                             slots, NULL),
                     PERI_OK);
    drop(work);
    return dx;
}

/* beta 1 adds to W itself. */
static block backward_weights(const peri_conv *s, const problem *q, peri_conv_method method,
                              double beta)
{
    const int dtype = q->x.dtype;
    const size_t slots = (size_t)peri_threads(0);
    block dw = take(dtype, q->w.count);
    if (beta != 0)
        memcpy(dw.data, q->w.data, q->w.count * peri_dtype_size(dtype));
    block work = take_work(peri_conv_work(s, dtype, PERI_CONV_WEIGHTS, method, slots));
    assert_int_equal(peri_conv_backward_weights(s, dtype, method, q->x.data, q->y.data, beta,
                                                dw.data, work.data, slots, NULL),
                     PERI_OK);
    drop(work);
    return dw;
}

static void compare(const peri_conv *s, int dtype, peri_conv_method method, double near)
{
    problem q = make_problem(s, dtype);
    const bool bias = random_bits() % 2 == 0;
    const size_t og = q.oh * q.ow, xg = s->h * s->w;
    double *x = doubles(&q.x), *w = doubles(&q.w), *y = doubles(&q.y);

    double *wanted = calloc(q.y.count + 1, sizeof *wanted);
    for (size_t i = 0; i < q.y.count && bias; i++)
        wanted[i] = get(&q.bias_o, i / og % s->o);
    walk(s, q.oh, q.ow, wanted, x, w, forward_tap);
    block got = forward(s, &q, method, bias);
    assert_block_near(&got, wanted, near, "Y");
    drop(got);
    free(wanted);

    wanted = calloc(q.x.count + 1, sizeof *wanted);
    for (size_t i = 0; i < q.x.count && bias; i++)
        wanted[i] = get(&q.bias_c, i / xg % s->c);
    walk(s, q.oh, q.ow, y, wanted, w, data_tap);
    got = backward_data(s, &q, method, bias);
    assert_block_near(&got, wanted, near, "dX");
    drop(got);
    free(wanted);

    wanted = bias ? doubles(&q.w) : calloc(q.w.count + 1, sizeof *wanted);
    walk(s, q.oh, q.ow, y, x, wanted, weights_tap);
    got = backward_weights(s, &q, method, bias);
    assert_block_near(&got, wanted, near, "dW");
    drop(got);
    free(wanted);
    free(x);
    free(w);
    free(y);
    drop_problem(&q);
}

/* A shape of the family that still fits; c and o are multiples of the groups. */
static peri_conv any_shape(void)
{
    for (;;) {
        peri_conv s = {.n = between(0, 4),
                       .h = between(1, 9),
                       .w = between(1, 9),
                       .kh = between(1, 5),
                       .kw = between(1, 5),
                       .groups = between(1, 3)};
        s.c = s.groups * between(1, 5);
        s.o = s.groups * between(1, 5);
        for (int axis = 0; axis < 2; axis++) {
            s.stride[axis] = between(1, 3);
            s.padding[axis] = between(0, 3);
            s.dilation[axis] = between(1, 3);
        }
        size_t oh, ow;
        peri_facts facts;
        if (peri_conv_output(&s, &oh, &ow, &facts) == PERI_OK)
            return s;
    }
}

static void compare_many(void)
{
    for (int i = 0; i < 60; i++) {
        const peri_conv s = any_shape();
        compare(&s, PERI_F32, PERI_CONV_PRODUCT, 2e-6);
        compare(&s, PERI_F64, PERI_CONV_PRODUCT, 1e-14);
    }
}

static void test_products_equal_seven_loops(void **state)
{
    (void)state;
    at_each_level(compare_many);
}

/* Sums longer than a piece of a panel, more pixels than one, more channels than a tile. */
static void compare_large(void)
{
    const peri_conv deep = {.n = 2,
                            .c = 75,
                            .h = 9,
                            .w = 8,
                            .o = 37,
                            .kh = 3,
                            .kw = 3,
                            .stride = {2, 1},
                            .padding = {1, 1},
                            .dilation = {1, 1},
                            .groups = 1};
    const peri_conv wide = {.n = 3,
                            .c = 2,
                            .h = 37,
                            .w = 41,
                            .o = 67,
                            .kh = 4,
                            .kw = 4,
                            .stride = {2, 2},
                            .padding = {1, 1},
                            .dilation = {1, 1},
                            .groups = 1};
    const peri_conv plain = {.n = 3,
                             .c = 30,
                             .h = 7,
                             .w = 7,
                             .o = 20,
                             .kh = 1,
                             .kw = 1,
                             .stride = {1, 1},
                             .dilation = {1, 1},
                             .groups = 1};
    const peri_conv depthwise = {.n = 2,
                                 .c = 24,
                                 .h = 15,
                                 .w = 17,
                                 .o = 24,
                                 .kh = 3,
                                 .kw = 3,
                                 .stride = {1, 1},
                                 .padding = {1, 1},
                                 .dilation = {1, 1},
                                 .groups = 24};
    const peri_conv *all[] = {&deep, &wide, &plain, &depthwise};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        compare(all[i], PERI_F32, PERI_CONV_AUTO, 4e-6);
        compare(all[i], PERI_F64, PERI_CONV_AUTO, 1e-14);
    }
}

static void test_large_products(void **state)
{
    (void)state;
    at_each_level(compare_large);
}

/* Enough channels to lay them together, some of them not whole vectors. */
static peri_conv many_channels(void)
{
    static const size_t some[] = {16, 30, 32, 61, 80};
    for (;;) {
        peri_conv s = {.n = between(0, 5),
                       .h = between(1, 13),
                       .w = between(1, 13),
                       .kh = between(1, 5),
                       .kw = between(2, 5),
                       .dilation = {1, 1},
                       .groups = between(1, 2)};
        s.c = s.groups * some[between(0, 4)];
        s.o = s.groups * some[between(0, 4)];
        for (int axis = 0; axis < 2; axis++) {
            s.stride[axis] = between(1, 3);
            s.padding[axis] = between(0, 3);
        }
        size_t oh, ow;
        peri_facts facts;
        if (peri_conv_output(&s, &oh, &ow, &facts) == PERI_OK && (s.stride[0] > 1 || s.kw != 3))
            return s;
    }
}

static void compare_channels(void)
{
    for (int i = 0; i < 12; i++) {
        const peri_conv s = many_channels();
        compare(&s, PERI_F32, PERI_CONV_AUTO, 4e-6);
        compare(&s, PERI_F64, PERI_CONV_AUTO, 1e-14);
    }
}

static void test_channels_together_equal_seven_loops(void **state)
{
    (void)state;
    at_each_level(compare_channels);
}

static void compare_winograd(void)
{
    for (int i = 0; i < 12; i++) {
        peri_conv s = {.n = between(0, 5),
                       .c = between(1, 35),
                       .h = between(1, 18),
                       .w = between(1, 18),
                       .o = between(1, 35),
                       .kh = 3,
                       .kw = 3,
                       .stride = {1, 1},
                       .dilation = {1, 1},
                       .groups = 1};
        s.padding[0] = between(s.h < 3, 2);
        s.padding[1] = between(s.w < 3, 2);
        compare(&s, PERI_F32, PERI_CONV_WINOGRAD, 1e-5);
        compare(&s, PERI_F64, PERI_CONV_WINOGRAD, 1e-13);
    }
    for (int i = 0; i < 12; i++) { /* the four phases of a stride of 2 */
        peri_conv s = {.n = between(0, 5),
                       .c = between(1, 35),
                       .h = between(2, 21),
                       .w = between(2, 21),
                       .o = between(1, 35),
                       .kh = 4,
                       .kw = 4,
                       .stride = {2, 2},
                       .dilation = {1, 1},
                       .groups = 1};
        s.padding[0] = s.h < 4 ? 1 + s.h % 2 : between(0, 2);
        s.padding[1] = s.w < 4 ? 1 + s.w % 2 : between(0, 2);
        compare(&s, PERI_F32, PERI_CONV_WINOGRAD, 1e-5);
        compare(&s, PERI_F64, PERI_CONV_WINOGRAD, 1e-13);
    }
}

static void test_winograd_equals_seven_loops(void **state)
{
    (void)state;
    at_each_level(compare_winograd);
}

/* <conv(x), y> = <x, conv^T(y)> = <w, dW> */
static void test_passes_are_adjoint(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        const peri_conv s = any_shape();
        for (peri_conv_method method = PERI_CONV_PRODUCT; method <= PERI_CONV_WINOGRAD; method++) {
            problem q = make_problem(&s, PERI_F64);
            block y = forward(&s, &q, method, false), dx = backward_data(&s, &q, method, false);
            block dw = backward_weights(&s, &q, method, 0);
            const double product = dot(&y, &q.y), near = 1e-13 * (1 + (double)q.y.count);
            assert_true(fabs(product - dot(&q.x, &dx)) <= near);
            assert_true(fabs(product - dot(&q.w, &dw)) <= near);
            drop(y);
            drop(dx);
            drop(dw);
            drop_problem(&q);
        }
    }
}

static void test_threads_change_no_bit(void **state)
{
    (void)state;
    const int threads = peri_threads(0);
    for (int i = 0; i < 24; i++) {
        peri_conv s = {.n = between(1, 9),
                       .c = between(16, 40),
                       .h = between(5, 30),
                       .w = between(5, 30),
                       .o = between(16, 40),
                       .kh = 3,
                       .kw = 3,
                       .stride = {1, 1},
                       .padding = {1, 1},
                       .dilation = {1, 1},
                       .groups = 1};
        if (i % 2 == 1)
            s = many_channels();
        for (peri_conv_method method = PERI_CONV_PRODUCT; method <= PERI_CONV_WINOGRAD; method++) {
            problem q = make_problem(&s, PERI_F32);
            block got[3][3];
            for (int t = 0; t < 3; t++) {
                peri_threads(t + 1);
                got[t][0] = forward(&s, &q, method, true);
                got[t][1] = backward_data(&s, &q, method, true);
                got[t][2] = backward_weights(&s, &q, method, 0);
            }
            for (int pass = 0; pass < 3; pass++) {
                assert_true(same_bytes(&got[0][pass], &got[1][pass]));
                assert_true(same_bytes(&got[0][pass], &got[2][pass]));
                for (int t = 0; t < 3; t++)
                    drop(got[t][pass]);
            }
            drop_problem(&q);
        }
    }
    peri_threads(threads);
}

static void test_bias_gradient_sums(void **state)
{
    (void)state;
    for (int dtype = PERI_F64; dtype <= PERI_F32; dtype++) {
        block g = random_block(dtype, 3 * 5 * 21), db = random_block(dtype, 5);
        double wanted[5], *before = doubles(&db);
        for (int beta = 0; beta <= 1; beta++) {
            for (size_t c = 0; c < 5; c++) {
                wanted[c] = beta * get(&db, c);
                for (size_t i = 0; i < 3 * 21; i++)
                    wanted[c] += get(&g, (i / 21 * 5 + c) * 21 + i % 21);
            }
            peri_conv_backward_bias(3, 5, 21, dtype, g.data, beta, db.data);
            assert_block_near(&db, wanted, dtype == PERI_F32 ? 1e-6 : 1e-14, "db");
        }
        free(before);
        drop(g);
        drop(db);
    }
}

static void test_shapes_are_refused(void **state)
{
    (void)state;
    const peri_conv good = {.n = 1,
                            .c = 4,
                            .h = 5,
                            .w = 6,
                            .o = 6,
                            .kh = 3,
                            .kw = 3,
                            .stride = {1, 1},
                            .dilation = {1, 1},
                            .groups = 2};
    size_t oh, ow;
    peri_facts facts;
    assert_int_equal(peri_conv_output(&good, &oh, &ow, &facts), PERI_OK);
    assert_int_equal(oh, 3);
    assert_int_equal(ow, 4);
    peri_conv s = good;
    s.groups = 3;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "groups");
    s = good;
    s.stride[1] = 0;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "stride");
    s = good;
    s.dilation[0] = 0;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "dilation");
    s = good;
    s.dilation[0] = 3;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_SHAPE);
    assert_string_equal(facts.arg, "w");
    assert_int_equal(facts.index[0], 2);
    assert_int_equal(facts.got, 7);
    s = good;
    s.padding[0] = SIZE_MAX;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "padding");
    s = good;
    s.h = (size_t)1 << 40;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_TOO_LARGE);
    s = good;
    s.n = (size_t)1 << 60;
    assert_int_equal(peri_conv_output(&s, &oh, &ow, &facts), PERI_ERR_TOO_LARGE);
}

static void test_transposed_extents(void **state)
{
    (void)state;
    assert_int_equal(peri_conv_input(7, 4, 2, 1, 1, 0), 14);
    assert_int_equal(peri_conv_input(7, 3, 2, 1, 1, 1), 14);
    assert_int_equal(peri_conv_input(4, 3, 1, 0, 2, 0), 8);
    assert_int_equal(peri_conv_input(1, 1, 1, 1, 1, 0), 0);
    assert_int_equal(peri_conv_input(3, 3, 2, 0, 1, 2), 0);
    assert_int_equal(peri_conv_input(SIZE_MAX, 3, 2, 0, 1, 0), 0);
}

static void test_a_stop_is_seen(void **state)
{
    (void)state;
    const peri_conv s = {.n = 2,
                         .c = 16,
                         .h = 8,
                         .w = 8,
                         .o = 16,
                         .kh = 3,
                         .kw = 3,
                         .stride = {1, 1},
                         .padding = {1, 1},
                         .dilation = {1, 1},
                         .groups = 1};
    peri_stop stop = {.requested = 1};
    problem q = make_problem(&s, PERI_F32);
    for (peri_conv_method method = PERI_CONV_PRODUCT; method <= PERI_CONV_WINOGRAD; method++) {
        block work = take_work(peri_conv_work(&s, PERI_F32, PERI_CONV_FORWARD, method, 1));
        assert_int_equal(peri_conv_forward(&s, PERI_F32, method, q.x.data, q.w.data, NULL, q.y.data,
                                           work.data, 1, &stop),
                         PERI_ERR_INTERRUPTED);
        drop(work);
        work = take_work(peri_conv_work(&s, PERI_F32, PERI_CONV_WEIGHTS, method, 1));
        assert_int_equal(peri_conv_backward_weights(&s, PERI_F32, method, q.x.data, q.y.data, 0,
                                                    q.w.data, work.data, 1, &stop),
                         PERI_ERR_INTERRUPTED);
        drop(work);
    }
    drop_problem(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_equal_seven_loops),
        cmocka_unit_test(test_large_products),
        cmocka_unit_test(test_channels_together_equal_seven_loops),
        cmocka_unit_test(test_winograd_equals_seven_loops),
        cmocka_unit_test(test_passes_are_adjoint),
        cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_bias_gradient_sums),
        cmocka_unit_test(test_shapes_are_refused),
        cmocka_unit_test(test_transposed_extents),
        cmocka_unit_test(test_a_stop_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
