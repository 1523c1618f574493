/* SPDX-License-Identifier: MIT */
#include "kernel/reduce.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/copy.h"
#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/vmath.h"

/* BLOCK and CHAINS fix the order of additions; see the header. */
enum { BLOCK = 512, CHAINS = 16 };

/* Of least and largest elements, whose order does not matter, so many are taken at a time. */
enum { FREE_BLOCK = 8192 };

/* Results computed side by side where the neighbours in memory belong to different ones. */
enum { STRIP = 512, NARROW = 8 };

/* Blocks are joined pairwise as a binary counter counts. Side by side fewer levels serve; an axis
 * longer than BLOCK * 2^STRIP_LEVELS (one that repeats an element) is taken result by result. */
enum { LEVELS = 52, STRIP_LEVELS = 24 };

/* Rows that are brought from columns at a time, and the longest of them. */
enum { TURNED = 8, TURN = 4096 };

/* Elements between two looks at the stop flag. */
enum { POLL = 1 << 18 };

/* From SHARED elements on the threads of the pool share the work: of one result in parts of
 * PART_BLOCKS blocks, a power of two, so that a part is a branch of the tree in which blocks are
 * joined; WAVE parts at a time. */
enum { SHARED = 1 << 19, PART_BLOCKS = 256, PART = PART_BLOCKS * BLOCK, WAVE = 64 };

/* SSD: sum (x - c)^2. SUMEXP: sum e^(x - c). Up to ALL the numbers are those of the reductions. */
typedef enum { SUM, PROD, MIN, MAX, ANY, ALL, SSD, SUMEXP, KINDS } kind;

_Static_assert((int)PERI_SUM == SUM && (int)PERI_ALL == ALL, "ops.h begins with the same");

/* For the elements of one dtype at one level; see reduce_loops.h. */
typedef struct {
    double (*block[SUMEXP])(const void *x, size_t n, double c);
    void (*lines[SUMEXP])(double *result, const void *x, ptrdiff_t step, size_t w, size_t n,
                          const double *c);
    void (*rows[SUMEXP])(double *acc, const void *x0, const void *x1, const void *x2,
                         const void *x3, size_t w, const double *c);
    void (*few[SUMEXP])(double *result, const void *const *rows, size_t n, size_t w,
                        const double *c);
    size_t (*find)(const void *x, size_t n, double v);
    void (*first)(double *best, double *at, const void *x, size_t w, double row, double sign);
    void (*turn)(const void *from, ptrdiff_t stride, size_t m, void *to);
    void (*thin)(const void *from, size_t n, void *to);
} loops;

#define LANES_LOOPS "kernel/reduce_loops.h"
#include "kernel/lanes_each.h"

/* Kinds whose result does not depend on the order of the elements. */
static bool is_free(kind k)
{
    return k == MIN || k == MAX || k == ANY || k == ALL;
}

static double start_of(kind k)
{
    return k == PROD || k == ALL ? 1.0 : k == MIN ? HUGE_VAL : k == MAX ? -HUGE_VAL : 0.0;
}

static double join(kind k, double a, double b)
{
    switch (k) {
    case PROD:
        return a * b;
    case MIN:
        return b < a || b != b ? b : a;
    case MAX:
        return b > a || b != b ? b : a;
    case ANY:
        return b != 0 ? 1.0 : a;
    case ALL:
        return b == 0 ? 0.0 : a;
    default:
        return a + b;
    }
}

/* ---- which elements make which result ---------------------------------------------------- */

typedef struct {
    const loops *table, *doubles; /* of the elements, and of f64 */
    int stored;                   /* dtype of the elements */
    int dtype;    /* that they are worked on in: the same, or f64 for what is only stored */
    size_t width; /* bytes of an element as it is stored */
    /* kept axes; the last one is the strip's where `strip` says so */
    int kept;
    size_t kept_shape[PERI_MAX_NDIM];
    ptrdiff_t kept_stride[PERI_MAX_NDIM], out_stride[PERI_MAX_NDIM];
    bool strip;
    ptrdiff_t apart; /* elements from the first one of a result to that of the next */
    /* reduced axes, joined where memory allows, in row-major order */
    int axes;
    size_t shape[PERI_MAX_NDIM];
    ptrdiff_t stride[PERI_MAX_NDIM];
    size_t n; /* elements that make one result */
} plan;

/* The axes of a, the reduced ones among themselves as they lie in memory, the widest stride first.
 */
static void order_axes(const peri_view *a, const bool reduced[], int order[])
{
    for (int i = 0; i < a->ndim; i++)
        order[i] = i;
    for (int i = 0; i < a->ndim; i++)
        for (int j = i + 1; j < a->ndim; j++)
            if (reduced[order[i]] && reduced[order[j]] &&
                a->stride[order[j]] > a->stride[order[i]]) {
                const int wider = order[j];
                order[j] = order[i];
                order[i] = wider;
            }
}

