/* SPDX-License-Identifier: MIT
 *
 * All is done on a tall matrix M (l,k), M = A or A^T, whose columns are scaled by powers of 2 only
 * where squares of its elements could leave the range of double.
 *
 * Double-double: a number is hi + lo; Knuth's two-sum and the product error from one fma (or, where
 * the CPU has none, Dekker's splitting) make sums of products good to about 2^-104.
 */
#include "kernel/lstsq.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pool.h"
#include "kernel/simd.h"
#include "kernel/tsqr.h"

enum { PADDING = 8, SLOTS = 8, MAX_STEPS = 12, PASS_DOUBLES = 1 << 16 };

static const double SEMINORMAL_LIMIT = 1e5; /* condition up to which R alone corrects x */

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t padded(size_t n)
{
    return (n + PADDING - 1) / PADDING * PADDING;
}

/* Hands out parts of the workspace; with base NULL it only counts. */
typedef struct {
    char *base;
    size_t used;
    bool overflow;
} arena;

static void *take(arena *a, size_t count, size_t size)
{
    size_t bytes = 0;
    a->overflow |= __builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 8;
    bytes = a->overflow ? 0 : (bytes + 63) / 64 * 64;
    void *at = (void *)((uintptr_t)a->base + a->used);
    a->overflow |= __builtin_add_overflow(a->used, bytes, &a->used);
    return at;
}

static double *take_doubles(arena *a, size_t rows, size_t cols)
{
    size_t count = 0;
    a->overflow |= __builtin_mul_overflow(rows, cols, &count);
    return take(a, count, sizeof(double));
}

/* ---- residuals in double-double ------------------------------------------------------------ */

static inline void add_exact(double *hi, double *lo, double x, double x_lo)
{
    const double s = *hi + x, z = s - *hi;
    *lo += ((*hi - (s - z)) + (x - z)) + x_lo;
    *hi = s;
}

/* One pass over the rows of M. For each column of the right sides:
 *   f = F - r - M y  and  g -= M^T r   where r is given,
 *   f = F - M y      and  g -= M^T f   (f unrounded) where it is not. */
typedef struct {
    size_t l, k, p, kp;   /* kp: k padded */
    size_t rows, nblocks; /* of a block */
    const double *M, *F;  /* (l,k); (l,p) or NULL for zeros */
    const double *scale;  /* of the columns of M, then of F; NULL for ones */
    const double *y;      /* (p,kp), zeros beyond k */
    const double *r;      /* (l,p) or NULL */
    double *f;            /* (l,p) */
    double *hi, *lo;      /* (SLOTS,p,kp): sums of g of the blocks at work */
    bool want_g;
    size_t first;
} pass;

#define LANES_BITS  64
#define LANES_BYTES 16
#include "kernel/lanes.h"
#include "kernel/lstsq_loops.h"
#if PERI_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"
#include "kernel/lstsq_loops.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"
#include "kernel/lstsq_loops.h"
#endif

static void run_block(void *context, size_t slot)
{
    const pass *a = context;
    const size_t start = (a->first + slot) * a->rows, end = min_size(start + a->rows, a->l);
    double *hi = a->hi + slot * a->p * a->kp, *lo = a->lo + slot * a->p * a->kp;
    memset(hi, 0, a->p * a->kp * sizeof *hi);
    memset(lo, 0, a->p * a->kp * sizeof *lo);
#if PERI_X86
    if (peri_isa() == PERI_ISA_AVX512) {
        run_rows_f64_64(a, start, end, hi, lo);
        return;
    }
    if (peri_isa() == PERI_ISA_AVX2) {
        run_rows_f64_32(a, start, end, hi, lo);
        return;
    }
#endif
    run_rows_f64_16(a, start, end, hi, lo);
}

/* Runs the pass; g (k,p) becomes G - the sums, G (k,p) or NULL for zeros. */
static peri_status run_pass(pass *a, const double *G, double *g, double *total,
                            const peri_stop *stop)
{
    const size_t count = a->p * a->kp;
    double *hi = total, *lo = total + count;
    memset(total, 0, 2 * count * sizeof *total);
    for (a->first = 0; a->first < a->nblocks; a->first += SLOTS) {
        const size_t blocks = min_size(a->nblocks - a->first, SLOTS);
        peri_pool_run(blocks, run_block, a);
        for (size_t slot = 0; slot < blocks; slot++)
            for (size_t i = 0; i < count; i++)
                add_exact(&hi[i], &lo[i], a->hi[slot * count + i], a->lo[slot * count + i]);
        if (peri_stop_requested(stop))
            return PERI_ERR_INTERRUPTED;
    }
    for (size_t j = 0; j < a->k && g != NULL; j++)
        for (size_t q = 0; q < a->p; q++) {
            double sum = hi[q * a->kp + j], sum_lo = lo[q * a->kp + j];
            if (G != NULL)
                add_exact(&sum, &sum_lo, G[j * a->p + q], 0);
            g[j * a->p + q] = sum + sum_lo;
        }
    return PERI_OK;
}

