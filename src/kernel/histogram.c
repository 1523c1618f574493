/* SPDX-License-Identifier: MIT */
#include "kernel/histogram.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/copy.h"

enum { BLOCK = 512 };

/* Elements i..i+n-1 as doubles: where they are, or in the room. */
static const double *doubles_at(const peri_view *v, size_t i, size_t n, double *room)
{
    const void *from = peri_address(v, (ptrdiff_t)i);
    if (peri_is_f64(v->dtype))
        return from;
    peri_convert(n, PERI_F64, room, 1, v->dtype, from, 1);
    return room;
}

/* Runs the body over v[0..count-1], elements i.. of x, block by block. */
#define FOR_BLOCKS(x)                                                                              \
    for (size_t i = 0, n = peri_view_size(x), count = n < BLOCK ? n : BLOCK; i < n;                \
         i += count, count = n - i < BLOCK ? n - i : BLOCK)

peri_status peri_histogram_range(const peri_view *x, double *lo, double *hi, peri_facts *facts)
{
    double room[BLOCK], least = HUGE_VAL, largest = -HUGE_VAL;
    FOR_BLOCKS(x)
    {
        const double *v = doubles_at(x, i, count, room);
        for (size_t j = 0; j < count; j++) {
            if (!isfinite(v[j])) {
                *facts = (peri_facts){.arg = "x", .nindex = 1, .index = {i + j}, .got = v[j]};
                return PERI_ERR_NONFINITE;
            }
            least = v[j] < least ? v[j] : least;
            largest = v[j] > largest ? v[j] : largest;
        }
    }
    const bool none = least > largest;
    *lo = none ? 0 : least;
    *hi = none ? 1 : largest;
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

/* The bin of lo <= v <= hi, where bins are equally wide. */
static size_t divided_bin(double v, const double *edges, size_t nbins, double scale)
{
    const double place = (v - edges[0]) * scale;
    size_t bin = place >= (double)nbins ? nbins - 1 : (size_t)(ptrdiff_t)place;
    while (bin > 0 && v < edges[bin])
        bin--;
    while (bin + 1 < nbins && v >= edges[bin + 1])
        bin++;
    return bin;
}

static size_t searched_bin(double v, const double *edges, size_t nbins)
{
    size_t bin = 0, above = nbins; /* edges[bin] <= v, and v < edges[above] or above == nbins */
    while (above - bin > 1) {
        const size_t mid = bin + (above - bin) / 2;
        if (v >= edges[mid])
            bin = mid;
        else
            above = mid;
    }
    return bin;
}

void peri_histogram(const peri_view *x, const peri_view *weights, const double *edges, size_t nbins,
                    bool uniform, double *counts)
{
    const double lo = edges[0], hi = edges[nbins], scale = (double)nbins / (hi - lo);
    const bool divide = uniform && isfinite(scale) && scale > 0;
    double room[2][BLOCK];
    memset(counts, 0, nbins * sizeof *counts);
    FOR_BLOCKS(x)
    {
        const double *value = doubles_at(x, i, count, room[0]);
        const double *weight = weights != NULL ? doubles_at(weights, i, count, room[1]) : NULL;
        for (size_t j = 0; j < count; j++) {
            const double v = value[j];
            if (!(v >= lo && v <= hi))
                continue;
            const size_t bin =
                divide ? divided_bin(v, edges, nbins, scale) : searched_bin(v, edges, nbins);
            counts[bin] += weight != NULL ? weight[j] : 1;
        }
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
    double room[BLOCK], most = -HUGE_VAL;
    FOR_BLOCKS(x)
    {
        const double *v = doubles_at(x, i, count, room);
        for (size_t j = 0; j < count; j++) {
            if (!(v[j] >= first && v[j] <= 0x1p53 && v[j] == (double)(int64_t)v[j])) {
                *facts = (peri_facts){.arg = "x", .nindex = 1, .index = {i + j}, .got = v[j]};
                return PERI_ERR_VALUE;
            }
            most = v[j] > most ? v[j] : most;
        }
    }
    *largest = peri_view_size(x) > 0 ? most : 0;
    return PERI_OK;
}

void peri_bincount(const peri_view *x, const peri_view *weights, double first, size_t nbins,
                   double *counts)
{
    double room[2][BLOCK];
    memset(counts, 0, nbins * sizeof *counts);
    FOR_BLOCKS(x)
    {
        const double *v = doubles_at(x, i, count, room[0]);
        const double *weight = weights != NULL ? doubles_at(weights, i, count, room[1]) : NULL;
        for (size_t j = 0; j < count; j++) {
            const double bin = v[j] - first; /* x may have changed since it was looked at */
            if (bin >= 0 && bin < (double)nbins)
                counts[(ptrdiff_t)bin] += weight != NULL ? weight[j] : 1;
        }
    }
}