/* With `any_order` the elements of a result are taken as they lie in memory. */
static void make_plan(plan *p, const peri_view *a, const bool reduced[], const peri_view *out,
                      bool any_order)
{
    int order[PERI_MAX_NDIM];
    p->stored = a->dtype;
    p->dtype = peri_promote1(a->dtype);
    p->table = LANES_CHOOSE(loops, p->dtype);
    p->doubles = LANES_CHOOSE(loops, PERI_F64);
    p->width = peri_dtype_size(a->dtype);
    p->kept = p->axes = 0;
    p->n = 1;
    if (any_order)
        order_axes(a, reduced, order);
    for (int i = 0; i < a->ndim; i++) {
        const int axis = any_order ? order[i] : i;
        const size_t extent = a->shape[axis];
        if (reduced[axis])
            p->n *= extent;
        if (extent == 1)
            continue;
        if (!reduced[axis]) {
            const int k = p->kept - 1;
            if (k >= 0 && p->kept_stride[k] == a->stride[axis] * (ptrdiff_t)extent &&
                p->out_stride[k] == out->stride[axis] * (ptrdiff_t)extent) {
                p->kept_shape[k] *= extent;
                p->kept_stride[k] = a->stride[axis];
                p->out_stride[k] = out->stride[axis];
                continue;
            }
            p->kept_shape[p->kept] = extent;
            p->kept_stride[p->kept] = a->stride[axis];
            p->out_stride[p->kept++] = out->stride[axis];
        } else {
            const int k = p->axes - 1;
            if (k >= 0 && p->stride[k] == a->stride[axis] * (ptrdiff_t)extent) {
                p->shape[k] *= extent;
                p->stride[k] = a->stride[axis];
                continue;
            }
            p->shape[p->axes] = extent;
            p->stride[p->axes++] = a->stride[axis];
        }
    }
    p->strip = false;
    p->apart = p->kept > 0 ? p->kept_stride[p->kept - 1] : 0;
    if (p->axes == 0) { /* one element makes a result: as if one followed another */
        p->shape[0] = p->n;
        p->stride[0] = 1;
        p->axes = 1;
        if (p->kept == 0)
            return;
    } else if (p->axes == 1 && p->stride[0] == 1) {
        return;
    }
    for (int k = 0; k < p->kept && p->n / BLOCK >> STRIP_LEVELS == 0; k++) {
        if (p->kept_stride[k] == 1 && (p->kept_shape[k] >= NARROW || p->n <= CHAINS)) {
            const size_t extent = p->kept_shape[k];
            const ptrdiff_t out_stride = p->out_stride[k];
            for (int i = k; i + 1 < p->kept; i++) {
                p->kept_shape[i] = p->kept_shape[i + 1];
                p->kept_stride[i] = p->kept_stride[i + 1];
                p->out_stride[i] = p->out_stride[i + 1];
            }
            p->kept_shape[p->kept - 1] = extent;
            p->kept_stride[p->kept - 1] = 1;
            p->out_stride[p->kept - 1] = out_stride;
            p->strip = true;
            p->apart = 1;
            return;
        }
    }
}

/* A place among the reduced axes. */
typedef struct {
    size_t index[PERI_MAX_NDIM];
    ptrdiff_t offset; /* of the place, in elements */
} cursor;

static void step_cursor(const plan *p, cursor *c, size_t run)
{
    int axis = p->axes - 1;
    c->index[axis] += run;
    c->offset += (ptrdiff_t)run * p->stride[axis];
    while (axis > 0 && c->index[axis] == p->shape[axis]) {
        c->offset -= (ptrdiff_t)p->shape[axis] * p->stride[axis];
        c->index[axis] = 0;
        axis--;
        c->index[axis]++;
        c->offset += p->stride[axis];
    }
}

/* The place of element i. */
static cursor cursor_at(const plan *p, size_t i)
{
    cursor c = {.offset = 0};
    for (int axis = p->axes - 1; axis >= 0 && i > 0; axis--) {
        c.index[axis] = axis > 0 ? i % p->shape[axis] : i;
        c.offset += (ptrdiff_t)c.index[axis] * p->stride[axis];
        i /= p->shape[axis] > 0 ? p->shape[axis] : 1;
    }
    return c;
}

/* The next n elements of one result, copied to `to`. */
static void gather(const plan *p, cursor *c, const char *base, size_t n, void *to)
{
    const int inner = p->axes - 1;
    const ptrdiff_t stride = p->stride[inner];
    while (n > 0) {
        const size_t left = p->shape[inner] - c->index[inner], run = left < n ? left : n;
        const char *from = base + c->offset * (ptrdiff_t)p->width;
        if (stride == 2 && p->stored == p->dtype)
            p->table->thin(from, run, to);
        else
            peri_convert(run, p->dtype, to, 1, p->stored, from, stride);
        to = (char *)to + run * peri_dtype_size(p->dtype);
        n -= run;
        step_cursor(p, c, run);
    }
}

/* ---- one result -------------------------------------------------------------------------- */

static void exp_minus(const void *x, int dtype, size_t n, const double *c, size_t step, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = peri_read_at(dtype, x, (ptrdiff_t)i) - c[i * step];
    peri_vmath_f64(PERI_VM_EXP, n, to, to);
}

/* Whether the elements of a result follow one another. */
static bool is_direct(const plan *p)
{
    return p->axes == 1 && (p->stride[0] == 1 || p->n <= 1) && p->stored == p->dtype;
}

/* Whether the elements lie column by column, so that whole rows are best brought TURNED at a time.
 */
static bool can_turn(const plan *p)
{
    return p->axes == 2 && p->stride[0] == 1 && p->shape[1] <= TURN && p->shape[0] >= TURNED &&
           p->stored == p->dtype;
}

/* The elements of a result from a matrix in columns: `row` rows have been brought to the buffer,
 * whose `held` elements from `at` on are still to be taken. */
typedef struct {
    size_t row, at, held;
    double buffer[TURNED * TURN];
} turned;

