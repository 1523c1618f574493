/* SPDX-License-Identifier: MIT
 *
 * The canvas over Cairo. Text in pixels is filled as paths, which puts letters where they belong
 * to a fraction of a pixel; in documents it stays text.
 */
#include "draw/canvas.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw/cairo.h"
#include "draw/parts.h"
#include "draw/svg.h"

peri_canvas_status peri_canvas_say(peri_canvas_fault *fault, peri_canvas_status status,
                                   const char *what, const char *package, const char *reason)
{
    snprintf(fault->what, sizeof fault->what, "%s", what);
    snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    fault->package = package;
    return status;
}

/* ---- opening and closing ------------------------------------------------------------------ */

static cairo_status_t append(void *data, const unsigned char *bytes, unsigned int length)
{
    peri_canvas *c = data;
    if (c->full)
        return CAIRO_STATUS_NO_MEMORY;
    if (length > c->room - c->length) {
        size_t room = c->room < 65536 ? 65536 : c->room;
        while (room - c->length < length)
            room *= 2;
        unsigned char *grown = realloc(c->bytes, room);
        if (grown == NULL) {
            c->full = true;
            return CAIRO_STATUS_NO_MEMORY;
        }
        c->bytes = grown;
        c->room = room;
    }
    memcpy(c->bytes + c->length, bytes, length);
    c->length += length;
    return CAIRO_STATUS_SUCCESS;
}

static peri_canvas_status state_of(const peri_canvas *c, peri_canvas_fault *fault)
{
    cairo_status_t status = c->cairo->cairo_status(c->to);
    if (status == CAIRO_STATUS_SUCCESS)
        status = c->cairo->cairo_surface_status(c->surface);
    if (status == CAIRO_STATUS_SUCCESS || (c->finished && status == CAIRO_STATUS_SURFACE_FINISHED))
        return PERI_CANVAS_OK;
    if (status == CAIRO_STATUS_NO_MEMORY)
        return PERI_CANVAS_NO_MEMORY;
    return peri_canvas_say(fault, PERI_CANVAS_FAILED, "", NULL,
                           c->cairo->cairo_status_to_string(status));
}

peri_canvas_status peri_canvas_open(peri_canvas_kind kind, size_t width, size_t height, double dpi,
                                    const peri_font *font, void *pixels, peri_canvas **out,
                                    peri_canvas_fault *fault)
{
    *out = NULL;
    if (width < 1 || height < 1 || width > PERI_CANVAS_MAX || height > PERI_CANVAS_MAX)
        return PERI_CANVAS_TOO_LARGE;
    const struct peri_drawing *cairo = font->cairo;
    peri_canvas *c = calloc(1, sizeof *c);
    if (c == NULL)
        return PERI_CANVAS_NO_MEMORY;
    c->cairo = cairo;
    c->kind = kind;
    c->width = width;
    c->height = height;
    c->pen = 1;
    c->color[3] = 1;
    const double points = 72 / dpi;
    if (kind == PERI_CANVAS_PIXELS) {
        c->fine = 1;
        if (pixels == NULL)
            c->surface =
                cairo->cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)width, (int)height);
        else
            c->surface = cairo->cairo_image_surface_create_for_data(
                memset(pixels, 0, 4 * width * height), CAIRO_FORMAT_ARGB32, (int)width, (int)height,
                (int)(4 * width));
    } else {
        c->fine = fmin(4, fmax(1, ceil(200 / dpi)));
        if (kind == PERI_CANVAS_SVG) {
            c->surface = cairo->cairo_svg_surface_create_for_stream(append, c, (double)width,
                                                                    (double)height);
            cairo->cairo_svg_surface_set_document_unit(c->surface, CAIRO_SVG_UNIT_PX);
        } else {
            c->surface = cairo->cairo_pdf_surface_create_for_stream(
                append, c, (double)width * points, (double)height * points);
            cairo->cairo_pdf_surface_set_metadata(c->surface, CAIRO_PDF_METADATA_CREATE_DATE,
                                                  "2000-01-01T00:00:00Z");
        }
    }
    c->to = cairo->cairo_create(c->surface);
    peri_canvas_status status = state_of(c, fault);
    if (status != PERI_CANVAS_OK) {
        peri_canvas_close(c);
        return status;
    }
    if (kind == PERI_CANVAS_PDF)
        cairo->cairo_scale(c->to, points, points);
    cairo->cairo_set_font_face(c->to, font->face);
    c->letters = font->letters;
    cairo_font_options_t *options = cairo->cairo_font_options_create();
    cairo->cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo->cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo->cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo->cairo_set_font_options(c->to, options);
    cairo->cairo_font_options_destroy(options);
    cairo->cairo_set_line_join(c->to, CAIRO_LINE_JOIN_ROUND);
    cairo->cairo_set_line_width(c->to, c->pen);
    cairo->cairo_set_source_rgba(c->to, 1, 1, 1, 1);
    cairo->cairo_paint(c->to);
    cairo->cairo_set_source_rgba(c->to, 0, 0, 0, 1);
    peri_canvas_unclip(c);
    *out = c;
    return PERI_CANVAS_OK;
}

