/* SPDX-License-Identifier: MIT
 *
 * Includes the loops for both element types on each instruction set, double
 * first, so that the loops of float may call those of double:
 *
 *     #define LANES_LOOPS "kernel/norm_loops.h"
 *     #include "kernel/lanes_each.h"
 *
 * and, where the loops end with a table of their functions that is called NAME(norm), gives the
 * table to use for a dtype by LANES_CHOOSE(norm, dtype).
 */
#define LANES_BYTES 16
#define LANES_BITS  64
#include "kernel/lanes.h"
#include LANES_LOOPS
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"
#include LANES_LOOPS
#if LANES_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include LANES_LOOPS
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"
#include LANES_LOOPS
#undef LANES_BYTES
#define LANES_BYTES 64
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include LANES_LOOPS
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"
#include LANES_LOOPS
#endif
#undef LANES_BITS
#undef LANES_BYTES
#undef LANES_LOOPS

#ifndef LANES_CHOOSE
#if LANES_X86
#define LANES_CHOOSE(name, dtype)                                                                  \
    (peri_lanes_bytes() == 64   ? PERI_REAL_PICK(dtype, &name##_f64_64, &name##_f32_64)            \
     : peri_lanes_bytes() == 32 ? PERI_REAL_PICK(dtype, &name##_f64_32, &name##_f32_32)            \
                                : PERI_REAL_PICK(dtype, &name##_f64_16, &name##_f32_16))
#else
#define LANES_CHOOSE(name, dtype) PERI_REAL_PICK(dtype, &name##_f64_16, &name##_f32_16)
#endif
#endif
