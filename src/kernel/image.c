/* SPDX-License-Identifier: MIT */
#include "kernel/image.h"

#include <math.h>

const double peri_image_nan[3] = {255, 0, 255};

/* Calls visit(context, value) for each element, in row-major order, until it returns false. */
static void each(const peri_view *a, bool (*visit)(void *, double), void *context)
{
    if (peri_view_size(a) == 0)
        return;
    peri_walk w = peri_walk_begin(a->ndim, a->shape);
    peri_walk_along(&w, a->stride);
    do
        if (!visit(context, peri_get(a, w.at[0])))
            return;
    while (peri_walk_next(&w));
}

static bool is_number(void *found, double value)
{
    *(bool *)found = isnan(value);
    return !isnan(value);
}

bool peri_image_has_nan(const peri_view *a)
{
    bool found = false;
    each(a, is_number, &found);
    return found;
}

static bool widen(void *range, double value)
{
    double *r = range;
    if (isfinite(value)) {
        r[0] = fmin(r[0], value);
        r[1] = fmax(r[1], value);
    }
    return true;
}

void peri_image_range(const peri_view *a, double *lo, double *hi)
{
    double range[2] = {INFINITY, -INFINITY};
    each(a, widen, range);
    *lo = range[0] <= range[1] ? range[0] : 0;
    *hi = range[0] <= range[1] ? range[1] : 1;
}

/* A range of one value says nothing of its level; next to 0 and 1 it does. */
static void open_up(double *lo, double *hi)
{
    if (*lo == *hi) {
        *lo = fmin(*lo, 0);
        *hi = fmax(*hi, 1);
    }
}

/* (count - 1) * gap + count * n, times scale, or 0 when that passes `most`. */
static size_t extent(size_t count, size_t n, size_t gap, size_t scale, size_t most)
{
    if (count == 0 || scale > most || count > most || n > most || gap > most)
        return count == 0 ? 0 : most + 1;
    const size_t cells = count * n, gaps = (count - 1) * gap;
    if (cells > most || gaps > most || (cells + gaps) > most / scale)
        return most + 1;
    return (cells + gaps) * scale;
}

peri_status peri_image_collage_size(const peri_collage *layout, size_t h, size_t w, size_t most,
                                    size_t *height, size_t *width, peri_facts *facts)
{
    *height = extent(layout->rows, h, layout->gap, layout->scale, most);
    *width = extent(layout->cols, w, layout->gap, layout->scale, most);
    if (*height <= most && *width <= most)
        return PERI_OK;
    *facts = (peri_facts){.arg = "images", .got = (double)(*height > most ? *height : *width)};
    return PERI_ERR_TOO_LARGE;
}

/* In halves, because hi - lo may overflow. */
static double share(double value, double lo, double hi)
{
    return (value / 2 - lo / 2) / (hi / 2 - lo / 2);
}

static double level(double value, double lo, double hi, bool invert)
{
    double x = 255 * share(value, lo, hi);
    x = x > 0 ? x : 0;
    x = x < 255 ? x : 255;
    return invert ? 255 - x : x;
}

