/* SPDX-License-Identifier: MIT
 *
 * The font: a file opened with FreeType, without hinting, as Cairo takes it. */
#include <stdio.h>
#include <stdlib.h>

#include "draw/cairo.h"
#include "draw/parts.h"

/* What Cairo's font face holds; freed when its last user is, which may be a cache of Cairo's. */
struct face {
    const struct peri_drawing *cairo;
    FT_Library library;
    FT_Face face;
};

static void face_close(void *data)
{
    struct face *face = data;
    if (face->face != NULL)
        face->cairo->FT_Done_Face(face->face);
    if (face->library != NULL)
        face->cairo->FT_Done_FreeType(face->library);
    free(face);
}

static const char *const known_fonts[] = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",   /* Debian, Ubuntu */
    "/usr/share/fonts/TTF/DejaVuSans.ttf",               /* Arch */
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", /* Fedora */
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",            /* Alpine, older Fedora */
    "/usr/local/share/fonts/dejavu/DejaVuSans.ttf",      /* FreeBSD */
};

static bool readable(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    fclose(file);
    return true;
}

peri_canvas_status peri_font_open(const char *path, peri_font **out, peri_canvas_fault *fault)
{
    const char *library, *package, *reason;
    const struct peri_drawing *cairo = peri_drawing(&library, &package, &reason);
    *out = NULL;
    if (cairo == NULL)
        return peri_canvas_say(fault, PERI_CANVAS_NO_LIBRARY, library, package, reason);
    if (path == NULL) {
        for (size_t i = 0; i < sizeof known_fonts / sizeof *known_fonts && path == NULL; i++)
            if (readable(known_fonts[i]))
                path = known_fonts[i];
        if (path == NULL)
            return peri_canvas_say(fault, PERI_CANVAS_NO_FONT, known_fonts[0], "fonts-dejavu-core",
                                   "");
    } else if (!readable(path)) {
        return peri_canvas_say(fault, PERI_CANVAS_NO_FONT, path, "fonts-dejavu-core", "");
    }

    static const cairo_user_data_key_t key;
    peri_font *font = calloc(1, sizeof *font);
    struct face *face = calloc(1, sizeof *face);
    if (font == NULL || face == NULL) {
        free(font);
        free(face);
        return PERI_CANVAS_NO_MEMORY;
    }
    face->cairo = font->cairo = cairo;
    if (cairo->FT_Init_FreeType(&face->library) != 0 ||
        cairo->FT_New_Face(face->library, path, 0, &face->face) != 0) {
        face_close(face);
        free(font);
        return peri_canvas_say(fault, PERI_CANVAS_BAD_FONT, path, "fonts-dejavu-core", "");
    }
    font->face = cairo->cairo_ft_font_face_create_for_ft_face(face->face, FT_LOAD_NO_HINTING);
    if (cairo->cairo_font_face_status(font->face) != CAIRO_STATUS_SUCCESS ||
        cairo->cairo_font_face_set_user_data(font->face, &key, face, face_close) !=
            CAIRO_STATUS_SUCCESS) {
        cairo->cairo_font_face_destroy(font->face);
        face_close(face);
        free(font);
        return PERI_CANVAS_NO_MEMORY;
    }
    font->letters = face->face;
    *out = font;
    return PERI_CANVAS_OK;
}

void peri_font_close(peri_font *font)
{
    if (font == NULL)
        return;
    font->cairo->cairo_font_face_destroy(font->face);
    free(font);
}
