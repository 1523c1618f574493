/* SPDX-License-Identifier: MIT
 *
 * NumPy's streams; the header says which and whose. Arrays are filled in blocks: PCG64 walks four
 * interleaved subsequences, s[k+4] = a^4 s[k] + (a^3 + a^2 + a + 1) c, so that four 128-bit
 * products are under way at once; MT19937 makes and tempers 624 words at a time in vectors.
 */
#include "kernel/random.h"

#include <math.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/ziggurat_normal.h"

typedef unsigned __int128 u128;

/* ---- SeedSequence --------------------------------------------------------------------------- */

static uint32_t hash_word(uint32_t *hash, uint32_t value)
{
    value ^= *hash;
    *hash *= 0x931e8875u;
    value *= *hash;
    return value ^ value >> 16;
}

static uint32_t mix_words(uint32_t x, uint32_t y)
{
    const uint32_t mixed = 0xca01f9ddu * x - 0x4973f715u * y;
    return mixed ^ mixed >> 16;
}

/* The first four words fill the pool and are then all mixed with each other. */
static void mix_pool(peri_seeds *seeds)
{
    for (int i = 0; i < 4; i++)
        seeds->pool[i] = hash_word(&seeds->hash, seeds->pool[i]);
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 4; to++)
            if (from != to)
                seeds->pool[to] =
                    mix_words(seeds->pool[to], hash_word(&seeds->hash, seeds->pool[from]));
}

void peri_seeds_begin(peri_seeds *seeds)
{
    *seeds = (peri_seeds){.hash = 0x43b0d7e5u};
}

void peri_seeds_absorb(peri_seeds *seeds, uint32_t word)
{
    if (seeds->words < 4) {
        seeds->pool[seeds->words++] = word;
        if (seeds->words == 4)
            mix_pool(seeds);
        return;
    }
    for (int to = 0; to < 4; to++)
        seeds->pool[to] = mix_words(seeds->pool[to], hash_word(&seeds->hash, word));
}

void peri_seeds_finish(peri_seeds *seeds)
{
    while (seeds->words < 4)
        peri_seeds_absorb(seeds, 0);
}

peri_seeds peri_seeds_spawn(peri_seeds *seeds)
{
    peri_seeds child = *seeds;
    child.spawned = 0;
    peri_seeds_absorb(&child, seeds->spawned++);
    return child;
}

void peri_seeds_generate(const peri_seeds *seeds, size_t n, uint32_t *out)
{
    uint32_t hash = 0x8b51f9ddu;
    for (size_t i = 0; i < n; i++) {
        uint32_t value = seeds->pool[i % 4] ^ hash;
        hash *= 0x58f38dedu;
        value *= hash;
        out[i] = value ^ value >> 16;
    }
}

size_t peri_seeds_parse(const char *text, uint32_t *words, size_t cap)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hex)
        text += 2;
    if (*text == '\0' || cap == 0)
        return 0;
    size_t n = 1;
    words[0] = 0;
    for (; *text != '\0'; text++) {
        uint64_t carry;
        if (*text >= '0' && *text <= '9')
            carry = (uint64_t)(*text - '0');
        else if (hex && *text >= 'a' && *text <= 'f')
            carry = (uint64_t)(*text - 'a') + 10;
        else if (hex && *text >= 'A' && *text <= 'F')
            carry = (uint64_t)(*text - 'A') + 10;
        else
            return 0;
        for (size_t i = 0; i < n; i++) {
            carry += (uint64_t)words[i] * (hex ? 16 : 10);
            words[i] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry != 0) {
            if (n == cap)
                return 0;
            words[n++] = (uint32_t)carry;
        }
    }
    return n;
}

/* ---- PCG64 ---------------------------------------------------------------------------------- */

static const u128 pcg_multiplier = (u128)0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u;

static u128 join(const uint64_t halves[2])
{
    return (u128)halves[0] << 64 | halves[1];
}

