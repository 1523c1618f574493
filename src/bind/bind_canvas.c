/* SPDX-License-Identifier: MIT
 *
 * The canvas as a Lua value. Plots are drawn with it by lua/perigee/plot.lua and its private parts;
 * nothing else sees it, so its methods trust the types of their arguments to luaL_check*.
 */
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/embed.h"
#include "draw/canvas.h"

static const char font_key[] = "perigee.font in use";

typedef struct {
    peri_font *font;
} font_box;

typedef struct {
    peri_canvas *canvas; /* NULL once closed */
    peri_canvas_kind kind;
    size_t width, height;
    peri_canvas_map map;
} canvas_box;

static int canvas_close(lua_State *L);

static const peri_handle_kind canvas_handle = {.name = "canvas", .close = canvas_close};

/* fault may be NULL for what only runs out of memory or is interrupted. */
static void raise(lua_State *L, peri_canvas_status status, const peri_canvas_fault *fault)
{
    static const peri_canvas_fault none = {.package = ""};
    if (fault == NULL)
        fault = &none;
    switch (status) {
    case PERI_CANVAS_OK:
        return;
    case PERI_CANVAS_NO_LIBRARY:
        peri_error(L, "drawing needs %s, which cannot be opened (%s); install the package %s",
                   fault->what, fault->reason, fault->package);
        break;
    case PERI_CANVAS_NO_FONT:
        peri_error(L,
                   "drawing needs a font, and %s cannot be read; install the package %s, or set "
                   "PERIGEE_FONT to a font file",
                   fault->what, fault->package);
        break;
    case PERI_CANVAS_BAD_FONT:
        peri_error(L, "drawing needs a font, and %s is not one FreeType can read", fault->what);
        break;
    case PERI_CANVAS_NO_MEMORY:
        peri_error(L, "not enough memory to draw this");
        break;
    case PERI_CANVAS_TOO_LARGE:
        peri_error(L, "a picture is 1 to %d pixels wide and high", (int)PERI_CANVAS_MAX);
        break;
    case PERI_CANVAS_INTERRUPTED:
        peri_check(L, 0, PERI_ERR_INTERRUPTED, &(peri_facts){0});
        break;
    case PERI_CANVAS_FAILED:
        peri_error(L, "Cairo: %s", fault->reason);
        break;
    }
}

static int font_close(lua_State *L);

static const peri_handle_kind font_handle = {.name = "font", .close = font_close};

static int font_close(lua_State *L)
{
    font_box *box = peri_test_handle(L, 1, &font_handle);
    if (box == NULL)
        return 0;
    peri_font *font = box->font;
    box->font = NULL;
    peri_font_close(font);
    return 0;
}

/* The state's font, opened at the first picture and again when PERIGEE_FONT changes. It is kept
 * in the registry beside the path it came from. */
static const peri_font *the_font(lua_State *L)
{
    const char *path = getenv("PERIGEE_FONT");
    if (path != NULL && *path == 0)
        path = NULL;
    if (lua_getfield(L, LUA_REGISTRYINDEX, font_key) == LUA_TTABLE) {
        lua_rawgeti(L, -1, 2);
        const bool same = strcmp(lua_tostring(L, -1), path == NULL ? "" : path) == 0;
        lua_rawgeti(L, -2, 1);
        const font_box *box = lua_touserdata(L, -1);
        lua_pop(L, 3);
        if (same)
            return box->font;
    } else {
        lua_pop(L, 1);
    }
    lua_createtable(L, 2, 0);
    font_box *box = peri_push_handle(L, &font_handle, sizeof *box, 0);
    peri_canvas_fault fault = {.package = ""};
    raise(L, peri_font_open(path, &box->font, &fault), &fault);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, path == NULL ? "" : path);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, font_key);
    return box->font;
}

static const char *const kinds[] = {"png", "svg", "pdf", NULL};

