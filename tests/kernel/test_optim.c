/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "kernel/optim.h"
#include "kernel/view.h"
#include "levels.h"

static void check_near(double a, double b, double near, const char *file, int line)
{
    if (fabs(a - b) <= near)
        return;
    print_error("%.17g is not within %g of %.17g\n", a, near, b);
    _fail(file, line);
}

#define assert_near(a, b, near) check_near(a, b, near, __FILE__, __LINE__)

/* Numbers of PyTorch 1.13, four steps each:
 *
 *   import torch; torch.set_default_dtype(torch.float64)
 *   p = torch.sin(torch.arange(5.)).requires_grad_(); o = OPTIMIZER([p])
 *   for t in range(4):
 *       p.grad = torch.cos(torch.arange(5.) + t) * p.detach(); o.step()
 *
 * with Adam(lr=0.05, weight_decay=0.1); SGD(lr=0.05, momentum=0.9, dampening=0.2,
 * weight_decay=0.1); SGD(lr=0.05, momentum=0.9, nesterov=True); SGD(lr=0.05). */
enum { ADAM, HEAVY, NESTEROV, PLAIN, KINDS };
static const double after[KINDS][5] = {
    {0, 0.81863781679883441, 1.0778704118068527, 0.24273926925778017, -0.75279186887232397},
    {0, 0.84897324691027487, 1.072792027289573, 0.16013706058648211, -0.70740266425210208},
    {0, 0.96928081192586635, 1.2092054534373278, 0.1646643786168922, -0.66167832560465456},
    {0, 0.90581184375404677, 0.99173347569745918, 0.14353799738807477, -0.70581559406602679}};

static void step(int kind, int dtype, size_t n, int64_t t, const void *g, void *p, void *m, void *v)
{
    if (kind == ADAM) {
        const peri_adam adam = {0.05, 0.9, 0.999, 1e-8, 0.1, t, false, NULL};
        peri_optim_adam(dtype, n, &adam, g, p, m, v);
        return;
    }
    const peri_sgd sgd[] = {[HEAVY] = {0.05, 0.9, 0.2, 0.1, false, t, NULL},
                            [NESTEROV] = {0.05, 0.9, 0, 0, true, t, NULL},
                            [PLAIN] = {0.05, 0, 0, 0, false, t, NULL}};
    peri_optim_sgd(dtype, n, &sgd[kind], g, p, kind == PLAIN ? NULL : m);
}

static void test_pytorch(void **state)
{
    (void)state;
    for (int level = PERI_ISA_AVX512; level >= PERI_ISA_BASE; level--) {
        if (!use_level(level))
            continue;
        for (int kind = 0; kind < KINDS; kind++) {
            double p[5], g[5], m[5] = {0}, v[5] = {0};
            float p32[5], g32[5], m32[5] = {0}, v32[5] = {0};
            for (int i = 0; i < 5; i++) {
                p[i] = sin(i);
                p32[i] = (float)p[i];
            }
            for (int t = 0; t < 4; t++) {
                for (int i = 0; i < 5; i++) {
                    g[i] = cos(i + t) * p[i];
                    g32[i] = (float)cos(i + t) * p32[i];
                }
                step(kind, PERI_F64, 5, t + 1, g, p, m, v);
                step(kind, PERI_F32, 5, t + 1, g32, p32, m32, v32);
            }
            for (int i = 0; i < 5; i++) {
                assert_near(p[i], after[kind][i], 1e-15);
                assert_near((double)p32[i], after[kind][i], 1e-6);
            }
        }
    }
    peri_isa_limit(PERI_ISA_AVX512);
}

/* An element's value does not depend on where it stands: the same numbers at each of 40 places. */
static void test_places_agree(void **state)
{
    (void)state;
    enum { N = 40 };
    for (int kind = 0; kind < KINDS; kind++) {
        float p[N + 1], g[N], m[N] = {0}, v[N] = {0};
        for (int i = 0; i < N; i++) {
            p[i] = 0.7F;
            g[i] = 0.31F;
        }
        p[N] = 5;
        for (int64_t t = 1; t <= 3; t++)
            step(kind, PERI_F32, N, t, g, p, m, v);
        for (int i = 1; i < N; i++)
            assert_true(p[i] == p[0]);
        assert_true(p[N] == 5);
        assert_true(g[3] == 0.31F);
    }
}

static void test_clip(void **state)
{
    (void)state;
    double g[10];
    float g32[10];
    for (int i = 0; i < 10; i++) {
        g[i] = i - 4.5;
        g32[i] = (float)g[i];
    }
    const double norm = sqrt(82.5);
    assert_near(peri_optim_clip(PERI_F64, 10, 100, g), norm, 1e-14);
    assert_true(g[0] == -4.5);
    assert_near(peri_optim_clip(PERI_F64, 10, 2, g), norm, 1e-14);
    assert_near(g[0], -4.5 * 2 / (norm + 1e-6), 1e-15);
    assert_near(peri_optim_clip(PERI_F32, 10, 2, g32), norm, 1e-14);
    assert_near((double)g32[9], 4.5 * 2 / (norm + 1e-6), 1e-7);
    double bad[] = {1, NAN};
    assert_true(isnan(peri_optim_clip(PERI_F64, 2, 1, bad)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pytorch),
        cmocka_unit_test(test_places_agree),
        cmocka_unit_test(test_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
