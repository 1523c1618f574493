/* SPDX-License-Identifier: MIT */
#include "kernel/quantile.h"

#include <math.h>

#include "kernel/copy.h"

enum { SMALL = 24 };

static void insertion_sort(double *x, size_t lo, size_t hi)
{
    for (size_t i = lo + 1; i < hi; i++) {
        const double v = x[i];
        size_t k = i;
        while (k > lo && x[k - 1] > v) {
            x[k] = x[k - 1];
            k--;
        }
        x[k] = v;
    }
}

static double median_of_3(double a, double b, double c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Median of the medians of nine elements at thirds. */
static double choose_pivot(const double *x, size_t lo, size_t hi)
{
    const size_t step = (hi - lo - 1) / 8;
    double m[3];
    for (size_t k = 0; k < 3; k++)
        m[k] = median_of_3(x[lo + 3 * k * step], x[lo + (3 * k + 1) * step],
                           x[lo + (3 * k + 2) * step]);
    return median_of_3(m[0], m[1], m[2]);
}

/* Puts into place all of the ranks (ascending, each within lo..hi-1): afterwards x[r] is what
 * sorting would put there. Hoare's partition, then both sides that hold ranks. */
static void select_ranks(double *x, size_t lo, size_t hi, const size_t *rank, size_t nranks)
{
    while (nranks > 0) {
        if (hi - lo <= SMALL) {
            insertion_sort(x, lo, hi);
            return;
        }
        const double pivot = choose_pivot(x, lo, hi);
        size_t i = lo, j = hi - 1;
        for (;;) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i >= j)
                break;
            const double swap = x[i];
            x[i++] = x[j];
            x[j--] = swap;
        }
        /* x[lo..i-1] <= pivot <= x[i..hi-1] */
        size_t left = 0;
        while (left < nranks && rank[left] < i)
            left++;
        if (left == 0) {
            lo = i;
        } else if (left == nranks) {
            hi = i;
        } else {
            select_ranks(x, lo, i, rank, left);
            lo = i;
            rank += left;
            nranks -= left;
        }
    }
}

static double interpolate(double a, double b, double t)
{
    if (a == b || t == 0)
        return a;
    const double d = b - a;
    if (isinf(d) && isfinite(a) && isfinite(b)) /* across the whole range */
        return a * (1 - t) + b * t;
    return t >= 0.5 ? b - d * (1 - t) : a + d * t;
}

static double midpoint(double a, double b)
{
    const double sum = a + b;
    return isinf(sum) && isfinite(a) && isfinite(b) ? a / 2 + b / 2 : sum / 2;
}

/* Ranks ascending without repeats; returns how many. */
static size_t collect_ranks(const double *q, size_t nq, size_t n, size_t *rank)
{
    size_t count = 0;
    for (size_t k = 0; k < nq; k++) {
        const size_t below = (size_t)floor(q[k] * (double)(n - 1));
        const size_t both[2] = {below, below + 1 < n ? below + 1 : below};
        for (int side = 0; side < 2; side++) {
            size_t p = count;
            while (p > 0 && rank[p - 1] > both[side])
                p--;
            if (p > 0 && rank[p - 1] == both[side])
                continue;
            for (size_t s = count; s > p; s--)
                rank[s] = rank[s - 1];
            rank[p] = both[side];
            count++;
        }
    }
    return count;
}

peri_status peri_quantile(const peri_view *x, const double *q, size_t nq, bool median,
                          const peri_view *dst, void *work, const peri_stop *stop)
{
    const size_t lanes = x->shape[0], n = x->shape[1];
    double *lane = work;
    size_t *rank = (size_t *)(lane + n);
    const size_t nranks = n > 0 ? collect_ranks(q, nq, n, rank) : 0;
    size_t done = 0;
    for (size_t l = 0; l < lanes; l++) {
        size_t nans = n == 0;
        if (n > 0)
            peri_convert(n, PERI_F64, lane, 1, x->dtype, peri_address(x, (ptrdiff_t)(l * n)), 1);
        for (size_t i = 0; i < n; i++)
            nans += lane[i] != lane[i];
        if (nans == 0)
            select_ranks(lane, 0, n, rank, nranks);
        for (size_t k = 0; k < nq; k++) {
            double value = NAN;
            if (nans == 0) {
                const double h = q[k] * (double)(n - 1), below = floor(h), t = h - below;
                const size_t i = (size_t)below, j = i + 1 < n ? i + 1 : i;
                value = median && t == 0.5 ? midpoint(lane[i], lane[j])
                                           : interpolate(lane[i], lane[j], t);
            }
            peri_put(dst, (ptrdiff_t)(k * lanes + l), value);
        }
        done += n;
        if (done >= (size_t)1 << 20) {
            done = 0;
            if (peri_stop_requested(stop))
                return PERI_ERR_INTERRUPTED;
        }
    }
    return PERI_OK;
}
