/* SPDX-License-Identifier: MIT
 *
 * The functions of Cairo and FreeType the canvas uses, as one table of pointers. The libraries
 * are opened by the first peri_drawing(), so that a program that draws nothing neither needs nor
 * loads them. Of their headers only types and constants are used.
 */
#ifndef PERIGEE_DRAW_CAIRO_H
#define PERIGEE_DRAW_CAIRO_H

#include <cairo-ft.h>
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <cairo.h>

/* clang-format off */
#define PERI_CAIRO_FUNCTIONS(f) \
    f(cairo_create) f(cairo_destroy) f(cairo_status) f(cairo_status_to_string) \
    f(cairo_image_surface_create) f(cairo_image_surface_create_for_data) \
    f(cairo_image_surface_get_data) \
    f(cairo_image_surface_get_stride) f(cairo_svg_surface_create_for_stream) \
    f(cairo_svg_surface_set_document_unit) f(cairo_pdf_surface_create_for_stream) \
    f(cairo_pdf_surface_set_metadata) f(cairo_surface_destroy) f(cairo_surface_finish) \
    f(cairo_surface_flush) f(cairo_surface_mark_dirty) f(cairo_surface_status) f(cairo_save) \
    f(cairo_restore) f(cairo_translate) f(cairo_scale) f(cairo_rotate) \
    f(cairo_set_source_rgba) f(cairo_set_source_surface) f(cairo_get_source) \
    f(cairo_pattern_set_filter) f(cairo_pattern_set_extend) f(cairo_set_line_width) \
    f(cairo_set_line_join) f(cairo_set_line_cap) f(cairo_set_dash) f(cairo_new_path) \
    f(cairo_new_sub_path) f(cairo_move_to) f(cairo_line_to) f(cairo_rectangle) f(cairo_arc) \
    f(cairo_close_path) f(cairo_fill) f(cairo_stroke) f(cairo_paint) f(cairo_clip) \
    f(cairo_reset_clip) f(cairo_set_font_face) f(cairo_set_font_size) \
    f(cairo_set_font_options) f(cairo_text_extents) f(cairo_text_path) f(cairo_show_text) \
    f(cairo_font_options_create) f(cairo_font_options_destroy) \
    f(cairo_font_options_set_antialias) f(cairo_font_options_set_hint_style) \
    f(cairo_font_options_set_hint_metrics) f(cairo_font_face_destroy) \
    f(cairo_font_face_set_user_data) f(cairo_font_face_status) \
    f(cairo_ft_font_face_create_for_ft_face)

#define PERI_FREETYPE_FUNCTIONS(f)                                                                 \
    f(FT_Init_FreeType) f(FT_Done_FreeType) f(FT_New_Face) f(FT_Done_Face) \
    f(FT_Get_Char_Index)

/* clang-format on */
struct peri_drawing {
#define FIELD(name) __typeof__(name) *name;
    PERI_CAIRO_FUNCTIONS(FIELD)
    PERI_FREETYPE_FUNCTIONS(FIELD)
#undef FIELD
};

/* The table, the same for the whole process, or NULL. Then *library and *package say what could
 * not be opened, and *reason why; they stay valid. */
const struct peri_drawing *peri_drawing(const char **library, const char **package,
                                        const char **reason);

#endif
