/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/polygamma.h"
#include "kernel/scatter.h"
#include "kernel/view.h"

static void check(double want, double got, double tolerance)
{
    if (!(fabs(want - got) <= tolerance * fabs(want)))
        fail_msg("expected %.17g, got %.17g", want, got);
}

/* Values by mpmath 1.2 at 30 digits. */
static void known_values(void **state)
{
    (void)state;
    check(-0.57721566490153286061, peri_polygamma(0, 1), 4e-15);
    check(-10.423754940411076795, peri_polygamma(0, 0.1), 4e-15);
    check(1.6449340668482264365, peri_polygamma(1, 1), 4e-15);
    check(-2.4041138063191885708, peri_polygamma(2, 1), 4e-15);
    check(6.907755278948799, peri_polygamma(0, 1000.4999583), 4e-15);
    check(0.70315664064524318722, peri_polygamma(0, -1.5), 1e-14);
}

/* psi_n(x + 1) - psi_n(x) = (-1)^n n! / x^(n + 1), across the place where the series takes over. */
static void recurrence(void **state)
{
    (void)state;
    double factorial = 1;
    for (int n = 0; n <= 6; n++) {
        factorial *= n > 0 ? n : 1;
        for (double x = -3.3; x < 40; x += 0.7) {
            const double step = (n % 2 == 0 ? 1 : -1) * factorial / pow(x, n + 1);
            const double a = peri_polygamma(n, x), b = peri_polygamma(n, x + 1);
            assert_true(fabs(b - a - step) <= 1e-13 * (fabs(a) + fabs(b) + fabs(step)));
        }
    }
}

static void poles(void **state)
{
    (void)state;
    assert_true(isnan(peri_polygamma(0, 0)) && isnan(peri_polygamma(1, -2)));
    assert_true(isnan(peri_polygamma(0, NAN)) && isnan(peri_polygamma(21, 1)));
    assert_true(peri_polygamma(0, INFINITY) == INFINITY && peri_polygamma(3, INFINITY) == 0);
}

static void scatter(void **state)
{
    (void)state;
    double out[6] = {10, 20, 30, 40, 50, 60};
    const double v[8] = {2.385, 1.5, 3, 4, 5, 6, 7, 8.25};
    const size_t index[4] = {2, 0, 2, 2};
    peri_scatter_add(PERI_F64, 1, 3, 2, index, 4, v, out);
    assert_true(out[0] == 13 && out[1] == 24 && out[2] == 30 && out[3] == 40);
    assert_true(out[4] == 50 + 2.385 + 5 + 7 && out[5] == 60 + 1.5 + 6 + 8.25);
    float few[4] = {0, 0, 0, 0};
    peri_scatter_add(PERI_F32, 2, 2, 1, index + 1, 1, (const float[2]){1.5f, 2.5f}, few);
    assert_true(few[0] == 1.5f && few[1] == 0 && few[2] == 2.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_values), cmocka_unit_test(recurrence),
                                       cmocka_unit_test(poles), cmocka_unit_test(scatter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
