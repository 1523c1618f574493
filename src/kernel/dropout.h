/* SPDX-License-Identifier: MIT
 *
 * Dropout's mask: element i is 0 where the i-th uniform number is below p, else 1 / (1 - p), so
 * that x times the mask has x's expectation. It draws n uniform numbers, as peri_random_uniforms
 * does.
 */
#ifndef PERIGEE_KERNEL_DROPOUT_H
#define PERIGEE_KERNEL_DROPOUT_H

#include <stddef.h>

#include "kernel/random.h"

/* p in [0, 1]; with p = 1 everything is 0. */
void peri_dropout_mask(peri_rng *rng, double p, size_t n, int dtype, void *mask);

#endif