/* The next n elements, taken to `to`. */
static void take_turned(const plan *p, turned *t, const char *base, size_t n, char *to)
{
    const size_t m = p->shape[1], width = p->width;
    while (n > 0) {
        if (t->held == 0) {
            const char *from = base + t->row * width;
            t->at = 0;
            if (t->row + TURNED <= p->shape[0]) {
                p->table->turn(from, p->stride[1], m, t->buffer);
                t->row += TURNED;
                t->held = TURNED * m;
            } else {
                for (size_t j = 0; j < m; j++)
                    memcpy((char *)t->buffer + j * width,
                           from + (ptrdiff_t)j * p->stride[1] * (ptrdiff_t)width, width);
                t->row++;
                t->held = m;
            }
        }
        const size_t run = t->held < n ? t->held : n;
        memcpy(to, (const char *)t->buffer + t->at * width, run * width);
        t->at += run;
        t->held -= run;
        to += run * width;
        n -= run;
    }
}

/* Blocks are joined as a binary counter counts: level l holds 2^l of them. */
typedef struct {
    size_t count; /* of what was added */
    double level[LEVELS];
} tree;

/* Adds what 2^low blocks gave. */
static void add_to_tree(tree *t, kind k, int low, double value)
{
    int l = low;
    for (size_t carry = t->count >> low; carry & 1; carry >>= 1, l++)
        value = join(k, t->level[l], value);
    t->level[l] = value;
    t->count += (size_t)1 << low;
}

/* All that was added, and before it, as if of lower levels, `rest` where there is one. */
static double join_tree(const tree *t, kind k, const double *rest)
{
    double result = rest != NULL ? *rest : start_of(k);
    bool none = rest == NULL;
    int l = 0;
    for (size_t count = t->count; count != 0; count >>= 1, l++) {
        if (count & 1) {
            result = none ? t->level[l] : join(k, t->level[l], result);
            none = false;
        }
    }
    return result;
}

/* Whether no further element can change it. */
static bool is_settled(kind k, double value)
{
    return (k == ANY && value != 0) || (k == ALL && value == 0);
}

/* The result of elements from..to-1 alone; `columns` where they are turned, from 0 on. */
static double reduce_range(const plan *p, kind k, const char *base, double c, size_t from,
                           size_t to, turned *columns)
{
    _Alignas(64) double block[BLOCK], other[BLOCK];
    tree t;
    t.count = 0;
    const bool direct = is_direct(p);
    cursor at = {.offset = 0};
    if (!direct && columns == NULL)
        at = cursor_at(p, from);
    const size_t step = direct && (k == MIN || k == MAX) ? FREE_BLOCK : BLOCK;
    for (size_t i = from; i < to; i += step) {
        const size_t n = to - i < step ? to - i : step;
        const void *x = base + i * p->width;
        if (columns != NULL) {
            take_turned(p, columns, base, n, (char *)block);
            x = block;
        } else if (!direct) {
            gather(p, &at, base, n, block);
            x = block;
        }
        double value;
        if (k == SUMEXP) {
            exp_minus(x, p->dtype, n, &c, 0, other);
            value = p->doubles->block[SUM](other, n, 0);
        } else {
            value = p->table->block[k](x, n, c);
        }
        if (is_settled(k, value))
            return value;
        add_to_tree(&t, k, 0, value);
    }
    return join_tree(&t, k, NULL);
}

static double reduce_turned(const plan *p, kind k, const char *base, double c)
{
    turned t;
    t.row = t.at = t.held = 0;
    return reduce_range(p, k, base, c, 0, p->n, &t);
}

typedef struct {
    const plan *p;
    kind k;
    const char *base;
    double c, value[WAVE];
    size_t first; /* the wave's first part */
} parts;

static void reduce_part(void *context, size_t i)
{
    parts *w = context;
    const size_t from = (w->first + i) * PART;
    const size_t to = w->p->n - from < PART ? w->p->n : from + PART;
    w->value[i] = reduce_range(w->p, w->k, w->base, w->c, from, to, NULL);
}

/* By parts, on all threads. What is left behind the last whole part is what the tree would join
 * first in the end. */
static double reduce_parts(const plan *p, kind k, const char *base, double c)
{
    enum { LOW = 8 };
    _Static_assert(1 << LOW == PART_BLOCKS, "a part is a level of the tree");
    parts w = {.p = p, .k = k, .base = base, .c = c};
    tree t;
    t.count = 0;
    const size_t whole = p->n / PART, all = whole + (p->n % PART != 0);
    double rest = 0;
    for (w.first = 0; w.first < all; w.first += WAVE) {
        const size_t count = all - w.first < WAVE ? all - w.first : WAVE;
        peri_pool_run(count, reduce_part, &w);
        for (size_t i = 0; i < count; i++) {
            if (w.first + i == whole)
                rest = w.value[i];
            else
                add_to_tree(&t, k, LOW, w.value[i]);
        }
    }
    return join_tree(&t, k, all > whole ? &rest : NULL);
}

static double reduce_blocks(const plan *p, kind k, const char *base, double c)
{
    if (can_turn(p))
        return reduce_turned(p, k, base, c);
    if (p->n >= SHARED) {
        if (k == ANY || k == ALL) { /* before threads are asked */
            const double first = reduce_range(p, k, base, c, 0, BLOCK, NULL);
            if (is_settled(k, first))
                return first;
        }
        return reduce_parts(p, k, base, c);
    }
    return reduce_range(p, k, base, c, 0, p->n, NULL);
}

/* ---- w results side by side -------------------------------------------------------------- */

typedef struct {
    double chain[CHAINS][STRIP], level[STRIP_LEVELS][STRIP], row[STRIP], wide[4][STRIP];
    ptrdiff_t offset[BLOCK];
} strip_work;

static const double zeros[STRIP];

