/* SPDX-License-Identifier: MIT
 *
 * kernel/region: ranges against a count by hand, other shapes against the order of elements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/region.h"

enum { STRIDE = 3 };

/* What from, from + step, ... hold of an axis, one by one: both ends inclusive, negative ones from
 * the end, clipped. */
static size_t by_hand(const peri_range *r, int64_t extent, int64_t at[])
{
    const int64_t step = r->has_step ? r->step : 1;
    int64_t from = r->has_from ? r->from : step > 0 ? 1 : -1;
    int64_t to = r->has_to ? r->to : step > 0 ? -1 : 1;
    if (from < 0)
        from += extent + 1;
    if (to < 0)
        to += extent + 1;
    if (step > 0 && from < 1)
        from = 1;
    if (step < 0 && from > extent)
        from = extent;
    size_t count = 0;
    for (int64_t i = from; step > 0 ? i <= to : i >= to; i += step)
        if (i >= 1 && i <= extent)
            at[count++] = i;
        else
            break;
    return count;
}

static void test_ranges(void **state)
{
    (void)state;
    for (int64_t extent = 0; extent <= 5; extent++)
        for (int64_t from = -8; from <= 8; from++)
            for (int64_t to = -8; to <= 8; to++)
                for (int64_t step = -7; step <= 7; step++)
                    for (int has = 0; has < 8; has++) {
                        const peri_range range = {has & 1, has & 2, has & 4, from, to, step};
                        if (range.has_step && step == 0)
                            continue;
                        int64_t at[8];
                        const size_t count = by_hand(&range, extent, at);
                        peri_region r = {.offset = 0, .ndim = 0};
                        peri_region_range(&r, &range, (size_t)extent, STRIDE);
                        assert_int_equal(r.ndim, 1);
                        assert_int_equal(r.shape[0], count);
                        for (size_t k = 0; k < count; k++)
                            assert_int_equal(r.offset + (ptrdiff_t)k * r.stride[0],
                                             (at[k] - 1) * STRIDE);
                    }
}

