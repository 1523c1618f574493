/* SPDX-License-Identifier: MIT
 *
 * What the files of this room share: the insides of a font, a canvas, and a layer. */
#ifndef PERIGEE_DRAW_PARTS_H
#define PERIGEE_DRAW_PARTS_H

#include <math.h>
#include <stdint.h>

#include "draw/cairo.h"
#include "draw/canvas.h"

#define PERI_FAR_AWAY 1e6 /* Cairo counts in 24.8 fixed point */

struct peri_font {
    const struct peri_drawing *cairo;
    cairo_font_face_t *face;
    FT_Face letters; /* lives as long as face */
};

typedef struct {
    double x, y, w, h;
} peri_rectangle;

struct peri_canvas {
    const struct peri_drawing *cairo;
    peri_canvas_kind kind;
    size_t width, height;
    double fine; /* pixels of a rasterised part in one pixel of the canvas */
    cairo_surface_t *surface;
    cairo_t *to;
    FT_Face letters; /* of the font in use */
    const peri_stop *stop;
    double color[4], pen;
    double dash[8];
    size_t ndash;
    peri_rectangle clip;
    /* the document, and whether memory for it ran out */
    unsigned char *bytes;
    size_t length, room;
    bool full, finished;
    /* corners of the polyline at hand, x then y; x NaN begins a new part */
    double *corners;
    size_t ncorners, roomcorners;
};

/* A coordinate Cairo can take. */
static inline double peri_bounded(double x)
{
    if (isnan(x))
        return -PERI_FAR_AWAY;
    return x < -PERI_FAR_AWAY ? -PERI_FAR_AWAY : x > PERI_FAR_AWAY ? PERI_FAR_AWAY : x;
}

static inline double peri_map_x(const peri_canvas_map *m, double x)
{
    return m->ax + m->bx * ((m->xlog ? log10(x) : x) - m->x0);
}

static inline double peri_map_y(const peri_canvas_map *m, double y)
{
    return m->ay + m->by * ((m->ylog ? log10(y) : y) - m->y0);
}

/* Fills in the fault and returns the status. */
peri_canvas_status peri_canvas_say(peri_canvas_fault *fault, peri_canvas_status status,
                                   const char *what, const char *package, const char *reason);

/* Whether to stop at the i-th point; looks at the flag now and then. */
static inline bool peri_canvas_is_stopped(const peri_canvas *c, size_t i)
{
    return i % 65536 == 0 && peri_stop_requested(c->stop);
}

/* Paints the image surface of w x h pixels into the rectangle. */
void peri_draw_place(peri_canvas *c, cairo_surface_t *image, size_t w, size_t h, peri_rectangle r,
                     cairo_filter_t filter);

/* A transparent picture over the clip, `fine` of its pixels to one of the canvas: where marks and
 * lines too many for Cairo, or for a document, are drawn. */
typedef struct {
    cairo_surface_t *surface;
    uint32_t *pixels;
    size_t stride, w, h;
    double x, y, fine;
} peri_layer;

peri_canvas_status peri_layer_open(peri_canvas *c, peri_layer *layer);

/* Puts it onto the canvas, unless `drop`, and frees it. */
void peri_layer_close(peri_canvas *c, peri_layer *layer, bool drop);

#endif
