/* SPDX-License-Identifier: MIT
 *
 * Elements of every kind, width and byte order against values computed one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/element.h"

static void reverse(unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const unsigned char b = bytes[i];
        bytes[i] = bytes[n - 1 - i];
        bytes[n - 1 - i] = b;
    }
}

/* The value of all 65536 halves, from their definition. */
static void test_halves(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++)
        for (unsigned h = 0; h < 65536; h++) {
            const unsigned exponent = h >> 10 & 31, fraction = h & 1023;
            const double sign = h >> 15 ? -1 : 1;
            const double value = exponent == 0    ? ldexp(fraction, -24)
                                 : exponent == 31 ? (fraction ? (double)NAN : INFINITY)
                                                  : ldexp(1024 + fraction, (int)exponent - 25);
            uint16_t bits = (uint16_t)h;
            if (swapped)
                bits = (uint16_t)(bits << 8 | bits >> 8);
            const peri_element e = {'f', 2, swapped == 1};
            float narrow;
            double wide;
            peri_fault fault;
            peri_element_convert(e, &bits, 1, PERI_F32, true, &narrow, 0, &fault);
            peri_element_convert(e, &bits, 1, PERI_F64, true, &wide, 0, &fault);
            if (isnan(value)) {
                assert_true(isnan(narrow) && isnan(wide));
                continue;
            }
            assert_true((double)narrow == sign * value && wide == sign * value);
            assert_int_equal(signbit(narrow) != 0, h >> 15);
        }
}

/* Each kind at its extremes and in both orders. */
static void test_integers(void **state)
{
    (void)state;
    static const int64_t values[] = {
        0,      1,     -1,         127,           -128,         255,         32767,
        -32768, 65535, 2147483647, -2147483648LL, 4294967295LL, (1LL << 53), -(1LL << 53)};
    for (size_t size = 1; size <= 8; size *= 2)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            for (int swapped = 0; swapped < 2; swapped++)
                for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                    const int64_t v = values[i];
                    const int bits = (int)size * 8;
                    const double low = is_signed ? -ldexp(1, bits - 1) : 0;
                    const double high = ldexp(1, bits - is_signed) - 1;
                    if ((double)v < low || (double)v > high)
                        continue;
                    unsigned char raw[8];
                    memcpy(raw, &v, 8);
                    if (swapped)
                        reverse(raw, size);
                    const peri_element e = {is_signed ? 'i' : 'u', (unsigned char)size,
                                            swapped == 1};
                    double out = 0.5;
                    peri_fault fault;
                    assert_int_equal(
                        peri_element_convert(e, raw, 1, PERI_F64, true, &out, 0, &fault),
                        PERI_IO_OK);
                    assert_true(out == (double)v);
                }
}

static void test_inexact(void **state)
{
    (void)state;
    peri_fault fault;
    double wide[3];
    float narrow[3];
    const int64_t in[3] = {1, 2, (1LL << 53) + 1};
    const peri_element i8 = {'i', 8, false}, u8 = {'u', 8, false}, i4 = {'i', 4, false};
    assert_int_equal(peri_element_convert(i8, in, 3, PERI_F64, true, wide, 100, &fault),
                     PERI_IO_INEXACT);
    assert_int_equal(fault.index, 2);
    assert_int_equal(fault.byte, 116);
    assert_string_equal(fault.detail, "9007199254740993");
    assert_int_equal(peri_element_convert(i8, in, 3, PERI_F64, false, wide, 0, &fault), PERI_IO_OK);
    assert_true(wide[2] == 0x1p53);
    const uint64_t large[2] = {UINT64_MAX, 1ULL << 63};
    assert_int_equal(peri_element_convert(u8, large, 2, PERI_F64, true, wide, 0, &fault),
                     PERI_IO_INEXACT);
    assert_int_equal(peri_element_convert(u8, large + 1, 1, PERI_F64, true, wide, 0, &fault),
                     PERI_IO_OK);
    assert_true(wide[0] == 0x1p63);
    const int64_t most[1] = {INT64_MAX};
    assert_int_equal(peri_element_convert(i8, most, 1, PERI_F64, true, wide, 0, &fault),
                     PERI_IO_INEXACT);
    const int32_t odd[2] = {1 << 24, (1 << 24) + 1};
    assert_int_equal(peri_element_convert(i4, odd, 2, PERI_F32, true, narrow, 0, &fault),
                     PERI_IO_INEXACT);
    assert_int_equal(fault.index, 1);
    assert_int_equal(peri_element_convert(i4, odd, 2, PERI_F64, true, wide, 0, &fault), PERI_IO_OK);
}

/* NaN payloads and subnormals pass bit for bit where the types agree. */
static void test_bits(void **state)
{
    (void)state;
    const uint64_t in[4] = {0x7ff8000000000abc, 0xfff0000000000001, 1, 0x8000000000000000};
    uint64_t out[4], swapped[4];
    peri_fault fault;
    for (int i = 0; i < 4; i++)
        swapped[i] = __builtin_bswap64(in[i]);
    const peri_element e = {'f', 8, false}, s = {'f', 8, true};
    assert_int_equal(peri_element_convert(e, in, 4, PERI_F64, true, out, 0, &fault), PERI_IO_OK);
    assert_memory_equal(in, out, sizeof in);
    memset(out, 0, sizeof out);
    assert_int_equal(peri_element_convert(s, swapped, 4, PERI_F64, true, out, 0, &fault),
                     PERI_IO_OK);
    assert_memory_equal(in, out, sizeof in);
    const unsigned char truth[3] = {0, 1, 2};
    double wide[3];
    const peri_element b = {'b', 1, false};
    assert_int_equal(peri_element_convert(b, truth, 3, PERI_F64, true, wide, 0, &fault),
                     PERI_IO_OK);
    assert_true(wide[0] == 0 && wide[1] == 1 && wide[2] == 1);
}

static void test_names(void **state)
{
    (void)state;
    peri_element e;
    static const char *const good[] = {"<f8", ">f4", "|b1", "=i2", "u8", "|u1", "<f2"};
    static const char *const bad[] = {"",   "f", "<f16", "f3",  "<b2", "|O", "<U3", "M8",
                                      "c8", "?", "<<f8", "xf8", "f0",  "i9", "F8"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(peri_element_parse(good[i], strlen(good[i]), &e));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (peri_element_parse(bad[i], strlen(bad[i]), &e))
            fail_msg("'%s' is no kind of number", bad[i]);
}

static void test_measure(void **state)
{
    (void)state;
    peri_layout l = {.ndim = 3, .shape = {2, 3, 4}};
    assert_true(peri_layout_measure(&l) && l.size == 24);
    l = (peri_layout){.ndim = 2, .shape = {0, 7}};
    assert_true(peri_layout_measure(&l) && l.size == 0);
    l = (peri_layout){.ndim = 0};
    assert_true(peri_layout_measure(&l) && l.size == 1);
    l = (peri_layout){.ndim = 2, .shape = {(size_t)1 << 32, (size_t)1 << 32}};
    assert_false(peri_layout_measure(&l));
    l = (peri_layout){.ndim = 1, .shape = {((size_t)1 << 61) + 1}};
    assert_false(peri_layout_measure(&l));
    l = (peri_layout){.ndim = 3, .shape = {0, PTRDIFF_MAX, PTRDIFF_MAX}};
    assert_false(peri_layout_measure(&l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves),  cmocka_unit_test(test_integers),
        cmocka_unit_test(test_inexact), cmocka_unit_test(test_bits),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