static void join_rows(const plan *p, kind k, double *a, const double *b, size_t w)
{
    const kind how = k == SSD || k == SUMEXP ? SUM : k;
    p->doubles->rows[how](a, b, NULL, NULL, NULL, w, zeros);
}

/* A row of w elements; what is only stored is widened into the room. */
static const void *row_at(const plan *p, const char *base, ptrdiff_t offset, size_t w, double *room)
{
    const char *row = base + offset * (ptrdiff_t)p->width;
    if (p->stored == p->dtype)
        return row;
    peri_convert(w, p->dtype, room, 1, p->stored, row, 1);
    return room;
}

/* The rows l, l + 16, ... of a block of n, taken into chain l. */
static void reduce_chain(const plan *p, kind k, const char *base, size_t n, size_t l, size_t w,
                         const double *c, strip_work *work)
{
    double *chain = work->chain[l];
    const ptrdiff_t *at = work->offset;
    for (size_t j = 0; j < w; j++)
        chain[j] = start_of(k);
    size_t r = l;
    if (k == SUMEXP) {
        for (; r < n; r += CHAINS) {
            exp_minus(row_at(p, base, at[r], w, work->wide[0]), p->dtype, w, c, 1, work->row);
            p->doubles->rows[SUM](chain, work->row, NULL, NULL, NULL, w, c);
        }
        return;
    }
    for (; r + 3 * CHAINS < n; r += 4 * CHAINS)
        p->table->rows[k](chain, row_at(p, base, at[r], w, work->wide[0]),
                          row_at(p, base, at[r + CHAINS], w, work->wide[1]),
                          row_at(p, base, at[r + 2 * CHAINS], w, work->wide[2]),
                          row_at(p, base, at[r + 3 * CHAINS], w, work->wide[3]), w, c);
    for (; r < n; r += CHAINS)
        p->table->rows[k](chain, row_at(p, base, at[r], w, work->wide[0]), NULL, NULL, NULL, w, c);
}

/* Rows one after another into the results themselves, where their order does not matter. */
static void reduce_strip_free(const plan *p, kind k, const char *base, size_t w, double *result,
                              strip_work *work)
{
    const void *rows[4] = {NULL};
    cursor at = {.offset = 0};
    for (size_t j = 0; j < w; j++)
        result[j] = start_of(k);
    size_t r = 0;
    for (; r + 4 <= p->n; r += 4) {
        for (int i = 0; i < 4; i++) {
            rows[i] = row_at(p, base, at.offset, w, work->wide[i]);
            step_cursor(p, &at, 1);
        }
        p->table->rows[k](result, rows[0], rows[1], rows[2], rows[3], w, zeros);
    }
    for (; r < p->n; r++) {
        p->table->rows[k](result, row_at(p, base, at.offset, w, work->wide[0]), NULL, NULL, NULL, w,
                          zeros);
        step_cursor(p, &at, 1);
    }
}

/* At most as many rows as there are chains: no chain takes two. */
static void reduce_strip_few(const plan *p, kind k, const char *base, size_t w, const double *c,
                             double *result, strip_work *work)
{
    const void *rows[CHAINS];
    cursor at = {.offset = 0};
    for (size_t r = 0; r < p->n; r++) {
        rows[r] = row_at(p, base, at.offset, w, work->chain[r]);
        step_cursor(p, &at, 1);
    }
    p->table->few[k](result, rows, p->n, w, c);
}

static void reduce_strip(const plan *p, kind k, const char *base, size_t w, const double *c,
                         double *result, strip_work *work)
{
    if (is_free(k)) {
        reduce_strip_free(p, k, base, w, result, work);
        return;
    }
    if (p->n > 0 && p->n <= CHAINS && k != SUMEXP) {
        reduce_strip_few(p, k, base, w, c, result, work);
        return;
    }
    cursor at = {.offset = 0};
    size_t count = 0;
    for (size_t i = 0; i < p->n; i += BLOCK, count++) {
        const size_t n = p->n - i < BLOCK ? p->n - i : BLOCK;
        for (size_t r = 0; r < n; r++) {
            work->offset[r] = at.offset;
            step_cursor(p, &at, 1);
        }
        const size_t chains = n < CHAINS ? n : CHAINS;
        for (size_t l = 0; l < chains; l++)
            reduce_chain(p, k, base, n, l, w, c, work);
        size_t last = chains; /* an empty one changes nothing */
        for (size_t half = CHAINS / 2; half > 0; half /= 2) {
            for (size_t l = 0; l + half < last; l++)
                join_rows(p, k, work->chain[l], work->chain[l + half], w);
            last = last < half ? last : half;
        }
        int l = 0;
        for (size_t carry = count; carry & 1; carry >>= 1, l++) {
            join_rows(p, k, work->level[l], work->chain[0], w);
            memcpy(work->chain[0], work->level[l], w * sizeof(double));
        }
        memcpy(work->level[l], work->chain[0], w * sizeof(double));
    }
    bool none = true;
    for (size_t j = 0; j < w; j++)
        result[j] = start_of(k);
    for (int l = 0; count != 0; count >>= 1, l++) {
        if (!(count & 1))
            continue;
        if (!none)
            join_rows(p, k, work->level[l], result, w);
        memcpy(result, work->level[l], w * sizeof(double));
        none = false;
    }
}

/* ---- from sums to results ---------------------------------------------------------------- */