/* ---- the small problem --------------------------------------------------------------------- */

/* Space for the work on k x k matrices. */
typedef struct {
    double *a, *b, *tau, *lapack, *column;
    int *pivot, *iwork;
    int lwork;
} small;

static int query(size_t k, size_t p)
{
    const int n = (int)max_size(k, 1), one = (int)max_size(p, 1), ask = -1;
    int info = 0, most = 64 * n, ignored = 0;
    double size = 0, nothing = 0;
    (void)ignored;
    LAPACK_dgesdd("N", &n, &n, &nothing, &n, &nothing, &nothing, &n, &nothing, &n, &size, &ask,
                  &ignored, &info);
    most = size > most ? (int)size : most;
    LAPACK_dgeqp3(&n, &n, &nothing, &n, &ignored, &nothing, &size, &ask, &info);
    most = size > most ? (int)size : most;
    LAPACK_dormqr("L", "T", &n, &one, &n, &nothing, &n, &nothing, &nothing, &n, &size, &ask, &info);
    most = size > most ? (int)size : most;
    LAPACK_dorgqr(&n, &n, &n, &nothing, &n, &nothing, &size, &ask, &info);
    return size > most ? (int)size : most;
}

static small take_small(arena *w, size_t k, size_t p)
{
    small s;
    s.lwork = query(k, p);
    s.a = take_doubles(w, k, k);
    s.b = take_doubles(w, k, k);
    s.tau = take_doubles(w, k, 1);
    s.column = take_doubles(w, k, max_size(p, 1));
    s.lapack = take_doubles(w, (size_t)s.lwork, 1);
    s.pivot = take(w, k, sizeof(int));
    s.iwork = take(w, 8 * max_size(k, 1), sizeof(int));
    return s;
}

/* Singular values of the row-major S (k,k). */
static peri_status singular_values(size_t k, const double *S, double *s, small *w)
{
    const int n = (int)k, one = 1;
    int info = 0;
    double none = 0;
    memcpy(w->a, S, k * k * sizeof *S);
    LAPACK_dgesdd("N", &n, &n, w->a, &n, s, &none, &one, &none, &one, w->lapack, &w->lwork,
                  w->iwork, &info);
    return info == 0 ? PERI_OK : PERI_ERR_NO_CONVERGENCE;
}

/* The condition from which the rank is looked at. A pivot below the tolerance says that S with its
 * columns levelled has a condition above 1 / tolerance; levelling lowers a condition by what it
 * likes, but raises it by no more than 2 sqrt(k). */
static double doubtful(size_t k, double tolerance)
{
    return fmin(1e6, 0.5 / (sqrt((double)k) * tolerance));
}

/* Pivoted QR, S diag(e) P = Q2 R2, of the row-major S (k,k), in w->a; with `level`, e (k) makes the
 * columns about 1 long, else it is ones. Returns the rank; *condition is that of R2 by its pivots.
 */
static size_t pivot_qr(size_t k, const double *S, bool level, double tolerance, double *e,
                       double *condition, small *w)
{
    const int n = (int)k;
    int info = 0;
    for (size_t j = 0; j < k; j++) {
        double most = 0;
        int exponent = 0;
        for (size_t i = 0; i < k; i++)
            most = fmax(most, fabs(S[i * k + j]));
        frexp(most, &exponent);
        e[j] = level && most > 0 ? ldexp(1, -exponent) : 1;
        double sum = 0;
        for (size_t i = 0; i < k; i++) {
            w->a[j * k + i] = S[i * k + j] * e[j];
            sum += w->a[j * k + i] * w->a[j * k + i];
        }
        if (level && sum > 0) {
            frexp(sqrt(sum), &exponent);
            e[j] = ldexp(e[j], -exponent);
            for (size_t i = 0; i < k; i++)
                w->a[j * k + i] = ldexp(w->a[j * k + i], -exponent);
        }
        w->pivot[j] = 0;
    }
    LAPACK_dgeqp3(&n, &n, w->a, &n, w->pivot, w->tau, w->lapack, &w->lwork, &info);
    const double first = fabs(w->a[0]);
    size_t rank = 0;
    while (rank < k && fabs(w->a[rank * k + rank]) > tolerance * first)
        rank++;
    *condition = rank == k ? first / fabs(w->a[k * k - 1]) : INFINITY;
    return rank;
}

