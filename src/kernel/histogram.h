/* SPDX-License-Identifier: MIT
 *
 * Counting: histograms and occurrences of integers.
 *
 * x and weights are contiguous and have the same number of elements; weights may be NULL (each
 * counts 1). edges (nbins + 1) ascend; a bin holds edges[k] <= x < edges[k+1], the last one
 * edges[nbins] too; what lies outside, NaN among it, is not counted.
 */
#ifndef PERIGEE_KERNEL_HISTOGRAM_H
#define PERIGEE_KERNEL_HISTOGRAM_H

#include "kernel/status.h"
#include "kernel/view.h"

/* The range of x; PERI_ERR_NONFINITE when x holds NaN or an infinity. Empty x: 0 and 1. */
peri_status peri_histogram_range(const peri_view *x, double *lo, double *hi, peri_facts *facts);

/* edges[k] = lo + k (hi - lo) / nbins with both ends exact; equal ends are moved apart by 1. */
void peri_histogram_edges(double lo, double hi, size_t nbins, double *edges);

/* counts (nbins), overwritten. `uniform`: edges are equally spaced, so that a bin is found by
 * division (and set right by comparison with the edges) instead of by bisection. */
void peri_histogram(const peri_view *x, const peri_view *weights, const double *edges, size_t nbins,
                    bool uniform, double *counts);

/* counts, divided by their sum and each by its bin's width: the area becomes 1. */
void peri_histogram_density(const double *edges, size_t nbins, double *counts);

/* The largest element of x; 0 when x is empty. PERI_ERR_VALUE for an element that is not an
 * integer of at least `first`. */
peri_status peri_bincount_max(const peri_view *x, double first, double *largest, peri_facts *facts);

/* counts[v - first] += 1 or its weight, for each element v of x; counts is overwritten. */
void peri_bincount(const peri_view *x, const peri_view *weights, double first, size_t nbins,
                   double *counts);

#endif
