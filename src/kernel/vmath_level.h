/* SPDX-License-Identifier: MIT
 *
 * What vmath.c chooses from. The levels have a file of their own each, which is compiled for it:
 * glibc's vector functions take registers of 32 and 64 bytes, and clang passes such arguments in
 * memory where the unit is not compiled for the level, whatever the function says. */
#ifndef PERIGEE_KERNEL_VMATH_LEVEL_H
#define PERIGEE_KERNEL_VMATH_LEVEL_H

#include <stddef.h>

typedef void peri_map64(size_t n, const double *x, double *y);
typedef void peri_map32(size_t n, const float *x, float *y);
typedef void peri_zip64(size_t n, const double *x, const double *y, double *z);
typedef void peri_zip32(size_t n, const float *x, const float *y, float *z);

/* The level's function for a peri_vm or peri_vm2 of vmath.h, or NULL where it has none. */
peri_map64 *peri_vmath_64_avx2(int f);
peri_map32 *peri_vmath_32_avx2(int f);
peri_zip64 *peri_vmath2_64_avx2(int f);
peri_zip32 *peri_vmath2_32_avx2(int f);
peri_map64 *peri_vmath_64_avx512(int f);
peri_map32 *peri_vmath_32_avx512(int f);
peri_zip64 *peri_vmath2_64_avx512(int f);
peri_zip32 *peri_vmath2_32_avx512(int f);

#endif
