/* SPDX-License-Identifier: MIT */
#include "draw/parts.h"

peri_canvas_status peri_layer_open(peri_canvas *c, peri_layer *layer)
{
    const struct peri_drawing *cairo = c->cairo;
    const double right = ceil(c->clip.x + c->clip.w), bottom = ceil(c->clip.y + c->clip.h);
    layer->x = floor(c->clip.x);
    layer->y = floor(c->clip.y);
    layer->fine = c->fine;
    while (layer->fine > 1 && ((right - layer->x) * layer->fine > PERI_CANVAS_MAX ||
                               (bottom - layer->y) * layer->fine > PERI_CANVAS_MAX))
        layer->fine--;
    layer->w = (size_t)((right - layer->x) * layer->fine);
    layer->h = (size_t)((bottom - layer->y) * layer->fine);
    layer->surface =
        cairo->cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)layer->w, (int)layer->h);
    if (cairo->cairo_surface_status(layer->surface) != CAIRO_STATUS_SUCCESS) {
        cairo->cairo_surface_destroy(layer->surface);
        return PERI_CANVAS_NO_MEMORY;
    }
    cairo->cairo_surface_flush(layer->surface);
    layer->pixels = (uint32_t *)(void *)cairo->cairo_image_surface_get_data(layer->surface);
    layer->stride = (size_t)cairo->cairo_image_surface_get_stride(layer->surface) / 4;
    return PERI_CANVAS_OK;
}

void peri_layer_close(peri_canvas *c, peri_layer *layer, bool drop)
{
    if (!drop && layer->w > 0 && layer->h > 0) {
        c->cairo->cairo_surface_mark_dirty(layer->surface);
        const peri_rectangle r = {layer->x, layer->y, (double)layer->w / layer->fine,
                                  (double)layer->h / layer->fine};
        peri_draw_place(c, layer->surface, layer->w, layer->h, r,
                        layer->fine == 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    }
    c->cairo->cairo_surface_destroy(layer->surface);
}
