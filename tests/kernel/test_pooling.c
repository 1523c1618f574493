/* SPDX-License-Identifier: MIT
 *
 * Pooling and upsampling against plain loops, their adjoints against differences and products, at
 * odd sizes and each level. */
#include "nets.h"

#include "kernel/pooling.h"

static peri_pooling any_window(void)
{
    for (;;) {
        peri_pooling s = {.planes = between(0, 5),
                          .h = between(1, 20),
                          .w = between(1, 40),
                          .kh = between(1, 4),
                          .kw = between(1, 4),
                          .inside = random_bits() % 2 == 0};
        for (int axis = 0; axis < 2; axis++) {
            s.stride[axis] = between(1, 4);
            s.padding[axis] = between(0, (axis == 0 ? s.kh : s.kw) / 2);
        }
        size_t oh, ow;
        peri_facts facts;
        if (peri_pool_output(&s, &oh, &ow, &facts) == PERI_OK)
            return s;
    }
}

/* The value of the window at row i, column k: its largest, or its mean. */
static double plain(const peri_pooling *s, const block *x, size_t plane, size_t i, size_t k,
                    bool most)
{
    double result = most ? -INFINITY : 0, inside = 0;
    for (size_t a = 0; a < s->kh; a++)
        for (size_t b = 0; b < s->kw; b++) {
            const size_t r = i * s->stride[0] + a - s->padding[0];
            const size_t q = k * s->stride[1] + b - s->padding[1];
            if (r >= s->h || q >= s->w)
                continue;
            const double v = get(x, (plane * s->h + r) * s->w + q);
            inside++;
            if (!most)
                result += v;
            else if (v > result)
                result = v;
        }
    return most ? result : result / (s->inside ? inside : (double)(s->kh * s->kw));
}

typedef struct {
    peri_pooling s;
    bool most;
    block x, y, which;
} pooling;

static void pool_forward(void *context)
{
    const pooling *p = context;
    const size_t slots = (size_t)peri_threads(0);
    block work = take_work(peri_pool_work(&p->s, p->x.dtype, slots));
    if (p->most)
        peri_max_pool(&p->s, p->x.dtype, p->x.data, p->y.data, p->which.data, work.data, slots);
    else
        peri_avg_pool(&p->s, p->x.dtype, p->x.data, p->y.data, work.data, slots);
    drop(work);
}

static void pool_backward(const pooling *p, const block *g, block *dx)
{
    const size_t slots = (size_t)peri_threads(0);
    block work = take_work(peri_pool_work(&p->s, p->x.dtype, slots));
    if (p->most)
        peri_max_pool_backward(&p->s, p->x.dtype, g->data, p->which.data, dx->data);
    else
        peri_avg_pool_backward(&p->s, p->x.dtype, g->data, dx->data, work.data, slots);
    drop(work);
}

static void check_pools(void)
{
    for (int round = 0; round < 120; round++) {
        pooling p = {.s = any_window(), .most = round % 2 == 0};
        const int dtype = round / 2 % 2 == 0 ? PERI_F64 : PERI_F32;
        size_t oh, ow;
        peri_facts facts;
        assert_int_equal(peri_pool_output(&p.s, &oh, &ow, &facts), PERI_OK);
        const size_t nx = p.s.planes * p.s.h * p.s.w, ny = p.s.planes * oh * ow;
        p.x = random_block(dtype, nx);
        for (size_t i = 0; i < nx && p.most; i++) /* no two alike */
            set(&p.x, i, (double)(i * 7919 % 65537) / 65537 - 0.5);
        p.y = take(dtype, ny);
        p.which = take_bytes(ny * sizeof(uint16_t));
        block g = random_block(dtype, ny), dx = take(dtype, nx);
        double *wanted = calloc(ny + 1, sizeof *wanted), *adjoint = calloc(nx + 1, sizeof *adjoint);
        pool_forward(&p);
        for (size_t i = 0; i < ny; i++)
            wanted[i] = plain(&p.s, &p.x, i / (oh * ow), i / ow % oh, i % ow, p.most);
        assert_block_near(&p.y, wanted, p.most ? 0 : 1e-6, "pool");
        pool_backward(&p, &g, &dx);
        if (p.most) {
            for (size_t i = 0; i < nx; i++)
                for (size_t k = 0; k < ny; k++)
                    if (k / (oh * ow) == i / (p.s.h * p.s.w) && wanted[k] == get(&p.x, i))
                        adjoint[i] += get(&g, k);
            assert_block_near(&dx, adjoint, 1e-6, "max_pool backward");
        } else {
            assert_true(fabs(dot(&g, &p.y) - dot(&p.x, &dx)) < 1e-5 * (1 + (double)ny));
            if (dtype == PERI_F64)
                assert_gradient(&p.x, &p.y, &g, pool_forward, &p, &dx, 1e-9, "avg_pool backward");
        }
        drop(p.x);
        drop(p.y);
        drop(p.which);
        drop(g);
        drop(dx);
        free(wanted);
        free(adjoint);
    }
}