/* After pivot_qr of S with this rank: z = T^+ c (k,p) and root (k,k) with root root^T = T^+ T^+^T,
 * for T = S diag(weight); weight NULL is ones. */
static void minimum_norm(size_t k, size_t p, size_t rank, const double *e, const double *weight,
                         const double *c, double *z, double *root, small *w)
{
    const int n = (int)k, cols = (int)p, r = (int)rank;
    int info = 0;
    memset(root, 0, k * k * sizeof *root);
    memset(z, 0, k * p * sizeof *z);
    if (rank == 0)
        return;
    for (size_t q = 0; q < p; q++)
        for (size_t i = 0; i < k; i++)
            w->column[q * k + i] = c[i * p + q];
    LAPACK_dormqr("L", "T", &n, &cols, &n, w->a, &n, w->tau, w->column, &n, w->lapack, &w->lwork,
                  &info);
    /* The first rows of R2 with columns back in place and unscaled, transposed: (k,rank), in b.
     * b = Z U, and S^+ = Z U^-T Q2^T. */
    memset(w->b, 0, k * rank * sizeof *w->b);
    for (size_t j = 0; j < k; j++) {
        const size_t at = (size_t)w->pivot[j] - 1;
        for (size_t i = 0; i < rank && i <= j; i++)
            w->b[i * k + at] = w->a[j * k + i] / e[at] * (weight != NULL ? weight[at] : 1);
    }
    LAPACK_dgeqrf(&n, &r, w->b, &n, w->tau, w->lapack, &w->lwork, &info);
    for (size_t j = 0; j < rank; j++)
        memcpy(w->a + j * k, w->b + j * k, (j + 1) * sizeof *w->b);
    LAPACK_dorgqr(&n, &r, &r, w->b, &n, w->tau, w->lapack, &w->lwork, &info);
    cblas_dtrsm(CblasColMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit, n, r, 1, w->a, n,
                w->b, n);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < rank; j++) {
            root[i * k + j] = w->b[j * k + i];
            for (size_t q = 0; q < p; q++)
                z[i * p + q] += w->b[j * k + i] * w->column[q * k + j];
        }
}

/* x = R^-1 b, or R^-T b, for (k,p) x over its own memory; R row-major with rows ld apart. */
static void solve_r(bool transpose, size_t k, size_t p, const double *R, size_t ld, double *x)
{
    if (p > 0) /* BLAS refuses rows of length 0 */
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, transpose ? CblasTrans : CblasNoTrans,
                    CblasNonUnit, (int)k, (int)p, 1, R, (int)ld, x, (int)p);
}

/* root = R^-1 for the triangle S (k,k). */
static void invert_r(size_t k, const double *S, double *root)
{
    memset(root, 0, k * k * sizeof *root);
    for (size_t i = 0; i < k; i++)
        root[i * k + i] = 1;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, (int)k, (int)k, 1,
                S, (int)k, root, (int)k);
}

static double sum_squares(const double *x, size_t n, size_t step)
{
    double sum = 0, error = 0; /* Kahan: rss is compared with certified digits */
    for (size_t i = 0; i < n; i++) {
        const double term = x[i * step] * x[i * step] - error, next = sum + term;
        error = (next - sum) - term;
        sum = next;
    }
    return sum;
}

/* ---- the whole ----------------------------------------------------------------------------- */

typedef struct {
    size_t l, k, p, kp;
    bool wide;
    const double *M, *F, *G; /* r + M y = F, M^T r = G; F or G is NULL for zeros */
    double *scale;           /* of the columns of M, then of F; NULL while all are 1 */
    double *weight;          /* 1/scale of M's columns, times 2^-lift, at most 1; NULL likewise */
    int lift;
    peri_tsqr qr;
    double *r, *f, *y, *g, *top;
    double *S, *e, *z, *transposed, *colmax, *powers, *weights, *total, *hi, *lo, *apply, *scaled_g;
    double *spare;
    void *qr_work;
    small w;
} problem;

