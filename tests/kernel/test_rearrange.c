/* SPDX-License-Identifier: MIT
 *
 * kernel/rearrange on small arrays whose answers can be read off; strides other than row-major. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/rearrange.h"

/* x(i, j) = 10 i + j for i in 1..3, j in 1..4, stored by columns with gaps */
static double x[3 * 4 * 2];
static const size_t shape[2] = {3, 4};
static const ptrdiff_t stride[2] = {2, 6}, flat[2] = {4, 1};
static const peri_view X = {x, PERI_F64, 2, shape, stride};

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++)
        x[i] = -99;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            x[2 * i + 6 * j] = 10 * (i + 1) + j + 1;
    return 0;
}

static void test_index(void **state)
{
    (void)state;
    const double good[] = {1, -1, 4, -4}, bad[] = {0, 5, -5, 1.5, NAN, INFINITY};
    const size_t four[1] = {4}, one[1] = {1};
    const ptrdiff_t unit[1] = {1};
    size_t out[4];
    peri_facts facts = {0};
    const peri_view v = {(void *)good, PERI_F64, 1, four, unit};
    assert_int_equal(peri_index_read(&v, 4, out, &facts), PERI_OK);
    assert_true(out[0] == 0 && out[1] == 3 && out[2] == 3 && out[3] == 0);
    for (int i = 0; i < 6; i++) {
        const peri_view w = {(void *)(bad + i), PERI_F64, 1, one, unit};
        assert_int_equal(peri_index_read(&w, 4, out, &facts), PERI_ERR_VALUE);
    }
}

static void test_take(void **state)
{
    (void)state;
    double y[8];
    const size_t rows[2] = {2, 4}, cols[2] = {3, 2};
    const ptrdiff_t by2[2] = {2, 1};
    const peri_view a = {y, PERI_F64, 2, rows, flat}, b = {y, PERI_F64, 2, cols, by2};
    peri_take(&X, 0, (size_t[]){2, 0}, 2, &a);
    assert_memory_equal(y, ((double[]){31, 32, 33, 34, 11, 12, 13, 14}), sizeof y);
    peri_take(&X, 1, (size_t[]){3, 0}, 2, &b);
    assert_memory_equal(y, ((double[]){14, 11, 24, 21, 34, 31}), 6 * sizeof *y);
}

static void test_masks(void **state)
{
    (void)state;
    double mask[12] = {0, 1, 0, 0, 0, 0, NAN, 0, 2, 0, 0, 0}, y[3];
    const ptrdiff_t unit[1] = {1};
    const size_t three[1] = {3}, twelve[1] = {12};
    const peri_view m = {mask, PERI_F64, 2, shape, flat}, out = {y, PERI_F64, 1, three, unit};
    assert_int_equal(peri_nonzero_count(&m), 3);
    double i[3], j[3];
    peri_nonzero(&m, 1, (double *[]){i, j});
    assert_memory_equal(i, ((double[]){1, 2, 3}), sizeof i);
    assert_memory_equal(j, ((double[]){2, 3, 1}), sizeof j);
    peri_mask_select(&X, &m, &out);
    assert_memory_equal(y, ((double[]){12, 23, 31}), sizeof y);
    size_t at[12];
    const peri_view line = {mask, PERI_F64, 1, twelve, unit};
    assert_int_equal(peri_mask_read(&line, at), 3);
    assert_true(at[0] == 1 && at[1] == 6 && at[2] == 8);
}

static void test_triangle(void **state)
{
    (void)state;
    double y[12];
    const peri_view out = {y, PERI_F64, 2, shape, flat};
    for (int k = -5; k <= 5; k++)
        for (int upper = 0; upper < 2; upper++) {
            peri_triangle(&X, k, upper, &out);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 4; j++) {
                    const int kept = upper ? j >= i + k : j <= i + k;
                    assert_true(y[4 * i + j] == (kept ? 10 * (i + 1) + j + 1 : 0));
                }
        }
    assert_true(peri_trace(&X) == 11 + 22 + 33);
    double wide[9] = {1e16, 0, 0, 0, 1, 0, 0, 0, -1e16}, one = 1;
    const size_t square[2] = {3, 3};
    const ptrdiff_t s[2] = {3, 1}, none[2] = {0, 0};
    const peri_view w = {wide, PERI_F64, 2, square, s}, ones = {&one, PERI_F64, 2, shape, none};
    assert_true(peri_trace(&w) == 1);
    assert_true(peri_trace(&ones) == 3);
}

static void test_shift(void **state)
{
    (void)state;
    double y[48];
    const peri_view out = {y, PERI_F64, 2, shape, flat};
    for (int by = -9; by <= 9; by++) {
        peri_roll(&X, 1, by, &out);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++)
                assert_true(y[4 * i + j] == 10 * (i + 1) + ((j - by) % 4 + 4) % 4 + 1);
    }
    const size_t less[2] = {2, 4}, twice[2] = {6, 8};
    const ptrdiff_t eight[2] = {8, 1};
    const peri_view d = {y, PERI_F64, 2, less, flat}, t = {y, PERI_F64, 2, twice, eight};
    peri_diff(&X, 0, &d);
    for (int i = 0; i < 8; i++)
        assert_true(y[i] == 10);
    peri_tile(&X, &t);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 8; j++)
            assert_true(y[8 * i + j] == 10 * (i % 3 + 1) + j % 4 + 1);
}

static void test_outer(void **state)
{
    (void)state;
    float a[] = {1.1f, 2.385f}, b[] = {3.3f, -7, 0.1f}, y[6];
    const size_t two[1] = {2}, three[1] = {3}, both[2] = {2, 3};
    const ptrdiff_t unit[1] = {1}, by3[2] = {3, 1};
    const peri_view av = {a, PERI_F32, 1, two, unit}, bv = {b, PERI_F32, 1, three, unit};
    const peri_view out = {y, PERI_F32, 2, both, by3};
    peri_outer(&av, &bv, &out);
    for (int i = 0; i < 6; i++) {
        const float want = a[i / 3] * b[i % 3];
        assert_true(y[i] == want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index), cmocka_unit_test(test_take),
        cmocka_unit_test(test_masks), cmocka_unit_test(test_triangle),
        cmocka_unit_test(test_shift), cmocka_unit_test(test_outer)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
