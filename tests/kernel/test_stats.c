/* SPDX-License-Identifier: MIT
 *
 * kernel/stats against mpmath 1.2.1 at 60 digits:
 *     mpmath.gammainc(df/2, x/2, mpmath.inf, regularized=True)
 * and beyond df = 1e5 the power series, beyond 1e9 the integral over 15 standard deviations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/stats.h"

static const struct {
    double x, df, want;
} cases[] = {
    {0.5, 1e-5, 5.2214147320715404548e-6},
    {0.02, 1e-6, 2.018962953292877786e-6},
    {1480, 28, 1.366161644977014319e-294},
    {1450, 29.5, 6.6598781887658961217e-287},
    {0.01, 0.5, 0.70691910527898041424},
    {0.1, 1, 0.75182963404584927583},
    {3.84, 1, 0.050043521248705103189},
    {1e-10, 1, 0.99999202115439210433},
    {2, 1, 0.15729920705028513066},
    {1.9, 1, 0.16807831903497028463},
    {2.1, 1, 0.14729913862267605064},
    {100, 1, 1.5239706048321052132e-23},
    {1400, 1, 2.101014516264217495e-306},
    {1e-300, 1, 1.0},
    {5, 2, 0.08208499862389879517},
    {0.5, 2.5, 0.86388362845858884258},
    {10, 3, 0.018566135463043233303},
    {30, 31, 0.51729654931489578356},
    {30, 30, 0.46565370894400963158},
    {33, 30, 0.32254209693456491467},
    {1, 30, 0.99999999999999998539},
    {500, 30, 1.2079559936813976594e-86},
    {1400, 30, 7.826866361038638226e-276},
    {1000, 1000, 0.49405285382923964195},
    {1100, 1000, 0.014614408126295194045},
    {2000, 1000, 4.1436785914549917407e-69},
    {900, 1000, 0.98928276190871025844},
    {1e5, 1e5, 0.49940529189520668861},
    {102000.0, 1e5, 4.4119392551203061853e-6},
    {1e7, 1e7, 0.49994052919606216232},
    {1.002e7, 1e7, 3.9236705972845646062e-6},
    {0.3, 0.01, 0.0073125483284075205362},
    {3, 0.01, 0.0005034334079436256834},
    {1e-05, 0.1, 0.44203039971964310749},
    {0.999, 1.999, 0.60658923933404145846},
    {2.001, 1.999, 0.36747973150526155905},
    {1.00002e10, 1e10, 0.078650295358287876043},
    {1e10, 1e10, 0.49999811936805483872},
    {1.0001e10, 1e10, 7.7001065428595144032e-13},
};

static void test_chi2_sf(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double got = peri_stats_chi2_sf(cases[i].x, cases[i].df);
        const double error = fabs(got / cases[i].want - 1);
        if (!(error < 2e-13))
            fail_msg("chi2_sf(%g, %g) = %.17g, want %.17g: relative error %g", cases[i].x,
                     cases[i].df, got, cases[i].want, error);
    }
}

static void test_edges(void **state)
{
    (void)state;
    assert_true(peri_stats_chi2_sf(0, 3) == 1);
    assert_true(peri_stats_chi2_sf(-2.385, 3) == 1);
    assert_true(peri_stats_chi2_sf(INFINITY, 3) == 0);
    assert_true(isnan(peri_stats_chi2_sf(NAN, 3)));
    assert_true(isnan(peri_stats_chi2_sf(1, NAN)));
    assert_true(peri_stats_chi2_sf(1, INFINITY) == 1);
    assert_true(peri_stats_chi2_sf(1e300, 2) == 0);
    assert_true(peri_stats_chi2_sf(1e300, 1e20) == 0);
    assert_true(peri_stats_chi2_sf(1e3, 1e20) == 1);
    /* falls all the way, across every change of method */
    static const double df[] = {0.3, 1, 1.9, 2, 17, 30, 31, 400};
    for (size_t k = 0; k < sizeof df / sizeof *df; k++)
        for (double x = 0.05; x < 3 * df[k] + 20; x += 0.05)
            assert_true(peri_stats_chi2_sf(x, df[k]) <= peri_stats_chi2_sf(x - 0.05, df[k]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chi2_sf),
                                       cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
