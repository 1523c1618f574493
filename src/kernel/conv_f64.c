/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/conv_parts.h"

#define LANES_BITS  64
#define LANES_BYTES 16
#include "kernel/lanes.h"

#include "kernel/tile_loops.h"

#include "kernel/conv_loops.h"
#if LANES_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"

#include "kernel/tile_loops.h"

#include "kernel/conv_loops.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"

#include "kernel/tile_loops.h"

#include "kernel/conv_loops.h"
#endif

const peri_conv_functions *peri_conv_f64(void)
{
#if LANES_X86
    if (peri_lanes_bytes() == 64)
        return &conv_f64_64;
    if (peri_lanes_bytes() == 32)
        return &conv_f64_32;
#endif
    return &conv_f64_16;
}