/* new(kind, width, height, dpi): kind is "png", "svg" or "pdf". */
static int canvas_new(lua_State *L)
{
    const peri_canvas_kind kind = (peri_canvas_kind)luaL_checkoption(L, 1, NULL, kinds);
    const lua_Integer width = luaL_checkinteger(L, 2), height = luaL_checkinteger(L, 3);
    const double dpi = luaL_checknumber(L, 4);
    const peri_font *font = the_font(L);
    canvas_box *box = peri_push_handle(L, &canvas_handle, sizeof *box, 1);
    *box = (canvas_box){.kind = kind,
                        .width = width < 0 ? 0 : (size_t)width,
                        .height = height < 0 ? 0 : (size_t)height,
                        .map = {.bx = 1, .by = 1}};
    peri_canvas_fault fault = {.package = ""};
    /* The pixels are Lua's, so that they count as all its memory does. */
    void *pixels = NULL;
    if (kind == PERI_CANVAS_PIXELS && box->width <= PERI_CANVAS_MAX &&
        box->height <= PERI_CANVAS_MAX) {
        const size_t bytes = 4 * box->width * box->height + 1;
        if (!peri_has_room(L, bytes))
            peri_error(L, "not enough memory for a picture of %I x %I pixels",
                       (LUAI_UACINT)box->width, (LUAI_UACINT)box->height);
        pixels = peri_push_scratch(L, bytes);
        lua_setiuservalue(L, -2, 1);
    }
    raise(L,
          peri_canvas_open(kind, box->width, box->height, dpi, font, pixels, &box->canvas, &fault),
          &fault);
    peri_canvas_stop(box->canvas, &peri_getstate(L)->stop);
    return 1;
}

static canvas_box *self(lua_State *L)
{
    canvas_box *box = peri_arg_handle(L, 1, "canvas", &canvas_handle);
    if (box->canvas == NULL)
        luaL_error(L, "the canvas is closed");
    return box;
}

static int canvas_close(lua_State *L)
{
    canvas_box *box = peri_test_handle(L, 1, &canvas_handle);
    if (box == NULL)
        return 0;
    peri_canvas *canvas = box->canvas;
    box->canvas = NULL;
    peri_canvas_close(canvas);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, 1);
    return 0;
}

/* kind() -> "png", "svg" or "pdf" */
static int canvas_kind(lua_State *L)
{
    lua_pushstring(L, kinds[self(L)->kind]);
    return 1;
}

/* color(r, g, b [, a]) */
static int canvas_color(lua_State *L)
{
    const double rgba[4] = {luaL_checknumber(L, 2), luaL_checknumber(L, 3), luaL_checknumber(L, 4),
                            luaL_optnumber(L, 5, 1)};
    peri_canvas_color(self(L)->canvas, rgba);
    return 0;
}

/* pen(width [, on, off, ...]) */
static int canvas_pen(lua_State *L)
{
    const double width = luaL_checknumber(L, 2);
    double dash[8];
    size_t n = 0;
    for (int arg = 3; n < 8 && !lua_isnoneornil(L, arg); arg++)
        dash[n++] = luaL_checknumber(L, arg);
    peri_canvas_pen(self(L)->canvas, width, dash, n);
    return 0;
}

static int canvas_move(lua_State *L)
{
    peri_canvas_move(self(L)->canvas, luaL_checknumber(L, 2), luaL_checknumber(L, 3));
    return 0;
}

static int canvas_line(lua_State *L)
{
    peri_canvas_line(self(L)->canvas, luaL_checknumber(L, 2), luaL_checknumber(L, 3));
    return 0;
}

static int canvas_rect(lua_State *L)
{
    peri_canvas_rect(self(L)->canvas, luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                     luaL_checknumber(L, 4), luaL_checknumber(L, 5));
    return 0;
}

static int canvas_circle(lua_State *L)
{
    peri_canvas_circle(self(L)->canvas, luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                       luaL_checknumber(L, 4));
    return 0;
}

static int canvas_join(lua_State *L)
{
    peri_canvas_join(self(L)->canvas);
    return 0;
}

static int canvas_fill(lua_State *L)
{
    peri_canvas_fill(self(L)->canvas);
    return 0;
}

static int canvas_stroke(lua_State *L)
{
    peri_canvas_stroke(self(L)->canvas);
    return 0;
}

static int canvas_clip(lua_State *L)
{
    peri_canvas_clip(self(L)->canvas, luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                     luaL_checknumber(L, 4), luaL_checknumber(L, 5));
    return 0;
}

static int canvas_unclip(lua_State *L)
{
    peri_canvas_unclip(self(L)->canvas);
    return 0;
}

/* measure(text, size) -> advance, left, top, right, bottom */
static int canvas_measure(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    peri_text_box b;
    raise(L, peri_canvas_measure(self(L)->canvas, text, length, luaL_checknumber(L, 3), &b), NULL);
    lua_pushnumber(L, b.advance);
    lua_pushnumber(L, b.left);
    lua_pushnumber(L, b.top);
    lua_pushnumber(L, b.right);
    lua_pushnumber(L, b.bottom);
    return 5;
}

