/* SPDX-License-Identifier: MIT
 *
 * Pictures as arrays: many images laid out in one, values as colours, other sizes.
 *
 * An image is (h,w), grey, or (h,w,c). Levels run from 0, black, to 255, white.
 */
#ifndef PERIGEE_KERNEL_IMAGE_H
#define PERIGEE_KERNEL_IMAGE_H

#include <stdbool.h>

#include "kernel/status.h"
#include "kernel/view.h"

/* The colour of a value that is not a number: magenta, which no grey is. */
extern const double peri_image_nan[3];

bool peri_image_has_nan(const peri_view *a);

/* Smallest and largest finite value; 0 and 1 where there is none. */
void peri_image_range(const peri_view *a, double *lo, double *hi);

typedef enum { PERI_RANGE_ALL = 0, PERI_RANGE_EACH, PERI_RANGE_FIXED } peri_range;

typedef struct {
    size_t rows, cols; /* of the layout */
    size_t gap;        /* white pixels between images, before scaling */
    size_t scale;      /* each pixel becomes scale x scale */
    bool invert;       /* levels become 255 - level; not the gap's */
    peri_range range;  /* which values are 0 and 255: of all images, of each, or lo and hi */
    double lo, hi;     /* for PERI_RANGE_FIXED; lo < hi */
    size_t channels;   /* of the output: 1, or 3 for colour or where a NaN must be shown */
} peri_collage;

/* The size of the layout's picture for images of h x w: (rows h + (rows - 1) gap) scale and the
 * like. PERI_ERR_TOO_LARGE when a side would pass `most`. */
peri_status peri_image_collage_size(const peri_collage *layout, size_t h, size_t w, size_t most,
                                    size_t *height, size_t *width, peri_facts *facts);

/* images (n,h,w) or (n,h,w,3), any strides, n <= rows cols -> out (height,width) or
 * (height,width,3), row by row; white where there is no image. Values outside the range are
 * clamped, NaN is peri_image_nan. A range of one value is widened to hold 0 and 1. */
void peri_image_collage(const peri_view *images, const peri_collage *layout, double *out);

/* values (h,w) -> out (h,w,3): the colour of `table` (k,3) that stands at (v - lo) / (hi - lo),
 * clamped; NaN gives `missing`. k >= 1. */
void peri_image_color(const peri_view *values, double lo, double hi, const double *table, size_t k,
                      const double missing[3], double *out);

typedef enum { PERI_RESIZE_LINEAR = 0, PERI_RESIZE_NEAREST } peri_resize;

/* in (h,w,c) -> out (height,width,c), both row-major. Linear: the triangle filter, widened when
 * reducing so that each input counts; nearest: the input whose square holds the output's centre.
 * work: h * width * c doubles. All extents at least 1. */
void peri_image_resize(const double *in, size_t h, size_t w, size_t c, peri_resize how, double *out,
                       size_t height, size_t width, double *work);

#endif
