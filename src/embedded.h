/* SPDX-License-Identifier: MIT
 *
 * The Lua files of lua/perigee as they stand in the program; made by embed.sh. */
#ifndef PERIGEE_EMBEDDED_H
#define PERIGEE_EMBEDDED_H

#include <stddef.h>

struct peri_embedded {
    const char *name; /* "ppca" for lua/perigee/ppca.lua, "private/args"; the last has NULL */
    const char *text;
    size_t length;
};

extern const struct peri_embedded peri_embedded[];

#endif
