/* SPDX-License-Identifier: MIT
 *
 * For tests that run at each level of instructions (kernel/simd.h) in one process. */
#ifndef PERIGEE_TESTS_LEVELS_H
#define PERIGEE_TESTS_LEVELS_H

#include <stdbool.h>
#include <stdio.h>

#include "kernel/simd.h"

/* Uses this level from now on. Says so and returns false where there is less. */
static inline bool use_level(int level)
{
    const int got = peri_isa_limit(level);
    if (got != level)
        printf("[  SKIPPED ] level %s: this process has %s\n", peri_isa_name(level),
               peri_isa_name(got));
    return got == level;
}

#endif
