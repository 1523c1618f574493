/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of lstm_cell.h for each element type and instruction set.
 */
#include "kernel/lstm_plan.h"

#include <math.h>

#define LANES_BITS  32
#define LANES_BYTES 16
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#if LANES_X86
#undef LANES_BYTES
#define LANES_BYTES 32
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 32
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BYTES
#define LANES_BYTES 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#undef LANES_BITS
#define LANES_BITS 64
#include "kernel/lanes.h"
#include "kernel/lstm_cell.h"
#endif

const cell_functions *peri_lstm_choose_cell(int dtype)
{
#if LANES_X86
    if (peri_lanes_bytes() == 64)
        return dtype == PERI_F32 ? &cell_f32_64 : &cell_f64_64;
    if (peri_lanes_bytes() == 32)
        return dtype == PERI_F32 ? &cell_f32_32 : &cell_f64_32;
#endif
    return dtype == PERI_F32 ? &cell_f32_16 : &cell_f64_16;
}