static void part(u128 value, uint64_t halves[2])
{
    halves[0] = (uint64_t)(value >> 64);
    halves[1] = (uint64_t)value;
}

static inline uint64_t pcg_output(u128 state)
{
    const uint64_t high = (uint64_t)(state >> 64);
    const uint64_t folded = high ^ (uint64_t)state;
    const unsigned turn = (unsigned)(high >> 58);
    return folded >> turn | folded << (-turn & 63);
}

void peri_random_pcg64(peri_rng *rng, const peri_seeds *seeds)
{
    uint32_t w[8];
    peri_seeds_generate(seeds, 8, w);
    *rng = (peri_rng){.kind = PERI_PCG64, .seeds = *seeds};
    uint64_t q[4];
    for (int i = 0; i < 4; i++)
        q[i] = (uint64_t)w[2 * i + 1] << 32 | w[2 * i];
    const u128 inc = join(q + 2) << 1 | 1;
    const u128 state = (inc + join(q)) * pcg_multiplier + inc;
    part(state, rng->pcg.state);
    part(inc, rng->pcg.inc);
}

static uint64_t pcg_next(peri_rng *rng)
{
    const u128 state = join(rng->pcg.state) * pcg_multiplier + join(rng->pcg.inc);
    part(state, rng->pcg.state);
    return pcg_output(state);
}

/* n words. */
static void pcg_words(peri_rng *rng, size_t n, uint64_t *out)
{
    const u128 a = pcg_multiplier, c = join(rng->pcg.inc);
    u128 s = join(rng->pcg.state);
    size_t i = 0;
    if (n >= 8) {
        const u128 a2 = a * a, a4 = a2 * a2, c4 = (a2 * a + a2 + a + 1) * c;
        u128 s0 = s * a + c, s1 = s0 * a + c, s2 = s1 * a + c, s3 = s2 * a + c;
        for (;;) {
            out[i] = pcg_output(s0);
            out[i + 1] = pcg_output(s1);
            out[i + 2] = pcg_output(s2);
            out[i + 3] = pcg_output(s3);
            i += 4;
            if (n - i < 4)
                break;
            s0 = s0 * a4 + c4;
            s1 = s1 * a4 + c4;
            s2 = s2 * a4 + c4;
            s3 = s3 * a4 + c4;
        }
        s = s3;
    }
    for (; i < n; i++) {
        s = s * a + c;
        out[i] = pcg_output(s);
    }
    part(s, rng->pcg.state);
}

/* As if n words had been drawn. The step x -> a x + c done twice is x -> a a x + (a + 1) c; so one
 * for each bit of n (Brown, "Random number generation with arbitrary strides", Trans. Am. Nucl.
 * Soc. 71 (1994)). */
static void pcg_jump(peri_rng *rng, size_t n)
{
    u128 a = pcg_multiplier, c = join(rng->pcg.inc), s = join(rng->pcg.state);
    for (; n > 0; n >>= 1) {
        if (n & 1)
            s = s * a + c;
        c *= a + 1;
        a *= a;
    }
    part(s, rng->pcg.state);
}

/* ---- MT19937 -------------------------------------------------------------------------------- */

