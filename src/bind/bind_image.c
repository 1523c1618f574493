/* SPDX-License-Identifier: MIT
 *
 * The primitives of pg.image; lua/perigee/image.lua checks what it passes. */
#include <math.h>

#include "bind/bind.h"
#include "format/png.h"
#include "kernel/image.h"

enum { MOST = 32768 /* pixels of a side */ };

/* collage(images, rows, cols, gap, scale, invert, range, lo, hi): images (n,h,w[,3]); range is
 * "all", "each" or "fixed". */
static int collage(lua_State *L)
{
    static const char *const ranges[] = {"all", "each", "fixed", NULL};
    const peri_array *images = peri_arg_array(L, 1, "images");
    const peri_view view = peri_view_of(images);
    peri_collage layout = {.rows = (size_t)luaL_checkinteger(L, 2),
                           .cols = (size_t)luaL_checkinteger(L, 3),
                           .gap = (size_t)luaL_checkinteger(L, 4),
                           .scale = (size_t)luaL_checkinteger(L, 5),
                           .invert = lua_toboolean(L, 6),
                           .range = (peri_range)luaL_checkoption(L, 7, "all", ranges),
                           .lo = luaL_optnumber(L, 8, 0),
                           .hi = luaL_optnumber(L, 9, 1)};
    layout.channels = images->ndim == 4 || peri_image_has_nan(&view) ? 3 : 1;
    peri_facts facts = {0};
    size_t shape[3] = {0, 0, 3};
    peri_check(L, 1,
               peri_image_collage_size(&layout, images->shape[1], images->shape[2], MOST, &shape[0],
                                       &shape[1], &facts),
               &facts);
    peri_array *out = peri_push_array(L, PERI_F64, layout.channels == 3 ? 3 : 2, shape);
    peri_image_collage(&view, &layout, out->data);
    return 1;
}

/* range(a) -> lo, hi: the smallest and largest finite value; 0, 1 where there is none. */
static int range(lua_State *L)
{
    const peri_view view = peri_view_of(peri_arg_array(L, 1, "a"));
    double lo, hi;
    peri_image_range(&view, &lo, &hi);
    lua_pushnumber(L, lo);
    lua_pushnumber(L, hi);
    return 2;
}

/* color(values, lo, hi, table [, missing]) -> (h,w,3): values (h,w), table (k,3), missing (3). */
static int color(lua_State *L)
{
    const peri_view values = peri_view_of(peri_arg_array(L, 1, "values"));
    const double lo = luaL_checknumber(L, 2), hi = luaL_checknumber(L, 3);
    const peri_array *table = peri_arg_contiguous(L, 4, "table", PERI_F64, 2);
    const double *missing = peri_image_nan;
    if (!lua_isnoneornil(L, 5))
        missing = peri_arg_contiguous(L, 5, "missing", PERI_F64, 1)->data;
    if (values.ndim != 2 || table->shape[0] < 1 || table->shape[1] != 3)
        return peri_error(L, "color: values must be (h, w) and the table (k, 3)");
    const size_t shape[3] = {values.shape[0], values.shape[1], 3};
    peri_array *out = peri_push_array(L, PERI_F64, 3, shape);
    peri_image_color(&values, lo, hi, table->data, table->shape[0], missing, out->data);
    return 1;
}

/* resize(a, height, width, nearest) -> (n,height,width,c): a (n,h,w,c). */
static int resize(lua_State *L)
{
    const peri_array *a = peri_arg_contiguous(L, 1, "a", PERI_F64, 4);
    const size_t height = (size_t)luaL_checkinteger(L, 2), width = (size_t)luaL_checkinteger(L, 3);
    const peri_resize how = lua_toboolean(L, 4) ? PERI_RESIZE_NEAREST : PERI_RESIZE_LINEAR;
    const size_t h = a->shape[1], w = a->shape[2], c = a->shape[3];
    const size_t shape[4] = {a->shape[0], height, width, c};
    double *work = peri_push_scratch(
        L, peri_mul_size(L, peri_mul_size(L, peri_mul_size(L, h, width), c), sizeof(double)));
    peri_array *out = peri_push_array(L, PERI_F64, 4, shape);
    for (size_t k = 0; k < a->shape[0]; k++)
        peri_image_resize((const double *)a->data + k * h * w * c, h, w, c, how,
                          (double *)out->data + k * height * width * c, height, width, work);
    return 1;
}

/* A PNG on its way from the writer to a Lua string. */
typedef struct {
    unsigned char *bytes;
    size_t length;
} png_box;

static int png_close(lua_State *L);

static const peri_handle_kind png_kind = {.name = "png", .close = png_close};

static int png_close(lua_State *L)
{
    png_box *box = peri_test_handle(L, 1, &png_kind);
    if (box == NULL)
        return 0;
    const peri_memory memory = peri_memory_default();
    peri_give(&memory, box->bytes, box->length);
    box->bytes = NULL;
    return 0;
}

/* png(a) -> the bytes of a PNG file: a (h,w), (h,w,3) or (h,w,4) in 0..255, rounded and clamped,
 * NaN as 0. */
static int png(lua_State *L)
{
    const peri_array *a = peri_arg_contiguous(L, 1, "a", PERI_F64, -1);
    if (a->ndim < 2 || a->ndim > 3 || (a->ndim == 3 && a->shape[2] != 3 && a->shape[2] != 4))
        return peri_argerror(L, 1, "a: expected h x w or h x w x 3, got shape %s",
                             peri_push_shape(L, a->ndim, a->shape));
    const size_t channels = a->ndim == 3 ? a->shape[2] : 1;
    const double *from = a->data;
    unsigned char *pixels = peri_push_scratch(L, a->size + 1);
    for (size_t i = 0; i < a->size; i++)
        pixels[i] = (unsigned char)(from[i] > 0 ? rint(fmin(from[i], 255)) : 0);
    png_box *box = peri_push_handle(L, &png_kind, sizeof *box, 0);
    const peri_memory memory = peri_memory_default();
    peri_fault fault = {.reason = "unknown"};
    if (peri_png_encode(&memory, pixels, a->shape[1] * channels, a->shape[1], a->shape[0],
                        (int)channels, &box->bytes, &box->length, &fault) != PERI_IO_OK)
        return peri_error(L, "PNG: %s", fault.reason);
    lua_pushlstring(L, (const char *)box->bytes, box->length);
    return 1;
}

PERI_OPENER(image)
{
    static const luaL_Reg functions[] = {{"collage", collage}, {"range", range}, {"color", color},
                                         {"resize", resize},   {"png", png},     {NULL, NULL}};
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}
