/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "kernel/plane_parts.h"
#include "kernel/view.h"

#define LANES_BITS  32
#define LANES_BYTES 16
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#if LANES_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"

#include "kernel/plane_loops.h"
#endif

const peri_plane_functions *peri_plane_choose(int dtype)
{
#if LANES_X86
    if (peri_lanes_bytes() == 64)
        return dtype == PERI_F32 ? &plane_f32_64 : &plane_f64_64;
    if (peri_lanes_bytes() == 32)
        return dtype == PERI_F32 ? &plane_f32_32 : &plane_f64_32;
#endif
    return dtype == PERI_F32 ? &plane_f32_16 : &plane_f64_16;
}