/* has_letter(code) -> whether the font has the letter of this code point */
static int canvas_has_letter(lua_State *L)
{
    const lua_Integer code = luaL_checkinteger(L, 2);
    lua_pushboolean(L, code >= 0 && code <= 0x10FFFF &&
                           peri_canvas_has_letter(self(L)->canvas, (unsigned long)code));
    return 1;
}

/* text(text, size, x, y [, angle]) */
static int canvas_text(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    raise(L,
          peri_canvas_text(self(L)->canvas, text, length, luaL_checknumber(L, 3),
                           luaL_checknumber(L, 4), luaL_checknumber(L, 5), luaL_optnumber(L, 6, 0)),
          NULL);
    return 0;
}

/* image(pixels, x, y, width, height): pixels (h,w), (h,w,3) or (h,w,4) in 0..255 */
static int canvas_image(lua_State *L)
{
    const peri_array *a = peri_arg_array(L, 2, "pixels");
    if ((a->ndim != 2 && a->ndim != 3) || (a->ndim == 3 && a->shape[2] != 3 && a->shape[2] != 4))
        return peri_error(L, "pixels must be (h, w), (h, w, 3) or (h, w, 4), not %s",
                          peri_push_shape(L, a->ndim, a->shape));
    const peri_view view = peri_view_of(a);
    raise(L,
          peri_canvas_image(self(L)->canvas, &view, luaL_checknumber(L, 3), luaL_checknumber(L, 4),
                            luaL_checknumber(L, 5), luaL_checknumber(L, 6)),
          NULL);
    return 0;
}

/* map(ax, bx, x0, ay, by, y0, xlog, ylog): from data to pixels, for the three below; map(): they
 * are given pixels */
static int canvas_map(lua_State *L)
{
    canvas_box *box = self(L);
    box->map = (peri_canvas_map){.bx = 1, .by = 1};
    if (lua_gettop(L) > 1)
        box->map = (peri_canvas_map){.ax = luaL_checknumber(L, 2),
                                     .bx = luaL_checknumber(L, 3),
                                     .x0 = luaL_checknumber(L, 4),
                                     .ay = luaL_checknumber(L, 5),
                                     .by = luaL_checknumber(L, 6),
                                     .y0 = luaL_checknumber(L, 7),
                                     .xlog = lua_toboolean(L, 8),
                                     .ylog = lua_toboolean(L, 9)};
    return 0;
}

/* The x and y at arguments 2 and 3, of one length. */
static size_t points_of(lua_State *L, const double **x, const double **y)
{
    const peri_array *a = peri_arg_contiguous(L, 2, "x", PERI_F64, 1);
    const peri_array *b = peri_arg_contiguous(L, 3, "y", PERI_F64, 1);
    if (a->size != b->size)
        peri_error(L, "x has %d values and y has %d", (int)a->size, (int)b->size);
    *x = a->data;
    *y = b->data;
    return a->size;
}

/* polyline(x, y) */
static int canvas_polyline(lua_State *L)
{
    const canvas_box *box = self(L);
    const double *x, *y;
    const size_t n = points_of(L, &x, &y);
    raise(L, peri_canvas_polyline(self(L)->canvas, x, y, n, &box->map), NULL);
    return 0;
}

/* band(x, lo, hi) */
static int canvas_band(lua_State *L)
{
    const canvas_box *box = self(L);
    const double *x, *lo;
    const size_t n = points_of(L, &x, &lo);
    const peri_array *hi = peri_arg_contiguous(L, 4, "hi", PERI_F64, 1);
    if (hi->size != n)
        peri_error(L, "x has %d values and hi has %d", (int)n, (int)hi->size);
    raise(L, peri_canvas_band(self(L)->canvas, x, lo, hi->data, n, &box->map), NULL);
    return 0;
}

