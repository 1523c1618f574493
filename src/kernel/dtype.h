/* SPDX-License-Identifier: MIT
 *
 * The dtypes: every fact about the type of an array's elements stands here, and only here.
 *
 * A row of PERI_EACH_DTYPE is a dtype. Whoever has to tell them apart writes
 *
 *     switch ((peri_dtype)v->dtype) {
 *     case PERI_F64: ...
 *     case PERI_F32: ...
 *     }
 *
 * without default, so that the compiler names every place that a new row must visit. A kernel that
 * has no loop for a dtype says so by its status; it never takes another one in silence.
 */
#ifndef PERIGEE_KERNEL_DTYPE_H
#define PERIGEE_KERNEL_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What arithmetic does with a dtype. */
typedef enum {
    PERI_KIND_REAL,  /* computes in it */
    PERI_KIND_STORED /* keeps values only: arithmetic on it gives a real dtype */
} peri_kind;

/* X(NAME, suffix, element's C type, kind, name in Lua, other name, values it holds (NULL: any)) */
#define PERI_EACH_DTYPE(X)                                                                         \
    X(F64, f64, double, REAL, "f64", "float64", NULL)                                              \
    X(F32, f32, float, REAL, "f32", "float32", NULL)                                               \
    X(BOOL, b8, unsigned char, STORED, "bool", "boolean", "0 or 1")                                \
    X(U8, u8, unsigned char, STORED, "u8", "uint8", "a whole number in 0..255")

typedef enum {
#define PERI_ENUM_DTYPE(NAME, suffix, type, kind, name, other, values) PERI_##NAME,
    PERI_EACH_DTYPE(PERI_ENUM_DTYPE)
#undef PERI_ENUM_DTYPE
} peri_dtype;

enum {
#define PERI_COUNT_DTYPE(NAME, suffix, type, kind, name, other, values) +1
    PERI_DTYPES = 0 PERI_EACH_DTYPE(PERI_COUNT_DTYPE),
#undef PERI_COUNT_DTYPE
    PERI_REAL_DTYPES = 2 /* those of PERI_KIND_REAL are the first: tables of loops have so many */
};

typedef struct {
    const char *name, *other, *values;
    size_t size, alignment; /* of an element, in bytes */
    peri_kind kind;
} peri_dtype_row;

extern const peri_dtype_row peri_dtypes[PERI_DTYPES];

/* Bytes of an element. */
static inline size_t peri_dtype_size(int dtype)
{
    switch ((peri_dtype)dtype) {
#define PERI_SIZE_OF(NAME, suffix, type, kind, name, other, values)                                \
    case PERI_##NAME:                                                                              \
        return sizeof(type);
        PERI_EACH_DTYPE(PERI_SIZE_OF)
#undef PERI_SIZE_OF
    }
    return 0;
}

/* "f64" and so on. */
static inline const char *peri_dtype_name(int dtype)
{
    return peri_dtypes[dtype].name;
}

/* The dtype called so ("f64" or "float64"), or -1. */
int peri_dtype_named(const char *name);

/* Whether arithmetic computes in it. */
static inline bool peri_is_real(int dtype)
{
    return dtype < PERI_REAL_DTYPES;
}

/* Whether its elements are doubles: for a way that takes doubles alone beside one that takes all.
 */
static inline bool peri_is_f64(int dtype)
{
    return dtype == PERI_F64;
}

/* One value or one call for each real dtype, in the order of the rows; only that of `dtype`, which
 * must be real, is evaluated. A real row more is an argument more: then nothing that uses them
 * compiles before it has that loop too. */
#define PERI_REAL_PICK(dtype, for_f64, for_f32) ((dtype) == PERI_F32 ? (for_f32) : (for_f64))
#define PERI_REAL_DO(dtype, for_f64, for_f32)                                                      \
    ((dtype) == PERI_F32 ? (void)(for_f32) : (void)(for_f64))

