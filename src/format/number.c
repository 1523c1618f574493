/* SPDX-License-Identifier: MIT
 *
 * Most numbers have few digits and a small exponent: then digits and power of ten are exact
 * doubles and one rounded operation gives the nearest (Clinger, "How to read floating point
 * numbers accurately", 1990). The rest goes to strtod in the "C" locale. */
#include "format/number.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static locale_t c_locale;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

void *peri_number_enter(void)
{
    pthread_once(&once, make_locale);
    return c_locale == (locale_t)0 ? NULL : uselocale(c_locale);
}

void peri_number_leave(void *before)
{
    if (before != NULL)
        uselocale(before);
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

static bool slow(const char *text, size_t length, double *out)
{
    char copy[PERI_NUMBER_MAX + 1];
    memcpy(copy, text, length);
    copy[length] = 0;
    pthread_once(&once, make_locale);
    if (c_locale == (locale_t)0)
        return false;
    char *end;
    *out = strtod_l(copy, &end, c_locale);
    return end == copy + length && isfinite(*out);
}

bool peri_number_parse(const char *text, size_t length, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = 0;
    if (length == 0 || length > PERI_NUMBER_MAX)
        return false;
    const bool negative = text[0] == '-';
    if (negative || text[0] == '+')
        i++;
    const char *body = text + i;
    const size_t left = length - i;
    if (is_word(body, left, "nan")) {
        *out = negative ? -NAN : NAN;
        return true;
    }
    if (is_word(body, left, "inf") || is_word(body, left, "infinity")) {
        *out = negative ? -INFINITY : INFINITY;
        return true;
    }
    uint64_t digits = 0;
    int significant = 0, scale = 0, any = 0;
    bool point = false;
    for (; i < length; i++) {
        const char c = text[i];
        if (c == '.') {
            if (point)
                return false;
            point = true;
        } else if (c >= '0' && c <= '9') {
            any = 1;
            if (significant > 0 || c != '0')
                significant++;
            if (significant <= 19)
                digits = digits * 10 + (uint64_t)(c - '0');
            scale -= point;
        } else
            break;
    }
    if (!any)
        return false;
    if (i < length) {
        if (text[i] != 'e' && text[i] != 'E')
            return false;
        size_t at = i + 1;
        bool down = false;
        if (at < length && (text[at] == '-' || text[at] == '+'))
            down = text[at++] == '-';
        if (at == length)
            return false;
        int exponent = 0;
        for (; at < length; at++) {
            if (text[at] < '0' || text[at] > '9')
                return false;
            if (exponent < 100000)
                exponent = exponent * 10 + (text[at] - '0');
        }
        scale += down ? -exponent : exponent;
    }
    if (significant > 19 || digits > (uint64_t)1 << 53 || scale < -22 || scale > 22)
        return slow(text, length, out);
    double v = (double)digits;
    v = scale < 0 ? v / powers[-scale] : v * powers[scale];
    *out = negative ? -v : v;
    return true;
}

bool peri_integer_parse(const char *text, size_t length, int64_t *out)
{
    size_t i = 0;
    int64_t v = 0;
    if (length == 0)
        return false;
    const bool negative = text[0] == '-';
    if (negative || text[0] == '+')
        i++;
    if (i == length)
        return false;
    for (; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        const int64_t digit = text[i] - '0';
        if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return false;
    }
    *out = v;
    return true;
}

/* Prints with as few digits as read back the same; the point is put right in any locale. */
static size_t shortest(double v, int from, int to, bool single, char out[PERI_NUMBER_ROOM])
{
    if (!isfinite(v)) {
        const char *word = isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
        return (size_t)snprintf(out, PERI_NUMBER_ROOM, "%s", word);
    }
    int n = 0;
    for (int digits = from; digits <= to; digits++) {
        double back;
        n = snprintf(out, PERI_NUMBER_ROOM, "%.*g", digits, v);
        char *comma = strpbrk(out, ",");
        if (comma != NULL)
            *comma = '.';
        if (peri_number_parse(out, (size_t)n, &back) &&
            (single ? (float)back == (float)v : back == v))
            break;
    }
    return (size_t)n;
}

size_t peri_number_format(double v, char out[PERI_NUMBER_ROOM])
{
    const double most = 1e15;
    if (v == rint(v) && fabs(v) < most)
        return (size_t)snprintf(out, PERI_NUMBER_ROOM, "%s%lld", signbit(v) && v == 0 ? "-" : "",
                                (long long)v);
    return shortest(v, 15, 17, false, out);
}

size_t peri_number_format_f32(float v, char out[PERI_NUMBER_ROOM])
{
    return shortest((double)v, 6, 9, true, out);
}

size_t peri_number_point(char *text)
{
    const char *point = localeconv()->decimal_point;
    const size_t n = strlen(point), length = strlen(text);
    char *at = n > 0 && strcmp(point, ".") != 0 ? strstr(text, point) : NULL;
    if (at == NULL)
        return length;
    *at = '.';
    memmove(at + 1, at + n, strlen(at + n) + 1);
    return length - n + 1;
}
