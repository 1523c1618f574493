/* SPDX-License-Identifier: MIT
 *
 * One step of each optimiser on vectors, over the names of lanes.h; included by optim.c. A tail
 * goes through the same vectors, so an element's value does not depend on where it stands. */

/* The weight decay of the elements from i on. */
INLINE vec NAME(decay_of)(vec decay, const void *mask, size_t i, size_t k)
{
    return mask == NULL ? decay : decay * NAME(load_part)((const REAL *)mask + i, k);
}

static KERNEL void NAME(adam)(size_t n, const peri_adam *a, double scale, double root2,
                              const void *grad, void *params, void *first, void *second)
{
    const REAL *const g = grad;
    REAL *const p = params, *const m = first, *const v = second;
    const vec beta1 = NAME(splat)((REAL)a->beta1), rest1 = NAME(splat)((REAL)(1 - a->beta1));
    const vec beta2 = NAME(splat)((REAL)a->beta2), rest2 = NAME(splat)((REAL)(1 - a->beta2));
    const vec decay = NAME(splat)((REAL)a->weight_decay), eps = NAME(splat)((REAL)a->eps);
    const vec rate = NAME(splat)((REAL)-a->lr);
    const vec down = NAME(splat)((REAL)-scale), correction = NAME(splat)((REAL)root2);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i;
        const vec fade = NAME(decay_of)(decay, a->mask, i, k);
        vec at = NAME(load_part)(p + i, k), slope = NAME(load_part)(g + i, k);
        if (a->decoupled)
            at = NAME(fma)(fade, at * rate, at);
        else
            slope = NAME(fma)(fade, at, slope);
        const vec mean = NAME(fma)(beta1, NAME(load_part)(m + i, k), rest1 * slope);
        const vec square = NAME(fma)(beta2, NAME(load_part)(v + i, k), rest2 * slope * slope);
        const vec size = NAME(root)(square) / correction + eps;
        NAME(store_part)(m + i, mean, k);
        NAME(store_part)(v + i, square, k);
        NAME(store_part)(p + i, NAME(fma)(down, mean / size, at), k);
    }
}

static KERNEL void NAME(sgd)(size_t n, const peri_sgd *s, const void *grad, void *params,
                             void *buffer)
{
    const REAL *const g = grad;
    REAL *const p = params, *const b = buffer;
    const bool first = s->step == 1, moving = s->momentum != 0;
    const vec decay = NAME(splat)((REAL)s->weight_decay), down = NAME(splat)((REAL)-s->lr);
    const vec momentum = NAME(splat)((REAL)s->momentum);
    const vec damped = NAME(splat)((REAL)(1 - s->dampening));
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i;
        const vec at = NAME(load_part)(p + i, k);
        const vec fade = NAME(decay_of)(decay, s->mask, i, k);
        const vec slope = NAME(fma)(fade, at, NAME(load_part)(g + i, k));
        vec move = slope;
        if (moving) {
            const vec run =
                first ? slope : NAME(fma)(momentum, NAME(load_part)(b + i, k), damped * slope);
            NAME(store_part)(b + i, run, k);
            move = s->nesterov ? NAME(fma)(momentum, run, slope) : run;
        }
        NAME(store_part)(p + i, NAME(fma)(down, move, at), k);
    }
}

static KERNEL void NAME(rmsprop)(size_t n, const peri_rmsprop *o, const void *grad, void *params,
                                 void *second, void *first, void *buffer)
{
    const REAL *const g = grad;
    REAL *const p = params, *const v = second, *const m = first, *const b = buffer;
    const vec alpha = NAME(splat)((REAL)o->alpha), rest = NAME(splat)((REAL)(1 - o->alpha));
    const vec decay = NAME(splat)((REAL)o->weight_decay), eps = NAME(splat)((REAL)o->eps);
    const vec down = NAME(splat)((REAL)-o->lr), momentum = NAME(splat)((REAL)o->momentum);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t k = n - i;
        const vec fade = NAME(decay_of)(decay, o->mask, i, k);
        const vec at = NAME(load_part)(p + i, k);
        const vec slope = NAME(fma)(fade, at, NAME(load_part)(g + i, k));
        const vec square = NAME(fma)(alpha, NAME(load_part)(v + i, k), rest * slope * slope);
        NAME(store_part)(v + i, square, k);
        vec size = square;
        if (o->centered) {
            const vec mean = NAME(fma)(alpha, NAME(load_part)(m + i, k), rest * slope);
            NAME(store_part)(m + i, mean, k);
            size = NAME(fma)(-mean, mean, square);
        }
        vec move = slope / (NAME(root)(size) + eps);
        if (o->momentum != 0) {
            move = NAME(fma)(momentum, NAME(load_part)(b + i, k), move);
            NAME(store_part)(b + i, move, k);
        }
        NAME(store_part)(p + i, NAME(fma)(down, move, at), k);
    }
}

static const optim_functions NAME(optim) = {NAME(adam), NAME(sgd), NAME(rmsprop)};
