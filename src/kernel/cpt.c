/* SPDX-License-Identifier: MIT
 *
 * Both forms of a table are read through a cursor, the place reached after some pixels, which
 * answers p(0) and p(1) and moves on by one pixel; sampling from dense tables has a loop of its
 * own.
 */
#include "kernel/cpt.h"

#include <math.h>
#include <string.h>

static inline unsigned bit_of(const uint64_t *row, size_t k)
{
    return (unsigned)(row[k / 64] >> (63 - k % 64)) & 1;
}

/* ---- the cursor ----------------------------------------------------------------------------- */

typedef struct {
    size_t depth;
    size_t prefix; /* dense: the pixels so far as a number */
    uint32_t node; /* compact */
    bool lost;     /* compact: no image has this prefix */
} cursor;

typedef struct {
    double p[2];
} pair;

static inline pair look(const peri_cpt *m, const cursor *at)
{
    if (m->tables != NULL) {
        const double *p = m->tables[at->depth] + 2 * at->prefix;
        return (pair){{p[0], p[1]}};
    }
    if (at->lost)
        return (pair){{0.5, 0.5}};
    const peri_cpt_node *node = &m->nodes[at->node];
    double zeros, ones;
    if (at->depth < node->bit) {
        const bool one = bit_of(m->rows + node->row * peri_cpt_words(m->d), at->depth);
        zeros = one ? 0.0 : node->count;
        ones = one ? node->count : 0.0;
    } else {
        zeros = node[1].count;
        ones = m->nodes[node->right].count;
    }
    const double total = node->count + 2.0 * m->alpha;
    return (pair){{(zeros + m->alpha) / total, (ones + m->alpha) / total}};
}

static inline void step(const peri_cpt *m, cursor *at, unsigned bit)
{
    if (m->tables != NULL) {
        at->prefix = 2 * at->prefix + bit;
    } else if (!at->lost) {
        const peri_cpt_node *node = &m->nodes[at->node];
        if (at->depth == node->bit)
            at->node = bit ? node->right : at->node + 1;
        else
            at->lost = bit_of(m->rows + node->row * peri_cpt_words(m->d), at->depth) != bit;
    }
    at->depth++;
}

/* ---- making --------------------------------------------------------------------------------- */

peri_status peri_cpt_check_table(const double *table, size_t k, peri_facts *facts)
{
    const size_t pairs = (size_t)1 << (k - 1);
    for (size_t i = 0; i < pairs; i++) {
        const double zero = table[2 * i], one = table[2 * i + 1];
        const double sum = zero + one;
        if (zero >= 0.0 && zero <= 1.0 && one >= 0.0 && one <= 1.0 && fabs(sum - 1.0) <= 1e-6)
            continue;
        *facts = (peri_facts){"tables", "a probability in [0, 1]", 2, {i, 0}, 0.0};
        for (size_t v = 0; v < 2; v++) {
            const double p = table[2 * i + v];
            if (!(p >= 0.0 && p <= 1.0)) {
                facts->index[1] = v;
                facts->got = p;
                return isfinite(p) ? PERI_ERR_VALUE : PERI_ERR_NONFINITE;
            }
        }
        *facts = (peri_facts){"tables", "probabilities that sum to 1", 1, {i}, sum};
        return PERI_ERR_VALUE;
    }
    return PERI_OK;
}

static inline double element(const peri_view *X, size_t i, size_t k)
{
    const ptrdiff_t at = (ptrdiff_t)i * X->stride[0] + (ptrdiff_t)k * X->stride[1];
    return peri_get(X, at);
}

static peri_status refuse_pixel(size_t i, size_t k, double got, peri_facts *facts)
{
    *facts = (peri_facts){"X", "a pixel, 0 or 1", 2, {i, k}, got};
    return isfinite(got) ? PERI_ERR_VALUE : PERI_ERR_NONFINITE;
}

static int compare(const uint64_t *a, const uint64_t *b, size_t W)
{
    for (size_t w = 0; w < W; w++)
        if (a[w] != b[w])
            return a[w] < b[w] ? -1 : 1;
    return 0;
}

/* Merges the sorted runs from[lo..mid) and from[mid..hi) of row numbers into to. */
static void merge(const uint64_t *rows, size_t W, const uint32_t *from, uint32_t *to, size_t lo,
                  size_t mid, size_t hi)
{
    size_t a = lo, b = mid;
    for (size_t i = lo; i < hi; i++) {
        const bool left =
            b == hi || (a < mid && compare(rows + from[a] * W, rows + from[b] * W, W) <= 0);
        to[i] = left ? from[a++] : from[b++];
    }
}

