/* SPDX-License-Identifier: MIT
 *
 * Limits of the program on a script: memory, time, and the sandbox. They are for scripts that one
 * did not write. */
#ifndef PERIGEE_HOST_COMMAND_LIMITS_H
#define PERIGEE_HOST_COMMAND_LIMITS_H

#include <stdbool.h>

#include <lua.h>

typedef struct {
    double memory_mb; /* Lua and arrays together; 0: no limit */
    double seconds;   /* wall time; 0: no limit */
    bool sandbox;
} peri_limits;

/* The exit status of a script that ran out of time, as that of timeout(1). */
enum { PERI_EXIT_TIMEOUT = 124 };

/* Reads the options --memory MB, --timeout S and --sandbox at argv[*i], moving *i to its last word.
 * Returns 0 when the word is none of them, 1 when it was read, -1 when its value is wrong. */
int peri_limits_option(peri_limits *limits, int argc, char **argv, int *i);

/* Sets the limits on a state whose libraries are open; script: its path, NULL for none. When the
 * time is over the script is interrupted; one that does not end within a second, since it catches
 * the error or is inside a C function such as a pattern match, ends with the process. */
void peri_limits_apply(lua_State *L, const peri_limits *limits, const char *script);

/* Whether the time is over. */
bool peri_limits_timed_out(void);

#endif