/* points(x, y, mark, radius | radii (n) [, colors (n,4)]) */
static int canvas_points(lua_State *L)
{
    static const char *const marks[] = {"circle", "square", "diamond", "triangle",
                                        "plus",   "cross",  "ring",    NULL};
    const canvas_box *box = self(L);
    const double *x, *y, *radii = NULL, *colors = NULL;
    const size_t n = points_of(L, &x, &y);
    const peri_mark mark = (peri_mark)luaL_checkoption(L, 4, "circle", marks);
    double radius = 0;
    if (lua_type(L, 5) == LUA_TNUMBER) {
        radius = lua_tonumber(L, 5);
    } else {
        const peri_array *a = peri_arg_contiguous(L, 5, "radii", PERI_F64, 1);
        if (a->size != n)
            peri_error(L, "there are %d points and %d radii", (int)n, (int)a->size);
        radii = a->data;
    }
    if (!lua_isnoneornil(L, 6)) {
        const peri_array *a = peri_arg_contiguous(L, 6, "colors", PERI_F64, 2);
        if (a->shape[0] != n || a->shape[1] != 4)
            peri_error(L, "there are %d points, and the colors are not (%d, 4)", (int)n, (int)n);
        colors = a->data;
    }
    raise(L, peri_canvas_points(self(L)->canvas, x, y, n, &box->map, mark, radius, radii, colors),
          NULL);
    return 0;
}

/* extent(x | nil, y | nil, xlog, ylog) -> x least, x greatest, y least, y greatest of the points
 * that can be drawn; nothing when there are none */
static int extent(lua_State *L)
{
    const double *data[2] = {NULL, NULL};
    size_t n = 0;
    for (int k = 0; k < 2; k++) {
        if (lua_isnil(L, k + 1))
            continue;
        const peri_array *a = peri_arg_contiguous(L, k + 1, k == 0 ? "x" : "y", PERI_F64, 1);
        data[k] = a->data;
        n = data[0] == NULL || a->size < n || k == 0 ? a->size : n;
    }
    double box[4];
    if (!peri_canvas_extent(data[0], data[1], n, lua_toboolean(L, 3), lua_toboolean(L, 4), box))
        return 0;
    for (int k = 0; k < 4; k++)
        lua_pushnumber(L, box[k]);
    return 4;
}

/* pixels() -> (height, width, 3) in 0..255 */
static int canvas_pixels(lua_State *L)
{
    const canvas_box *box = self(L);
    const size_t shape[3] = {box->height, box->width, 3};
    luaL_argcheck(L, box->kind == PERI_CANVAS_PIXELS, 1, "only a png canvas has pixels");
    peri_array *out = peri_push_array(L, PERI_F64, 3, shape);
    unsigned char *rgb = peri_push_scratch(L, out->size);
    peri_canvas_fault fault;
    raise(L, peri_canvas_pixels(self(L)->canvas, rgb, &fault), &fault);
    double *to = out->data;
    for (size_t i = 0; i < out->size; i++)
        to[i] = rgb[i];
    lua_pop(L, 1);
    return 1;
}

/* document() -> the bytes of an svg or pdf canvas; nothing can be drawn after */
static int canvas_document(lua_State *L)
{
    const canvas_box *box = self(L);
    const unsigned char *bytes;
    size_t length;
    peri_canvas_fault fault;
    luaL_argcheck(L, box->kind != PERI_CANVAS_PIXELS, 1, "a png canvas is no document");
    raise(L, peri_canvas_document(self(L)->canvas, &bytes, &length, &fault), &fault);
    lua_pushlstring(L, (const char *)bytes, length);
    return 1;
}

PERI_OPENER(canvas)
{
    static const luaL_Reg methods[] = {{"kind", canvas_kind},     {"has_letter", canvas_has_letter},
                                       {"color", canvas_color},   {"pen", canvas_pen},
                                       {"move", canvas_move},     {"line", canvas_line},
                                       {"rect", canvas_rect},     {"circle", canvas_circle},
                                       {"join", canvas_join},     {"fill", canvas_fill},
                                       {"stroke", canvas_stroke}, {"clip", canvas_clip},
                                       {"unclip", canvas_unclip}, {"measure", canvas_measure},
                                       {"text", canvas_text},     {"image", canvas_image},
                                       {"map", canvas_map},       {"polyline", canvas_polyline},
                                       {"band", canvas_band},     {"points", canvas_points},
                                       {"pixels", canvas_pixels}, {"document", canvas_document},
                                       {"close", canvas_close},   {NULL, NULL}};
    peri_handle_methods(L, &canvas_handle, methods);
    static const luaL_Reg functions[] = {{"new", canvas_new}, {"extent", extent}, {NULL, NULL}};
    lua_newtable(L);
    peri_set_functions(L, functions, PERI_FUNCTION);
    return 1;
}