peri_status peri_cpt_collect(const peri_view *X, const double *weights, uint64_t *rows,
                             double *counts, uint64_t *work, size_t *u, const peri_stop *stop,
                             peri_facts *facts)
{
    const size_t n = X->shape[0], d = X->shape[1], W = peri_cpt_words(d);
    uint64_t *packed = work;
    uint32_t *order = (uint32_t *)(work + n * W), *other = order + n;
    memset(packed, 0, n * W * sizeof *packed);
    for (size_t i = 0; i < n; i++) {
        if (i % 1024 == 0 && peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        for (size_t k = 0; k < d; k++) {
            const double pixel = element(X, i, k);
            if (pixel == 1.0)
                packed[i * W + k / 64] |= (uint64_t)1 << (63 - k % 64);
            else if (pixel != 0.0)
                return refuse_pixel(i, k, pixel, facts);
        }
        order[i] = (uint32_t)i;
    }
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * run) {
            const size_t mid = n - lo < run ? n : lo + run;
            const size_t hi = n - lo < 2 * run ? n : lo + 2 * run;
            merge(packed, W, order, other, lo, mid, hi);
        }
        uint32_t *swapped = order;
        order = other;
        other = swapped;
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    *u = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t *row = packed + order[i] * W;
        const double weight = weights != NULL ? weights[order[i]] : 1.0;
        if (*u > 0 && compare(rows + (*u - 1) * W, row, W) == 0) {
            counts[*u - 1] += weight;
        } else {
            memcpy(rows + *u * W, row, W * sizeof *row);
            counts[(*u)++] = weight;
        }
    }
    return PERI_OK;
}

/* The first pixel at which two different images differ. */
static size_t parting(const uint64_t *a, const uint64_t *b)
{
    size_t w = 0;
    while (a[w] == b[w])
        w++;
    return 64 * w + (size_t)__builtin_clzll(a[w] ^ b[w]);
}

double peri_cpt_grow(const uint64_t *rows, const double *counts, size_t u, size_t d,
                     peri_cpt_node *nodes, size_t *work)
{
    const size_t W = peri_cpt_words(d);
    double prefixes = 0.0;
    size_t lo = 0, hi = u, depth = 0, v = 0, pending = 0;
    /* A branch waits on the stack as {first image, one past its last, its depth}; the bit at
     * which branches part grows downwards, so at most d wait. */
    for (;;) {
        peri_cpt_node *node = &nodes[v++];
        *node = (peri_cpt_node){.row = (uint32_t)lo, .bit = (uint32_t)d};
        if (hi - lo == 1) {
            node->count = counts[lo];
            prefixes += (double)(d - depth);
            if (pending == 0)
                break;
            pending--;
            lo = work[3 * pending];
            hi = work[3 * pending + 1];
            depth = work[3 * pending + 2];
            continue;
        }
        /* In sorted order the first and the last image part first of all. */
        const size_t bit = parting(rows + lo * W, rows + (hi - 1) * W);
        size_t zero = lo, one = hi - 1;
        while (one - zero > 1) {
            const size_t mid = zero + (one - zero) / 2;
            if (bit_of(rows + mid * W, bit))
                one = mid;
            else
                zero = mid;
        }
        node->bit = (uint32_t)bit;
        node->right = (uint32_t)(v - 1 + 2 * (one - lo));
        prefixes += (double)(bit - depth + 1);
        depth = bit + 1;
        work[3 * pending] = one;
        work[3 * pending + 1] = hi;
        work[3 * pending + 2] = depth;
        pending++;
        hi = one;
    }
    for (size_t i = v; i-- > 0;)
        if (nodes[i].right != 0)
            nodes[i].count = nodes[i + 1].count + nodes[nodes[i].right].count;
    return prefixes;
}

void peri_cpt_unpack(const uint64_t *rows, size_t i, size_t d, double *out)
{
    const uint64_t *row = rows + i * peri_cpt_words(d);
    for (size_t k = 0; k < d; k++)
        out[k] = (double)bit_of(row, k);
}

/* ---- sampling ------------------------------------------------------------------------------- */

