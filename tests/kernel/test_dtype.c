/* SPDX-License-Identifier: MIT
 *
 * kernel/dtype and the walker of kernel/view: the facts of each row, and walks against loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/view.h"

static void test_names(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < PERI_DTYPES; dtype++) {
        assert_int_equal(peri_dtype_named(peri_dtypes[dtype].name), dtype);
        assert_int_equal(peri_dtype_named(peri_dtypes[dtype].other), dtype);
        assert_int_equal(peri_dtypes[dtype].size, peri_dtype_size(dtype));
        assert_int_equal(peri_dtypes[dtype].size % peri_dtypes[dtype].alignment, 0);
        assert_int_equal(peri_dtypes[dtype].kind == PERI_KIND_REAL, peri_is_real(dtype));
    }
    assert_int_equal(peri_dtype_named("f16"), -1);
    assert_int_equal(peri_dtype_named(""), -1);
    assert_int_equal(peri_dtype_size(PERI_F64), 8);
    assert_int_equal(peri_dtype_size(PERI_F32), 4);
    assert_string_equal(peri_dtype_name(PERI_F32), "f32");
}

/* The rule is symmetric, gives a real dtype, and a dtype that is real keeps itself. */
static void test_promotion(void **state)
{
    (void)state;
    for (int a = 0; a < PERI_DTYPES; a++)
        for (int b = 0; b < PERI_DTYPES; b++) {
            assert_int_equal(peri_promote(a, b), peri_promote(b, a));
            assert_true(peri_is_real(peri_promote(a, b)));
            if (peri_is_real(a))
                assert_int_equal(peri_promote(a, a), a);
        }
    assert_int_equal(peri_promote(PERI_F32, PERI_F64), PERI_F64);
}

static void test_elements(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < PERI_DTYPES; dtype++) {
        _Alignas(8) unsigned char room[64] = {0};
        const size_t shape = 3;
        const ptrdiff_t stride = 1;
        const peri_view v = {room, dtype, 1, &shape, &stride};
        for (int i = 0; i < 3; i++)
            peri_put(&v, i, i == 1);
        for (int i = 0; i < 3; i++)
            assert_true(peri_get(&v, i) == (double)(i == 1));
    }
    float x;
    peri_write(PERI_F32, &x, 1 + 0x1p-24);
    assert_true(x == 1); /* to even */
}

static void test_walk(void **state)
{
    (void)state;
    const size_t shape[] = {2, 3, 5};
    const ptrdiff_t a[] = {15, 5, 1}, b[] = {-7, 0, 11};
    peri_walk w = peri_walk_begin(3, shape);
    peri_walk_along(&w, a);
    peri_walk_along(&w, b);
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < 2; i++)
        for (ptrdiff_t j = 0; j < 3; j++)
            for (ptrdiff_t k = 0; k < 5; k++) {
                assert_int_equal(w.at[0], count++);
                assert_int_equal(w.at[1], -7 * i + 11 * k);
                assert_int_equal(peri_walk_next(&w), count < 30);
            }
    assert_int_equal(w.at[0], 0); /* at the first again */
    assert_int_equal(w.at[1], 0);
    w = peri_walk_begin(0, shape);
    peri_walk_along(&w, a);
    assert_int_equal(w.at[0], 0);
    assert_false(peri_walk_next(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_promotion),
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
