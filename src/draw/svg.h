/* SPDX-License-Identifier: MIT
 *
 * Cairo names the parts of an SVG by numbers it counts over the whole process. */
#ifndef PERIGEE_DRAW_SVG_H
#define PERIGEE_DRAW_SVG_H

#include <stdbool.h>
#include <stddef.h>

/* A copy in which each name, in id="name", "#name" and url(#name), is p0, p1, ... in the order
 * of first appearance; the caller frees *out. False when there is no memory. */
bool peri_svg_renumber(const unsigned char *svg, size_t length, unsigned char **out,
                       size_t *out_length);

#endif
