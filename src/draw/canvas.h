/* SPDX-License-Identifier: MIT
 *
 * A canvas: paths, text, images and whole arrays of points, drawn without a display into PNG
 * pixels, an SVG document or a PDF page. The same calls give the same bytes, in any process.
 *
 * Coordinates and lengths are pixels of the picture, x to the right, y down, in all three kinds.
 * A colour is (r, g, b, a), each in 0..1. What is not finite is not drawn; coordinates far
 * outside are drawn as far as they can be seen.
 *
 * Cairo and FreeType are opened with dlopen() by the first peri_font_open(); without them, and
 * without a font file, it fails and says what is missing.
 *
 * Thousands of marks, or a polyline of thousands of corners, become one picture of their own
 * inside an SVG or PDF ("rasterised"), so that a figure of 1e6 points stays small.
 */
#ifndef PERIGEE_DRAW_CANVAS_H
#define PERIGEE_DRAW_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/stop.h"
#include "kernel/view.h"

typedef enum {
    PERI_CANVAS_OK = 0,
    PERI_CANVAS_NO_LIBRARY, /* fault.what is the library, fault.package what brings it */
    PERI_CANVAS_NO_FONT,    /* fault.what is the file looked for, fault.package what brings it */
    PERI_CANVAS_BAD_FONT,   /* fault.what cannot be read as a font */
    PERI_CANVAS_NO_MEMORY,
    PERI_CANVAS_TOO_LARGE,   /* wider or higher than PERI_CANVAS_MAX pixels, or not positive */
    PERI_CANVAS_INTERRUPTED, /* the stop flag was set */
    PERI_CANVAS_FAILED       /* fault.reason is Cairo's own word */
} peri_canvas_status;

enum { PERI_CANVAS_MAX = 16384 };

typedef struct {
    char what[256];
    const char *package;
    char reason[256];
} peri_canvas_fault;

/* ---- the font ----------------------------------------------------------------------------- */

typedef struct peri_font peri_font;

/* Opens the font file at path; NULL: DejaVu Sans where systems keep it. The caller closes it;
 * canvases made with it keep what they need. */
peri_canvas_status peri_font_open(const char *path, peri_font **out, peri_canvas_fault *fault);
void peri_font_close(peri_font *font);

/* ---- the canvas --------------------------------------------------------------------------- */

typedef struct peri_canvas peri_canvas;

typedef enum { PERI_CANVAS_PIXELS = 0, PERI_CANVAS_SVG, PERI_CANVAS_PDF } peri_canvas_kind;

/* A white canvas of width x height pixels, which are kept in `pixels` (4 width height bytes, for as
 * long as the canvas is open; NULL: memory of its own; unused for documents). `dpi` sets the size
 * of a PDF page (width / dpi inches) and how fine its rasterised parts are. Black pen of width 1,
 * butt caps, round joins. */
peri_canvas_status peri_canvas_open(peri_canvas_kind kind, size_t width, size_t height, double dpi,
                                    const peri_font *font, void *pixels, peri_canvas **out,
                                    peri_canvas_fault *fault);
void peri_canvas_close(peri_canvas *canvas);

/* Long calls below look at it and return PERI_CANVAS_INTERRUPTED. NULL: never. */
void peri_canvas_stop(peri_canvas *canvas, const peri_stop *stop);

/* ---- paths -------------------------------------------------------------------------------- */

void peri_canvas_color(peri_canvas *canvas, const double rgba[4]);

/* The pen: its width and its dashes, on and off in turn (ndash 0: solid; at most
 * 8, each above 0). */
void peri_canvas_pen(peri_canvas *canvas, double width, const double *dash, size_t ndash);

void peri_canvas_move(peri_canvas *canvas, double x, double y);
void peri_canvas_line(peri_canvas *canvas, double x, double y);
void peri_canvas_rect(peri_canvas *canvas, double x, double y, double width, double height);
void peri_canvas_circle(peri_canvas *canvas, double x, double y, double radius);
void peri_canvas_join(peri_canvas *canvas); /* closes the open part of the path */
void peri_canvas_fill(peri_canvas *canvas);
void peri_canvas_stroke(peri_canvas *canvas);

