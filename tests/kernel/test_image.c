/* SPDX-License-Identifier: MIT */
#include "kernel/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_values(const double *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) < 1e-9))
            fail_msg("element %zu is %.17g, not %.17g", i, got[i], want[i]);
}

static void test_collage_lays_out_row_by_row_with_white_gaps(void **state)
{
    (void)state;
    /* three images (1,2), values 0 and 1, the last place empty */
    const double images[] = {0, 1, 1, 1, 0, 0};
    const peri_view v = {(void *)images, PERI_F64, 3, (size_t[]){3, 1, 2}, (ptrdiff_t[]){2, 2, 1}};
    peri_collage layout = {.rows = 2, .cols = 2, .gap = 1, .scale = 1, .channels = 1};
    size_t height, width;
    peri_facts facts;
    assert_int_equal(peri_image_collage_size(&layout, 1, 2, 1000, &height, &width, &facts),
                     PERI_OK);
    assert_int_equal(height, 3);
    assert_int_equal(width, 5);
    double out[3 * 5];
    peri_image_collage(&v, &layout, out);
    assert_values(
        out, (double[]){0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 255, 255, 255}, 15);
    layout.invert = true; /* the gap and the empty place stay white */
    peri_image_collage(&v, &layout, out);
    assert_values(
        out, (double[]){255, 0, 255, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 15);
    layout = (peri_collage){.rows = 1, .cols = 3, .gap = 0, .scale = 2, .channels = 1};
    assert_int_equal(peri_image_collage_size(&layout, 1, 2, 1000, &height, &width, &facts),
                     PERI_OK);
    assert_true(height == 2 && width == 12);
    double large[24];
    peri_image_collage(&v, &layout, large);
    for (int i = 0; i < 2; i++)
        assert_values(large + 12 * i, (double[]){0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0},
                      12);
}

static void test_ranges(void **state)
{
    (void)state;
    const float images[] = {-2, 2, 10, 20};
    const peri_view v = {(void *)images, PERI_F32, 3, (size_t[]){2, 1, 2}, (ptrdiff_t[]){2, 2, 1}};
    peri_collage layout = {.rows = 2, .cols = 1, .scale = 1, .channels = 1};
    double out[4];
    peri_image_collage(&v, &layout, out);
    assert_values(out, (double[]){0, 255 * 4 / 22.0, 255 * 12 / 22.0, 255}, 4);
    layout.range = PERI_RANGE_EACH;
    peri_image_collage(&v, &layout, out);
    assert_values(out, (double[]){0, 255, 0, 255}, 4);
    layout.range = PERI_RANGE_FIXED;
    layout.lo = 0;
    layout.hi = 15;
    peri_image_collage(&v, &layout, out);
    assert_values(out, (double[]){0, 34, 170, 255}, 4);

    /* one value: beside 0 and 1 */
    for (int k = 0; k < 4; k++) {
        const double constant[] = {0, 1, 0.5, -3}, want[] = {0, 255, 127.5, 0};
        const peri_view one = {(void *)(constant + k), PERI_F64, 3, (size_t[]){1, 1, 1},
                               (ptrdiff_t[]){1, 1, 1}};
        peri_collage single = {.rows = 1, .cols = 1, .scale = 1, .channels = 1};
        peri_image_collage(&one, &single, out);
        assert_values(out, want + k, 1);
    }

    const double wide[] = {-1.7e308, 1.7e308, INFINITY, -INFINITY};
    const peri_view w = {(void *)wide, PERI_F64, 3, (size_t[]){1, 1, 4}, (ptrdiff_t[]){4, 4, 1}};
    peri_collage row = {.rows = 1, .cols = 1, .scale = 1, .channels = 1};
    peri_image_collage(&w, &row, out);
    assert_values(out, (double[]){0, 255, 255, 0}, 4);
    double lo, hi;
    const double none[] = {NAN, INFINITY};
    const peri_view nothing = {(void *)none, PERI_F64, 1, (size_t[]){2}, (ptrdiff_t[]){1}};
    peri_image_range(&nothing, &lo, &hi);
    assert_true(lo == 0 && hi == 1);
}

static void test_nan_is_magenta(void **state)
{
    (void)state;
    const double images[] = {0, NAN, 1};
    const peri_view v = {(void *)images, PERI_F64, 3, (size_t[]){1, 1, 3}, (ptrdiff_t[]){3, 3, 1}};
    const peri_collage layout = {.rows = 1, .cols = 1, .scale = 1, .channels = 3};
    assert_true(peri_image_has_nan(&v));
    const peri_view first = {(void *)images, PERI_F64, 1, (size_t[]){1}, (ptrdiff_t[]){1}};
    assert_false(peri_image_has_nan(&first));
    double out[9];
    peri_image_collage(&v, &layout, out);
    assert_values(out, (double[]){0, 0, 0, 255, 0, 255, 255, 255, 255}, 9);
}

static void test_colour_images_and_flipped_axes(void **state)
{
    (void)state;
    const double images[] = {0, 51, 102, 153, 204, 255};
    /* (1,1,2,3) with columns backwards */
    const peri_view v = {(void *)(images + 3), PERI_F64, 4, (size_t[]){1, 1, 2, 3},
                         (ptrdiff_t[]){6, 6, -3, 1}};
    const peri_collage layout = {.rows = 1, .cols = 1, .scale = 1, .channels = 3};
    double out[6];
    peri_image_collage(&v, &layout, out);
    assert_values(out, (double[]){153, 204, 255, 0, 51, 102}, 6);
}

static void test_sizes_that_are_too_large(void **state)
{
    (void)state;
    size_t height, width;
    peri_facts facts = {0};
    peri_collage layout = {.rows = SIZE_MAX, .cols = 1, .gap = 1, .scale = 1, .channels = 1};
    assert_int_equal(peri_image_collage_size(&layout, 5, 5, 1 << 15, &height, &width, &facts),
                     PERI_ERR_TOO_LARGE);
    layout = (peri_collage){.rows = 1, .cols = 2, .gap = SIZE_MAX, .scale = 1, .channels = 1};
    assert_int_equal(peri_image_collage_size(&layout, 5, 5, 1 << 15, &height, &width, &facts),
                     PERI_ERR_TOO_LARGE);
    layout = (peri_collage){.rows = 1, .cols = 1, .gap = 0, .scale = 6554, .channels = 1};
    assert_int_equal(peri_image_collage_size(&layout, 5, 5, 1 << 15, &height, &width, &facts),
                     PERI_ERR_TOO_LARGE);
    layout.scale = 6553;
    assert_int_equal(peri_image_collage_size(&layout, 5, 5, 1 << 15, &height, &width, &facts),
                     PERI_OK);
    assert_int_equal(height, 32765);
}

static void test_color_takes_the_table_from_lo_to_hi(void **state)
{
    (void)state;
    const double values[] = {-9, 0, 0.49, 0.51, 1, 9, NAN, INFINITY};
    const double table[] = {1, 2, 3, 4, 5, 6}, missing[] = {7, 8, 9};
    const peri_view v = {(void *)values, PERI_F64, 2, (size_t[]){4, 2}, (ptrdiff_t[]){2, 1}};
    double out[24];
    peri_image_color(&v, 0, 1, table, 2, missing, out);
    const double want[] = {1, 1, 1, 4, 4, 4, 7, 4};
    for (int i = 0; i < 8; i++)
        assert_values(out + 3 * i, (double[]){want[i], want[i] + 1, want[i] + 2}, 3);
}

static void test_resize(void **state)
{
    (void)state;
    double work[64], out[64];
    const double row[] = {0, 10, 20, 30};
    peri_image_resize(row, 1, 4, 1, PERI_RESIZE_NEAREST, out, 1, 8, work);
    assert_values(out, (double[]){0, 0, 10, 10, 20, 20, 30, 30}, 8);
    peri_image_resize(row, 1, 4, 1, PERI_RESIZE_NEAREST, out, 2, 2, work);
    assert_values(out, (double[]){10, 30, 10, 30}, 4);
    peri_image_resize(row, 4, 1, 1, PERI_RESIZE_LINEAR, out, 4, 1, work);
    assert_values(out, row, 4);
    /* enlarged by 2, weights 3/4 and 1/4, the edge repeated */
    peri_image_resize(row, 1, 4, 1, PERI_RESIZE_LINEAR, out, 1, 8, work);
    assert_values(out, (double[]){0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30}, 8);
    /* halved: weights 1/4 3/4 3/4 1/4 about the middle of two, cut at the edge */
    peri_image_resize(row, 1, 4, 1, PERI_RESIZE_LINEAR, out, 1, 2, work);
    assert_values(out,
                  (double[]){(0 * 3 + 10 * 3 + 20 * 1) / 7.0, (10 * 1 + 20 * 3 + 30 * 3) / 7.0}, 2);
    /* channels do not mix; a constant stays */
    const double colors[] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
    peri_image_resize(colors, 2, 2, 3, PERI_RESIZE_LINEAR, out, 3, 3, work);
    for (int i = 0; i < 9; i++)
        assert_values(out + 3 * i, colors, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collage_lays_out_row_by_row_with_white_gaps),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_nan_is_magenta),
        cmocka_unit_test(test_colour_images_and_flipped_axes),
        cmocka_unit_test(test_sizes_that_are_too_large),
        cmocka_unit_test(test_color_takes_the_table_from_lo_to_hi),
        cmocka_unit_test(test_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
