/* SPDX-License-Identifier: MIT
 *
 * Marks at many points: few are paths; many of one size are stamped from a few small pictures. */
#include <stdlib.h>
#include <string.h>

#include "draw/parts.h"
#include "draw/raster.h"

enum {
    MANY_MARKS = 2000,   /* more than this are rasterised in a document */
    STAMPED_MARKS = 400, /* more than this of one size are stamped, in pixels too */
    STAMP_GRID = 4       /* stamps are placed to 1/4 pixel */
};

/* Each shape has about the area of the circle of that radius. */
static void draw_mark(const struct peri_drawing *cairo, cairo_t *to, peri_mark mark, double x,
                      double y, double r)
{
    static const double triangle[3][2] = {{0, -1.45}, {1.3, 0.85}, {-1.3, 0.85}};
    double k;
    cairo->cairo_new_path(to);
    switch (mark) {
    case PERI_MARK_SQUARE:
        k = 0.89 * r;
        cairo->cairo_rectangle(to, x - k, y - k, 2 * k, 2 * k);
        break;
    case PERI_MARK_DIAMOND:
        k = 1.25 * r;
        cairo->cairo_move_to(to, x, y - k);
        cairo->cairo_line_to(to, x + k, y);
        cairo->cairo_line_to(to, x, y + k);
        cairo->cairo_line_to(to, x - k, y);
        cairo->cairo_close_path(to);
        break;
    case PERI_MARK_TRIANGLE:
        for (int i = 0; i < 3; i++)
            cairo->cairo_line_to(to, x + r * triangle[i][0], y + r * triangle[i][1]);
        cairo->cairo_close_path(to);
        break;
    case PERI_MARK_PLUS:
        k = 1.1 * r;
        cairo->cairo_move_to(to, x - k, y);
        cairo->cairo_line_to(to, x + k, y);
        cairo->cairo_move_to(to, x, y - k);
        cairo->cairo_line_to(to, x, y + k);
        break;
    case PERI_MARK_CROSS:
        k = 0.85 * r;
        cairo->cairo_move_to(to, x - k, y - k);
        cairo->cairo_line_to(to, x + k, y + k);
        cairo->cairo_move_to(to, x + k, y - k);
        cairo->cairo_line_to(to, x - k, y + k);
        break;
    case PERI_MARK_CIRCLE:
    case PERI_MARK_RING:
        cairo->cairo_arc(to, x, y, r, 0, 2 * M_PI);
        cairo->cairo_close_path(to);
        break;
    }
    if (mark == PERI_MARK_PLUS || mark == PERI_MARK_CROSS || mark == PERI_MARK_RING) {
        cairo->cairo_set_line_width(to, 0.45 * r);
        cairo->cairo_stroke(to);
    } else {
        cairo->cairo_fill(to);
    }
}

/* The mark at each of STAMP_GRID x STAMP_GRID places within a pixel, as coverage. */
struct stamps {
    uint8_t *coverage;
    int size; /* of one stamp; the mark's centre lies in the pixel at size / 2 */
};

static bool stamps_make(const peri_canvas *c, struct stamps *s, peri_mark mark, double radius)
{
    const struct peri_drawing *cairo = c->cairo;
    s->size = 2 * (int)ceil(1.5 * radius + 2) + 1;
    const size_t area = (size_t)s->size * (size_t)s->size;
    s->coverage = malloc(area * STAMP_GRID * STAMP_GRID);
    if (s->coverage == NULL)
        return false;
    bool ok = true;
    for (int k = 0; k < STAMP_GRID * STAMP_GRID && ok; k++) {
        cairo_surface_t *surface =
            cairo->cairo_image_surface_create(CAIRO_FORMAT_A8, s->size, s->size);
        cairo_t *to = cairo->cairo_create(surface);
        const int middle = s->size / 2, row = k / STAMP_GRID;
        const double x = middle + (k % STAMP_GRID + 0.5) / STAMP_GRID;
        const double y = middle + (row + 0.5) / STAMP_GRID;
        cairo->cairo_set_source_rgba(to, 0, 0, 0, 1);
        draw_mark(cairo, to, mark, x, y, radius);
        cairo->cairo_surface_flush(surface);
        ok = cairo->cairo_status(to) == CAIRO_STATUS_SUCCESS;
        const unsigned char *data = cairo->cairo_image_surface_get_data(surface);
        const int stride = ok ? cairo->cairo_image_surface_get_stride(surface) : 0;
        for (int i = 0; i < s->size && ok; i++)
            memcpy(s->coverage + (size_t)k * area + (size_t)(i * s->size), data + i * stride,
                   (size_t)s->size);
        cairo->cairo_destroy(to);
        cairo->cairo_surface_destroy(surface);
    }
    if (!ok)
        free(s->coverage);
    return ok;
}