static void test_pools(void **state)
{
    (void)state;
    at_each_level(check_pools);
}

/* NaN wins, the first of equals is taken, and a window of -inf gives nothing to the padding. */
static void check_special(void)
{
    const peri_pooling s = {
        .planes = 1, .h = 2, .w = 4, .kh = 2, .kw = 2, .stride = {2, 2}, .padding = {1, 1}};
    const double x[] = {-INFINITY, 1, 1, NAN, 5, 1, 1, 7};
    double y[6], room[8 + 16], *dx = room + 8, g[] = {1, 2, 3, 4, 5, 6};
    uint16_t which[6];
    block work = take_work(peri_pool_work(&s, PERI_F64, 1));
    peri_max_pool(&s, PERI_F64, x, y, which, work.data, 1);
    assert_true(y[0] == -INFINITY && y[1] == 1 && isnan(y[2]) && y[3] == 5 && y[4] == 1 &&
                y[5] == 7);
    assert_int_equal(which[1], 2);
    for (size_t i = 0; i < 8; i++)
        room[i] = room[16 + i] = 9;
    peri_max_pool_backward(&s, PERI_F64, g, which, dx);
    for (size_t i = 0; i < 8; i++)
        assert_true(room[i] == 9 && room[16 + i] == 9);
    assert_true(dx[0] == 0 && dx[1] == 2 && dx[3] == 3 && dx[4] == 4 && dx[5] == 5 && dx[7] == 6);
    drop(work);
}

static void test_special_values(void **state)
{
    (void)state;
    at_each_level(check_special);
}

typedef struct {
    peri_upsampling s;
    block x, y;
} upsampling;

static void up_forward(void *context)
{
    const upsampling *p = context;
    const size_t slots = (size_t)peri_threads(0);
    block work = take_work(peri_upsample_work(&p->s, p->x.dtype, slots));
    peri_upsample(&p->s, p->x.dtype, p->x.data, p->y.data, work.data, slots);
    drop(work);
}

