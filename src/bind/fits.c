/* SPDX-License-Identifier: MIT */
#include "bind/fits.h"

#include <lauxlib.h>

#include "bind/errors.h"
#include "bind/say.h"
#include "kernel/copy.h"

void peri_check_number(lua_State *L, int arg, const char *name, double x, int dtype)
{
    if (!peri_fits(dtype, x))
        peri_argerror(L, arg, "%s: expected %s, as the dtype is %s, got %s", name,
                      peri_dtypes[dtype].values, peri_dtype_name(dtype), peri_push_number(L, x));
}

void peri_check_fits(lua_State *L, int arg, const char *name, const peri_array *a, int dtype)
{
    size_t at;
    double value;
    const peri_view v = peri_view_of(a);
    if (!peri_first_unfit(&v, dtype, &at, &value))
        return;
    size_t index[PERI_MAX_NDIM];
    for (int axis = a->ndim - 1; axis >= 0; axis--) {
        index[axis] = at % a->shape[axis] + 1;
        at /= a->shape[axis];
    }
    const char *place = a->ndim == 1 ? lua_pushfstring(L, "%I", (LUAI_UACINT)index[0])
                                     : peri_push_shape(L, a->ndim, index);
    const char *cure = "";
    switch ((peri_dtype)dtype) {
    case PERI_BOOL:
        cure = "; a:ne(0) makes a mask";
        break;
    case PERI_F64:
    case PERI_F32:
    case PERI_U8:
        break;
    }
    peri_argerror(L, arg, "%s: element %s is %s, and a %s is %s%s", name, place,
                  peri_push_number(L, value), peri_dtype_name(dtype), peri_dtypes[dtype].values,
                  cure);
}