void peri_canvas_close(peri_canvas *c)
{
    if (c == NULL)
        return;
    c->cairo->cairo_destroy(c->to);
    c->cairo->cairo_surface_destroy(c->surface); /* a document writes its last bytes here */
    free(c->bytes);
    free(c->corners);
    free(c);
}

void peri_canvas_stop(peri_canvas *c, const peri_stop *stop)
{
    c->stop = stop;
}

/* ---- paths -------------------------------------------------------------------------------- */

void peri_canvas_color(peri_canvas *c, const double rgba[4])
{
    memcpy(c->color, rgba, sizeof c->color);
    c->cairo->cairo_set_source_rgba(c->to, rgba[0], rgba[1], rgba[2], rgba[3]);
}

void peri_canvas_pen(peri_canvas *c, double width, const double *dash, size_t ndash)
{
    c->pen = fmin(fmax(width, 0), PERI_FAR_AWAY);
    c->ndash = 0;
    for (size_t k = 0; k < ndash && k < 8 && dash[k] > 0; k++)
        c->dash[c->ndash++] = dash[k];
    c->cairo->cairo_set_line_width(c->to, c->pen);
    c->cairo->cairo_set_dash(c->to, c->dash, (int)c->ndash, 0);
}

void peri_canvas_move(peri_canvas *c, double x, double y)
{
    c->cairo->cairo_move_to(c->to, peri_bounded(x), peri_bounded(y));
}

void peri_canvas_line(peri_canvas *c, double x, double y)
{
    c->cairo->cairo_line_to(c->to, peri_bounded(x), peri_bounded(y));
}

void peri_canvas_rect(peri_canvas *c, double x, double y, double width, double height)
{
    c->cairo->cairo_rectangle(c->to, peri_bounded(x), peri_bounded(y), peri_bounded(width),
                              peri_bounded(height));
}

void peri_canvas_circle(peri_canvas *c, double x, double y, double radius)
{
    c->cairo->cairo_new_sub_path(c->to);
    c->cairo->cairo_arc(c->to, peri_bounded(x), peri_bounded(y), peri_bounded(fmax(radius, 0)), 0,
                        2 * M_PI);
    c->cairo->cairo_close_path(c->to);
}

void peri_canvas_join(peri_canvas *c)
{
    c->cairo->cairo_close_path(c->to);
}

void peri_canvas_fill(peri_canvas *c)
{
    c->cairo->cairo_fill(c->to);
}

void peri_canvas_stroke(peri_canvas *c)
{
    c->cairo->cairo_stroke(c->to);
}

void peri_canvas_clip(peri_canvas *c, double x, double y, double width, double height)
{
    const double left = fmax(0, peri_bounded(x)), top = fmax(0, peri_bounded(y));
    const double right = fmin((double)c->width, peri_bounded(x + width));
    const double bottom = fmin((double)c->height, peri_bounded(y + height));
    c->clip = (peri_rectangle){left, top, fmax(0, right - left), fmax(0, bottom - top)};
    c->cairo->cairo_reset_clip(c->to);
    c->cairo->cairo_new_path(c->to);
    c->cairo->cairo_rectangle(c->to, c->clip.x, c->clip.y, c->clip.w, c->clip.h);
    c->cairo->cairo_clip(c->to);
}

void peri_canvas_unclip(peri_canvas *c)
{
    c->clip = (peri_rectangle){0, 0, (double)c->width, (double)c->height};
    c->cairo->cairo_reset_clip(c->to);
}

/* ---- text --------------------------------------------------------------------------------- */

/* The length of the UTF-8 sequence at s, of at most n bytes; 0 when it is not one (too long a
 * form, a surrogate, above U+10FFFF or cut off). */
static size_t sequence(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80)
        return 1;
    const size_t k = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < k)
        return 0;
    for (size_t i = 1; i < k; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return k;
}