static void stamp(peri_layer *layer, const struct stamps *s, double x, double y,
                  const double rgba[4])
{
    const long left = (long)floor(x), top = (long)floor(y);
    const int fx = (int)((x - floor(x)) * STAMP_GRID), fy = (int)((y - floor(y)) * STAMP_GRID);
    const size_t area = (size_t)s->size * (size_t)s->size;
    peri_raster_stamp(layer->pixels, layer->stride, layer->w, layer->h,
                      s->coverage + (size_t)(fy * STAMP_GRID + fx) * area, s->size,
                      left - s->size / 2, top - s->size / 2, rgba);
}

peri_canvas_status peri_canvas_points(peri_canvas *c, const double *x, const double *y, size_t n,
                                      const peri_canvas_map *map, peri_mark mark, double radius,
                                      const double *radii, const double *colors)
{
    const struct peri_drawing *cairo = c->cairo;
    const bool stamped = radii == NULL && radius * c->fine <= 32 &&
                         n > (c->kind == PERI_CANVAS_PIXELS ? STAMPED_MARKS : MANY_MARKS);
    const bool layered = stamped || (n > MANY_MARKS && c->kind != PERI_CANVAS_PIXELS);
    const double biggest = 4096;
    peri_layer layer = {.fine = 1};
    struct stamps stamps = {0};
    cairo_t *to = c->to;
    if (c->clip.w <= 0 || c->clip.h <= 0)
        return PERI_CANVAS_OK;
    if (layered) {
        peri_canvas_status status = peri_layer_open(c, &layer);
        if (status != PERI_CANVAS_OK)
            return status;
        if (stamped && !stamps_make(c, &stamps, mark, radius * layer.fine)) {
            peri_layer_close(c, &layer, true);
            return PERI_CANVAS_NO_MEMORY;
        }
        if (!stamped)
            to = cairo->cairo_create(layer.surface);
    } else {
        cairo->cairo_save(to);
    }
    if (!stamped) {
        cairo->cairo_set_dash(to, NULL, 0, 0);
        cairo->cairo_set_source_rgba(to, c->color[0], c->color[1], c->color[2], c->color[3]);
    }

    peri_canvas_status status = PERI_CANVAS_OK;
    for (size_t i = 0; i < n; i++) {
        if (peri_canvas_is_stopped(c, i)) {
            status = PERI_CANVAS_INTERRUPTED;
            break;
        }
        const double r = radii == NULL ? radius : radii[i];
        double u = peri_map_x(map, x[i]), v = peri_map_y(map, y[i]);
        if (!(r > 0) || r > biggest || !(u + 2 * r >= c->clip.x) || !(v + 2 * r >= c->clip.y) ||
            !(u - 2 * r <= c->clip.x + c->clip.w) || !(v - 2 * r <= c->clip.y + c->clip.h))
            continue;
        const double *color = colors == NULL ? c->color : colors + 4 * i;
        if (layered) {
            u = (u - layer.x) * layer.fine;
            v = (v - layer.y) * layer.fine;
        }
        if (stamped) {
            stamp(&layer, &stamps, u, v, color);
        } else {
            if (colors != NULL)
                cairo->cairo_set_source_rgba(to, color[0], color[1], color[2], color[3]);
            draw_mark(cairo, to, mark, u, v, r * layer.fine);
        }
    }
    free(stamps.coverage);
    if (layered && !stamped) {
        cairo->cairo_destroy(to);
        cairo->cairo_surface_flush(layer.surface);
    }
    if (layered)
        peri_layer_close(c, &layer, status != PERI_CANVAS_OK);
    else
        cairo->cairo_restore(to);
    return status;
}
