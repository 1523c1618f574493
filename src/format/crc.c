/* SPDX-License-Identifier: MIT
 *
 * Folding with PCLMULQDQ. */
#include "format/crc.h"

#include <zlib.h>

static uint32_t plain(uint32_t crc, const unsigned char *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc, bytes, n);
}

#if defined(__x86_64__)

#include <immintrin.h>

bool peri_crc_is_fast(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

/* x moved on by what k says, onto next. */
__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i x, __m128i k,
                                                                    __m128i next)
{
    const __m128i low = _mm_clmulepi64_si128(x, k, 0x00);
    const __m128i high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i at(const unsigned char *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

/* n is a multiple of 64, and not 0. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t
folded(uint32_t crc, const unsigned char *bytes, size_t n)
{
    const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i a = _mm_xor_si128(at(bytes), _mm_cvtsi32_si128((int)~crc));
    __m128i b = at(bytes + 16), c = at(bytes + 32), d = at(bytes + 48);
    for (size_t i = 64; i < n; i += 64) {
        a = fold(a, by512, at(bytes + i));
        b = fold(b, by512, at(bytes + i + 16));
        c = fold(c, by512, at(bytes + i + 32));
        d = fold(d, by512, at(bytes + i + 48));
    }
    a = fold(fold(fold(a, by128, b), by128, c), by128, d);
    unsigned char rest[16];
    _mm_storeu_si128((__m128i *)(void *)rest, a);
    return plain(UINT32_MAX, rest, sizeof rest);
}

uint32_t peri_crc(uint32_t crc, const unsigned char *bytes, size_t n)
{
    const size_t blocks = n & ~(size_t)63;
    if (blocks >= 256 && peri_crc_is_fast()) {
        crc = folded(crc, bytes, blocks);
        bytes += blocks;
        n -= blocks;
    }
    return n > 0 ? plain(crc, bytes, n) : crc;
}

#else

bool peri_crc_is_fast(void)
{
    return false;
}

uint32_t peri_crc(uint32_t crc, const unsigned char *bytes, size_t n)
{
    return n > 0 ? plain(crc, bytes, n) : crc;
}

#endif
