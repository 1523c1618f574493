/* SPDX-License-Identifier: MIT
 *
 * The likelihood of graph_likelihood.c below AVX-512, over the names of lanes.h for f64; included
 * by it alone, once for each level. A register holds LANES pairs. */

typedef struct {
    vec positive, q, ga, gb, haa, hab, hbb;
} NAME(tally);

/* e^x for x <= 0: 2^n e^r with |r| <= log(2)/2, by Taylor's series, whose first term left out is
 * below half a unit in the last place, in Estrin's order. */
INLINE vec NAME(exp_below)(vec x)
{
    x = NAME(lower)(x, NAME(splat)(-708.0));
    const vec shift = NAME(splat)(0x1.8p52);
    const vec shifted = NAME(fma)(x, NAME(splat)(0x1.71547652b82fep+0), shift), n = shifted - shift;
    vec r = NAME(fma)(n, NAME(splat)(-0x1.62e42fefa38p-1), x);
    r = NAME(fma)(n, NAME(splat)(-0x1.ef35793c7673p-45), r);
    const vec r2 = r * r, r4 = r2 * r2;
#define TWO(low, high) NAME(fma)(r, NAME(splat)(1.0 / (high)), NAME(splat)(1.0 / (low)))
    const vec low = NAME(fma)(r2, TWO(24, 120), TWO(2, 6));
    const vec middle = NAME(fma)(r2, TWO(40320, 362880), TWO(720, 5040));
    const vec high = NAME(fma)(r2, TWO(479001600.0, 6227020800.0), TWO(3628800, 39916800));
#undef TWO
    const vec series = NAME(fma)(r4, NAME(fma)(r4, high, middle), low);
    const vec minus1 = NAME(fma)(series, r2, r);
    const vec scale = (vec)(((NAME(integers))shifted << 52) + 0x3ff0000000000000);
    return NAME(fma)(scale, minus1, scale);
}

/* LANES pairs: s their products, e their edges, valid which of them count, both as bits. */
INLINE void NAME(add)(vec s, unsigned e, unsigned valid, vec a, vec b, NAME(tally) * sum)
{
    const vec one = NAME(splat)(1.0), zero = NAME(splat)(0.0), minus0 = NAME(splat)(-0.0);
    const NAME(integers) sign = (NAME(integers))NAME(load)(signs[e]);
    const vec z = NAME(fma)(a, s, b);
    /* u < 0: the pair is as the model does not expect it. */
    vec u = (vec)((NAME(integers))z ^ sign);
    vec t = NAME(exp_below)((vec)((NAME(integers))z | (NAME(integers))minus0));
    if (valid != (1u << LANES) - 1) {
        NAME(integers) mask;
        memcpy(&mask, counted[valid], sizeof mask);
        u = (vec)((NAME(integers))u & mask);
        t = (vec)((NAME(integers))t & mask);
    }
    const vec inverse = one / (one + t), small = t * inverse, h = small * inverse;
    const NAME(integers) below = u < zero;
    const vec r = (vec)(((NAME(integers))inverse & below) | ((NAME(integers))small & ~below));
    const vec d = (vec)((NAME(integers))r ^ sign), hs = h * s; /* e - p: minus r where e = 0 */
    sum->positive = sum->positive - NAME(upper)(u, zero);
    sum->q = NAME(fma)(t, one + sum->q, sum->q);
    sum->ga = NAME(fma)(d, s, sum->ga);
    sum->gb = sum->gb + d;
    sum->hbb = sum->hbb + h;
    sum->hab = sum->hab + hs;
    sum->haa = NAME(fma)(hs, s, sum->haa);
}

/* Which of the columns j.. of a register lie behind row i and before n. */
INLINE unsigned NAME(behind)(size_t i, size_t j, size_t n)
{
    const unsigned all = (1u << LANES) - 1;
    unsigned mask = all;
    if (j <= i)
        mask = i + 1 - j < LANES ? all << (i + 1 - j) & all : 0;
    if (n <= j)
        return 0;
    return n - j < LANES ? mask & all >> (LANES - (n - j)) : mask;
}

/* s (rows, CHUNK): products of `rows` rows from i on with the columns of `registers` ones from j.
 */
INLINE void NAME(multiply)(const peri_graph *g, const double *xt, size_t i, size_t j, double *s,
                           const int rows, const int registers)
{
    const size_t N = padded(g->n), m = g->m;
    const double *x = g->x + i * m, *column = xt + j;
    vec sum[GROUP][2];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int c = 0; c < registers; c++)
            sum[r][c] = NAME(splat)(0);
    }
    for (size_t k = 0; k < m; k++, column += N) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            const vec v = NAME(splat)(x[(size_t)r * m + k]);
            UNROLL
            for (int c = 0; c < registers; c++)
                sum[r][c] = NAME(fma)(v, NAME(load)(column + (size_t)c * LANES), sum[r][c]);
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int c = 0; c < registers; c++)
            NAME(store)(s + (size_t)r * CHUNK + (size_t)c * LANES, sum[r][c]);
    }
}

INLINE unsigned NAME(edges)(const uint64_t *bits, size_t j)
{
    return (unsigned)(bits[j / 64] >> j % 64) & ((1u << LANES) - 1);
}

