/* SPDX-License-Identifier: MIT
 *
 * Filling in peri_fault. */
#include "format/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

peri_io peri_fail(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason)
{
    *fault = (peri_fault){.kind = kind, .byte = byte, .reason = reason};
    return kind;
}

peri_io peri_fail_system(peri_fault *fault, int error_number, const char *what)
{
    peri_fail(fault, PERI_IO_SYSTEM, PERI_NO_BYTE, what);
    fault->error_number = error_number;
    return PERI_IO_SYSTEM;
}

peri_io peri_fail_memory(peri_fault *fault)
{
    return peri_fail(fault, PERI_IO_MEMORY, PERI_NO_BYTE, "not enough memory");
}

/* Length of the UTF-8 sequence at text, or 0 where there is none that is whole and printable. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    size_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if (text[0] == 0xc2 && text[1] < 0xa0)
        return 0; /* C1 controls */
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] >= 0xa8 && text[2] <= 0xae))
        return 0; /* line separators and direction overrides */
    return n;
}

void peri_printable(char *out, size_t capacity, const char *text, size_t length)
{
    const unsigned char *in = (const unsigned char *)text;
    size_t used = 0, i = 0;
    while (i < length) {
        char piece[8];
        size_t n = 1, taken = 1;
        if (in[i] >= 0x20 && in[i] < 0x7f)
            piece[0] = (char)in[i];
        else if (in[i] >= 0x80 && (n = utf8_length(in + i, length - i)) > 0) {
            memcpy(piece, in + i, n);
            taken = n;
        } else {
            snprintf(piece, sizeof piece, "\\x%02x", in[i]);
            n = 4;
        }
        if (used + n + (i + taken < length ? 4 : 1) > capacity) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        memcpy(out + used, piece, n);
        used += n;
        i += taken;
    }
    out[used] = 0;
}

peri_io peri_fail_text(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason,
                       const char *text, size_t length)
{
    peri_fail(fault, kind, byte, reason);
    peri_printable(fault->detail, sizeof fault->detail, text, length);
    return kind;
}

peri_io peri_fail_format(peri_fault *fault, peri_io kind, uint64_t byte, const char *reason,
                         const char *format, ...)
{
    peri_fail(fault, kind, byte, reason);
    va_list args;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
    return kind;
}