static void lay_out(problem *a, arena *w)
{
    const size_t slots = SLOTS * a->p;
    a->transposed = a->wide ? take_doubles(w, a->l, a->k) : NULL;
    a->qr_work = take(
        w,
        max_size(peri_tsqr_work(a->l, a->k, a->p, true), peri_tsqr_work(a->l, a->k, a->p, false)),
        1);
    a->r = take_doubles(w, a->l, a->p);
    a->f = take_doubles(w, a->l, a->p);
    a->y = take_doubles(w, a->p, a->kp);
    a->g = take_doubles(w, a->k, a->p);
    a->scaled_g = take_doubles(w, a->k, a->p);
    a->top = take_doubles(w, a->k, a->p);
    a->z = take_doubles(w, a->k, a->p);
    a->S = take_doubles(w, a->k, a->k);
    a->spare = take_doubles(w, a->k, a->k);
    a->e = take_doubles(w, a->k, 1);
    a->colmax = take_doubles(w, a->k + a->p, 1);
    a->powers = take_doubles(w, a->k + a->p, 1);
    a->weights = take_doubles(w, a->k, 1);
    a->total = take_doubles(w, 2 * a->p, a->kp);
    a->hi = take_doubles(w, slots, a->kp);
    a->lo = take_doubles(w, slots, a->kp);
    /* Levels above the first hold at most l/7 rows. */
    a->apply = take_doubles(w, a->l / 4 + 2 * a->k + 64, a->p);
    a->w = take_small(w, a->k, a->p);
}

static problem describe(size_t m, size_t n, size_t p)
{
    problem a = {.wide = m < n, .l = max_size(m, n), .k = min_size(m, n), .p = p};
    a.kp = padded(a.k);
    return a;
}

size_t peri_lstsq_work(size_t m, size_t n, size_t p)
{
    if (max_size(m, n) > INT_MAX || p > INT_MAX)
        return 0;
    if (m == 0 || n == 0)
        return 0;
    problem a = describe(m, n, p);
    arena w = {0};
    lay_out(&a, &w);
    return w.overflow ? SIZE_MAX : w.used;
}

static pass new_pass(const problem *a)
{
    pass s = {.l = a->l, .k = a->k, .p = a->p, .kp = a->kp, .M = a->M, .F = a->F};
    s.scale = a->scale;
    s.y = a->y;
    s.hi = a->hi;
    s.lo = a->lo;
    s.want_g = true;
    s.rows = max_size(PASS_DOUBLES / a->k, 64);
    s.nblocks = (a->l + s.rows - 1) / s.rows;
    return s;
}

/* Factors M; again with scaling where a column's squares could overflow or vanish. */
static peri_status factor(problem *a, bool store, const peri_stop *stop, peri_facts *facts)
{
    const size_t p = a->wide ? 0 : a->p;
    peri_status status = peri_tsqr_factor(&a->qr, a->l, a->k, p, a->M, a->k, a->scale, a->F, a->p,
                                          store, a->qr_work, a->colmax, stop, facts);
    if (status != PERI_OK || a->scale != NULL)
        return status;
    bool extreme = false;
    for (size_t j = 0; j < a->k + p; j++)
        extreme |= a->colmax[j] > 0x1p300 || (a->colmax[j] > 0 && a->colmax[j] < 0x1p-300);
    if (!extreme)
        return PERI_OK;
    for (size_t j = 0; j < a->k + a->p; j++) {
        int exponent = 0;
        if (j < a->k + p)
            frexp(a->colmax[j], &exponent);
        a->powers[j] = ldexp(1, exponent > 1000 ? -1000 : exponent < -1000 ? 1000 : -exponent);
    }
    a->scale = a->powers;
    a->weight = a->weights;
    a->lift = -1000;
    for (size_t j = 0; j < a->k; j++)
        if (-ilogb(a->scale[j]) > a->lift)
            a->lift = -ilogb(a->scale[j]);
    for (size_t j = 0; j < a->k; j++)
        a->weight[j] = ldexp(1, -ilogb(a->scale[j]) - a->lift);
    return peri_tsqr_factor(&a->qr, a->l, a->k, p, a->M, a->k, a->scale, a->F, a->p, store,
                            a->qr_work, a->colmax, stop, facts);
}

/* S = R, and s = the singular values of the unscaled M. */
static peri_status decompose(problem *a, double *s)
{
    for (size_t i = 0; i < a->k; i++)
        for (size_t j = 0; j < a->k; j++) {
            a->S[i * a->k + j] = j < i ? 0 : a->qr.r[i * a->qr.ld + j];
            a->spare[i * a->k + j] = a->S[i * a->k + j] * (a->weight ? a->weight[j] : 1);
        }
    const peri_status status = singular_values(a->k, a->spare, s, &a->w);
    for (size_t i = 0; i < a->k; i++)
        s[i] = ldexp(s[i], a->lift);
    return status;
}