/* From here on only what lies in the rectangle is drawn, until peri_canvas_unclip(). A second
 * clip replaces the first. */
void peri_canvas_clip(peri_canvas *canvas, double x, double y, double width, double height);
void peri_canvas_unclip(peri_canvas *canvas);

/* ---- text --------------------------------------------------------------------------------- */

/* Of one line of text at this size: how far the pen advances, and the box of its ink, relative
 * to the start of the baseline (top is negative above it; an empty box is all 0). */
typedef struct {
    double advance, left, top, right, bottom;
} peri_text_box;

/* text is `length` bytes of UTF-8; what is not UTF-8 stands as U+FFFD, a control character as a
 * space. `size` is the height of the em square in pixels. */
peri_canvas_status peri_canvas_measure(peri_canvas *canvas, const char *text, size_t length,
                                       double size, peri_text_box *box);

/* Whether the font has the letter of this code point; one that it lacks is drawn as a box. */
bool peri_canvas_has_letter(const peri_canvas *canvas, unsigned long code);

/* Draws it from (x, y), the start of the baseline, turned by `angle` radians counterclockwise. */
peri_canvas_status peri_canvas_text(peri_canvas *canvas, const char *text, size_t length,
                                    double size, double x, double y, double angle);

/* ---- images ------------------------------------------------------------------------------- */

/* Draws pixels, (h,w), (h,w,3) or (h,w,4) in 0..255 (rounded and clamped, NaN as 0), into the
 * rectangle: enlarged pixels keep sharp edges, a reduced image is averaged. */
peri_canvas_status peri_canvas_image(peri_canvas *canvas, const peri_view *pixels, double x,
                                     double y, double width, double height);

/* ---- whole arrays ------------------------------------------------------------------------- */

/* From data to pixels: ax + bx * (x - x0), with log10(x) for x where log is set; likewise y. Taking
 * x0 away first keeps the digits of a small change of a large number. */
typedef struct {
    double ax, bx, ay, by;
    bool xlog, ylog;
    double x0, y0;
} peri_canvas_map;

/* Strokes through the n points with the pen; one that is not finite after the map breaks the
 * line. Corners nearer together than can be seen are left out. */
peri_canvas_status peri_canvas_polyline(peri_canvas *canvas, const double *x, const double *y,
                                        size_t n, const peri_canvas_map *map);

/* Fills between lo and hi over x, n of each; a point that is not finite breaks the band. Of
 * points that stand in one column of pixels the least and the greatest count. */
peri_canvas_status peri_canvas_band(peri_canvas *canvas, const double *x, const double *lo,
                                    const double *hi, size_t n, const peri_canvas_map *map);

typedef enum {
    PERI_MARK_CIRCLE = 0,
    PERI_MARK_SQUARE,
    PERI_MARK_DIAMOND,
    PERI_MARK_TRIANGLE,
    PERI_MARK_PLUS,
    PERI_MARK_CROSS,
    PERI_MARK_RING
} peri_mark;

/* Draws a mark at each of n points, in order: `radius` pixels, or radii[i] (n) unless NULL; in
 * the colour set, or in colors[4*i..] (n,4) unless NULL. */
peri_canvas_status peri_canvas_points(peri_canvas *canvas, const double *x, const double *y,
                                      size_t n, const peri_canvas_map *map, peri_mark mark,
                                      double radius, const double *radii, const double *colors);

/* The box of the points that can be drawn, both coordinates finite and positive where log:
 * {x least, x greatest, y least, y greatest}. False when there is none. x or y may be NULL. */
bool peri_canvas_extent(const double *x, const double *y, size_t n, bool xlog, bool ylog,
                        double box[4]);

/* ---- what comes out ----------------------------------------------------------------------- */

/* Pixels as 8-bit RGB rows into out (height, width, 3); only for PERI_CANVAS_PIXELS. */
peri_canvas_status peri_canvas_pixels(peri_canvas *canvas, unsigned char *out,
                                      peri_canvas_fault *fault);

/* The document of an SVG or PDF canvas; it belongs to the canvas. Nothing can be drawn after. */
peri_canvas_status peri_canvas_document(peri_canvas *canvas, const unsigned char **data,
                                        size_t *length, peri_canvas_fault *fault);

#endif
