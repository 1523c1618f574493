/* SPDX-License-Identifier: MIT
 *
 * Whole polylines: mapped, thinned to what can be seen, cut to the clip, and stroked by Cairo
 * or, where corners are too many for it, by the rasteriser. */
#include <stdlib.h>

#include "draw/parts.h"
#include "draw/raster.h"

enum { MANY_CORNERS = 6000 /* a polyline of more is rasterised */ };

static bool corner(peri_canvas *c, double x, double y)
{
    if (c->ncorners + 2 > c->roomcorners) {
        const size_t room = c->roomcorners < 4096 ? 4096 : 2 * c->roomcorners;
        double *grown = realloc(c->corners, room * sizeof *grown);
        if (grown == NULL)
            return false;
        c->corners = grown;
        c->roomcorners = room;
    }
    c->corners[c->ncorners++] = x;
    c->corners[c->ncorners++] = y;
    return true;
}

/* Ends that lie very far away leave little of the digits of a cut; the box bounds what is lost. */
static double between(double v, double lo, double length)
{
    return fmax(lo, fmin(lo + length, v));
}

/* Liang and Barsky: cuts the segment to the box; false when nothing is left. */
static bool cut(const peri_rectangle *box, double *x0, double *y0, double *x1, double *y1)
{
    const double dx = *x1 - *x0, dy = *y1 - *y0;
    const double p[4] = {-dx, dx, -dy, dy};
    const double q[4] = {*x0 - box->x, box->x + box->w - *x0, *y0 - box->y, box->y + box->h - *y0};
    double t0 = 0, t1 = 1;
    for (int i = 0; i < 4; i++) {
        if (p[i] == 0) {
            if (q[i] < 0)
                return false;
        } else if (p[i] < 0) {
            t0 = fmax(t0, q[i] / p[i]);
        } else {
            t1 = fmin(t1, q[i] / p[i]);
        }
    }
    if (t0 > t1)
        return false;
    const double sx = *x0, sy = *y0;
    if (t1 < 1) {
        *x1 = between(sx + t1 * dx, box->x, box->w);
        *y1 = between(sy + t1 * dy, box->y, box->h);
    }
    if (t0 > 0) {
        *x0 = between(sx + t0 * dx, box->x, box->w);
        *y0 = between(sy + t0 * dy, box->y, box->h);
    }
    return true;
}

/* One unbroken part of a line on its way into c->corners. Consecutive points in one column, half
 * a pixel wide, become at most four: first, lowest, highest and last, in their order, which draw
 * the same. What lies outside the box is cut off. */
struct run {
    peri_rectangle box;
    double fine;
    size_t count; /* points so far */
    double near, column;
    size_t seen;     /* points in this column; 0: none */
    double xy[4][2]; /* first, lowest, highest, last of the column */
    size_t when[4];
    double x, y;       /* last corner put out */
    bool open, inside; /* there is one; it lies at the end of c->corners */
};

static bool put(peri_canvas *c, struct run *r, double x, double y, bool last)
{
    /* nearer to the corner before than can be seen */
    if (r->open && !last && fabs(x - r->x) < r->near && fabs(y - r->y) < r->near)
        return true;
    if (!r->open) {
        r->open = true;
        r->inside = false;
        r->x = x;
        r->y = y;
        return true;
    }
    double x0 = r->x, y0 = r->y, x1 = x, y1 = y;
    r->x = x;
    r->y = y;
    if (!cut(&r->box, &x0, &y0, &x1, &y1)) {
        r->inside = false;
        return true;
    }
    if (!r->inside && (!corner(c, NAN, NAN) || !corner(c, x0, y0)))
        return false;
    r->inside = x1 == x && y1 == y;
    return corner(c, x1, y1);
}

static bool put_column(peri_canvas *c, struct run *r, bool last)
{
    if (r->seen == 0)
        return true;
    int order[4] = {0, 1, 2, 3};
    if (r->when[2] < r->when[1]) {
        order[1] = 2;
        order[2] = 1;
    }
    for (int k = 0; k < 4; k++) {
        const int i = order[k];
        if (k > 0 && r->when[i] == r->when[order[k - 1]])
            continue;
        if (!put(c, r, r->xy[i][0], r->xy[i][1], last && r->when[i] == r->when[3]))
            return false;
    }
    r->seen = 0;
    return true;
}

