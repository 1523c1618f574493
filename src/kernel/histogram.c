/* SPDX-License-Identifier: MIT */
#include "kernel/histogram.h"

#include <math.h>
#include <string.h>

peri_status peri_histogram_range(const peri_view *x, double *lo, double *hi, peri_facts *facts)
{
    const size_t n = peri_view_size(x);
    *lo = 0;
    *hi = 1;
    for (size_t i = 0; i < n; i++) {
        const double v = peri_read_at(x->dtype, x->data, (ptrdiff_t)i);
        if (!isfinite(v)) {
            *facts = (peri_facts){.arg = "x", .nindex = 1, .index = {i}, .got = v};
            return PERI_ERR_NONFINITE;
        }
        if (i == 0 || v < *lo)
            *lo = v;
        if (i == 0 || v > *hi)
            *hi = v;
    }
    return PERI_OK;
}

void peri_histogram_edges(double lo, double hi, size_t nbins, double *edges)
{
    if (lo == hi) {
        lo -= 0.5;
        hi += 0.5;
    }
    const double n = (double)nbins, step = (hi - lo) / n;
    for (size_t k = 0; k < nbins; k++)
        edges[k] = isfinite(step) ? lo + (double)k * step
                                  : lo * (1 - (double)k / n) + hi * ((double)k / n);
    edges[nbins] = hi;
}

void peri_histogram(const peri_view *x, const peri_view *weights, const double *edges, size_t nbins,
                    bool uniform, double *counts)
{
    const size_t n = peri_view_size(x);
    const double lo = edges[0], hi = edges[nbins], scale = (double)nbins / (hi - lo);
    const bool divide = uniform && isfinite(scale) && scale > 0;
    memset(counts, 0, nbins * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        const double v = peri_read_at(x->dtype, x->data, (ptrdiff_t)i);
        if (!(v >= lo && v <= hi))
            continue;
        size_t bin;
        if (divide) {
            const double place = (v - lo) * scale;
            bin = place >= (double)nbins ? nbins - 1 : (size_t)place;
            while (bin > 0 && v < edges[bin])
                bin--;
            while (bin + 1 < nbins && v >= edges[bin + 1])
                bin++;
        } else {
            size_t above = nbins; /* edges[bin] <= v, and v < edges[above] or above == nbins */
            bin = 0;
            while (above - bin > 1) {
                const size_t mid = bin + (above - bin) / 2;
                if (v >= edges[mid])
                    bin = mid;
                else
                    above = mid;
            }
        }
        counts[bin] +=
            weights != NULL ? peri_read_at(weights->dtype, weights->data, (ptrdiff_t)i) : 1;
    }
}

void peri_histogram_density(const double *edges, size_t nbins, double *counts)
{
    double sum = 0;
    for (size_t k = 0; k < nbins; k++)
        sum += counts[k];
    for (size_t k = 0; k < nbins; k++)
        counts[k] = counts[k] / (edges[k + 1] - edges[k]) / sum;
}

peri_status peri_bincount_max(const peri_view *x, double first, double *largest, peri_facts *facts)
{
    const size_t n = peri_view_size(x);
    *largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = peri_read_at(x->dtype, x->data, (ptrdiff_t)i);
        if (!(v >= first && v == trunc(v) && v <= 0x1p53)) {
            *facts = (peri_facts){.arg = "x", .nindex = 1, .index = {i}, .got = v};
            return PERI_ERR_VALUE;
        }
        if (v > *largest || i == 0)
            *largest = v;
    }
    return PERI_OK;
}

void peri_bincount(const peri_view *x, const peri_view *weights, double first, size_t nbins,
                   double *counts)
{
    const size_t n = peri_view_size(x);
    memset(counts, 0, nbins * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[(size_t)(peri_read_at(x->dtype, x->data, (ptrdiff_t)i) - first)] +=
            weights != NULL ? peri_read_at(weights->dtype, weights->data, (ptrdiff_t)i) : 1;
}
