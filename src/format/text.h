/* SPDX-License-Identifier: MIT
 *
 * UTF-8, and the escapes of JSON's strings.
 */
#ifndef PERIGEE_FORMAT_TEXT_H
#define PERIGEE_FORMAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether all of it is UTF-8. */
bool peri_utf8_valid(const char *text, size_t length);

/* The same where halves of surrogate pairs pass, as they do in Python's pickles. */
bool peri_utf8_or_surrogates(const char *text, size_t length);

/* Writes a code point (at most 0x10ffff) as up to four bytes; returns how many. */
size_t peri_utf8_put(uint32_t code, char *out);

/* The code point of four hexadecimal digits after \u, or of a surrogate pair (10 characters in
 * all). *used: how many characters. False for half of a pair and for what is no such escape. */
bool peri_json_escape(const char *text, size_t length, uint32_t *code, size_t *used);

int peri_hex_digit(char c); /* -1: none */

#endif
