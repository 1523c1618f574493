/* SPDX-License-Identifier: MIT */
#include "draw/raster.h"

#include <math.h>
#include <stdbool.h>

/* x / 255 rounded, for x in 0..65025. */
static inline uint32_t div255(uint32_t x)
{
    x += 128;
    return (x + (x >> 8)) >> 8;
}

static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

/* Coverage falls from 1 to 0 over the one pixel around the edge at distance `radius`. The longer
 * of the two axes is walked; across it the line is at most sqrt(2) times as wide. */
void peri_raster_segment(uint8_t *coverage, size_t w, size_t h, double x0, double y0, double x1,
                         double y1, double width)
{
    /* Thinner than a pixel: as wide as one, and fainter. */
    const double strength = width < 1 ? 255 * width : 255;
    const double radius = (width < 1 ? 1 : width) / 2;
    const double dx = x1 - x0, dy = y1 - y0, length2 = dx * dx + dy * dy;
    const bool steep = fabs(dy) > fabs(dx);
    const double reach = radius + 0.5;
    const double along0 = steep ? fmin(y0, y1) : fmin(x0, x1);
    const double along1 = steep ? fmax(y0, y1) : fmax(x0, x1);
    const double limit_along = (double)(steep ? h : w) - 1,
                 limit_across = (double)(steep ? w : h) - 1;
    const double run = steep ? dy : dx, rise = steep ? dx : dy;
    const double slope = run == 0 ? 0 : rise / run;
    const double half = reach * sqrt(1 + slope * slope);

    const double first = fmax(0, floor(along0 - reach)),
                 last = fmin(limit_along, ceil(along1 + reach));
    const double inverse = length2 == 0 ? 0 : 1 / length2;
    const uint8_t full = (uint8_t)(strength + 0.5); /* covered already */
    const double cosine = 1 / sqrt(1 + slope * slope);
    for (double a = first; a <= last; a++) {
        /* pixel centres lie at halves */
        const double center = a + 0.5, at = clamp(center, along0, along1);
        const double middle = steep ? x0 + (at - y0) * slope : y0 + (at - x0) * slope;
        const double from = fmax(0, floor(middle - half));
        const double to = fmin(limit_across, ceil(middle + half));
        const bool inner = center - along0 > half && along1 - center > half;
        uint8_t *pixel = &coverage[(size_t)(steep ? a : from) * w + (size_t)(steep ? from : a)];
        const size_t step = steep ? 1 : w;
        for (double b = from; b <= to; b++, pixel += step) {
            if (*pixel >= full)
                continue;
            double distance;
            if (inner) {
                distance = fabs(b + 0.5 - middle) * cosine;
            } else {
                const double px = (steep ? b : a) + 0.5 - x0, py = (steep ? a : b) + 0.5 - y0;
                const double t = clamp((px * dx + py * dy) * inverse, 0, 1);
                const double ex = px - t * dx, ey = py - t * dy, square = ex * ex + ey * ey;
                if (square >= reach * reach)
                    continue;
                distance = sqrt(square);
            }
            const double cover = reach - distance;
            if (cover <= 0)
                continue;
            const uint8_t value = (uint8_t)(strength * (cover > 1 ? 1 : cover) + 0.5);
            if (value > *pixel)
                *pixel = value;
        }
    }
}

/* The colour as 8-bit parts times alpha, alpha first. */
static void premultiply(const double rgba[4], uint32_t out[4])
{
    const double a = clamp(rgba[3], 0, 1) * 255;
    out[0] = (uint32_t)(a + 0.5);
    for (int i = 0; i < 3; i++)
        out[i + 1] = (uint32_t)(clamp(rgba[i], 0, 1) * a + 0.5);
}

static inline uint32_t over(uint32_t under, const uint32_t color[4], uint32_t cover)
{
    const uint32_t rest = 255 - div255(color[0] * cover);
    uint32_t out = 0;
    for (int i = 0; i < 4; i++) {
        const int shift = 24 - 8 * i;
        uint32_t part = div255(color[i] * cover) + div255(((under >> shift) & 255) * rest);
        out |= (part > 255 ? 255 : part) << shift;
    }
    return out;
}

void peri_raster_tint(uint32_t *pixels, size_t stride, const uint8_t *coverage, size_t w, size_t h,
                      const double rgba[4])
{
    uint32_t color[4];
    premultiply(rgba, color);
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++)
            if (coverage[i * w + j] != 0)
                pixels[i * stride + j] = over(pixels[i * stride + j], color, coverage[i * w + j]);
}

void peri_raster_stamp(uint32_t *pixels, size_t stride, size_t w, size_t h, const uint8_t *stamp,
                       int size, long left, long top, const double rgba[4])
{
    uint32_t color[4];
    premultiply(rgba, color);
    for (int i = 0; i < size; i++) {
        const long y = top + i;
        if (y < 0 || y >= (long)h)
            continue;
        uint32_t *row = pixels + (size_t)y * stride;
        for (int j = 0; j < size; j++) {
            const long x = left + j;
            const uint8_t cover = stamp[i * size + j];
            if (cover != 0 && x >= 0 && x < (long)w)
                row[x] = over(row[x], color, cover);
        }
    }
}
