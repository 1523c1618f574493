/* SPDX-License-Identifier: MIT */
#include "kernel/dtype.h"

#include <string.h>

const peri_dtype_row peri_dtypes[PERI_DTYPES] = {
#define ROW(NAME, suffix, type, kind, name, other, values)                                         \
    [PERI_##NAME] = {name, other, values, sizeof(type), _Alignof(type), PERI_KIND_##kind},
    PERI_EACH_DTYPE(ROW)
#undef ROW
};

#define IS_REAL(NAME, suffix, type, kind, name, other, values)                                     \
    _Static_assert((PERI_KIND_##kind == PERI_KIND_REAL) ==                                         \
                       ((int)PERI_##NAME < (int)PERI_REAL_DTYPES),                                 \
                   "the real dtypes are the first");
PERI_EACH_DTYPE(IS_REAL)
#undef IS_REAL

int peri_dtype_named(const char *name)
{
    for (int dtype = 0; dtype < PERI_DTYPES; dtype++)
        if (strcmp(name, peri_dtypes[dtype].name) == 0 ||
            strcmp(name, peri_dtypes[dtype].other) == 0)
            return dtype;
    return -1;
}
