/* SPDX-License-Identifier: MIT
 *
 * What every binding shares: arrays as Lua values, arguments, options, errors.
 *
 * A binding function always does, in this order: check its arguments, allocate its results (as
 * Lua values, so that the collector owns them), call one kernel, turn the status into an error,
 * return. Nothing is owned by C across a call that may raise.
 *
 * Arguments are counted as written by the user, from 1; `arg` is a stack index >= 1, which is the
 * same. For a method call self is stack index 1 and the messages count without it.
 */
#ifndef PERIGEE_BIND_H
#define PERIGEE_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#include "kernel/status.h"
#include "kernel/stop.h"
#include "kernel/view.h"

/* ---- the state --------------------------------------------------------------------------- */

/* When to collect: after so many bytes, set by how long collecting took. */
typedef struct {
    size_t budget;
    double since; /* when it ended the last time, in seconds */
} peri_pace;

/* One a Lua state, kept in its registry. */
typedef struct peri_state {
    peri_stop stop;        /* kernels poll it: pass &peri_getstate(L)->stop */
    size_t fresh;          /* bytes of arrays allocated since the last collection */
    size_t live;           /* bytes the state held after the last full collection */
    peri_pace young, full; /* bytes of new arrays, and of growth, from which on to collect */
    size_t hidden;  /* bytes of arrays that Lua's own pacing has still to be told to forget */
    size_t limit;   /* memory limit in bytes, 0 for none */
    size_t peak;    /* most bytes seen held */
    bool sandboxed; /* see sandbox.h, as for the folders */
    const char *read_folder, *write_folder;
} peri_state;

peri_state *peri_getstate(lua_State *L);

/* ---- arrays ------------------------------------------------------------------------------ */

/* The userdata. An owner's data follow its header; a view keeps its owner in user value 1.
 * Read through the fields; never change them. */
typedef struct peri_array {
    uintptr_t mark;
    uint8_t dtype, ndim;
    const bool *gone;  /* set once the host took wrapped memory back; else NULL */
    size_t size;       /* product of the extents */
    void *data;        /* first element */
    size_t *shape;     /* ndim extents, inside this block */
    ptrdiff_t *stride; /* ndim strides in elements, inside this block */
} peri_array;

/* The array at idx, or NULL when the value is not one. Raises when it was detached. */
peri_array *peri_test_array(lua_State *L, int idx);

/* The array at arg, else an error that names the argument. Any dtype, any strides. */
peri_array *peri_arg_array(lua_State *L, int arg, const char *name);

/* The array at arg (or a nested table of numbers, converted), of this dtype and number of axes
 * (-1: any), contiguous. Where the argument is not so already, a copy replaces it in its stack
 * slot, so it stays alive as long as the slot does. */
peri_array *peri_arg_contiguous(lua_State *L, int arg, const char *name, int dtype, int ndim);

/* As peri_arg_contiguous for a number or an array: whatever can stand in an expression. */
peri_array *peri_arg_operand(lua_State *L, int arg, const char *name);

/* Pushes a new array, elements unset, row-major. Raises when the size overflows, passes the
 * state's limit or cannot be had; the message has shape and size. */
peri_array *peri_push_array(lua_State *L, int dtype, int ndim, const size_t *shape);
peri_array *peri_push_zeros(lua_State *L, int dtype, int ndim, const size_t *shape);

/* Pushes a view into the memory of the array at owner_idx (an owner or itself a view). */
peri_array *peri_push_view(lua_State *L, int owner_idx, void *data, int ndim, const size_t *shape,
                           const ptrdiff_t *stride);

/* Pushes a row-major copy as dtype (-1: the source's). */
peri_array *peri_push_copy(lua_State *L, const peri_array *a, int dtype);

/* The optional output at arg: where it is nil or absent a new array is pushed; else it must be an
 * array of that dtype and shape. The result is on top of the stack either way. */
peri_array *peri_arg_out(lua_State *L, int arg, int dtype, int ndim, const size_t *shape);

static inline peri_view peri_view_of(const peri_array *a)
{
    return (peri_view){a->data, a->dtype, a->ndim, a->shape, a->stride};
}

static inline bool peri_is_contiguous(const peri_array *a)
{
    const peri_view v = peri_view_of(a);
    return peri_view_is_contiguous(&v);
}

/* Whether any byte belongs to both. Compares address ranges, so it may say true for interleaved
 * views; then a copy too many is made and nothing else happens. */
bool peri_overlaps(const peri_array *a, const peri_array *b);

