/* SPDX-License-Identifier: MIT
 *
 * Numbers as text against the C library's, in a locale that has another decimal point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/number.h"

static uint64_t random64(void)
{
    static uint64_t state = 2385;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double random_double(void)
{
    const uint64_t bits = random64();
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void test_parse_against_strtod(void **state)
{
    (void)state;
    char text[64];
    for (int i = 0; i < 200000; i++) {
        double v, parsed;
        if (i % 2 == 0) {
            do
                v = random_double();
            while (!isfinite(v));
            snprintf(text, sizeof text, "%.*g", (int)(random64() % 20) + 1, v);
        } else {
            snprintf(text, sizeof text, "%s%llu.%llue%d", i % 3 == 0 ? "-" : "",
                     (unsigned long long)(random64() >> (random64() % 60)),
                     (unsigned long long)(random64() >> (random64() % 60)),
                     (int)(random64() % 60) - 30);
        }
        const double expected = strtod(text, NULL);
        if (!isfinite(expected))
            continue;
        assert_true(peri_number_parse(text, strlen(text), &parsed));
        if (!same(parsed, expected))
            fail_msg("%s: %a, not %a", text, parsed, expected);
    }
}

static void test_format_reads_back(void **state)
{
    (void)state;
    char text[PERI_NUMBER_ROOM];
    for (int i = 0; i < 100000; i++) {
        double v = i % 4 == 0 ? (double)(int64_t)(random64() >> 20) : random_double(), back;
        size_t n = peri_number_format(v, text);
        assert_int_equal(n, strlen(text));
        assert_true(peri_number_parse(text, n, &back));
        if (isfinite(v) && !same(v, back))
            fail_msg("%a is written %s", v, text);
        const float f = (float)v;
        n = peri_number_format_f32(f, text);
        assert_true(peri_number_parse(text, n, &back));
        if (isfinite(f) && (float)back != f)
            fail_msg("%a is written %s", (double)f, text);
    }
    peri_number_format(0.1, text);
    assert_string_equal(text, "0.1");
    peri_number_format_f32(0.1f, text);
    assert_string_equal(text, "0.1");
    peri_number_format(-0.0, text);
    assert_string_equal(text, "-0");
    peri_number_format(-INFINITY, text);
    assert_string_equal(text, "-inf");
    peri_number_format((double)NAN, text);
    assert_string_equal(text, "nan");
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "-",     ".",   "e5",  "1e",    "1e+",
                                      "0x10",  "1,5",   "1 ",  " 1",  "1.2.3", "nan(1)",
                                      "infin", "1e999", "--1", "+-1", "1_000", "one"};
    double v;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (peri_number_parse(bad[i], strlen(bad[i]), &v))
            fail_msg("'%s' is no number", bad[i]);
    static const char *const good[] = {"1.", ".5", "+3", "NaN", "-Inf", "Infinity", "1E5", "00012"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!peri_number_parse(good[i], strlen(good[i]), &v))
            fail_msg("'%s' is a number", good[i]);
    char digits[PERI_NUMBER_MAX + 1];
    memset(digits, '0', sizeof digits);
    digits[0] = '.';
    assert_true(peri_number_parse(digits, PERI_NUMBER_MAX, &v));
    assert_false(peri_number_parse(digits, PERI_NUMBER_MAX + 1, &v));
}

static void test_integers(void **state)
{
    (void)state;
    int64_t v;
    assert_true(peri_integer_parse("9223372036854775807", 19, &v) && v == INT64_MAX);
    assert_true(peri_integer_parse("-9223372036854775808", 20, &v) && v == INT64_MIN);
    assert_false(peri_integer_parse("9223372036854775808", 19, &v));
    assert_false(peri_integer_parse("-9223372036854775809", 20, &v));
    assert_false(peri_integer_parse("", 0, &v) || peri_integer_parse("-", 1, &v) ||
                 peri_integer_parse("1.0", 3, &v) || peri_integer_parse("1a", 2, &v));
}

/* Where the machine has such a locale, everything again in it. */
static void test_other_locale(void **state)
{
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
        skip();
    test_what_is_no_number(state);
    char text[PERI_NUMBER_ROOM];
    peri_number_format(0.1, text);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_against_strtod), cmocka_unit_test(test_format_reads_back),
        cmocka_unit_test(test_what_is_no_number),    cmocka_unit_test(test_integers),
        cmocka_unit_test(test_other_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