void peri_image_collage(const peri_view *images, const peri_collage *layout, double *out)
{
    const size_t n = images->shape[0], h = images->shape[1], w = images->shape[2];
    const size_t parts = images->ndim == 4 ? images->shape[3] : 1, channels = layout->channels;
    const size_t scale = layout->scale, gap = layout->gap;
    const size_t height = (layout->rows * h + (layout->rows - 1) * gap) * scale;
    const size_t width = (layout->cols * w + (layout->cols - 1) * gap) * scale;
    for (size_t i = 0; i < height * width * channels; i++)
        out[i] = 255;

    double lo = layout->lo, hi = layout->hi;
    if (layout->range == PERI_RANGE_ALL)
        peri_image_range(images, &lo, &hi);
    for (size_t k = 0; k < n; k++) {
        const ptrdiff_t start = (ptrdiff_t)k * images->stride[0];
        if (layout->range == PERI_RANGE_EACH) {
            const peri_view one = {peri_address(images, start), images->dtype, images->ndim - 1,
                                   images->shape + 1, images->stride + 1};
            peri_image_range(&one, &lo, &hi);
        }
        open_up(&lo, &hi);
        const size_t top = k / layout->cols * (h + gap) * scale;
        const size_t left = k % layout->cols * (w + gap) * scale;
        for (size_t i = 0; i < h * scale; i++) {
            double *row = out + ((top + i) * width + left) * channels;
            for (size_t j = 0; j < w; j++) {
                const ptrdiff_t pixel = start + (ptrdiff_t)(i / scale) * images->stride[1] +
                                        (ptrdiff_t)j * images->stride[2];
                double value[3] = {0, 0, 0};
                bool missing = false;
                for (size_t c = 0; c < parts; c++) {
                    const double v = peri_get(
                        images, pixel + (parts == 1 ? 0 : (ptrdiff_t)c * images->stride[3]));
                    missing = missing || isnan(v);
                    value[c] = level(v, lo, hi, layout->invert);
                }
                for (size_t s = 0; s < scale; s++)
                    for (size_t c = 0; c < channels; c++)
                        *row++ = missing && channels == 3 ? peri_image_nan[c]
                                                          : value[parts == 1 ? 0 : c];
            }
        }
    }
}

void peri_image_color(const peri_view *values, double lo, double hi, const double *table, size_t k,
                      const double missing[3], double *out)
{
    const size_t h = values->shape[0], w = values->shape[1];
    open_up(&lo, &hi);
    for (size_t i = 0; i < h; i++) {
        for (size_t j = 0; j < w; j++) {
            const double v = peri_get(values, (ptrdiff_t)i * values->stride[0] +
                                                  (ptrdiff_t)j * values->stride[1]);
            const double place = share(v, lo, hi) * (double)k;
            const double *color = missing;
            if (!isnan(place))
                color = table + 3 * (place <= 0 ? 0 : place >= (double)k ? k - 1 : (size_t)place);
            for (int c = 0; c < 3; c++)
                *out++ = color[c];
        }
    }
}

/* ---- other sizes -------------------------------------------------------------------------- */

/* in (outer, count, inner) -> out (outer, wanted, inner). */
static void resize_axis(const double *in, size_t outer, size_t count, size_t inner, peri_resize how,
                        double *out, size_t wanted)
{
    const double ratio = (double)count / (double)wanted;
    const double reach = how == PERI_RESIZE_NEAREST ? 0 : fmax(ratio, 1);
    for (size_t j = 0; j < wanted; j++) {
        const double center = ((double)j + 0.5) * ratio;
        size_t first = (size_t)fmin(center, (double)count - 1), last = first;
        if (reach > 0) {
            first = (size_t)fmax(0, floor(center - reach));
            last = (size_t)fmin((double)count - 1, ceil(center + reach));
        }
        double total = 0;
        for (size_t i = first; i <= last; i++)
            total += fmax(0, 1 - fabs((double)i + 0.5 - center) / fmax(reach, 1));
        for (size_t o = 0; o < outer; o++) {
            double *to = out + (o * wanted + j) * inner;
            for (size_t c = 0; c < inner; c++)
                to[c] = reach > 0 ? 0 : in[(o * count + first) * inner + c];
            for (size_t i = first; reach > 0 && i <= last; i++) {
                const double weight = 1 - fabs((double)i + 0.5 - center) / reach;
                if (weight <= 0)
                    continue;
                for (size_t c = 0; c < inner; c++)
                    to[c] += weight / total * in[(o * count + i) * inner + c];
            }
        }
    }
}

void peri_image_resize(const double *in, size_t h, size_t w, size_t c, peri_resize how, double *out,
                       size_t height, size_t width, double *work)
{
    resize_axis(in, h, w, c, how, work, width);
    resize_axis(work, 1, h, width * c, how, out, height);
}