/* w results of kind k into result[]; c[] has one centre for each. */
static void reduce_some(const plan *p, kind k, const char *base, size_t w, const double *c,
                        double *result, strip_work *work)
{
    static const double nothing = 0; /* to point at, where there is no element */
    if (base == NULL)
        base = (const char *)&nothing;
    if (p->strip && work != NULL)
        reduce_strip(p, k, base, w, c, result, work);
    else if (p->n <= BLOCK && k != SUMEXP && is_direct(p))
        p->table->lines[k](result, base, p->apart, w, p->n, c);
    else
        for (size_t j = 0; j < w; j++)
            result[j] =
                reduce_blocks(p, k, base + (ptrdiff_t)j * p->apart * (ptrdiff_t)p->width, c[j]);
}

/* sqrt(sum x^2) where the squares overflow, underflow or may have lost digits: x is divided by
 * the power of two at its largest. By elements, as this is rare. */
static double scaled_norm(const plan *p, const char *base, double largest)
{
    double block[BLOCK];
    cursor at = {.offset = 0};
    if (!(largest > 0 && largest <= DBL_MAX))
        return largest; /* zeros, an infinity or NaN */
    int exponent;
    (void)frexp(largest, &exponent);
    double sum = 0;
    for (size_t i = 0; i < p->n; i += BLOCK) {
        const size_t n = p->n - i < BLOCK ? p->n - i : BLOCK;
        double part = 0;
        gather(p, &at, base, n, block);
        for (size_t j = 0; j < n; j++) {
            const double x = peri_read_at(p->dtype, block, (ptrdiff_t)j);
            const double y = ldexp(x, -exponent);
            part += y * y;
        }
        sum += part;
    }
    return ldexp(sqrt(sum), exponent);
}

/* Where a mean or a spread left the range, though every element is within: the elements are divided
 * by a power of two. By elements, as this is rare. */
static double scaled_mean(const plan *p, const char *base, int exponent)
{
    double block[BLOCK], sum = 0, lost = 0;
    cursor at = {.offset = 0};
    for (size_t i = 0; i < p->n; i += BLOCK) {
        const size_t n = p->n - i < BLOCK ? p->n - i : BLOCK;
        gather(p, &at, base, n, block);
        for (size_t j = 0; j < n; j++) { /* Neumaier's compensated sum */
            const double x = ldexp(peri_read_at(p->dtype, block, (ptrdiff_t)j), -exponent);
            const double next = sum + x;
            lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
            sum = next;
        }
    }
    return (sum + lost) / (double)p->n;
}

static double scaled_spread(const plan *p, const char *base, int exponent, double mean, double ddof)
{
    double block[BLOCK], sum = 0;
    cursor at = {.offset = 0};
    for (size_t i = 0; i < p->n; i += BLOCK) {
        const size_t n = p->n - i < BLOCK ? p->n - i : BLOCK;
        double part = 0;
        gather(p, &at, base, n, block);
        for (size_t j = 0; j < n; j++) {
            const double d = ldexp(peri_read_at(p->dtype, block, (ptrdiff_t)j), -exponent) - mean;
            part += d * d;
        }
        sum += part;
    }
    return sqrt(sum / ((double)p->n > ddof ? (double)p->n - ddof : 0.0));
}

static void mend_overflow(const plan *p, peri_reduction op, const char *base, size_t w, double ddof,
                          double *result, strip_work *work)
{
    double low[STRIP], high[STRIP];
    bool plain = true;
    for (size_t j = 0; j < w; j++)
        plain = plain && fabs(result[j]) <= DBL_MAX;
    if (plain)
        return;
    reduce_some(p, MIN, base, w, zeros, low, work);
    reduce_some(p, MAX, base, w, zeros, high, work);
    for (size_t j = 0; j < w; j++) {
        const double largest = fmax(-low[j], high[j]);
        if (fabs(result[j]) <= DBL_MAX || low[j] != low[j] || !(largest <= DBL_MAX))
            continue;
        const char *from = base + (ptrdiff_t)j * p->apart * (ptrdiff_t)p->width;
        int exponent;
        (void)frexp(largest, &exponent);
        const double mean = scaled_mean(p, from, exponent);
        if (op == PERI_MEAN) {
            result[j] = ldexp(mean, exponent);
            continue;
        }
        const double spread = ldexp(scaled_spread(p, from, exponent, mean, ddof), exponent);
        result[j] = op == PERI_STD ? spread : spread * spread;
    }
}

/* log(sum e^x) = c + log1p(sum of e^(x - c) without the largest, which gives 1 exactly): where one
 * element outweighs the others and is near 0, log(1 + ...) would lose them. */
static double log_of_few(const plan *p, const char *base, double c)
{
    double block[BLOCK], power[BLOCK], sum = 0;
    cursor at = {.offset = 0};
    bool taken = false;
    for (size_t i = 0; i < p->n; i += BLOCK) {
        const size_t n = p->n - i < BLOCK ? p->n - i : BLOCK;
        double part = 0;
        gather(p, &at, base, n, block);
        exp_minus(block, p->dtype, n, &c, 0, power);
        for (size_t j = 0; j < n; j++) {
            const bool largest = !taken && peri_read_at(p->dtype, block, (ptrdiff_t)j) == c;
            part += largest ? 0 : power[j];
            taken = taken || largest;
        }
        sum += part;
    }
    return c + log1p(sum);
}