/* Adds d (k,p) to y (p,kp). Returns the largest |d| against the largest |y|, columns of M weighed
 * by their lengths; *least is the smallest |y| against the largest. */
static double correct(problem *a, const double *d, bool add, double *least)
{
    double worst = 0;
    *least = 1;
    for (size_t q = 0; q < a->p; q++) {
        double largest = 0, smallest = INFINITY, change = 0;
        for (size_t j = 0; j < a->k; j++) {
            const double length = cblas_dnrm2((int)j + 1, a->qr.r + j, (int)a->qr.ld);
            double *y = &a->y[q * a->kp + j];
            const double size = fabs(*y) * length;
            largest = fmax(largest, size);
            smallest = fmin(smallest, size);
            change = fmax(change, fabs(d[j * a->p + q]) * length);
            if (add)
                *y += d[j * a->p + q];
        }
        if (change > 0)
            worst = fmax(worst, largest > 0 ? change / largest : INFINITY);
        if (largest > 0)
            *least = fmin(*least, smallest / largest);
    }
    return worst;
}

/* Corrects y with R alone; r becomes the residual. */
static peri_status refine_seminormal(problem *a, double condition, int *steps,
                                     const peri_stop *stop)
{
    pass s = new_pass(a);
    s.f = a->r;
    double rate = condition * condition * (double)a->k * DBL_EPSILON, before = INFINITY;
    for (*steps = 0; *steps < MAX_STEPS;) {
        const peri_status status = run_pass(&s, NULL, a->g, a->total, stop);
        double least = 0;
        if (status != PERI_OK)
            return status;
        for (size_t i = 0; i < a->k * a->p; i++)
            a->g[i] = -a->g[i];
        solve_r(true, a->k, a->p, a->qr.r, a->qr.ld, a->g);
        /* |M d| = |R d|; while g holds R d, see what the step does to the residual. */
        double moved = 0, left = 0;
        for (size_t q = 0; q < a->p; q++) {
            const double rr = cblas_dnrm2((int)a->l, a->r + q, (int)a->p);
            const double rd = cblas_dnrm2((int)a->k, a->g + q, (int)a->p);
            moved = fmax(moved, rd > 1e-13 * rr);
            left = fmax(left, rr);
        }
        solve_r(false, a->k, a->p, a->qr.r, a->qr.ld, a->g);
        const double change = correct(a, a->g, false, &least);
        if (!(change < before / 2)) /* no longer shrinking: rounding is all that is left */
            return PERI_OK;
        if (*steps > 0)
            rate = fmax(rate, change / before);
        before = change;
        correct(a, a->g, true, &least);
        ++*steps;
        if (change == 0 || (moved == 0 && change * rate < 0x1p-54 * fmax(least, 0x1p-20)))
            return PERI_OK;
    }
    s.want_g = false;
    return run_pass(&s, NULL, NULL, a->total, stop);
}

/* Corrects r and y together with Q and R. */
static peri_status refine_augmented(problem *a, int *steps, const peri_stop *stop)
{
    pass s = new_pass(a);
    s.f = a->f;
    s.r = a->r;
    double before = INFINITY;
    for (*steps = 0; *steps < MAX_STEPS;) {
        const peri_status status = run_pass(&s, a->G, a->g, a->total, stop);
        double least = 0;
        if (status != PERI_OK)
            return status;
        solve_r(true, a->k, a->p, a->qr.r, a->qr.ld, a->g); /* h = R^-T g */
        peri_tsqr_apply(&a->qr, true, a->top, a->f, a->p, a->apply);
        for (size_t i = 0; i < a->k * a->p; i++) {
            const double d = a->top[i] - a->g[i];
            a->top[i] = a->g[i];
            a->g[i] = d;
        }
        peri_tsqr_apply(&a->qr, false, a->top, a->f, a->p, a->apply);
        solve_r(false, a->k, a->p, a->qr.r, a->qr.ld, a->g);
        double change = correct(a, a->g, false, &least);
        if (a->wide) {
            const size_t count = a->l * a->p;
            const double size = cblas_dnrm2((int)min_size(count, INT_MAX), a->r, 1);
            change = cblas_dnrm2((int)min_size(count, INT_MAX), a->f, 1);
            change = size > 0 ? change / size : change > 0;
        }
        if (!(change < before / 2))
            break;
        correct(a, a->g, true, &least);
        for (size_t i = 0; i < a->l * a->p; i++)
            a->r[i] += a->f[i];
        ++*steps;
        if (change == 0)
            break;
        before = change;
    }
    if (a->wide)
        return PERI_OK;
    /* The residual of the y that is returned. */
    s.r = NULL;
    s.f = a->r;
    s.want_g = false;
    return run_pass(&s, NULL, NULL, a->total, stop);
}