/* Temporary memory for a kernel, 64-byte aligned, owned by a userdata that is pushed. */
void *peri_push_scratch(lua_State *L, size_t bytes);

/* a * b, or an error that says the array would be too large. */
size_t peri_mul_size(lua_State *L, size_t a, size_t b);

/* ---- arguments --------------------------------------------------------------------------- */

/* An integer within [lo, hi], from an integer or a float with an exact integer value. */
lua_Integer peri_arg_integer(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi);
double peri_arg_number(lua_State *L, int arg, const char *name);

/* Raises where the table at arg has a field dtype: a habit from languages with named arguments, and
 * what follows would be f64 in silence. */
void peri_refuse_dtype_inside(lua_State *L, int arg, const char *name);

/* The shape written from arg on: integers n, m, ... or one table of them. Returns ndim. With no
 * argument there, 0. *next is the index of the first argument after the shape. */
int peri_arg_shape(lua_State *L, int arg, size_t shape[PERI_MAX_NDIM], int *next);

/* An axis counted from 1, or from the end if negative. Returns it counted from 0. */
int peri_arg_axis(lua_State *L, int arg, const char *name, int ndim);

/* "f64", "f32", "float64" or "float32"; absent: def. */
int peri_arg_dtype(lua_State *L, int arg, int def);

/* The path of a file to read, or to make: without a NUL byte inside, and within the sandbox where
 * there is one. */
const char *peri_arg_path(lua_State *L, int arg);
const char *peri_arg_target(lua_State *L, int arg);

/* ---- options: a table as the last argument ----------------------------------------------- */

/* Checks that arg is nil, absent or a plain table, and each key one of names (ends with NULL);
 * an unknown one is an error that lists the near one. Replaces an absent table by nil, so that
 * the readers below may be called on arg in any case. */
void peri_options(lua_State *L, int arg, const char *const names[]);

bool peri_option_given(lua_State *L, int arg, const char *name);
double peri_option_number(lua_State *L, int arg, const char *name, double def);
lua_Integer peri_option_integer(lua_State *L, int arg, const char *name, lua_Integer def,
                                lua_Integer lo, lua_Integer hi);
bool peri_option_boolean(lua_State *L, int arg, const char *name, bool def);

/* One of choices (ends with NULL); returns its index. */
int peri_option_choice(lua_State *L, int arg, const char *name, const char *const choices[],
                       int def);

/* Pushes the option's value (nil when absent) and returns its Lua type. */
int peri_option_push(lua_State *L, int arg, const char *name);

/* ---- errors ------------------------------------------------------------------------------ */

/* None of these returns; the int is for `return peri_error(...)`, as with luaL_error. */
#define PERI_NORETURN __attribute__((noreturn))

/* Raises "bad argument #N to 'sum' (...)". The formats are those of lua_pushfstring. */
PERI_NORETURN int peri_argerror(lua_State *L, int arg, const char *format, ...);

/* Raises "position: sum: ...", for what is not one argument's fault. */
PERI_NORETURN int peri_error(lua_State *L, const char *format, ...);

/* Raises "position: ...", for operators and indexing, which have no name. */
PERI_NORETURN int peri_raise(lua_State *L, const char *format, ...);

/* Raises the sentence for a kernel's status, naming the argument at arg (0: none). Returns when
 * status is PERI_OK. */
void peri_check(lua_State *L, int arg, peri_status status, const peri_facts *facts);

/* Pushes "(3, 4)"; "(3,)" for one axis, "()" for none. Returns the string. */
const char *peri_push_shape(lua_State *L, int ndim, const size_t *shape);

/* Pushes "array (3, 4) f64", "string", "no value", ...: what a message says it got. */
const char *peri_push_got(lua_State *L, int idx);

/* The name in names[] (ends with NULL) nearest to word by edit distance, or NULL when none is
 * near enough to be a misspelling of it. */
const char *peri_nearest(const char *word, const char *const names[]);

/* ---- modules ----------------------------------------------------------------------------- */

/* Heads the definition of a module's opener: PERI_OPENER(cpt) { ... }. Its row is in perigee.c. */
#define PERI_OPENER(name)                                                                          \
    int peri_open_##name(lua_State *L);                                                            \
    int peri_open_##name(lua_State *L)

/* Array functions: each is both pg.name and a:name. */
void peri_array_functions(lua_State *L, const luaL_Reg *functions);

/* Array metamethods such as __add. */
void peri_array_metamethods(lua_State *L, const luaL_Reg *functions);

/* Functions of pg alone, such as zeros. */
void peri_functions(lua_State *L, const luaL_Reg *functions);

#endif