static void finish_norm(const plan *p, const char *base, size_t w, double *result, strip_work *work)
{
    double low[STRIP], high[STRIP];
    bool plain = true;
    for (size_t j = 0; j < w; j++)
        plain = plain && result[j] >= 0x1p-960 && result[j] <= DBL_MAX;
    if (!plain && p->n > 0) {
        reduce_some(p, MIN, base, w, zeros, low, work);
        reduce_some(p, MAX, base, w, zeros, high, work);
    }
    for (size_t j = 0; j < w; j++) {
        if ((result[j] >= 0x1p-960 && result[j] <= DBL_MAX) || p->n == 0)
            result[j] = sqrt(result[j]);
        else
            result[j] = scaled_norm(p, base + (ptrdiff_t)j * p->apart * (ptrdiff_t)p->width,
                                    low[j] != low[j] ? low[j] : fmax(-low[j], high[j]));
    }
}

static void reduce_results(const plan *p, peri_reduction op, const char *base, size_t w,
                           double ddof, double *result, strip_work *work)
{
    const double n = (double)p->n;
    double center[STRIP];
    if (p->n == 0 && (op == PERI_MEAN || op == PERI_VAR || op == PERI_STD)) {
        for (size_t j = 0; j < w; j++)
            result[j] = NAN; /* 0.0 / 0 would be one with a minus on x86 */
        return;
    }
    switch (op) {
    case PERI_MEAN:
        reduce_some(p, SUM, base, w, zeros, result, work);
        for (size_t j = 0; j < w; j++)
            result[j] /= n;
        mend_overflow(p, op, base, w, ddof, result, work);
        break;
    case PERI_VAR:
    case PERI_STD:
        reduce_some(p, SUM, base, w, zeros, center, work);
        for (size_t j = 0; j < w; j++)
            center[j] /= n;
        reduce_some(p, SSD, base, w, center, result, work);
        for (size_t j = 0; j < w; j++) {
            result[j] /= n > ddof ? n - ddof : 0.0;
            if (op == PERI_STD)
                result[j] = sqrt(result[j]);
        }
        if (n > ddof)
            mend_overflow(p, op, base, w, ddof, result, work);
        break;
    case PERI_NORM:
        reduce_some(p, SSD, base, w, zeros, result, work);
        finish_norm(p, base, w, result, work);
        break;
    case PERI_LOGSUMEXP:
        reduce_some(p, MAX, base, w, zeros, center, work);
        for (size_t j = 0; j < w; j++)
            if (fabs(center[j]) > DBL_MAX)
                center[j] = 0; /* e^+-inf and NaN come out right by themselves */
        reduce_some(p, SUMEXP, base, w, center, result, work);
        for (size_t j = 0; j < w; j++)
            result[j] =
                result[j] < 1.5 && fabs(center[j]) < 1 && result[j] >= 1
                    ? log_of_few(p, base + (ptrdiff_t)j * p->apart * (ptrdiff_t)p->width, center[j])
                    : center[j] + log(result[j]);
        break;
    default:
        reduce_some(p, (kind)op, base, w, zeros, result, work);
        for (size_t j = 0; j < w; j++)
            result[j] += 0.0; /* of -0 and 0 neither is least: 0 it is, whatever the order */
    }
}

/* ---- all results ------------------------------------------------------------------------- */

static void store(const peri_view *out, ptrdiff_t offset, ptrdiff_t stride, size_t w,
                  const double *result)
{
    peri_convert(w, out->dtype, peri_address(out, offset), stride, PERI_F64, result, 1);
}

/* What makes the w results that begin at base. work is NULL only for a single one. */
typedef void each_strip(const plan *p, const void *how, const char *base, size_t w, double *result,
                        strip_work *work);

/* Results go in pieces of up to STRIP along the last kept axis, `chunks` for each place of the
 * others; a block of the pool makes `each` pieces one after another. */
typedef struct {
    const plan *p;
    const char *data;
    const peri_view *out;
    each_strip *compute;
    const void *how;
    const peri_stop *stop;
    size_t chunks, pieces, each;
} spread;

static void make_pieces(void *context, size_t block)
{
    const spread *w = context;
    const plan *p = w->p;
    const int last = p->kept - 1;
    const size_t end = (block + 1) * w->each < w->pieces ? (block + 1) * w->each : w->pieces;
    strip_work work;
    double result[STRIP];
    for (size_t i = block * w->each; i < end && !peri_stop_requested(w->stop); i++) {
        const size_t j = i % w->chunks * STRIP;
        const size_t left = p->kept_shape[last] - j, count = left < STRIP ? left : STRIP;
        ptrdiff_t in = (ptrdiff_t)j * p->apart, to = (ptrdiff_t)j * p->out_stride[last];
        size_t place = i / w->chunks;
        for (int k = last - 1; k >= 0; k--) {
            const ptrdiff_t index = (ptrdiff_t)(place % p->kept_shape[k]);
            in += index * p->kept_stride[k];
            to += index * p->out_stride[k];
            place /= p->kept_shape[k];
        }
        const char *base = p->n > 0 ? w->data + in * (ptrdiff_t)p->width : w->data; /* maybe NULL */
        w->compute(p, w->how, base, count, result, &work);
        store(w->out, to, p->out_stride[last], count, result);
    }
}