/* A copy that Cairo takes whatever the bytes: ended by 0, free() it. */
static char *clean(const char *text, size_t length)
{
    if (length > (size_t)1 << 20)
        length = (size_t)1 << 20;
    char *out = malloc(3 * length + 1);
    if (out == NULL)
        return NULL;
    const unsigned char *s = (const unsigned char *)text;
    size_t o = 0;
    for (size_t i = 0; i < length;) {
        const size_t k = sequence(s + i, length - i);
        if (k == 0) {
            memcpy(out + o, "\xEF\xBF\xBD", 3);
            o += 3;
            i++;
        } else {
            if (k == 1 && (s[i] < 0x20 || s[i] == 0x7F))
                out[o] = ' ';
            else
                memcpy(out + o, s + i, k);
            o += k;
            i += k;
        }
    }
    out[o] = 0;
    return out;
}

peri_canvas_status peri_canvas_measure(peri_canvas *c, const char *text, size_t length, double size,
                                       peri_text_box *box)
{
    char *copy = clean(text, length);
    if (copy == NULL)
        return PERI_CANVAS_NO_MEMORY;
    cairo_text_extents_t e;
    /* Measured large: Cairo rounds a glyph's box to 1/64 of what it would draw. */
    const double large = 64;
    c->cairo->cairo_set_font_size(c->to, large);
    c->cairo->cairo_text_extents(c->to, copy, &e);
    free(copy);
    const double by = size / large;
    *box = (peri_text_box){e.x_advance * by, e.x_bearing * by, e.y_bearing * by,
                           (e.x_bearing + e.width) * by, (e.y_bearing + e.height) * by};
    return PERI_CANVAS_OK;
}

bool peri_canvas_has_letter(const peri_canvas *c, unsigned long code)
{
    return c->cairo->FT_Get_Char_Index(c->letters, code) != 0;
}

peri_canvas_status peri_canvas_text(peri_canvas *c, const char *text, size_t length, double size,
                                    double x, double y, double angle)
{
    if (!isfinite(x) || !isfinite(y) || !isfinite(angle) || !(size > 0) || size > 4096)
        return PERI_CANVAS_OK;
    char *copy = clean(text, length);
    if (copy == NULL)
        return PERI_CANVAS_NO_MEMORY;
    const struct peri_drawing *cairo = c->cairo;
    cairo->cairo_save(c->to);
    cairo->cairo_translate(c->to, peri_bounded(x), peri_bounded(y));
    if (angle != 0)
        cairo->cairo_rotate(c->to, -angle);
    cairo->cairo_set_font_size(c->to, size);
    cairo->cairo_move_to(c->to, 0, 0);
    if (c->kind == PERI_CANVAS_PIXELS) {
        cairo->cairo_text_path(c->to, copy);
        cairo->cairo_fill(c->to);
    } else {
        cairo->cairo_show_text(c->to, copy);
        cairo->cairo_new_path(c->to);
    }
    cairo->cairo_restore(c->to);
    free(copy);
    return PERI_CANVAS_OK;
}

/* ---- images ------------------------------------------------------------------------------- */

static uint32_t byte_of(double v)
{
    if (!(v > 0))
        return 0;
    return v >= 255 ? 255 : (uint32_t)(v + 0.5);
}

/* Each pixel of v as fx x fy words. */
static void to_words(const peri_view *v, uint32_t *words, size_t stride, size_t fx, size_t fy)
{
    const size_t h = v->shape[0], w = v->shape[1], parts = v->ndim == 3 ? v->shape[2] : 1;
    for (size_t i = 0; i < h; i++) {
        uint32_t *row = words + i * fy * stride;
        for (size_t j = 0; j < w; j++) {
            const ptrdiff_t at = (ptrdiff_t)i * v->stride[0] + (ptrdiff_t)j * v->stride[1];
            uint32_t p[4] = {0, 0, 0, 255};
            if (parts == 1) {
                p[0] = p[1] = p[2] = byte_of(peri_get(v, at));
            } else {
                for (size_t k = 0; k < parts; k++)
                    p[k] = byte_of(peri_get(v, at + (ptrdiff_t)k * v->stride[2]));
            }
            for (int k = 0; k < 3; k++)
                p[k] = (p[k] * p[3] + 127) / 255;
            const uint32_t word = p[3] << 24 | p[0] << 16 | p[1] << 8 | p[2];
            for (size_t k = 0; k < fx; k++)
                row[j * fx + k] = word;
        }
        for (size_t k = 1; k < fy; k++)
            memcpy(row + k * stride, row, w * fx * sizeof *row);
    }
}

