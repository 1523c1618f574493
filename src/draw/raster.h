/* SPDX-License-Identifier: MIT
 *
 * Drawing by the million, into pixels: coverage of thick lines, and small pictures of a mark
 * stamped at many places. The canvas uses it where Cairo would take seconds.
 *
 * Coverage is one byte a pixel, 0 none to 255 all. Pixels are Cairo's ARGB32: one 32-bit word,
 * alpha in the highest byte, colours multiplied by alpha.
 */
#ifndef PERIGEE_DRAW_RASTER_H
#define PERIGEE_DRAW_RASTER_H

#include <stddef.h>
#include <stdint.h>

/* Raises the coverage (h,w) to that of the segment from (x0,y0) to (x1,y1), `width` pixels thick
 * with round ends. Both ends must be within a few thousand pixels of the picture. */
void peri_raster_segment(uint8_t *coverage, size_t w, size_t h, double x0, double y0, double x1,
                         double y1, double width);

/* Draws the colour (r, g, b, a in 0..1) over pixels (h,w), through coverage (h,w). `stride` is
 * that of the pixels, in words. */
void peri_raster_tint(uint32_t *pixels, size_t stride, const uint8_t *coverage, size_t w, size_t h,
                      const double rgba[4]);

/* Draws the colour over pixels (h,w) through the stamp, coverage (size,size) whose upper left
 * corner lies at (left, top), which may be outside. */
void peri_raster_stamp(uint32_t *pixels, size_t stride, size_t w, size_t h, const uint8_t *stamp,
                       int size, long left, long top, const double rgba[4]);

#endif
