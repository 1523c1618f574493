/* SPDX-License-Identifier: MIT
 *
 * The rows that pooling and upsampling share; plane.c has them for each level.
 */
#ifndef PERIGEE_KERNEL_PLANE_PARTS_H
#define PERIGEE_KERNEL_PLANE_PARTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    void (*max_row)(const void *x, const size_t *tap, size_t taps, size_t n, void *y,
                    uint16_t *which);
    void (*sum_row)(const void *x, const size_t *tap, size_t taps, size_t n, double scale, void *y);
    void (*mix)(size_t n, double a, const void *x, double b, const void *z, void *y);
    void (*spread_row)(const void *g, const size_t *tap, size_t taps, size_t n, double scale,
                       void *x);
    void (*pick)(size_t n, const void *x, const uint32_t *at, void *out);
    void (*put)(size_t n, const void *x, const uint32_t *at, void *out);
    void (*between)(size_t n, const void *x, const uint32_t *at, const uint32_t *next,
                    const void *weight, void *y);
    void (*share)(size_t n, const void *g, const uint32_t *at, const uint32_t *next,
                  const void *weight, void *dx);
} peri_plane_functions;

/* Of the level in use. */
const peri_plane_functions *peri_plane_choose(int dtype);

#endif