/* Paints the image surface of w x h pixels into the rectangle. */
void peri_draw_place(peri_canvas *c, cairo_surface_t *image, size_t w, size_t h, peri_rectangle r,
                     cairo_filter_t filter)
{
    const struct peri_drawing *cairo = c->cairo;
    cairo->cairo_save(c->to);
    cairo->cairo_new_path(c->to);
    cairo->cairo_translate(c->to, r.x, r.y);
    if (c->kind == PERI_CANVAS_PIXELS)
        cairo->cairo_rectangle(c->to, 0, 0, r.w, r.h);
    cairo->cairo_scale(c->to, r.w / (double)w, r.h / (double)h);
    cairo->cairo_set_source_surface(c->to, image, 0, 0);
    cairo->cairo_pattern_set_filter(cairo->cairo_get_source(c->to), filter);
    if (c->kind == PERI_CANVAS_PIXELS) {
        cairo->cairo_pattern_set_extend(cairo->cairo_get_source(c->to), CAIRO_EXTEND_PAD);
        cairo->cairo_fill(c->to);
    } else {
        cairo->cairo_paint(c->to);
    }
    cairo->cairo_restore(c->to);
}

/* How many times to repeat each of n pixels so that a viewer that smooths what it enlarges finds
 * nothing to enlarge. */
static size_t repeats(const peri_canvas *c, size_t n, double length)
{
    if (c->kind == PERI_CANVAS_PIXELS)
        return 1;
    const double times = round(length * c->fine / (double)n);
    return times < 2 ? 1 : times > 64 ? 64 : (size_t)times;
}

peri_canvas_status peri_canvas_image(peri_canvas *c, const peri_view *pixels, double x, double y,
                                     double width, double height)
{
    const size_t h = pixels->shape[0], w = pixels->shape[1];
    if (h > PERI_CANVAS_MAX || w > PERI_CANVAS_MAX)
        return PERI_CANVAS_TOO_LARGE;
    if (h == 0 || w == 0 || !(width > 0) || !(height > 0) || !isfinite(x) || !isfinite(y) ||
        width > PERI_FAR_AWAY || height > PERI_FAR_AWAY)
        return PERI_CANVAS_OK;
    size_t fx = repeats(c, w, width), fy = repeats(c, h, height);
    if (w * fx > PERI_CANVAS_MAX || h * fy > PERI_CANVAS_MAX)
        fx = fy = 1;
    const struct peri_drawing *cairo = c->cairo;
    cairo_surface_t *image =
        cairo->cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)(w * fx), (int)(h * fy));
    if (cairo->cairo_surface_status(image) != CAIRO_STATUS_SUCCESS) {
        cairo->cairo_surface_destroy(image);
        return PERI_CANVAS_NO_MEMORY;
    }
    cairo->cairo_surface_flush(image);
    to_words(pixels, (uint32_t *)(void *)cairo->cairo_image_surface_get_data(image),
             (size_t)cairo->cairo_image_surface_get_stride(image) / 4, fx, fy);
    cairo->cairo_surface_mark_dirty(image);
    const bool reduced = width < (double)w || height < (double)h;
    peri_draw_place(c, image, w * fx, h * fy, (peri_rectangle){x, y, width, height},
                    reduced ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST);
    cairo->cairo_surface_destroy(image);
    return PERI_CANVAS_OK;
}

/* ---- what comes out ----------------------------------------------------------------------- */

peri_canvas_status peri_canvas_pixels(peri_canvas *c, unsigned char *out, peri_canvas_fault *fault)
{
    peri_canvas_status status = state_of(c, fault);
    if (status != PERI_CANVAS_OK)
        return status;
    c->cairo->cairo_surface_flush(c->surface);
    const unsigned char *data = c->cairo->cairo_image_surface_get_data(c->surface);
    const size_t stride = (size_t)c->cairo->cairo_image_surface_get_stride(c->surface);
    for (size_t i = 0; i < c->height; i++) {
        const uint32_t *row = (const uint32_t *)(const void *)(data + i * stride);
        for (size_t j = 0; j < c->width; j++) {
            *out++ = (unsigned char)(row[j] >> 16);
            *out++ = (unsigned char)(row[j] >> 8);
            *out++ = (unsigned char)row[j];
        }
    }
    return PERI_CANVAS_OK;
}

peri_canvas_status peri_canvas_document(peri_canvas *c, const unsigned char **data, size_t *length,
                                        peri_canvas_fault *fault)
{
    if (!c->finished) {
        peri_canvas_status status = state_of(c, fault);
        if (status != PERI_CANVAS_OK)
            return status;
        c->finished = true;
        c->cairo->cairo_surface_finish(c->surface);
        if (c->full)
            return PERI_CANVAS_NO_MEMORY;
        if (c->kind == PERI_CANVAS_SVG) {
            unsigned char *numbered;
            size_t size;
            if (!peri_svg_renumber(c->bytes, c->length, &numbered, &size))
                return PERI_CANVAS_NO_MEMORY;
            free(c->bytes);
            c->bytes = numbered;
            c->length = c->room = size;
        }
    }
    *data = c->bytes;
    *length = c->length;
    return PERI_CANVAS_OK;
}