static void test_extremes(void **state)
{
    (void)state;
    const int64_t far[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            for (size_t k = 0; k < 4; k++) {
                const peri_range range = {true, true, true, far[i], far[j], far[k]};
                peri_region r = {.offset = 0, .ndim = 0};
                peri_region_range(&r, &range, 5, STRIDE);
                assert_in_range(r.offset, 0, 4 * STRIDE);
                const bool up = far[k] > 0, first_low = far[i] < 0, last_low = far[j] < 0;
                assert_int_equal(r.shape[0], first_low == up && last_low != up);
                assert_true(up ? !first_low || r.offset == 0 : true);
            }
}

static void test_places(void **state)
{
    (void)state;
    assert_int_equal(peri_index_place(1, 4), 0);
    assert_int_equal(peri_index_place(4, 4), 3);
    assert_int_equal(peri_index_place(-1, 4), 3);
    assert_int_equal(peri_index_place(-4, 4), 0);
    assert_int_equal(peri_index_place(0, 4), -1);
    assert_int_equal(peri_index_place(5, 4), -1);
    assert_int_equal(peri_index_place(-5, 4), -1);
    assert_int_equal(peri_index_place(1, 0), -1);
    assert_int_equal(peri_index_place(INT64_MIN, 4), -1);
    assert_int_equal(peri_index_place(INT64_MAX, 4), -1);
    peri_region r = {.offset = 0, .ndim = 0};
    peri_region_place(&r, 2, 12);
    peri_region_whole(&r, 4, 3);
    peri_region_place(&r, 1, 1);
    assert_int_equal(r.offset, 25);
    assert_int_equal(r.ndim, 1);
    assert_int_equal(r.shape[0], 4);
    assert_int_equal(r.stride[0], 3);
}

enum { ELEMENTS = 24 };

/* The offsets of a view's elements in row-major order. */
static void list(int ndim, const size_t *shape, const ptrdiff_t *stride, ptrdiff_t at[ELEMENTS])
{
    peri_walk w = peri_walk_begin(ndim, shape);
    peri_walk_along(&w, stride);
    int k = 0;
    do
        at[k++] = w.at[0];
    while (peri_walk_next(&w));
    assert_int_equal(k, ELEMENTS);
}

/* The strides that could only be, tried out. */
static bool can_be(const ptrdiff_t at[ELEMENTS], int ndim, const size_t *shape)
{
    ptrdiff_t stride[4], other[ELEMENTS];
    size_t step = 1;
    for (int axis = ndim - 1; axis >= 0; axis--) {
        stride[axis] = shape[axis] > 1 ? at[step] : 0;
        step *= shape[axis];
    }
    list(ndim, shape, stride, other);
    return memcmp(at, other, sizeof other) == 0;
}

static void test_reshape(void **state)
{
    (void)state;
    static double data[200];
    const struct {
        int ndim;
        size_t shape[3];
        ptrdiff_t stride[3];
    } from[] = {
        {3, {2, 3, 4}, {12, 4, 1}},   {3, {2, 3, 4}, {24, 8, 2}},
        {3, {2, 3, 4}, {13, 4, 1}},   {2, {4, 6}, {1, 4}},
        {2, {6, 4}, {5, 1}},          {3, {4, 1, 6}, {6, 99, 1}},
        {3, {2, 12, 1}, {-12, 1, 7}}, {1, {24}, {3}},
    };
    const struct {
        int ndim;
        size_t shape[4];
    } to[] = {{1, {24}},          {2, {4, 6}},    {2, {6, 4}},  {3, {2, 3, 4}},
              {4, {2, 1, 12, 1}}, {3, {4, 3, 2}}, {2, {2, 12}}, {4, {2, 2, 3, 2}}};
    int views = 0;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        for (size_t j = 0; j < sizeof to / sizeof *to; j++) {
            ptrdiff_t stride[4], at[ELEMENTS], other[ELEMENTS];
            const peri_view a = {data, PERI_F64, from[i].ndim, from[i].shape, from[i].stride};
            list(from[i].ndim, from[i].shape, from[i].stride, at);
            const bool is = peri_reshaped_strides(&a, to[j].ndim, to[j].shape, stride);
            assert_int_equal(is, can_be(at, to[j].ndim, to[j].shape));
            if (!is)
                continue;
            views++;
            list(to[j].ndim, to[j].shape, stride, other);
            assert_memory_equal(at, other, sizeof at);
        }
    assert_in_range(views, 4 * 8, 8 * 8 - 1);
}

static void test_reshape_of_nothing(void **state)
{
    (void)state;
    const size_t shape[] = {0, 3}, other[] = {3, 5, 0};
    const ptrdiff_t stride[] = {7, 2};
    ptrdiff_t strides[3];
    const peri_view a = {NULL, PERI_F64, 2, shape, stride};
    assert_true(peri_reshaped_strides(&a, 3, other, strides));
    assert_int_equal(strides[0], 5);
    assert_int_equal(strides[2], 1);
}

static void test_permuted(void **state)
{
    (void)state;
    const size_t shape[] = {2, 3, 4};
    const ptrdiff_t stride[] = {12, 4, 1};
    const int order[] = {2, 0, 1};
    size_t to[3];
    ptrdiff_t strides[3];
    const peri_view a = {NULL, PERI_F64, 3, shape, stride};
    peri_permuted(&a, NULL, to, strides);
    assert_int_equal(to[0], 4);
    assert_int_equal(strides[0], 1);
    assert_int_equal(to[2], 2);
    peri_permuted(&a, order, to, strides);
    assert_int_equal(to[0], 4);
    assert_int_equal(to[1], 2);
    assert_int_equal(strides[1], 12);
    assert_int_equal(strides[2], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_reshape_of_nothing),
        cmocka_unit_test(test_permuted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
