/* SPDX-License-Identifier: MIT
 *
 * Opens Cairo and FreeType once a process and fills the table of their functions. */
#include "draw/cairo.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static struct {
    struct peri_drawing table;
    const char *library, *package; /* what is missing; NULL when nothing is */
    char reason[256];
} opened;

static void fail(const char *library, const char *package, const char *reason)
{
    opened.library = library;
    opened.package = package;
    snprintf(opened.reason, sizeof opened.reason, "%s", reason ? reason : "unknown reason");
}

/* A data pointer from dlsym() becomes a function pointer by its bytes, as POSIX allows. */
static int find(void *handle, const char *name, void *slot)
{
    void *function = dlsym(handle, name);
    memcpy(slot, &function, sizeof function);
    return function != NULL;
}

static void open_libraries(void)
{
    static const char cairo[] = "libcairo.so.2", freetype[] = "libfreetype.so.6";
    void *drawing = dlopen(cairo, RTLD_NOW | RTLD_LOCAL);
    if (drawing == NULL) {
        fail(cairo, "libcairo2", dlerror());
        return;
    }
    void *fonts = dlopen(freetype, RTLD_NOW | RTLD_LOCAL);
    if (fonts == NULL) {
        fail(freetype, "libfreetype6", dlerror());
        return;
    }
#define FROM_CAIRO(name)                                                                           \
    if (!find(drawing, #name, &opened.table.name))                                                 \
        fail(cairo, "libcairo2", "it is too old: it has no " #name);
#define FROM_FREETYPE(name)                                                                        \
    if (!find(fonts, #name, &opened.table.name))                                                   \
        fail(freetype, "libfreetype6", "it is too old: it has no " #name);
    PERI_CAIRO_FUNCTIONS(FROM_CAIRO)
    PERI_FREETYPE_FUNCTIONS(FROM_FREETYPE)
}

const struct peri_drawing *peri_drawing(const char **library, const char **package,
                                        const char **reason)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_libraries);
    *library = opened.library;
    *package = opened.package;
    *reason = opened.reason;
    return opened.library == NULL ? &opened.table : NULL;
}