static void check_upsampling(void)
{
    for (int round = 0; round < 60; round++) {
        upsampling p = {.s = {between(0, 4), between(1, 7), between(1, 9), between(1, 20),
                              between(1, 20), round % 3 > 0, round % 3 == 2}};
        const peri_upsampling *s = &p.s;
        const size_t nx = s->planes * s->h * s->w, ny = s->planes * s->H * s->W;
        p.x = random_block(PERI_F64, nx);
        p.y = take(PERI_F64, ny);
        block g = random_block(PERI_F64, ny), dx = take(PERI_F64, nx);
        double *wanted = calloc(ny + 1, sizeof *wanted);
        for (size_t i = 0; i < ny; i++) {
            const size_t at[2] = {i / s->W % s->H, i % s->W}, small[2] = {s->h, s->w};
            const size_t large[2] = {s->H, s->W};
            size_t lo[2], hi[2];
            double t[2];
            for (int axis = 0; axis < 2; axis++) {
                double place = floor((double)at[axis] * (double)small[axis] / (double)large[axis]);
                if (s->bilinear && s->align_corners)
                    place = large[axis] == 1 ? 0
                                             : (double)at[axis] * (double)(small[axis] - 1) /
                                                   (double)(large[axis] - 1);
                else if (s->bilinear)
                    place = fmax(
                        ((double)at[axis] + 0.5) * (double)small[axis] / (double)large[axis] - 0.5,
                        0);
                lo[axis] = (size_t)place;
                hi[axis] = lo[axis] + 1 < small[axis] ? lo[axis] + 1 : lo[axis];
                t[axis] = place - (double)lo[axis];
            }
            const size_t base = i / (s->H * s->W) * s->h * s->w;
            const double a = get(&p.x, base + lo[0] * s->w + lo[1]);
            const double b = get(&p.x, base + lo[0] * s->w + hi[1]);
            const double c = get(&p.x, base + hi[0] * s->w + lo[1]);
            const double d = get(&p.x, base + hi[0] * s->w + hi[1]);
            wanted[i] =
                (1 - t[0]) * ((1 - t[1]) * a + t[1] * b) + t[0] * ((1 - t[1]) * c + t[1] * d);
        }
        up_forward(&p);
        assert_block_near(&p.y, wanted, 1e-14, "upsample");
        block work = take_work(peri_upsample_work(s, PERI_F64, 2));
        peri_upsample_backward(s, PERI_F64, g.data, dx.data, work.data, 2);
        drop(work);
        assert_true(fabs(dot(&g, &p.y) - dot(&p.x, &dx)) < 1e-12 * (1 + (double)ny));
        assert_gradient(&p.x, &p.y, &g, up_forward, &p, &dx, 1e-9, "upsample backward");
        upsampling f = {p.s, as_f32(&p.x), take(PERI_F32, ny)};
        block gf = as_f32(&g), dxf = take(PERI_F32, nx);
        up_forward(&f);
        assert_close(&f.y, &p.y, 1e-6, "upsample in f32");
        work = take_work(peri_upsample_work(s, PERI_F32, 1));
        peri_upsample_backward(s, PERI_F32, gf.data, dxf.data, work.data, 1);
        assert_close(&dxf, &dx, 2e-6, "upsample backward in f32");
        block *const all[] = {&p.x, &p.y, &g, &dx, &f.x, &f.y, &gf, &dxf, &work};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            drop(*all[i]);
        free(wanted);
    }
}

static void test_upsampling(void **state)
{
    (void)state;
    at_each_level(check_upsampling);
}

static void test_windows_are_refused(void **state)
{
    (void)state;
    const peri_pooling good = {.planes = 1, .h = 5, .w = 6, .kh = 2, .kw = 3, .stride = {1, 1}};
    size_t oh, ow;
    peri_facts facts;
    assert_int_equal(peri_pool_output(&good, &oh, &ow, &facts), PERI_OK);
    assert_true(oh == 4 && ow == 4);
    peri_pooling s = good;
    s.kh = 6;
    assert_int_equal(peri_pool_output(&s, &oh, &ow, &facts), PERI_ERR_SHAPE);
    assert_string_equal(facts.arg, "k");
    s = good;
    s.kw = 0;
    assert_int_equal(peri_pool_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    s = good;
    s.stride[1] = 0;
    assert_int_equal(peri_pool_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "stride");
    s = good;
    s.padding[1] = 2;
    assert_int_equal(peri_pool_output(&s, &oh, &ow, &facts), PERI_ERR_VALUE);
    assert_string_equal(facts.arg, "padding");
    s = good;
    s.h = s.w = s.kh = s.kw = 300;
    assert_int_equal(peri_pool_output(&s, &oh, &ow, &facts), PERI_ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_upsampling),
        cmocka_unit_test(test_windows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