void peri_random_mt19937(peri_rng *rng, uint32_t seed)
{
    *rng = (peri_rng){.kind = PERI_MT19937};
    for (uint32_t i = 0; i < PERI_MT_WORDS; i++) {
        rng->mt.key[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    rng->mt.pos = PERI_MT_WORDS;
}

void peri_random_mt19937_array(peri_rng *rng, const uint32_t *key, size_t n)
{
    peri_random_mt19937(rng, 19650218u);
    uint32_t *mt = rng->mt.key;
    size_t i = 1, j = 0;
    for (size_t k = n > PERI_MT_WORDS ? n : PERI_MT_WORDS; k > 0; k--) {
        mt[i] = (mt[i] ^ (mt[i - 1] ^ mt[i - 1] >> 30) * 1664525u) + key[j] + (uint32_t)j;
        if (++i == PERI_MT_WORDS) {
            mt[0] = mt[PERI_MT_WORDS - 1];
            i = 1;
        }
        if (++j == n)
            j = 0;
    }
    for (size_t k = PERI_MT_WORDS - 1; k > 0; k--) {
        mt[i] = (mt[i] ^ (mt[i - 1] ^ mt[i - 1] >> 30) * 1566083941u) - (uint32_t)i;
        if (++i == PERI_MT_WORDS) {
            mt[0] = mt[PERI_MT_WORDS - 1];
            i = 1;
        }
    }
    mt[0] = 0x80000000u;
}

typedef uint32_t words8 __attribute__((vector_size(32)));

static inline void load8(words8 *to, const uint32_t *from)
{
    memcpy(to, from, sizeof *to);
}

static uint32_t twist(uint32_t here, uint32_t next, uint32_t far)
{
    const uint32_t y = (here & 0x80000000u) | (next & 0x7fffffffu);
    return far ^ y >> 1 ^ (-(y & 1) & 0x9908b0dfu);
}

/* key[from..to) from the words one and `far` further on (modulo 624, as an offset). */
static void twist_range(uint32_t *key, int from, int to, int far)
{
    int i = from;
    for (; i + 8 <= to; i += 8) {
        words8 here, next, other;
        load8(&here, key + i);
        load8(&next, key + i + 1);
        load8(&other, key + i + far);
        const words8 y = (here & 0x80000000u) | (next & 0x7fffffffu);
        const words8 made = other ^ y >> 1 ^ (-(y & 1) & 0x9908b0dfu);
        memcpy(key + i, &made, sizeof made);
    }
    for (; i < to; i++)
        key[i] = twist(key[i], key[i + 1], key[i + far]);
}

static void mt_renew(peri_rng *rng)
{
    enum { N = PERI_MT_WORDS, M = 397 };
    uint32_t *key = rng->mt.key;
    twist_range(key, 0, N - M, M);
    twist_range(key, N - M, N - 1, M - N);
    key[N - 1] = twist(key[N - 1], key[0], key[M - 1]);
    rng->mt.pos = 0;
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static inline void temper8(words8 *y)
{
    *y ^= *y >> 11;
    *y ^= *y << 7 & 0x9d2c5680u;
    *y ^= *y << 15 & 0xefc60000u;
    *y ^= *y >> 18;
}

static uint32_t mt_next(peri_rng *rng)
{
    if (rng->mt.pos == PERI_MT_WORDS)
        mt_renew(rng);
    return temper(rng->mt.key[rng->mt.pos++]);
}

static inline double mt_double(uint32_t high, uint32_t low)
{
    return ((double)(int32_t)(high >> 5) * 67108864.0 + (double)(int32_t)(low >> 6)) * 0x1p-53;
}

static void mt_uniforms(peri_rng *rng, size_t n, double *out)
{
    size_t i = 0;
    while (i < n) {
        const size_t left = (size_t)(PERI_MT_WORDS - rng->mt.pos) / 2;
        if (left == 0) { /* the pair lies across two blocks, or begins one */
            const uint32_t high = mt_next(rng);
            out[i++] = mt_double(high, mt_next(rng));
            continue;
        }
        const size_t take = n - i < left ? n - i : left;
        const uint32_t *key = rng->mt.key + rng->mt.pos;
        size_t j = 0;
        for (; j + 4 <= take; j += 4) {
            words8 y;
            load8(&y, key + 2 * j);
            temper8(&y);
            for (int l = 0; l < 4; l++)
                out[i + j + (size_t)l] = mt_double(y[2 * l], y[2 * l + 1]);
        }
        for (; j < take; j++)
            out[i + j] = mt_double(temper(key[2 * j]), temper(key[2 * j + 1]));
        rng->mt.pos += (int)(2 * take);
        i += take;
    }
}

/* ---- words and uniforms of either ----------------------------------------------------------- */

uint64_t peri_random_next64(peri_rng *rng)
{
    if (rng->kind == PERI_PCG64)
        return pcg_next(rng);
    const uint64_t high = mt_next(rng);
    return high << 32 | mt_next(rng);
}

uint32_t peri_random_next32(peri_rng *rng)
{
    if (rng->kind == PERI_MT19937)
        return mt_next(rng);
    if (rng->has_uint32) {
        rng->has_uint32 = false;
        return rng->uint32;
    }
    const uint64_t word = pcg_next(rng);
    rng->has_uint32 = true;
    rng->uint32 = (uint32_t)(word >> 32);
    return (uint32_t)word;
}

double peri_random_uniform(peri_rng *rng)
{
    if (rng->kind == PERI_PCG64)
        return (double)(int64_t)(pcg_next(rng) >> 11) * 0x1p-53;
    const uint32_t high = mt_next(rng);
    return mt_double(high, mt_next(rng));
}

enum { BLOCK = 512 };

static void pcg_uniforms(peri_rng *rng, size_t n, double *out)
{
    uint64_t words[BLOCK];
    for (size_t i = 0; i < n;) {
        const size_t take = n - i < BLOCK ? n - i : BLOCK;
        pcg_words(rng, take, words);
        for (size_t j = 0; j < take; j++)
            out[i + j] = (double)(int64_t)(words[j] >> 11) * 0x1p-53;
        i += take;
    }
}

/* From two parts on the threads of the pool draw a part each. */
enum { PART = 1 << 16 };

typedef struct {
    const peri_rng *rng;
    size_t n;
    double *out;
} draw;

static void draw_part(void *context, size_t i)
{
    const draw *w = context;
    const size_t from = i * PART;
    peri_rng rng = *w->rng;
    pcg_jump(&rng, from);
    pcg_uniforms(&rng, w->n - from < PART ? w->n - from : PART, w->out + from);
}

void peri_random_uniforms(peri_rng *rng, size_t n, double *out)
{
    if (rng->kind == PERI_MT19937) {
        mt_uniforms(rng, n, out);
    } else if (n < 2 * PART) {
        pcg_uniforms(rng, n, out);
    } else {
        draw w = {rng, n, out};
        peri_pool_run(n / PART + (n % PART != 0), draw_part, &w);
        pcg_jump(rng, n);
    }
}

/* n 32-bit words, as so many calls of peri_random_next32. */
static void next32s(peri_rng *rng, size_t n, uint32_t *out)
{
    size_t i = 0;
    if (rng->kind == PERI_MT19937) {
        while (i < n) {
            if (rng->mt.pos == PERI_MT_WORDS)
                mt_renew(rng);
            const size_t left = (size_t)(PERI_MT_WORDS - rng->mt.pos);
            const size_t take = n - i < left ? n - i : left;
            const uint32_t *key = rng->mt.key + rng->mt.pos;
            size_t j = 0;
            for (; j + 8 <= take; j += 8) {
                words8 y;
                load8(&y, key + j);
                temper8(&y);
                memcpy(out + i + j, &y, sizeof y);
            }
            for (; j < take; j++)
                out[i + j] = temper(key[j]);
            rng->mt.pos += (int)take;
            i += take;
        }
        return;
    }
    if (n > 0 && rng->has_uint32)
        out[i++] = peri_random_next32(rng);
    uint64_t words[BLOCK / 2];
    while (n - i >= 2) {
        const size_t take = (n - i) / 2 < BLOCK / 2 ? (n - i) / 2 : BLOCK / 2;
        pcg_words(rng, take, words);
        for (size_t j = 0; j < take; j++) {
            out[i + 2 * j] = (uint32_t)words[j];
            out[i + 2 * j + 1] = (uint32_t)(words[j] >> 32);
        }
        i += 2 * take;
    }
    if (i < n)
        out[i] = peri_random_next32(rng);
}

/* ---- normals -------------------------------------------------------------------------------- */

/* Words taken from a block. A block is never longer than the number of values still wanted, and
 * each value takes a word at least, so none is left over at the end. */
typedef struct {
    peri_rng *rng;
    size_t pos, n;
    uint64_t words[BLOCK];
} tap;

static uint64_t tap_word(tap *t, size_t wanted)
{
    if (t->pos == t->n) {
        t->n = wanted < BLOCK ? wanted : BLOCK;
        t->pos = 0;
        pcg_words(t->rng, t->n, t->words);
    }
    return t->words[t->pos++];
}

static double tap_uniform(tap *t, size_t wanted)
{
    return (double)(int64_t)(tap_word(t, wanted) >> 11) * 0x1p-53;
}

/* One value, with `wanted` values still to make including this one. */
static inline double ziggurat(tap *t, size_t wanted)
{
    for (;;) {
        uint64_t word = tap_word(t, wanted);
        const unsigned layer = (unsigned)word & 0xff;
        word >>= 8;
        const bool negative = word & 1;
        const uint64_t size = word >> 1 & 0x000fffffffffffffu;
        const double x0 = (double)(int64_t)size * peri_ziggurat_w[layer];
        const double x = negative ? -x0 : x0;
        if (size < peri_ziggurat_k[layer])
            return x;
        if (layer == 0) {
            for (;;) {
                const double xx = -PERI_ZIGGURAT_INV_R * log1p(-tap_uniform(t, wanted));
                const double yy = -log1p(-tap_uniform(t, wanted));
                if (yy + yy > xx * xx)
                    return size >> 8 & 1 ? -(PERI_ZIGGURAT_R + xx) : PERI_ZIGGURAT_R + xx;
            }
        }
        const double edge = peri_ziggurat_f[layer];
        if ((peri_ziggurat_f[layer - 1] - edge) * tap_uniform(t, wanted) + edge < exp(-0.5 * x * x))
            return x;
    }
}

/* The polar method: a point of the unit disc gives two values, the second of which is given out
 * first. As many points are drawn at a time as there are pairs still wanted, so none is left over;
 * those outside the disc are overwritten by the next. */
static void polars(peri_rng *rng, size_t n, double *out)
{
    size_t i = 0;
    if (n > 0 && rng->has_gauss) {
        rng->has_gauss = false;
        out[i++] = rng->gauss;
    }
    double u[BLOCK];
    while (i < n) {
        const size_t wanted = (n - i + 1) / 2, points = wanted < BLOCK / 2 ? wanted : BLOCK / 2;
        mt_uniforms(rng, 2 * points, u);
        size_t inside = 0;
        for (size_t k = 0; k < points; k++) {
            const double x1 = 2.0 * u[2 * k] - 1.0, x2 = 2.0 * u[2 * k + 1] - 1.0;
            const double r2 = x1 * x1 + x2 * x2;
            u[2 * inside] = x1;
            u[2 * inside + 1] = x2;
            inside += (size_t)((r2 < 1.0) & (r2 != 0.0));
        }
        for (size_t k = 0; k < inside; k++) {
            const double x1 = u[2 * k], x2 = u[2 * k + 1], r2 = x1 * x1 + x2 * x2;
            const double f = sqrt(-2.0 * log(r2) / r2);
            out[i++] = f * x2;
            if (i < n) {
                out[i++] = f * x1;
            } else {
                rng->gauss = f * x1;
                rng->has_gauss = true;
            }
        }
    }
}

double peri_random_normal(peri_rng *rng)
{
    double value;
    peri_random_normals(rng, 1, &value);
    return value;
}

void peri_random_normals(peri_rng *rng, size_t n, double *out)
{
    if (rng->kind == PERI_MT19937) {
        polars(rng, n, out);
        return;
    }
    tap t;
    t.rng = rng;
    t.pos = t.n = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = ziggurat(&t, n - i);
}

/* ---- bounded integers ----------------------------------------------------------------------- */

static uint64_t mask_of(uint64_t max)
{
    for (unsigned shift = 1; shift < 64; shift *= 2)
        max |= max >> shift;
    return max;
}

uint64_t peri_random_interval(peri_rng *rng, uint64_t max)
{
    if (max == 0)
        return 0;
    const uint64_t mask = mask_of(max);
    uint64_t value;
    do
        value = (max <= UINT32_MAX ? peri_random_next32(rng) : peri_random_next64(rng)) & mask;
    while (value > max);
    return value;
}

static uint32_t lemire32(peri_rng *rng, uint32_t range)
{
    const uint32_t count = range + 1;
    uint64_t m = (uint64_t)peri_random_next32(rng) * count;
    if ((uint32_t)m < count) {
        const uint32_t threshold = (UINT32_MAX - range) % count;
        while ((uint32_t)m < threshold)
            m = (uint64_t)peri_random_next32(rng) * count;
    }
    return (uint32_t)(m >> 32);
}

static uint64_t lemire64(peri_rng *rng, uint64_t range)
{
    const uint64_t count = range + 1;
    u128 m = (u128)peri_random_next64(rng) * count;
    if ((uint64_t)m < count) {
        const uint64_t threshold = (UINT64_MAX - range) % count;
        while ((uint64_t)m < threshold)
            m = (u128)peri_random_next64(rng) * count;
    }
    return (uint64_t)(m >> 64);
}

uint64_t peri_random_bounded(peri_rng *rng, uint64_t range)
{
    if (range == 0)
        return 0;
    if (range == UINT32_MAX)
        return peri_random_next32(rng);
    if (range == UINT64_MAX)
        return peri_random_next64(rng);
    if (rng->kind == PERI_MT19937)
        return peri_random_interval(rng, range);
    return range < UINT32_MAX ? lemire32(rng, (uint32_t)range) : lemire64(rng, range);
}

void peri_random_integers(peri_rng *rng, int64_t lo, int64_t hi, size_t n, double *out)
{
    const uint64_t range = (uint64_t)hi - (uint64_t)lo;
    if (range == 0 || range >= UINT32_MAX) {
        for (size_t i = 0; i < n; i++)
            out[i] = (double)(lo + (int64_t)peri_random_bounded(rng, range));
        return;
    }
    /* As bounded() does, without a branch: a refused word is overwritten by the next. Never more
     * words are taken than values are wanted, so none is drawn in vain. */
    const uint32_t mask = (uint32_t)mask_of(range), count = (uint32_t)range + 1;
    const uint32_t threshold = (UINT32_MAX - (uint32_t)range) % count;
    uint32_t words[BLOCK] = {0};
    for (size_t i = 0; i < n;) {
        const size_t take = n - i < BLOCK ? n - i : BLOCK;
        next32s(rng, take, words);
        if (rng->kind == PERI_MT19937) {
            for (size_t j = 0; j < take; j++) {
                out[i] = (double)(lo + (int64_t)(words[j] & mask));
                i += (words[j] & mask) <= range;
            }
        } else {
            for (size_t j = 0; j < take; j++) {
                const uint64_t m = (uint64_t)words[j] * count;
                out[i] = (double)(lo + (int64_t)(m >> 32));
                i += (uint32_t)m >= threshold;
            }
        }
    }
}

/* ---- permutations --------------------------------------------------------------------------- */

/* Exchanges a[i] with a[interval(i)] for i = n - 1 .. 1, without a branch: a refused word
 * exchanges a[i] with itself and leaves i. */
static void shuffle_flat(peri_rng *rng, size_t n, double *a)
{
    size_t i = n;
    for (; i > (size_t)UINT32_MAX + 1; i--) {
        const size_t j = (size_t)peri_random_interval(rng, i - 1);
        const double held = a[j];
        a[j] = a[i - 1];
        a[i - 1] = held;
    }
    uint32_t words[BLOCK] = {0};
    while (i > 1) {
        const size_t take = i - 1 < BLOCK ? i - 1 : BLOCK;
        next32s(rng, take, words);
        for (size_t k = 0; k < take; k++) {
            const uint32_t last = (uint32_t)(i - 1);
            const uint32_t drawn = words[k] & UINT32_MAX >> __builtin_clz(last);
            const bool good = drawn <= last;
            const uint32_t j = good ? drawn : last;
            const double held = a[j];
            a[j] = a[last];
            a[last] = held;
            i -= good;
        }
    }
}

void peri_random_permutation(peri_rng *rng, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (double)(i + 1);
    shuffle_flat(rng, n, out);
}

static void swap_bytes(char *a, char *b, size_t n)
{
    char held[8];
    memcpy(held, a, n);
    memcpy(a, b, n);
    memcpy(b, held, n);
}

/* Exchanges two rows, element by element along the axes after the first. */
static void swap_rows(const peri_view *a, char *x, char *y)
{
    const size_t size = peri_dtype_size(a->dtype);
    size_t at[PERI_MAX_NDIM] = {0};
    ptrdiff_t offset = 0;
    for (;;) {
        swap_bytes(x + offset * (ptrdiff_t)size, y + offset * (ptrdiff_t)size, size);
        int axis = a->ndim - 1;
        for (; axis > 0; axis--) {
            offset += a->stride[axis];
            if (++at[axis] < a->shape[axis])
                break;
            offset -= a->stride[axis] * (ptrdiff_t)a->shape[axis];
            at[axis] = 0;
        }
        if (axis == 0)
            return;
    }
}

void peri_random_shuffle(peri_rng *rng, const peri_view *a)
{
    if (peri_view_size(a) == 0)
        return;
    if (a->ndim == 1 && peri_is_f64(a->dtype) && a->stride[0] == 1) {
        shuffle_flat(rng, a->shape[0], a->data);
        return;
    }
    char *data = a->data;
    const ptrdiff_t step = a->stride[0] * (ptrdiff_t)peri_dtype_size(a->dtype);
    for (size_t i = a->shape[0]; i-- > 1;) {
        const size_t j = (size_t)peri_random_interval(rng, i);
        if (i != j)
            swap_rows(a, data + (ptrdiff_t)i * step, data + (ptrdiff_t)j * step);
    }
}

/* ---- choice --------------------------------------------------------------------------------- */

static bool tail_shuffles(size_t n, size_t k)
{
    return n > 10000 && k > n / 50;
}

size_t peri_random_choice_work(const peri_rng *rng, size_t n, size_t k, bool replace, bool weighted)
{
    if (weighted)
        return replace ? n : 2 * n + (k > 0 ? k : 1) + (n + 7) / 8;
    if (replace)
        return 0;
    if (rng->kind == PERI_MT19937 || tail_shuffles(n, k))
        return n;
    return (size_t)mask_of((uint64_t)(1.2 * (double)k)) + 1;
}

/* The running sum of p, divided by its last value. */
static void cumulate(const double *p, size_t n, double *cdf)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        cdf[i] = sum += p[i];
    for (size_t i = 0; i < n; i++)
        cdf[i] /= sum;
}

/* How many elements of cdf are <= u. */
static size_t locate(const double *cdf, size_t n, double u)
{
    size_t lo = 0;
    while (n > 0) {
        const size_t half = n / 2;
        if (cdf[lo + half] <= u) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo;
}

/* Draws as many as are missing, keeps the first of each kind, strikes them from p; again. */
static void choose_weighted(peri_rng *rng, size_t n, size_t k, const double *p, double *work,
                            double *out)
{
    double *left = work, *cdf = work + n, *u = work + 2 * n;
    unsigned char *met = (unsigned char *)(u + (k > 0 ? k : 1));
    memcpy(left, p, n * sizeof *p);
    memset(met, 0, n);
    size_t found = 0;
    while (found < k) {
        const size_t missing = k - found;
        peri_random_uniforms(rng, missing, u);
        for (size_t i = 0; i < found; i++)
            left[(size_t)out[i] - 1] = 0.0;
        cumulate(left, n, cdf);
        for (size_t i = 0; i < missing; i++) {
            const size_t drawn = locate(cdf, n, u[i]);
            if (drawn < n && !met[drawn]) {
                met[drawn] = 1;
                out[found++] = (double)(drawn + 1);
            }
        }
    }
}

/* Floyd's algorithm with a hash set of the values met, then a shuffle of the order. */
static void choose_floyd(peri_rng *rng, size_t n, size_t k, double *set, double *out)
{
    const size_t mask = (size_t)mask_of((uint64_t)(1.2 * (double)k));
    for (size_t i = 0; i <= mask; i++)
        set[i] = -1.0;
    for (size_t j = n - k; j < n; j++) {
        double value = (double)peri_random_bounded(rng, j);
        size_t at = (size_t)value & mask;
        while (set[at] != -1.0 && set[at] != value)
            at = (at + 1) & mask;
        if (set[at] == value) {
            value = (double)j;
            at = j & mask;
            while (set[at] != -1.0)
                at = (at + 1) & mask;
        }
        set[at] = value;
        out[j - (n - k)] = value + 1.0;
    }
    for (size_t i = k; i-- > 1;) {
        const size_t j = (size_t)peri_random_bounded(rng, i);
        const double held = out[j];
        out[j] = out[i];
        out[i] = held;
    }
}

void peri_random_choice(peri_rng *rng, size_t n, size_t k, bool replace, const double *p,
                        double *work, double *out)
{
    if (p != NULL && replace) {
        cumulate(p, n, work);
        peri_random_uniforms(rng, k, out);
        for (size_t i = 0; i < k; i++)
            out[i] = (double)locate(work, n, out[i]) + 1.0;
    } else if (p != NULL) {
        choose_weighted(rng, n, k, p, work, out);
    } else if (replace) {
        peri_random_integers(rng, 1, (int64_t)n, k, out);
    } else if (rng->kind == PERI_MT19937) {
        peri_random_permutation(rng, n, work);
        memcpy(out, work, k * sizeof *out);
    } else if (tail_shuffles(n, k)) {
        for (size_t i = 0; i < n; i++)
            work[i] = (double)(i + 1);
        const size_t first = n - k > 1 ? n - k : 1;
        for (size_t i = n; i-- > first;) {
            const size_t j = (size_t)peri_random_bounded(rng, i);
            const double held = work[j];
            work[j] = work[i];
            work[i] = held;
        }
        memcpy(out, work + (n - k), k * sizeof *out);
    } else {
        choose_floyd(rng, n, k, work, out);
    }
}

peri_status peri_random_check_weights(const double *p, size_t n, size_t *positive,
                                      peri_facts *facts)
{
    double sum = 0.0, lost = 0.0;
    *positive = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(p[i]) || p[i] < 0.0) {
            *facts = (peri_facts){"p", "a probability, at least 0", 1, {i}, p[i]};
            return isfinite(p[i]) ? PERI_ERR_VALUE : PERI_ERR_NONFINITE;
        }
        *positive += p[i] > 0.0;
        const double y = p[i] - lost, t = sum + y;
        lost = (t - sum) - y;
        sum = t;
    }
    if (fabs(sum - 1.0) > 1.4901161193847656e-08) {
        *facts = (peri_facts){"p", "probabilities that sum to 1", 0, {0}, sum};
        return PERI_ERR_VALUE;
    }
    return PERI_OK;
}