static void set_y(problem *a, const double *x)
{
    memset(a->y, 0, a->p * a->kp * sizeof *a->y);
    for (size_t j = 0; j < a->k; j++)
        for (size_t q = 0; q < a->p; q++)
            a->y[q * a->kp + j] = x[j * a->p + q];
}

/* m >= n. y and r of the scaled problem, then x and the residual. */
static peri_status solve_tall(problem *a, peri_lstsq_result *out, double tolerance,
                              const peri_stop *stop, peri_facts *facts)
{
    const size_t k = a->k, p = a->p;
    peri_status status = factor(a, false, stop, facts);
    if (status != PERI_OK)
        return status;
    status = decompose(a, out->s);
    if (status != PERI_OK)
        return status;
    double condition = out->s[0] / out->s[k - 1];
    size_t rank = k;
    if (!(condition < doubtful(k, tolerance)))
        rank = pivot_qr(k, a->S, true, tolerance, a->e, &condition, &a->w);
    out->rank = rank;
    out->steps = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t q = 0; q < p; q++)
            a->z[i * p + q] = a->qr.r[i * a->qr.ld + a->qr.np + q];
    if (rank == k) {
        solve_r(false, k, p, a->qr.r, a->qr.ld, a->z);
        set_y(a, a->z);
        if (condition <= SEMINORMAL_LIMIT) {
            status = refine_seminormal(a, condition, &out->steps, stop);
        } else {
            pass s = new_pass(a);
            s.f = a->r;
            s.want_g = false;
            status = factor(a, true, stop, facts);
            if (status == PERI_OK)
                status = run_pass(&s, NULL, NULL, a->total, stop);
            if (status == PERI_OK)
                status = refine_augmented(a, &out->steps, stop);
        }
        if (out->root != NULL)
            invert_r(k, a->S, out->root);
        for (size_t i = 0; i < k * k && out->root != NULL && a->scale != NULL; i++)
            out->root[i] *= a->scale[i / k];
    } else {
        double *root = out->root != NULL ? out->root : a->spare;
        minimum_norm(k, p, rank, a->e, a->weight, a->z, a->top, root, &a->w);
        for (size_t i = 0; i < k * k; i++)
            root[i] = ldexp(root[i], -a->lift);
        for (size_t i = 0; i < k * p && a->weight != NULL; i++)
            a->top[i] *= a->weight[i / p];
        set_y(a, a->top);
        pass s = new_pass(a);
        s.f = a->r;
        s.want_g = false;
        status = run_pass(&s, NULL, NULL, a->total, stop);
    }
    for (size_t q = 0; q < p && status == PERI_OK; q++) {
        const double up = a->scale != NULL ? a->scale[k + q] : 1;
        for (size_t j = 0; j < k; j++)
            out->x[j * p + q] = a->y[q * a->kp + j] / up * (a->scale != NULL ? a->scale[j] : 1);
        out->rss[q] = sum_squares(a->r + q, a->l, p) / up / up;
        for (size_t i = 0; i < a->l; i++)
            out->residual[i * p + q] = a->r[i * p + q] / up;
    }
    return status;
}

