/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/plane_parts.h"
#include "kernel/view.h"

#define LANES_LOOPS "kernel/plane_loops.h"
#include "kernel/lanes_each.h"

const peri_plane_functions *peri_plane_choose(int dtype)
{
    return LANES_CHOOSE(plane, dtype);
}