static bool take(peri_canvas *c, struct run *r, double x, double y)
{
    const double column = floor(x * 2 * r->fine);
    if (r->seen > 0 && column != r->column && !put_column(c, r, false))
        return false;
    const size_t now = r->count++;
    if (r->seen++ == 0) {
        r->column = column;
        for (int k = 0; k < 4; k++) {
            r->xy[k][0] = x;
            r->xy[k][1] = y;
            r->when[k] = now;
        }
        return true;
    }
    const bool which[4] = {false, y<r->xy[1][1], y> r->xy[2][1], true};
    for (int k = 1; k < 4; k++) {
        if (which[k]) {
            r->xy[k][0] = x;
            r->xy[k][1] = y;
            r->when[k] = now;
        }
    }
    return true;
}

/* Ends a part. A point alone becomes a dot, or it would not be seen. */
static bool end_run(peri_canvas *c, struct run *r)
{
    const bool alone = r->count == 1;
    const double x = r->xy[0][0], y = r->xy[0][1];
    if (!put_column(c, r, true))
        return false;
    if (alone && x >= r->box.x && x <= r->box.x + r->box.w && y >= r->box.y &&
        y <= r->box.y + r->box.h) {
        peri_canvas_circle(c, x, y, c->pen);
        peri_canvas_fill(c);
    }
    r->count = 0;
    r->open = r->inside = false;
    return true;
}

static void stroke_corners(peri_canvas *c)
{
    bool first = true;
    for (size_t i = 0; i < c->ncorners; i += 2) {
        const double x = c->corners[i], y = c->corners[i + 1];
        if (isnan(x)) {
            first = true;
        } else if (first) {
            c->cairo->cairo_move_to(c->to, x, y);
            first = false;
        } else {
            c->cairo->cairo_line_to(c->to, x, y);
        }
    }
    c->cairo->cairo_stroke(c->to);
}

/* Where a dashed line is in its pattern: even elements are drawn. */
struct dashing {
    size_t element;
    double left; /* pixels left of it */
};

/* One segment's dashes. Round ends reach half a width beyond, so a dash begins and ends earlier. */
static void raster_dashes(const peri_canvas *c, const peri_layer *layer, uint8_t *coverage,
                          struct dashing *at, double x0, double y0, double x1, double y1)
{
    const double length = hypot(x1 - x0, y1 - y0), width = c->pen * layer->fine;
    double gone = 0;
    while (gone < length) {
        const double step = fmin(at->left, length - gone);
        if (at->element % 2 == 0) {
            const double inset = fmin(width / 2, step / 2 - 1e-6);
            const double from = (gone + inset) / length, to = (gone + step - inset) / length;
            peri_raster_segment(coverage, layer->w, layer->h, x0 + from * (x1 - x0),
                                y0 + from * (y1 - y0), x0 + to * (x1 - x0), y0 + to * (y1 - y0),
                                width);
        }
        gone += step;
        at->left -= step;
        if (at->left <= 1e-9) {
            at->element++;
            at->left = fmax(c->dash[at->element % c->ndash] * layer->fine, 0.1);
        }
    }
}

static peri_canvas_status raster_corners(peri_canvas *c)
{
    peri_layer layer;
    peri_canvas_status status = peri_layer_open(c, &layer);
    if (status != PERI_CANVAS_OK)
        return status;
    uint8_t *coverage = calloc(layer.w * layer.h + 1, 1);
    if (coverage == NULL) {
        peri_layer_close(c, &layer, true);
        return PERI_CANVAS_NO_MEMORY;
    }
    struct dashing at = {0, 0};
    double x = NAN, y = NAN;
    const size_t n = layer.w > 0 && layer.h > 0 ? c->ncorners : 0;
    for (size_t i = 0; i < n && status == PERI_CANVAS_OK; i += 2) {
        const double u = (c->corners[i] - layer.x) * layer.fine;
        const double v = (c->corners[i + 1] - layer.y) * layer.fine;
        if (isnan(u))
            at = (struct dashing){0, c->ndash > 0 ? c->dash[0] * layer.fine : 0};
        else if (!isnan(x) && c->ndash > 0)
            raster_dashes(c, &layer, coverage, &at, x, y, u, v);
        else if (!isnan(x))
            peri_raster_segment(coverage, layer.w, layer.h, x, y, u, v, c->pen * layer.fine);
        x = u;
        y = v;
        if (i % 4096 == 0 && peri_stop_requested(c->stop))
            status = PERI_CANVAS_INTERRUPTED;
    }
    peri_raster_tint(layer.pixels, layer.stride, coverage, layer.w, layer.h, c->color);
    free(coverage);
    peri_layer_close(c, &layer, status != PERI_CANVAS_OK);
    return status;
}

/* Whether Cairo would take long: it sorts all crossings of a path with itself. A document is only
 * to stay small. */
