/* SPDX-License-Identifier: MIT
 *
 * Random numbers: the very streams of NumPy.
 *
 *   PCG64     numpy.random.default_rng(seed): a 128-bit linear congruential generator
 *             s' = a s + c with the XSL-RR output (O'Neill 2014), seeded through SeedSequence
 *   MT19937   numpy.random.seed(seed) and RandomState(seed) (Matsumoto & Nishimura 1998)
 *
 * A generator is a plain struct the caller owns; copying it copies the stream. Every function that
 * draws says how many words it takes, since that is part of the stream. Bounded integers are
 * Lemire's method on PCG64 (arXiv 1805.10941) and masked rejection on MT19937, with 32-bit halves
 * where the range allows, as NumPy has it. Normals are the ziggurat of Marsaglia & Tsang (2000)
 * on PCG64 and the polar method with its second value kept on MT19937.
 */
#ifndef PERIGEE_KERNEL_RANDOM_H
#define PERIGEE_KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/status.h"
#include "kernel/view.h"

/* ---- SeedSequence: entropy words -> a pool from which any number of words is drawn ---------- */

/* The pool after all words so far, which is all that children need: a child's key is simply one
 * more word. */
typedef struct {
    uint32_t pool[4];
    uint32_t hash;
    uint32_t words;   /* absorbed so far, counted up to 4 */
    uint32_t spawned; /* children made */
} peri_seeds;

/* begin, absorb each 32-bit word (the low word of a big integer first; the integer 0 is the one
 * word 0), finish. */
void peri_seeds_begin(peri_seeds *seeds);
void peri_seeds_absorb(peri_seeds *seeds, uint32_t word);
void peri_seeds_finish(peri_seeds *seeds);

/* The next child, as SeedSequence.spawn makes it; counts it in seeds->spawned. */
peri_seeds peri_seeds_spawn(peri_seeds *seeds);

/* SeedSequence.generate_state(n), dtype uint32. */
void peri_seeds_generate(const peri_seeds *seeds, size_t n, uint32_t *out);

/* Cuts a non-negative integer written in decimal, or in hexadecimal after 0x, into 32-bit words,
 * low first. Returns how many, or 0 where text is no such integer or needs more than cap words. */
size_t peri_seeds_parse(const char *text, uint32_t *words, size_t cap);

/* ---- generators ----------------------------------------------------------------------------- */

enum { PERI_PCG64, PERI_MT19937, PERI_MT_WORDS = 624 };

typedef struct {
    int kind;
    bool has_uint32; /* PCG64: the high half of the last word waits in uint32 */
    bool has_gauss;  /* MT19937: the second value of the last polar pair waits in gauss */
    uint32_t uint32;
    double gauss;
    peri_seeds seeds; /* PCG64: where it came from, for spawn */
    union {
        struct {
            uint64_t state[2], inc[2]; /* high, low */
        } pcg;
        struct {
            uint32_t key[PERI_MT_WORDS];
            int pos;
        } mt;
    };
} peri_rng;

/* default_rng: seeds must be finished. */
void peri_random_pcg64(peri_rng *rng, const peri_seeds *seeds);

/* RandomState(seed), and RandomState(array) for n >= 1 words. */
void peri_random_mt19937(peri_rng *rng, uint32_t seed);
void peri_random_mt19937_array(peri_rng *rng, const uint32_t *key, size_t n);

/* One word. A 32-bit word of PCG64 is half of a 64-bit one, whose other half waits. A 64-bit word
 * of MT19937 is two, the high one first. */
uint64_t peri_random_next64(peri_rng *rng);
uint32_t peri_random_next32(peri_rng *rng);

/* ---- distributions -------------------------------------------------------------------------- */

/* Uniform in [0, 1), 53 bits; one 64-bit word each. */
double peri_random_uniform(peri_rng *rng);
void peri_random_uniforms(peri_rng *rng, size_t n, double *out);

/* Standard normal; the number of words varies. */
double peri_random_normal(peri_rng *rng);
void peri_random_normals(peri_rng *rng, size_t n, double *out);

/* 0..range inclusive: Generator.integers on PCG64, RandomState.randint on MT19937. A range of 0
 * draws nothing. */
uint64_t peri_random_bounded(peri_rng *rng, uint64_t range);

/* out[i] = lo + bounded(hi - lo); lo <= hi, both within +-2^53. */
void peri_random_integers(peri_rng *rng, int64_t lo, int64_t hi, size_t n, double *out);

/* 0..max inclusive by masked rejection on either generator: what shuffles draw. */
uint64_t peri_random_interval(peri_rng *rng, uint64_t max);

/* A permutation of 1..n. */
void peri_random_permutation(peri_rng *rng, size_t n, double *out);

/* Shuffles along the first axis, in place; ndim >= 1, any strides, no element met twice. */
void peri_random_shuffle(peri_rng *rng, const peri_view *a);

/* choice(n, k): k numbers of 1..n into out. p is NULL or n probabilities as
 * peri_random_check_weights accepts them; without replacement k <= n, and k <= the number of
 * p > 0. work has peri_random_choice_work() doubles. */
size_t peri_random_choice_work(const peri_rng *rng, size_t n, size_t k, bool replace,
                               bool weighted);
void peri_random_choice(peri_rng *rng, size_t n, size_t k, bool replace, const double *p,
                        double *work, double *out);

/* PERI_ERR_NONFINITE or PERI_ERR_VALUE with the element at fault; PERI_ERR_VALUE with nindex 0
 * and the sum in got where they do not sum to 1 within 1.5e-8. *positive: how many are > 0. */
peri_status peri_random_check_weights(const double *p, size_t n, size_t *positive,
                                      peri_facts *facts);

#endif
