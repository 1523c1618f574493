/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of lstm_cell.h for each element type and instruction set.
 */
#include "kernel/lstm_plan.h"

#include <math.h>

#define LANES_LOOPS "kernel/lstm_cell.h"
#include "kernel/lanes_each.h"

const cell_functions *peri_lstm_choose_cell(int dtype)
{
    return LANES_CHOOSE(cell, dtype);
}
