/* SPDX-License-Identifier: MIT */
#include "kernel/scatter.h"

#include "kernel/dtype.h"

#define SCATTER(T)                                                                                 \
    static void scatter_##T(size_t outer, size_t extent, size_t inner, const size_t *index,        \
                            size_t count, const T *v, T *out)                                      \
    {                                                                                              \
        for (size_t i = 0; i < outer; i++, out += extent * inner)                                  \
            for (size_t k = 0; k < count; k++, v += inner) {                                       \
                T *to = out + index[k] * inner;                                                    \
                for (size_t j = 0; j < inner; j++)                                                 \
                    to[j] += v[j];                                                                 \
            }                                                                                      \
    }
SCATTER(double)
SCATTER(float)

void peri_scatter_add(int dtype, size_t outer, size_t extent, size_t inner, const size_t *index,
                      size_t count, const void *v, void *out)
{
    PERI_REAL_DO(dtype, scatter_double(outer, extent, inner, index, count, v, out),
                 scatter_float(outer, extent, inner, index, count, v, out));
}
