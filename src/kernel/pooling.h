/* SPDX-License-Identifier: MIT
 *
 * Pooling and upsampling of images (n,c,h,w), and their adjoints. A plane is one channel of one
 * image; planes = n c. Arrays are contiguous, of one dtype; each plane is a block, so the same bits
 * come out whatever the thread count.
 *
 *     max    y[i,j] = max over (a,b) of x[sy i + a - py, sx j + b - px]   the first of equals; NaN
 * wins avg    y[i,j] = sum of the same / (kh kw), where outside counts as 0 (with `inside`: / those
 *            inside)
 *     nearest    y[i,j] = x[floor(i h / H), floor(j w / W)]
 *     bilinear   y[i,j] between the four neighbours of (s(i), t(j)):
 *                s(i) = (i + 1/2) h / H - 1/2, at least 0;  align_corners: i (h - 1) / (H - 1)
 *
 * with (H,W) the size of y, as torch.nn.functional has them.
 */
#ifndef PERIGEE_KERNEL_POOLING_H
#define PERIGEE_KERNEL_POOLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/status.h"

typedef struct {
    size_t planes, h, w, kh, kw;
    size_t stride[2], padding[2]; /* y, x */
    bool inside;
} peri_pooling;

/* Y's height and width. PERI_ERR_VALUE: facts.arg is "k", "stride" or "padding" (more than half of
 * the window); PERI_ERR_SHAPE: the window does not fit in the padded image (facts.arg "k",
 * facts.index[0] its axis, facts.got its extent); PERI_ERR_TOO_LARGE: "k" over 65535 elements, or
 * "x". */
peri_status peri_pool_output(const peri_pooling *s, size_t *oh, size_t *ow, peri_facts *facts);

/* Bytes of workspace of max_pool and avg_pool, either pass; slots as in conv.h. */
size_t peri_pool_work(const peri_pooling *s, int dtype, size_t slots);

/* Y, and unless NULL which element of the window it is, a kw + b. */
void peri_max_pool(const peri_pooling *s, int dtype, const void *X, void *Y, uint16_t *which,
                   void *work, size_t slots);
void peri_max_pool_backward(const peri_pooling *s, int dtype, const void *G, const uint16_t *which,
                            void *dX);

void peri_avg_pool(const peri_pooling *s, int dtype, const void *X, void *Y, void *work,
                   size_t slots);
void peri_avg_pool_backward(const peri_pooling *s, int dtype, const void *G, void *dX, void *work,
                            size_t slots);

typedef struct {
    size_t planes, h, w, H, W; /* H, W at least 1 where h, w are */
    bool bilinear, align_corners;
} peri_upsampling;

size_t peri_upsample_work(const peri_upsampling *s, int dtype, size_t slots);
void peri_upsample(const peri_upsampling *s, int dtype, const void *X, void *Y, void *work,
                   size_t slots);
void peri_upsample_backward(const peri_upsampling *s, int dtype, const void *G, void *dX,
                            void *work, size_t slots);

#endif
