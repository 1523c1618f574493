/* SPDX-License-Identifier: MIT
 *
 * Python pickles of data, protocols 0 to 5: None, bool, int, float, str, bytes, list, tuple, dict,
 * NumPy arrays and scalars. Nothing can be called: the few names of NumPy, codecs and builtins
 * that such pickles mention are an enum here, and any other name ends the reading.
 *
 * The reader keeps the pickle machine (stack, marks, memo, tuples) and no values of the host. It
 * says what to make through events, each with an object number `id` counted from 1, in order:
 *
 *   STRING  make a string of text[0..length); then peri_pickle_keep() with its bytes, which must
 *           stay where they are until the end
 *   LIST, DICT  make an empty one
 *   TUPLE   make a sequence of items[0..n)
 *   APPEND  put items[0..n) after the `at` elements of list id
 *   SET     put items[0..n), key and value in turn, into dict id
 *   BLOB    make `length` bytes of memory aligned for f64; then peri_pickle_fill() with it
 *   ARRAY   make an array of `layout` and `dtype` (extents reversed where layout.fortran); then
 *           peri_pickle_fill() with its memory. Then forget `blob`, if not 0
 *   VIEW    make id an array of `layout` over the memory of `blob`, which is f64
 *   TEXT    make a string of the first `length` bytes of blob id and let it take the blob's place;
 *           then peri_pickle_keep()
 *   TENSOR  (a checkpoint's) id is an array of `layout` and `stride`, in elements, over the storage
 *           whose key is text[0..length): from its element `offset` on, of `storage` in all. Its
 *           layout.element.kind is 0 where nothing becomes an array's
 *   DONE    `value` is the result
 *
 * Identity is kept: an object that the pickle mentions a million times is made once. What is
 * nested more than PERI_PICKLE_DEPTH deep is refused. Nothing here recurses.
 *
 * Source: Lib/pickletools.py of CPython, which describes every opcode.
 */
#ifndef PERIGEE_FORMAT_PICKLE_H
#define PERIGEE_FORMAT_PICKLE_H

#include "format/element.h"
#include "format/source.h"

enum { PERI_PICKLE_DEPTH = 10000 };

typedef enum {
    PERI_PICKLE_NONE,
    PERI_PICKLE_BOOL,   /* i */
    PERI_PICKLE_INT,    /* i */
    PERI_PICKLE_FLOAT,  /* f */
    PERI_PICKLE_OBJECT, /* id */
    /* never in an event */
    PERI_PICKLE_GLOBAL,
    PERI_PICKLE_DATA
} peri_pickle_tag;

typedef struct {
    unsigned char tag;
    bool text; /* OBJECT: a str of Python 3 */
    union {
        int64_t i;
        double f;
        uint32_t id;
    } as;
} peri_pickle_value;

typedef enum {
    PERI_PICKLE_STRING,
    PERI_PICKLE_LIST,
    PERI_PICKLE_DICT,
    PERI_PICKLE_TUPLE,
    PERI_PICKLE_APPEND,
    PERI_PICKLE_SET,
    PERI_PICKLE_BLOB,
    PERI_PICKLE_ARRAY,
    PERI_PICKLE_VIEW,
    PERI_PICKLE_TEXT,
    PERI_PICKLE_TENSOR,
    PERI_PICKLE_DONE
} peri_pickle_kind;

typedef struct {
    peri_pickle_kind kind;
    uint32_t id, blob;
    const char *text;
    size_t length;
    const peri_pickle_value *items;
    size_t n, at;
    peri_layout layout;
    int dtype;
    const ptrdiff_t *stride; /* TENSOR: valid until the next event, as text */
    size_t offset, storage;
    peri_pickle_value value;
} peri_pickle_event;

struct peri_pickle_object;

typedef struct {
    uint64_t key; /* index + 1; 0: free */
    peri_pickle_value value;
} peri_pickle_slot;

typedef struct {
    uint32_t id;
    size_t next;
} peri_pickle_work;

typedef struct {
    peri_source *source;
    int dtype;  /* of arrays: -1 as their elements suggest */
    bool exact; /* refuse integers that a dtype cannot hold */
    bool torch; /* set after init: PyTorch's names and persistent ids are known too */
    uint64_t charged;

    peri_pickle_value *stack;
    size_t depth, stack_room;
    size_t *marks;
    size_t nmarks, marks_room;
    peri_pickle_slot *memo;
    size_t memo_n, memo_room;
    struct peri_pickle_object *objects;
    size_t nobjects, objects_room;
    peri_pickle_value *items; /* of all tuples */
    size_t nitems, items_room;
    peri_pickle_work *work; /* tuples being made, outermost first */
    size_t nwork, work_room;
    char *line, *text;
    size_t line_room, text_room, text_length;

    ptrdiff_t stride[PERI_MAX_NDIM]; /* of the last tensor */
    int again;                       /* the opcode to go on with, or -1 */
    size_t cursor;
    uint64_t place; /* of the opcode */
    struct {
        uint32_t id;
        bool from_source;
        const char *memory;
        size_t length;
        peri_layout layout;
        int dtype;
    } fill;
} peri_pickle;

void peri_pickle_init(peri_pickle *p, peri_source *source, int dtype, bool exact);
void peri_pickle_close(peri_pickle *p);

peri_io peri_pickle_next(peri_pickle *p, peri_pickle_event *event, peri_fault *fault);
void peri_pickle_keep(peri_pickle *p, uint32_t id, const char *bytes);
peri_io peri_pickle_fill(peri_pickle *p, void *memory, peri_fault *fault);

/* A fault at the opcode that made the last event, for what only the host can see. */
peri_io peri_pickle_refuse(const peri_pickle *p, const char *reason, peri_fault *fault);

/* Whether content that begins so may be a pickle. */
bool peri_pickle_sniff(const unsigned char *bytes, size_t count);

#endif