static peri_status for_many(const plan *p, const char *data, const peri_view *out,
                            each_strip *compute, const void *how, const peri_stop *stop)
{
    const size_t along = p->kept_shape[p->kept - 1];
    const size_t chunks = along / STRIP + (along % STRIP != 0);
    spread w = {p, data, out, compute, how, stop, chunks, chunks, 1};
    for (int k = 0; k < p->kept - 1; k++)
        w.pieces *= p->kept_shape[k];
    if (w.pieces == 0)
        return PERI_OK;
    /* A block is as much work as a part of one result, or all that there is. */
    const size_t piece = (along < STRIP ? along : STRIP) * (p->n < SHARED ? p->n + 1 : SHARED);
    const bool shared = piece >= SHARED || piece * w.pieces >= SHARED;
    w.each = !shared ? w.pieces : piece < PART ? PART / piece : 1;
    if (shared)
        peri_pool_run(w.pieces / w.each + (w.pieces % w.each != 0), make_pieces, &w);
    else
        make_pieces(&w, 0);
    return peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

static peri_status for_each(const plan *p, const char *data, const peri_view *out,
                            each_strip *compute, const void *how, const peri_stop *stop)
{
    if (p->kept > 0)
        return for_many(p, data, out, compute, how, stop);
    double result;
    compute(p, how, data, 1, &result, NULL);
    store(out, 0, 0, 1, &result);
    return p->n >= POLL && peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

struct reduction {
    peri_reduction op;
    double ddof;
};

static void compute_reduction(const plan *p, const void *how, const char *base, size_t w,
                              double *result, strip_work *work)
{
    const struct reduction *r = how;
    reduce_results(p, r->op, base, w, r->ddof, result, work);
}

peri_status peri_reduce(peri_reduction op, const peri_view *a, const bool reduced[], double ddof,
                        const peri_view *out, const peri_stop *stop)
{
    plan p;
    const struct reduction how = {op, ddof};
    make_plan(&p, a, reduced, out,
              op == PERI_MIN || op == PERI_MAX || op == PERI_ANY || op == PERI_ALL);
    return for_each(&p, a->data, out, compute_reduction, &how, stop);
}

peri_status peri_reduce_dense(peri_reduction op, int dtype, size_t n, const void *x, double ddof,
                              double *result, const peri_stop *stop)
{
    plan p;
    p.stored = dtype;
    p.dtype = peri_promote1(dtype);
    p.table = LANES_CHOOSE(loops, p.dtype);
    p.doubles = LANES_CHOOSE(loops, PERI_F64);
    p.width = peri_dtype_size(dtype);
    p.kept = 0;
    p.axes = 1;
    p.shape[0] = p.n = n;
    p.stride[0] = 1;
    p.strip = false;
    p.apart = 0;
    reduce_results(&p, op, x, 1, ddof, result, NULL);
    return n >= POLL && peri_stop_requested(stop) ? PERI_ERR_INTERRUPTED : PERI_OK;
}

/* ---- positions --------------------------------------------------------------------------- */

/* So many elements are still in the cache when they are read again. */
enum { NEAR = 2048 };

/* Whether value comes before what was found before it; a first NaN does, and nothing does before
 * it. */
static bool is_better(bool largest, double value, double found)
{
    return found == found && ((largest ? value > found : value < found) || value != value);
}

/* The best of elements from..to-1, and the block that holds its first. */
typedef struct {
    double value;
    size_t from;
} winner;

static winner best_in_range(const plan *p, bool largest, const char *base, size_t from, size_t to)
{
    _Alignas(64) double block[BLOCK];
    const bool direct = is_direct(p);
    const kind k = largest ? MAX : MIN;
    cursor at = {.offset = 0};
    if (!direct)
        at = cursor_at(p, from);
    winner found = {start_of(k), from};
    for (size_t i = from; i < to; i += BLOCK) {
        const size_t n = to - i < BLOCK ? to - i : BLOCK;
        const void *x = base + i * p->width;
        if (!direct) {
            gather(p, &at, base, n, block);
            x = block;
        }
        const double value = p->table->block[k](x, n, 0);
        if (i == from || is_better(largest, value, found.value)) {
            found = (winner){value, i};
            if (value != value)
                break;
        }
    }
    return found;
}

typedef struct {
    const plan *p;
    bool largest;
    const char *base;
    winner found[WAVE];
    size_t first; /* the wave's first part */
} searches;

static void search_part(void *context, size_t i)
{
    searches *w = context;
    const size_t from = (w->first + i) * PART;
    const size_t to = w->p->n - from < PART ? w->p->n : from + PART;
    w->found[i] = best_in_range(w->p, w->largest, w->base, from, to);
}

static double position_in_blocks(const plan *p, bool largest, const char *base)
{
    _Alignas(64) double block[BLOCK];
    winner found;
    if (p->n < SHARED) {
        found = best_in_range(p, largest, base, 0, p->n);
    } else {
        searches w = {.p = p, .largest = largest, .base = base};
        const size_t all = p->n / PART + (p->n % PART != 0);
        found = (winner){start_of(largest ? MAX : MIN), 0};
        for (w.first = 0; w.first < all && found.value == found.value; w.first += WAVE) {
            const size_t count = all - w.first < WAVE ? all - w.first : WAVE;
            peri_pool_run(count, search_part, &w);
            for (size_t i = 0; i < count; i++)
                if (w.first + i == 0 || is_better(largest, w.found[i].value, found.value))
                    found = w.found[i];
        }
    }
    const size_t n = p->n - found.from < BLOCK ? p->n - found.from : BLOCK;
    const void *x = base + found.from * p->width;
    if (!is_direct(p)) {
        cursor at = cursor_at(p, found.from);
        gather(p, &at, base, n, block);
        x = block;
    }
    return (double)(found.from + p->table->find(x, n, found.value));
}

static double position_one(const plan *p, bool largest, const char *base)
{
    _Alignas(64) double block[BLOCK];
    if (p->n <= BLOCK && !is_direct(p)) {
        cursor at = {.offset = 0};
        gather(p, &at, base, p->n, block);
        base = (const char *)block;
    } else if (p->n > NEAR || !is_direct(p)) {
        return position_in_blocks(p, largest, base);
    }
    const double best = p->table->block[largest ? MAX : MIN](base, p->n, 0);
    return (double)p->table->find(base, p->n, best);
}

static void compute_position(const plan *p, const void *how, const char *base, size_t w,
                             double *result, strip_work *work)
{
    const bool largest = *(const bool *)how;
    if (!p->strip) {
        for (size_t j = 0; j < w; j++)
            result[j] =
                position_one(p, largest, base + (ptrdiff_t)j * p->apart * (ptrdiff_t)p->width);
        return;
    }
    double *best = work->row;
    for (size_t j = 0; j < w; j++) {
        best[j] = HUGE_VAL;
        result[j] = 0;
    }
    cursor at = {.offset = 0};
    for (size_t r = 0; r < p->n; r++) {
        p->table->first(best, result, row_at(p, base, at.offset, w, work->wide[0]), w, (double)r,
                        largest ? -1.0 : 1.0);
        step_cursor(p, &at, 1);
    }
}

peri_status peri_reduce_position(bool largest, const peri_view *a, const bool reduced[],
                                 const peri_view *out, const peri_stop *stop)
{
    plan p;
    make_plan(&p, a, reduced, out, false);
    return for_each(&p, a->data, out, compute_position, &largest, stop);
}

/* ---- running sums and products
 * ------------------------------------------------------------------------ */

#define RUN(name, first, STEP, TA, TO)                                                             \
    static void name##_##TA##_##TO(const void *pa, ptrdiff_t sa, void *po, ptrdiff_t so, size_t n) \
    {                                                                                              \
        const TA *a = pa;                                                                          \
        TO *o = po;                                                                                \
        double run = first;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            run STEP(double) a[(ptrdiff_t)i * sa];                                                 \
            o[(ptrdiff_t)i * so] = (TO)run;                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_rows_##TA##_##TO(const void *pa, ptrdiff_t sa, void *po, ptrdiff_t so,      \
                                        size_t n, size_t w)                                        \
    {                                                                                              \
        double run[STRIP];                                                                         \
        for (size_t j = 0; j < w; j++)                                                             \
            run[j] = first;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const TA *a = (const TA *)pa + (ptrdiff_t)i * sa;                                      \
            TO *o = (TO *)po + (ptrdiff_t)i * so;                                                  \
            PERI_IVDEP                                                                             \
            for (size_t j = 0; j < w; j++) {                                                       \
                run[j] STEP(double) a[j];                                                          \
                o[j] = (TO)run[j];                                                                 \
            }                                                                                      \
        }                                                                                          \
    }
#define RUNS(name, first, STEP)                                                                    \
    RUN(name, first, STEP, double, double)                                                         \
    RUN(name, first, STEP, float, float)                                                           \
    RUN(name, first, STEP, float, double)                                                          \
    RUN(name, first, STEP, double, float)
RUNS(sum, 0, +=)
RUNS(product, 1, *=)

peri_status peri_scan(bool product, const peri_view *a, int axis, const peri_view *out,
                      const peri_stop *stop)
{
    typedef void line(const void *, ptrdiff_t, void *, ptrdiff_t, size_t);
    typedef void lines(const void *, ptrdiff_t, void *, ptrdiff_t, size_t, size_t);
#define TABLE(name)                                                                                \
    {                                                                                              \
        {name##_double_double, name##_double_float}, {name##_float_double, name##_float_float},    \
    }
    static line *const one[2][PERI_REAL_DTYPES][PERI_REAL_DTYPES] = {TABLE(sum), TABLE(product)};
    static lines *const many[2][PERI_REAL_DTYPES][PERI_REAL_DTYPES] = {TABLE(sum_rows),
                                                                       TABLE(product_rows)};
#undef TABLE
    const size_t n = a->shape[axis];
    const int last = a->ndim - 1;
    const bool strip = axis != last && a->stride[last] == 1 && out->stride[last] == 1;
    const size_t width = strip ? a->shape[last] : 1;
    size_t index[PERI_MAX_NDIM] = {0}, since = 0;
    ptrdiff_t at_a = 0, at_out = 0;
    if (peri_view_size(a) == 0)
        return PERI_OK;
    if (!peri_is_real(a->dtype) || !peri_is_real(out->dtype))
        return PERI_ERR_DTYPE;
    for (;;) {
        for (size_t j = 0; j < width; j += STRIP) {
            const size_t w = width - j < STRIP ? width - j : STRIP;
            const ptrdiff_t from = at_a + (ptrdiff_t)j, to = at_out + (ptrdiff_t)j;
            const void *x = (const char *)a->data + from * (ptrdiff_t)peri_dtype_size(a->dtype);
            void *y = (char *)out->data + to * (ptrdiff_t)peri_dtype_size(out->dtype);
            if (strip)
                many[product][a->dtype][out->dtype](x, a->stride[axis], y, out->stride[axis], n, w);
            else
                one[product][a->dtype][out->dtype](x, a->stride[axis], y, out->stride[axis], n);
            since += w * n;
            if (since >= POLL) {
                since = 0;
                if (peri_stop_requested(stop))
                    return PERI_ERR_INTERRUPTED;
            }
        }
        int k = last;
        for (; k >= 0; k--) {
            if (k == axis || (strip && k == last))
                continue;
            at_a += a->stride[k];
            at_out += out->stride[k];
            if (++index[k] < a->shape[k])
                break;
            at_a -= a->stride[k] * (ptrdiff_t)a->shape[k];
            at_out -= out->stride[k] * (ptrdiff_t)a->shape[k];
            index[k] = 0;
        }
        if (k < 0)
            return PERI_OK;
    }
}