/* `rows` (1 to GROUP) rows from i on, columns [j0, j1); bits (GROUP, CHUNK_WORDS). */
KERNEL static void NAME(group)(const job *w, size_t i, size_t rows, size_t j0, size_t j1,
                               const uint64_t bits[GROUP * CHUNK_WORDS], NAME(tally) * sum)
{
    const peri_graph *g = w->g;
    const vec a = NAME(splat)(w->a), b = NAME(splat)(w->b);
    const size_t from = i + 1 > j0 ? (i + 1) / 8 * 8 : j0, to = padded(j1);
    double s[GROUP * CHUNK];
    if (rows == GROUP) {
        for (size_t j = from; j < to; j += 2 * LANES)
            NAME(multiply)(g, w->xt, i, j, s + (j - from), GROUP, 2);
    } else {
        for (size_t j = from; j < to; j += LANES)
            for (size_t r = 0; r < rows; r++)
                NAME(multiply)(g, w->xt, i + r, j, s + r * CHUNK + (j - from), 1, 1);
    }
    NAME(tally) held = *sum;
    for (size_t r = 0; r < rows; r++) {
        const uint64_t *row = bits + r * CHUNK_WORDS;
        const double *line = s + r * CHUNK;
        const size_t whole = to < g->n ? to : g->n / LANES * LANES;
        size_t j = from;
        for (; j < to && j <= i + r; j += LANES)
            NAME(add)
        (NAME(load)(line + (j - from)), NAME(edges)(row, j - j0), NAME(behind)(i + r, j, g->n), a,
         b, &held);
        for (; j < whole; j += LANES)
            NAME(add)
        (NAME(load)(line + (j - from)), NAME(edges)(row, j - j0), (1u << LANES) - 1, a, b, &held);
        for (; j < to; j += LANES)
            NAME(add)
        (NAME(load)(line + (j - from)), NAME(edges)(row, j - j0), NAME(behind)(i + r, j, g->n), a,
         b, &held);
    }
    *sum = held;
}

/* The logarithm of each lane's product, which begins anew. */
KERNEL static void NAME(close_product)(NAME(tally) * sum, double *loglik)
{
    for (size_t l = 0; l < LANES; l++)
        *loglik -= log1p(sum->q[l]);
    sum->q = NAME(splat)(0);
}

/* Adds what is held to *out, whose sums but the likelihood are still 0. */
KERNEL static void NAME(close_sums)(NAME(tally) * sum, peri_graph_sums *out)
{
    NAME(close_product)(sum, &out->loglik);
    out->loglik -= NAME(sum)(sum->positive);
    out->gradient[0] = NAME(sum)(sum->ga);
    out->gradient[1] = NAME(sum)(sum->gb);
    out->hessian[0] = -NAME(sum)(sum->haa);
    out->hessian[1] = -NAME(sum)(sum->hab);
    out->hessian[2] = -NAME(sum)(sum->hbb);
}

KERNEL static void NAME(block)(const job *w, size_t row, size_t rows, peri_graph_sums *out)
{
    const peri_graph *g = w->g;
    lists l;
    open_lists(&l, g, row, rows);
    NAME(tally) sum;
    memset(&sum, 0, sizeof sum);
    size_t factors = 0;
    for (size_t j0 = row / CHUNK * CHUNK; j0 < g->n; j0 += CHUNK) {
        const size_t j1 = g->n - j0 < CHUNK ? g->n : j0 + CHUNK;
        for (size_t r = 0; r < rows; r += GROUP) {
            const size_t count = rows - r < GROUP ? rows - r : GROUP;
            if (row + r + 1 >= j1)
                continue;
            uint64_t bits[GROUP * CHUNK_WORDS];
            for (size_t k = 0; k < count; k++)
                take_bits(&l, r + k, row + r + k, j0, j1, bits + k * CHUNK_WORDS);
            const size_t more = count * (padded(j1 - j0) / LANES);
            if (factors + more > FACTORS) {
                NAME(close_product)(&sum, &out->loglik);
                factors = 0;
            }
            factors += more;
            NAME(group)(w, row + r, count, j0, j1, bits, &sum);
        }
        if (peri_stop_requested(w->stop))
            return;
    }
    NAME(close_sums)(&sum, out);
}

KERNEL static void NAME(flat)(const peri_graph *g, double a, double b, peri_graph_sums *out)
{
    const vec va = NAME(splat)(a), vb = NAME(splat)(b);
    const size_t pairs = pair_count(g->n);
    NAME(tally) sum;
    memset(&sum, 0, sizeof sum);
    size_t j = 0;
    for (size_t factors = 0; j + LANES <= pairs; j += LANES) {
        if (factors++ == FACTORS - 1) {
            NAME(close_product)(&sum, &out->loglik);
            factors = 1;
        }
        NAME(add)(NAME(load)(g->s + j), NAME(edges)(g->e, j), (1u << LANES) - 1, va, vb, &sum);
    }
    if (j < pairs)
        NAME(add)
    (NAME(load_part)(g->s + j, pairs - j), NAME(edges)(g->e, j), (1u << (pairs - j)) - 1, va, vb,
     &sum);
    NAME(close_sums)(&sum, out);
}
