/* SPDX-License-Identifier: MIT
 *
 * Images in: PNG through libpng, JPEG through libjpeg-turbo, PGM and PPM (P2, P3, P5, P6) here.
 * The result is height x width of grey, height x width x 3 of RGB, or height x width x 4 where the
 * image has transparency, each value 0 to 255 whatever the depth (16-bit samples keep their
 * fractions: v * 255 / 65535). Palettes become RGB, grey with transparency RGBA. A damaged or cut
 * image is refused, not repaired.
 *
 * peri_image_open reads the header and says what the array must be; peri_image_read fills it.
 * libpng's and libjpeg's jumps end inside these functions.
 */
#ifndef PERIGEE_FORMAT_IMAGE_H
#define PERIGEE_FORMAT_IMAGE_H

#include "format/source.h"

typedef enum { PERI_IMAGE_NONE, PERI_IMAGE_PNG, PERI_IMAGE_JPEG, PERI_IMAGE_PNM } peri_image_kind;

typedef struct {
    peri_source *source;
    peri_image_kind kind;
    size_t width, height;
    int channels;  /* 1, 3 or 4 */
    bool bytes;    /* whether every value is a whole number */
    double scale;  /* PNM: 255 / maxval */
    bool plain;    /* PNM: numbers as text */
    unsigned most; /* PNM: maxval */
    void *codec;   /* libpng's or libjpeg's state */
} peri_image;

peri_image_kind peri_image_sniff(const unsigned char *bytes, size_t count);

void peri_image_init(peri_image *m, peri_source *source);
peri_io peri_image_open(peri_image *m, peri_image_kind kind, peri_fault *fault);

/* out: height * width * channels elements of dtype, into which every value is rounded. */
peri_io peri_image_read(peri_image *m, int dtype, void *out, peri_fault *fault);

void peri_image_close(peri_image *m);

#endif
