/* SPDX-License-Identifier: MIT
 *
 * UTF-8, by the table of well-formed sequences in the Unicode standard (3.9, table 3-7). */
#include "format/text.h"

/* `surrogates`: whether halves of pairs pass. */
static bool is_utf8(const char *text, size_t length, bool surrogates)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    while (s < end) {
        if (*s < 0x80) {
            s++;
            continue;
        }
        const int n = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
        if (*s < 0xc2 || *s > 0xf4 || end - s <= n || (*s == 0xe0 && s[1] < 0xa0) ||
            (*s == 0xf0 && s[1] < 0x90) || (*s == 0xed && s[1] > 0x9f && !surrogates) ||
            (*s == 0xf4 && s[1] > 0x8f))
            return false;
        for (int i = 1; i <= n; i++)
            if ((s[i] & 0xc0) != 0x80)
                return false;
        s += n + 1;
    }
    return true;
}

bool peri_utf8_valid(const char *text, size_t length)
{
    return is_utf8(text, length, false);
}

bool peri_utf8_or_surrogates(const char *text, size_t length)
{
    return is_utf8(text, length, true);
}

size_t peri_utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return (size_t)n;
}

int peri_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hexadecimal digits. */
static bool take_four(const char *text, size_t length, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        const int digit = i < length ? peri_hex_digit(text[i]) : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

bool peri_json_escape(const char *text, size_t length, uint32_t *code, size_t *used)
{
    uint32_t low;
    *used = 4;
    if (!take_four(text, length, code))
        return false;
    if (*code < 0xd800 || *code > 0xdfff)
        return true;
    *used = 10;
    if (*code > 0xdbff || length < 10 || text[4] != '\\' || text[5] != 'u' ||
        !take_four(text + 6, length - 6, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return true;
}