/* m < n. M = A^T and the unknown is r. */
static peri_status solve_wide(problem *a, const double *A, const double *B, peri_lstsq_result *out,
                              double tolerance, const peri_stop *stop, peri_facts *facts)
{
    enum { TILE = 32 };
    const size_t k = a->k, p = a->p, l = a->l;
    for (size_t i0 = 0; i0 < k; i0 += TILE)
        for (size_t j0 = 0; j0 < l; j0 += TILE)
            for (size_t i = i0; i < min_size(i0 + TILE, k); i++)
                for (size_t j = j0; j < min_size(j0 + TILE, l); j++)
                    a->transposed[j * k + i] = A[i * l + j];
    a->M = a->transposed;
    peri_status status = factor(a, true, stop, facts);
    if (status == PERI_ERR_NONFINITE) {
        const size_t row = facts->index[1];
        facts->index[1] = facts->index[0];
        facts->index[0] = row;
    }
    for (size_t i = 0; i < k * p && status == PERI_OK; i++)
        if (!isfinite(B[i])) {
            *facts = (peri_facts){.arg = "y", .nindex = 2, .got = B[i]};
            facts->index[0] = i / p;
            facts->index[1] = i % p;
            return PERI_ERR_NONFINITE;
        }
    if (status != PERI_OK)
        return status;
    status = decompose(a, out->s);
    if (status != PERI_OK)
        return status;
    double condition = out->s[0] / out->s[k - 1];
    size_t rank = k;
    if (!(condition < doubtful(k, tolerance)))
        rank = pivot_qr(k, a->S, true, tolerance, a->e, &condition, &a->w);
    out->rank = rank;
    out->steps = 0;
    memset(a->r, 0, l * p * sizeof *a->r);
    if (rank == k) {
        /* Rows of A and of B are scaled alike, which leaves x as it is. */
        for (size_t i = 0; i < k; i++)
            for (size_t q = 0; q < p; q++)
                a->scaled_g[i * p + q] = B[i * p + q] * (a->scale != NULL ? a->scale[i] : 1);
        a->G = a->scaled_g;
        memcpy(a->top, a->G, k * p * sizeof *a->top);
        solve_r(true, k, p, a->qr.r, a->qr.ld, a->top);
        memcpy(a->z, a->top, k * p * sizeof *a->z);
        solve_r(false, k, p, a->qr.r, a->qr.ld, a->z);
        for (size_t i = 0; i < k * p; i++)
            a->z[i] = -a->z[i];
        set_y(a, a->z);
        peri_tsqr_apply(&a->qr, false, a->top, a->r, p, a->apply);
        status = refine_augmented(a, &out->steps, stop);
    } else {
        /* A = S^T Q^T with S unscaled: x = Q u with the least-norm solution of S^T u = B. */
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++)
                a->S[i * k + j] =
                    j > i ? 0 : a->qr.r[j * a->qr.ld + i] * (a->weight != NULL ? a->weight[i] : 1);
        pivot_qr(k, a->S, false, tolerance, a->e, &condition, &a->w);
        minimum_norm(k, p, rank, a->e, NULL, B, a->top, a->spare, &a->w);
        for (size_t i = 0; i < k * p; i++)
            a->top[i] = ldexp(a->top[i], -a->lift);
        peri_tsqr_apply(&a->qr, false, a->top, a->r, p, a->apply);
    }
    if (status != PERI_OK)
        return status;
    memcpy(out->x, a->r, l * p * sizeof *out->x);
    if (out->root != NULL)
        memset(out->root, 0, l * l * sizeof *out->root);
    for (size_t i = 0; i < k; i++)
        for (size_t q = 0; q < p; q++) {
            double sum = B[i * p + q], lo = 0;
            for (size_t j = 0; j < l; j++) {
                const double t = -A[i * l + j] * out->x[j * p + q];
                add_exact(&sum, &lo, t, fma(-A[i * l + j], out->x[j * p + q], -t));
            }
            out->residual[i * p + q] = sum + lo;
        }
    for (size_t q = 0; q < p; q++)
        out->rss[q] = sum_squares(out->residual + q, k, p);
    return PERI_OK;
}

peri_status peri_lstsq(size_t m, size_t n, size_t p, const double *A, const double *B, double eps,
                       peri_lstsq_result *out, void *work, const peri_stop *stop, peri_facts *facts)
{
    *facts = (peri_facts){0};
    if (max_size(m, n) > INT_MAX || p > INT_MAX) {
        facts->arg = max_size(m, n) > INT_MAX ? "X" : "y";
        facts->got = (double)max_size(max_size(m, n), p);
        return PERI_ERR_TOO_LARGE;
    }
    if (m == 0 || n == 0) {
        out->rank = 0;
        out->steps = 0;
        memset(out->x, 0, n * p * sizeof *out->x);
        memcpy(out->residual, B, m * p * sizeof *B);
        if (out->root != NULL)
            memset(out->root, 0, n * n * sizeof *out->root);
        for (size_t q = 0; q < p; q++)
            out->rss[q] = sum_squares(B + q, m, p);
        return PERI_OK;
    }
    problem a = describe(m, n, p);
    arena w = {.base = work};
    lay_out(&a, &w);
    const double tolerance = (double)a.l * eps;
    if (a.wide)
        return solve_wide(&a, A, B, out, tolerance, stop, facts);
    a.M = A;
    a.F = B;
    return solve_tall(&a, out, tolerance, stop, facts);
}

/* ---- streaming ----------------------------------------------------------------------------- */