/* Four images side by side, so that their waits for memory overlap. out holds the uniforms. */
static void sample_dense(const peri_cpt *m, size_t n, double *out)
{
    const size_t d = m->d;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        double *x = out + i * d;
        size_t prefix[4] = {0};
        for (size_t k = 0; k < d; k++) {
            const double *table = m->tables[k];
            for (size_t l = 0; l < 4; l++) {
                const int bit = x[l * d + k] < table[2 * prefix[l]] ? 0 : 1;
                x[l * d + k] = (double)bit;
                prefix[l] = 2 * prefix[l] + (size_t)bit;
            }
        }
    }
    for (; i < n; i++) {
        double *x = out + i * d;
        size_t prefix = 0;
        for (size_t k = 0; k < d; k++) {
            const int bit = x[k] < m->tables[k][2 * prefix] ? 0 : 1;
            x[k] = (double)bit;
            prefix = 2 * prefix + (size_t)bit;
        }
    }
}

/* One image. Between two partings p is the same at each pixel, whatever the image goes on with. */
static void sample_compact(const peri_cpt *m, double *x)
{
    const size_t d = m->d, W = peri_cpt_words(d);
    size_t v = 0, k = 0;
    for (;;) {
        const peri_cpt_node *node = &m->nodes[v];
        const uint64_t *row = m->rows + node->row * W;
        const double total = node->count + 2.0 * m->alpha;
        const double follow = (node->count + m->alpha) / total, leave = m->alpha / total;
        for (; k < node->bit; k++) {
            const unsigned bit = bit_of(row, k);
            const int drawn = x[k] < (bit ? leave : follow) ? 0 : 1;
            x[k] = (double)drawn;
            if (drawn != (int)bit) {
                for (k++; k < d; k++)
                    x[k] = x[k] < 0.5 ? 0.0 : 1.0;
                return;
            }
        }
        if (k == d)
            return;
        const int drawn = x[k] < (node[1].count + m->alpha) / total ? 0 : 1;
        x[k++] = (double)drawn;
        v = drawn ? node->right : v + 1;
    }
}