/* The same for two statements. */
#define PERI_REAL_RUN(dtype, for_f64, for_f32)                                                     \
    do {                                                                                           \
        if ((dtype) == PERI_F32) {                                                                 \
            for_f32;                                                                               \
        } else {                                                                                   \
            for_f64;                                                                               \
        }                                                                                          \
    } while (0)

/* The stored dtypes, in a switch that has a case for each real one. */
#define PERI_STORED_CASES                                               PERI_EACH_DTYPE(PERI_STORED_CASE)
#define PERI_STORED_CASE(NAME, suffix, type, kind, name, other, values) PERI_CASE_IF_##kind(NAME)
#define PERI_CASE_IF_REAL(NAME)
#define PERI_CASE_IF_STORED(NAME) case PERI_##NAME:

/* The dtype of arithmetic on two: f64, unless both may be f32. Two stored ones give f64, a stored
 * one with f32 gives f32. */
static inline int peri_promote(int a, int b)
{
    if (a == b)
        return peri_is_real(a) ? a : (int)PERI_F64;
    if (a == PERI_F64 || b == PERI_F64)
        return PERI_F64;
    return a == PERI_F32 || b == PERI_F32 ? PERI_F32 : PERI_F64;
}

/* The dtype of arithmetic on one. */
static inline int peri_promote1(int dtype)
{
    return peri_is_real(dtype) ? dtype : (int)PERI_F64;
}

/* The dtype that holds the elements of both: their own where they have one, u8 for bool with u8,
 * else that of arithmetic. */
static inline int peri_common(int a, int b)
{
    if (a == b)
        return a;
    return peri_is_real(a) || peri_is_real(b) ? peri_promote(a, b) : (int)PERI_U8;
}

/* A number as an element: rounded to nearest even; where it does not fit, the nearest that does
 * (for bool 1 unless it is 0; NaN gives 0 in u8). */
static inline double peri_to_f64(double x)
{
    return x;
}

static inline float peri_to_f32(double x)
{
    return (float)x;
}

static inline unsigned char peri_to_b8(double x)
{
    return x != 0;
}

static inline unsigned char peri_to_u8(double x)
{
    return x >= 255 ? 255 : x > 0 ? (unsigned char)x : 0;
}

/* Whether an element can be the number, rounding of f32 aside. */
static inline bool peri_fits(int dtype, double x)
{
    switch ((peri_dtype)dtype) {
    case PERI_F64:
    case PERI_F32:
        return true;
    case PERI_BOOL:
        return x == 0 || x == 1;
    case PERI_U8:
        return (double)peri_to_u8(x) == x;
    }
    return false;
}

/* The element at `from`, and one written at `to` as peri_to_... make it. */
static inline double peri_read(int dtype, const void *from)
{
    switch ((peri_dtype)dtype) {
#define PERI_READ_AS(NAME, suffix, type, kind, name, other, values)                                \
    case PERI_##NAME:                                                                              \
        return (double)*(const type *)from;
        PERI_EACH_DTYPE(PERI_READ_AS)
#undef PERI_READ_AS
    }
    return 0;
}

static inline void peri_write(int dtype, void *to, double value)
{
    switch ((peri_dtype)dtype) {
#define PERI_WRITE_AS(NAME, suffix, type, kind, name, other, values)                               \
    case PERI_##NAME:                                                                              \
        *(type *)to = peri_to_##suffix(value);                                                     \
        return;
        PERI_EACH_DTYPE(PERI_WRITE_AS)
#undef PERI_WRITE_AS
    }
}

/* Element i, counted in elements from `base`. */
static inline double peri_read_at(int dtype, const void *base, ptrdiff_t i)
{
    return peri_read(dtype, (const char *)base + i * (ptrdiff_t)peri_dtype_size(dtype));
}

static inline void peri_write_at(int dtype, void *base, ptrdiff_t i, double value)
{
    peri_write(dtype, (char *)base + i * (ptrdiff_t)peri_dtype_size(dtype), value);
}

#endif