static bool is_dense(const peri_canvas *c)
{
    const size_t corners = c->ncorners / 2;
    if (corners > MANY_CORNERS)
        return true;
    if (c->kind != PERI_CANVAS_PIXELS || corners < 100)
        return false;
    double length = 0;
    for (size_t i = 2; i < c->ncorners; i += 2) {
        const double step =
            hypot(c->corners[i] - c->corners[i - 2], c->corners[i + 1] - c->corners[i - 1]);
        length += isnan(step) ? 0 : step;
    }
    return length > 30 * (c->clip.w + c->clip.h);
}

peri_canvas_status peri_canvas_polyline(peri_canvas *c, const double *x, const double *y, size_t n,
                                        const peri_canvas_map *map)
{
    const double margin = c->pen + 8;
    struct run run = {.box = {c->clip.x - margin, c->clip.y - margin, c->clip.w + 2 * margin,
                              c->clip.h + 2 * margin},
                      .fine = c->fine,
                      .near = 0.3 / c->fine};
    c->ncorners = 0;
    c->cairo->cairo_new_path(c->to);
    for (size_t i = 0; i < n; i++) {
        const double far = 1e15, u = peri_map_x(map, x[i]), v = peri_map_y(map, y[i]);
        if (!(isfinite(u) && isfinite(v)
                  ? take(c, &run, fmax(-far, fmin(far, u)), fmax(-far, fmin(far, v)))
                  : end_run(c, &run)))
            return PERI_CANVAS_NO_MEMORY;
        if (peri_canvas_is_stopped(c, i))
            return PERI_CANVAS_INTERRUPTED;
    }
    if (!end_run(c, &run))
        return PERI_CANVAS_NO_MEMORY;
    if (is_dense(c))
        return raster_corners(c);
    stroke_corners(c);
    return PERI_CANVAS_OK;
}

/* Adds to the corners x, lowest and highest of one column of a band: three numbers. */
static bool put_slice(peri_canvas *c, double x, double lo, double hi)
{
    return corner(c, x, lo) && corner(c, hi, 0);
}

static void fill_slices(peri_canvas *c)
{
    const double *s = c->corners;
    const size_t count = c->ncorners / 4;
    for (size_t i = 0; i < count; i++)
        c->cairo->cairo_line_to(c->to, peri_bounded(s[4 * i]), peri_bounded(s[4 * i + 1]));
    for (size_t i = count; i-- > 0;)
        c->cairo->cairo_line_to(c->to, peri_bounded(s[4 * i]), peri_bounded(s[4 * i + 2]));
    if (count > 0)
        c->cairo->cairo_close_path(c->to);
    c->cairo->cairo_fill(c->to);
    c->ncorners = 0;
}

peri_canvas_status peri_canvas_band(peri_canvas *c, const double *x, const double *lo,
                                    const double *hi, size_t n, const peri_canvas_map *map)
{
    const bool thinned = n > 4 * c->width;
    double column = 0, at = 0, low = 0, high = 0;
    bool open = false;
    c->ncorners = 0;
    c->cairo->cairo_new_path(c->to);
    for (size_t i = 0; i < n; i++) {
        const double u = peri_map_x(map, x[i]);
        const double v = peri_map_y(map, lo[i]), w = peri_map_y(map, hi[i]);
        const bool good = isfinite(u) && isfinite(v) && isfinite(w);
        const bool same = open && good && thinned && floor(2 * u) == column;
        if (open && !same && !put_slice(c, at, low, high))
            return PERI_CANVAS_NO_MEMORY;
        if (same) {
            low = fmax(low, fmax(v, w)); /* y runs down */
            high = fmin(high, fmin(v, w));
        } else if (good) {
            column = floor(2 * u);
            at = u;
            low = v;
            high = w;
        } else {
            fill_slices(c);
        }
        open = good;
        if (peri_canvas_is_stopped(c, i))
            return PERI_CANVAS_INTERRUPTED;
    }
    if (open && !put_slice(c, at, low, high))
        return PERI_CANVAS_NO_MEMORY;
    fill_slices(c);
    return PERI_CANVAS_OK;
}

static bool drawable(double v, bool log)
{
    return isfinite(v) && (!log || v > 0);
}

bool peri_canvas_extent(const double *x, const double *y, size_t n, bool xlog, bool ylog,
                        double box[4])
{
    bool any = false;
    box[0] = box[2] = INFINITY;
    box[1] = box[3] = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const double u = x == NULL ? 1 : x[i], v = y == NULL ? 1 : y[i];
        if (!drawable(u, xlog) || !drawable(v, ylog))
            continue;
        any = true;
        box[0] = fmin(box[0], u);
        box[1] = fmax(box[1], u);
        box[2] = fmin(box[2], v);
        box[3] = fmax(box[3], v);
    }
    return any;
}