peri_status peri_cpt_sample(const peri_cpt *m, peri_rng *rng, size_t n, double *out,
                            const peri_stop *stop)
{
    /* The uniforms are drawn where the pixels go, some images at a time so that they stay near. */
    const size_t block = m->d < 1024 ? 4 * ((2048 / m->d + 3) / 4) : 4;
    size_t polled = 0;
    for (size_t i = 0; i < n; i += block) {
        const size_t take = n - i < block ? n - i : block;
        double *x = out + i * m->d;
        peri_random_uniforms(rng, take * m->d, x);
        if (m->tables != NULL)
            sample_dense(m, take, x);
        else
            for (size_t j = 0; j < take; j++)
                sample_compact(m, x + j * m->d);
        if (++polled % 256 == 0 && peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    return PERI_OK;
}

/* ---- probabilities -------------------------------------------------------------------------- */

peri_status peri_cpt_logprob(const peri_cpt *m, const peri_view *X, double *out,
                             const peri_stop *stop, peri_facts *facts)
{
    for (size_t i = 0; i < X->shape[0]; i++) {
        if (i % 1024 == 0 && peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
        cursor at = {0};
        double sum = 0.0, last = 1.0, log_last = 0.0;
        for (size_t k = 0; k < m->d; k++) {
            const double pixel = element(X, i, k);
            if (pixel != 0.0 && pixel != 1.0)
                return refuse_pixel(i, k, pixel, facts);
            const unsigned bit = pixel == 1.0;
            const double p = look(m, &at).p[bit];
            if (p != last) { /* along a path that does not part, p stays as it is */
                last = p;
                log_last = log(p);
            }
            sum += log_last;
            step(m, &at, bit);
        }
        out[i] = sum;
    }
    return PERI_OK;
}

double peri_cpt_conditional(const peri_cpt *m, const double *prefix, size_t length)
{
    cursor at = {0};
    for (size_t k = 0; k < length; k++)
        step(m, &at, prefix[k] == 1.0);
    return look(m, &at).p[1];
}

/* -p log p, with its limit 0 at 0. */
static double surprise(double p)
{
    return p > 0.0 ? -p * log(p) : 0.0;
}

/* Where all d pixels of a table are walked in depth, d is small: its tables are in memory. */
enum { MAX_WALK = 64 };

/* Walks every prefix with p > 0 in ascending order. At an image, p is its probability; at a
 * shorter prefix, the walk adds the entropy of its next pixel. Ends after cap images. */
typedef struct {
    const peri_cpt *m;
    const peri_stop *stop;
    size_t cap, count;
    double entropy;
    double *X, *p;
} walk;

static peri_status walk_all(walk *w)
{
    const peri_cpt *m = w->m;
    cursor at[MAX_WALK + 1];
    double p[MAX_WALK + 1];
    unsigned char next[MAX_WALK + 1];
    size_t k = 0, polled = 0;
    at[0] = (cursor){0};
    p[0] = 1.0;
    next[0] = 0;
    for (;;) {
        if (++polled % (1 << 20) == 0 && peri_stop_requested(w->stop))
            return PERI_ERR_INTERRUPTED;
        bool up = true;
        if (k == m->d) {
            if (w->count++ == w->cap)
                return PERI_OK;
            if (w->X != NULL) {
                double *x = w->X + (w->count - 1) * m->d;
                for (size_t j = 0; j < m->d; j++)
                    x[j] = next[j] - 1;
                w->p[w->count - 1] = p[k];
            }
        } else {
            const pair q = look(m, &at[k]);
            if (next[k] == 0)
                w->entropy += p[k] * (surprise(q.p[0]) + surprise(q.p[1]));
            while (next[k] < 2 && up) {
                const unsigned bit = next[k]++;
                if (q.p[bit] > 0.0) {
                    at[k + 1] = at[k];
                    step(m, &at[k + 1], bit);
                    p[k + 1] = p[k] * q.p[bit];
                    next[k + 1] = 0;
                    k++;
                    up = false;
                }
            }
        }
        if (up) {
            if (k == 0)
                return PERI_OK;
            k--;
        }
    }
}

/* The whole entropy is the sum over prefixes of p(prefix) times the entropy of the next pixel.
 * Off the tree each of the pixels left has log 2. work: a node's p, and the depth it begins at. */
static double entropy_compact(const peri_cpt *m, double *work)
{
    const size_t count = 2 * m->u - 1, d = m->d;
    double *mass = work, *depth = work + count;
    double sum = 0.0;
    mass[0] = 1.0;
    depth[0] = 0.0;
    for (size_t v = 0; v < count; v++) {
        const peri_cpt_node *node = &m->nodes[v];
        const double total = node->count + 2.0 * m->alpha;
        const double follow = (node->count + m->alpha) / total, leave = m->alpha / total;
        const double here = surprise(follow) + surprise(leave);
        double p = mass[v];
        for (size_t k = (size_t)depth[v]; k < node->bit && m->alpha > 0.0; k++) {
            sum += p * (here + leave * (double)(d - k - 1) * 0.69314718055994530942);
            p *= follow;
        }
        if (node->right == 0)
            continue;
        const double zero = (node[1].count + m->alpha) / total;
        const double one = (m->nodes[node->right].count + m->alpha) / total;
        sum += p * (surprise(zero) + surprise(one));
        mass[v + 1] = p * zero;
        mass[node->right] = p * one;
        depth[v + 1] = depth[node->right] = (double)node->bit + 1.0;
    }
    return sum;
}

peri_status peri_cpt_entropy(const peri_cpt *m, double *entropy, double *work,
                             const peri_stop *stop)
{
    if (m->tables == NULL) {
        *entropy = entropy_compact(m, work);
        return PERI_OK;
    }
    walk w = {.m = m, .stop = stop, .cap = SIZE_MAX};
    const peri_status status = walk_all(&w);
    *entropy = w.entropy;
    return status;
}

peri_status peri_cpt_support(const peri_cpt *m, size_t cap, double *X, double *p, size_t *count,
                             const peri_stop *stop)
{
    if (m->tables == NULL && m->alpha == 0.0) {
        *count = m->u <= cap ? m->u : cap + 1;
        for (size_t v = 0, i = 0; X != NULL && i < *count; v++) {
            if (m->nodes[v].right != 0)
                continue;
            peri_cpt_unpack(m->rows, m->nodes[v].row, m->d, X + i * m->d);
            p[i++] = m->nodes[v].count / m->nodes[0].count;
        }
        return PERI_OK;
    }
    if (m->d >= MAX_WALK) { /* every image has p > 0 */
        *count = cap + 1;
        return PERI_OK;
    }
    walk w = {.m = m, .stop = stop, .cap = cap, .X = X, .p = p};
    const peri_status status = walk_all(&w);
    *count = w.count;
    return status;
}
