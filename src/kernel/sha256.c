/* SPDX-License-Identifier: MIT
 *
 * SHA-256 after FIPS 180-4, section 6.2. Its constants are the first 32 bits of the fractional
 * parts of the cube roots of the first 64 primes, and of the square roots of the first 8.
 */
#include "kernel/sha256.h"

#include <string.h>

#include "kernel/simd.h"

#if PERI_X86
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* One round: d and h take new values; then the letters move on by one, which the caller does by
 * naming them in turn. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                           \
    do {                                                                                           \
        const uint32_t one_ = (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +               \
                              (((e) & (f)) ^ (~(e) & (g))) + K[t] + w[t];                          \
        (d) += one_;                                                                               \
        (h) = one_ + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +                              \
              (((a) & (b)) ^ ((a) & (c)) ^ ((b) & (c)));                                           \
    } while (0)

static void compress_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | (uint32_t)block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        const uint32_t x = w[t - 15], y = w[t - 2];
        w[t] = w[t - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 7] +
               (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    for (int t = 0; t < 64; t += 8) {
        ROUND(a, b, c, d, e, f, g, h, t);
        ROUND(h, a, b, c, d, e, f, g, t + 1);
        ROUND(g, h, a, b, c, d, e, f, t + 2);
        ROUND(f, g, h, a, b, c, d, e, t + 3);
        ROUND(e, f, g, h, a, b, c, d, t + 4);
        ROUND(d, e, f, g, h, a, b, c, t + 5);
        ROUND(c, d, e, f, g, h, a, b, t + 6);
        ROUND(b, c, d, e, f, g, h, a, t + 7);
    }
    const uint32_t last[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; i++)
        state[i] += last[i];
}

#if PERI_X86

#define SHA __attribute__((target("sha,ssse3,sse4.1")))

static inline SHA __m128i four(const void *p)
{
    return _mm_loadu_si128(p);
}

/* With the processor's own instructions, which do two rounds at a time. They keep the letters as
 * ABEF and CDGH, from the high end of a register on. */
static SHA void compress_fast(uint32_t state[8], const unsigned char *p, size_t blocks)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i cdab = _mm_shuffle_epi32(four(state), 0xb1);
    const __m128i efgh = _mm_shuffle_epi32(four(state + 4), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);
    for (; blocks > 0; blocks--, p += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4]; /* the 16 words that the next ones are made from */
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(four(p + 16 * i), big_endian);
        _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++)
        {
            __m128i *now = &w[i % 4];
            const __m128i sum = _mm_add_epi32(*now, four(K + 4 * i)), last = w[(i + 3) % 4];
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            const __m128i back7 = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);
            const __m128i part = _mm_sha256msg1_epu32(*now, w[(i + 1) % 4]);
            *now = _mm_sha256msg2_epu32(_mm_add_epi32(part, back7), last);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#endif

static void compress(uint32_t state[8], const unsigned char *p, size_t blocks)
{
#if PERI_X86
    if (peri_isa_has_sha()) {
        compress_fast(state, p, blocks);
        return;
    }
#endif
    for (; blocks > 0; blocks--, p += 64)
        compress_block(state, p);
}

void peri_sha256_start(peri_sha256 *s)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, first, sizeof first);
    s->length = 0;
}

void peri_sha256_add(peri_sha256 *s, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    size_t used = (size_t)(s->length % 64);
    s->length += n;
    while (n > 0) {
        if (used == 0 && n >= 64) {
            compress(s->h, p, n / 64);
            p += n / 64 * 64;
            n %= 64;
            continue;
        }
        const size_t take = n < 64 - used ? n : 64 - used;
        memcpy(s->block + used, p, take);
        used += take;
        p += take;
        n -= take;
        if (used == 64) {
            compress(s->h, s->block, 1);
            used = 0;
        }
    }
}

void peri_sha256_finish(peri_sha256 *s, char hex[65])
{
    static const unsigned char padding[64] = {0x80};
    const uint64_t bits = s->length * 8;
    unsigned char tail[8];
    for (int i = 0; i < 8; i++)
        tail[i] = (unsigned char)(bits >> (56 - 8 * i));
    peri_sha256_add(s, padding, 1 + (size_t)((119 - s->length % 64) % 64));
    peri_sha256_add(s, tail, sizeof tail);
    for (int i = 0; i < 64; i++)
        hex[i] = "0123456789abcdef"[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}

/* The digest's 32 bytes from what peri_sha256_finish left in the state. */
static void bytes_of(const peri_sha256 *s, unsigned char bytes[32])
{
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void peri_hmac_start(peri_sha256 *s, unsigned char pad[64], const void *key, size_t n)
{
    unsigned char inner[64];
    char hex[65];
    memset(pad, 0, 64);
    if (n > 64) {
        peri_sha256_start(s);
        peri_sha256_add(s, key, n);
        peri_sha256_finish(s, hex);
        bytes_of(s, pad);
    } else if (n > 0) {
        memcpy(pad, key, n);
    }
    for (int i = 0; i < 64; i++) {
        inner[i] = pad[i] ^ 0x36;
        pad[i] ^= 0x5c;
    }
    peri_sha256_start(s);
    peri_sha256_add(s, inner, sizeof inner);
}

void peri_hmac_finish(peri_sha256 *s, const unsigned char pad[64], char hex[65])
{
    unsigned char digest[32];
    peri_sha256_finish(s, hex);
    bytes_of(s, digest);
    peri_sha256_start(s);
    peri_sha256_add(s, pad, 64);
    peri_sha256_add(s, digest, sizeof digest);
    peri_sha256_finish(s, hex);
}
