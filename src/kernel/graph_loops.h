/* SPDX-License-Identifier: MIT
 *
 * Pairs of one row of graph_likelihood.c by fours, for each level below AVX-512. Included by it
 * alone; see simd.h. */

static void SIMD(add_row)(const double *s, const uint64_t *bits, size_t from, size_t to, double a,
                          double b, double *u, double *t, tally *sum)
{
    /* Whole fours around [from, to); what lies outside is made to count for nothing. */
    const size_t first = from / 4 * 4, last = (to + 3) / 4 * 4;
    for (size_t j = first; j < last; j += 4) {
        v4 z, sign;
        memcpy(&z, s + j, sizeof z);
        memcpy(&sign, signs[bits[j / 64] >> (j % 64) & 15], sizeof sign);
        z = a * z + b;
        const v4 size = (v4)((w4)z | sign_bit), w = (v4)((w4)z ^ (w4)sign);
        memcpy(u + j, &w, sizeof w);
        memcpy(t + j, &size, sizeof size);
    }
    peri_vmath_f64(PERI_VM_EXP, last - first, t + first, t + first);
    for (size_t j = first; j < from; j++) {
        u[j] = 1.0;
        t[j] = 0.0;
    }
    for (size_t j = to; j < last; j++) {
        u[j] = 1.0;
        t[j] = 0.0;
    }
    tally held = *sum;
    for (size_t j = first; j < last; j += 4) {
        v4 x, w, e, sign;
        memcpy(&x, s + j, sizeof x);
        memcpy(&w, u + j, sizeof w);
        memcpy(&e, t + j, sizeof e);
        memcpy(&sign, signs[bits[j / 64] >> (j % 64) & 15], sizeof sign);
        const v4 inverse = 1.0 / (1.0 + e), small = e * inverse, h = small * inverse, hs = h * x;
        const w4 below = (w4)(w < 0.0);
        const v4 r = (v4)(((w4)inverse & below) | ((w4)small & ~below));
        const v4 d = (v4)((w4)r ^ (w4)sign); /* e - p: minus r where e = 0 */
        held.positive -= (v4)((w4)w & below);
        held.q += e * (1.0 + held.q);
        held.ga += d * x;
        held.gb += d;
        held.hbb += h;
        held.hab += hs;
        held.haa += hs * x;
    }
    *sum = held;
}