size_t peri_lstsq_add_work(size_t m, size_t n, size_t p)
{
    const size_t c = n + p;
    arena w = {0};
    take_doubles(&w, m + c, c);
    take_doubles(&w, c, 1);
    take(&w, peri_tsqr_work(m + c, c, 0, false), 1);
    return w.overflow ? SIZE_MAX : w.used;
}

peri_status peri_lstsq_add(size_t m, size_t n, size_t p, const double *A, const double *B,
                           double *state, void *work, const peri_stop *stop, peri_facts *facts)
{
    const size_t c = n + p;
    arena w = {.base = work};
    double *stack = take_doubles(&w, m + c, c), *colmax = take_doubles(&w, c, 1);
    void *qr_work = take(&w, peri_tsqr_work(m + c, c, 0, false), 1);
    *facts = (peri_facts){0};
    if (c == 0)
        return PERI_OK;
    memcpy(stack, state, c * c * sizeof *stack);
    for (size_t i = 0; i < m; i++) {
        double *row = stack + (c + i) * c;
        memcpy(row, A + i * n, n * sizeof *row);
        memcpy(row + n, B + i * p, p * sizeof *row);
    }
    peri_tsqr qr;
    const peri_status status = peri_tsqr_factor(&qr, m + c, c, 0, stack, c, NULL, NULL, 0, false,
                                                qr_work, colmax, stop, facts);
    if (status == PERI_ERR_NONFINITE) {
        facts->index[0] -= c;
        if (facts->index[1] >= n) {
            facts->arg = "y";
            facts->index[1] -= n;
        }
    }
    if (status == PERI_OK)
        for (size_t i = 0; i < c; i++)
            for (size_t j = 0; j < c; j++)
                state[i * c + j] = j < i ? 0 : qr.r[i * qr.ld + j];
    return status;
}

static void take_finish(arena *w, size_t n, size_t p, double **S, double **c, double **e,
                        double **spare, small *s)
{
    *S = take_doubles(w, n, n);
    *c = take_doubles(w, n, p);
    *e = take_doubles(w, n, 1);
    *spare = take_doubles(w, n, n);
    *s = take_small(w, n, p);
}

size_t peri_lstsq_finish_work(size_t n, size_t p)
{
    if (n > INT_MAX || p > INT_MAX)
        return 0;
    double *S, *c, *e, *spare;
    small s;
    arena w = {0};
    take_finish(&w, n, p, &S, &c, &e, &spare, &s);
    return w.overflow ? SIZE_MAX : w.used;
}

peri_status peri_lstsq_finish(size_t m, size_t n, size_t p, const double *state,
                              peri_lstsq_result *out, void *work, peri_facts *facts)
{
    const size_t width = n + p;
    *facts = (peri_facts){.arg = "X", .got = (double)n};
    if (n > INT_MAX || p > INT_MAX)
        return PERI_ERR_TOO_LARGE;
    out->rank = 0;
    out->steps = 0;
    for (size_t q = 0; q < p; q++)
        out->rss[q] = sum_squares(state + n * width + n + q, q + 1, width);
    if (n == 0)
        return PERI_OK;
    double *S, *c, *e, *spare;
    small s;
    arena w = {.base = work};
    take_finish(&w, n, p, &S, &c, &e, &spare, &s);
    for (size_t i = 0; i < n; i++) {
        memcpy(S + i * n, state + i * width, n * sizeof *S);
        memcpy(c + i * p, state + i * width + n, p * sizeof *c);
    }
    const peri_status status = singular_values(n, S, out->s, &s);
    if (status != PERI_OK)
        return status;
    double condition = out->s[0] / out->s[n - 1];
    out->rank = n;
    const double tolerance = (double)max_size(m, n) * DBL_EPSILON;
    if (!(condition < doubtful(n, tolerance)))
        out->rank = pivot_qr(n, S, true, tolerance, e, &condition, &s);
    double *root = out->root != NULL ? out->root : spare;
    if (out->rank == n) {
        memcpy(out->x, c, n * p * sizeof *c);
        solve_r(false, n, p, S, n, out->x);
        if (out->root != NULL)
            invert_r(n, S, root);
    } else {
        minimum_norm(n, p, out->rank, e, NULL, c, out->x, root, &s);
        /* What the kept directions leave of c belongs to the residual. */
        for (size_t q = 0; q < p; q++) {
            double left = 0;
            for (size_t i = 0; i < n; i++) {
                double d = c[i * p + q];
                for (size_t j = i; j < n; j++)
                    d -= S[i * n + j] * out->x[j * p + q];
                left += d * d;
            }
            out->rss[q] += left;
        }
    }
    return PERI_OK;
}
