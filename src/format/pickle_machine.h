/* SPDX-License-Identifier: MIT
 *
 * What the files of the pickle reader share among themselves. pickle_opcodes.c knows the opcodes,
 * pickle_machine.c what they work on, pickle_names.c the names that may be asked for,
 * pickle_numpy.c what is built with them. */
#ifndef PERIGEE_FORMAT_PICKLE_MACHINE_H
#define PERIGEE_FORMAT_PICKLE_MACHINE_H

#include "format/pickle.h"

enum { PERI_PICKLE_SHORT = 64 * 1024 }; /* longer strings become blobs */

typedef peri_pickle_value value;
typedef peri_pickle_event event;

typedef enum { STRING, LIST, DICT, TUPLE, BLOB, DTYPE, SHELL, ARRAY, STORAGE, TENSOR } kind;

typedef struct peri_pickle_object {
    unsigned char kind;
    bool made;            /* the host has it */
    bool text;            /* STRING, BLOB: of Python 3's type str */
    bool built;           /* DTYPE: its BUILD has been */
    bool gone;            /* BLOB: its memory belongs to something else now */
    peri_element element; /* DTYPE, STORAGE (kind 0: none that becomes an array's) */
    uint16_t levels;      /* of containers, with its own */
    size_t length;        /* STRING, BLOB: bytes; LIST: elements; TUPLE: items; STORAGE: elements */
    size_t first;         /* TUPLE: into items; STORAGE: the string that is its key */
    char *bytes;          /* STRING, BLOB */
} object;

/* What the names of the allow-list mean; the value of a PERI_PICKLE_GLOBAL. */
enum {
    NUMPY_RECONSTRUCT,
    NUMPY_SCALAR,
    NUMPY_NDARRAY,
    NUMPY_DTYPE,
    NUMPY_FROMBUFFER,
    CODECS_ENCODE,
    BYTES,
    BYTEARRAY,
    ORDERED_DICT,
    TORCH_SIZE,
    TORCH_TENSOR,
    TORCH_PARAMETER,
    TORCH_STORAGE /* and on: one a type of elements, see pickle_torch.c */
};

/* What the host's values cost counts against the limit. */
peri_io peri_pickle_charge(peri_pickle *p, size_t bytes, peri_fault *fault);

/* Makes room in *block_address for `extra` elements after n. */
peri_io peri_pickle_grow(peri_pickle *p, void *block_address, size_t *room, size_t n, size_t extra,
                         size_t size, peri_fault *fault);

/* The stack. want: n values lie above the last mark; want_mark: there is a mark, and `below`
 * values under it. */
peri_io peri_pickle_push(peri_pickle *p, value v, peri_fault *fault);
size_t peri_pickle_above_mark(const peri_pickle *p);
peri_io peri_pickle_want(const peri_pickle *p, size_t n, peri_fault *fault);
peri_io peri_pickle_want_mark(const peri_pickle *p, size_t below, peri_fault *fault);
peri_io peri_pickle_memo_put(peri_pickle *p, uint64_t index, peri_fault *fault);
peri_io peri_pickle_memo_get(peri_pickle *p, uint64_t index, peri_fault *fault);
peri_io peri_pickle_too_deep(const peri_pickle *p, peri_fault *fault);

/* Objects. */
object *peri_pickle_object_of(const peri_pickle *p, value v);
const value *peri_pickle_items_of(const peri_pickle *p, const object *tuple); /* NULL: none */
bool peri_pickle_is(const peri_pickle *p, value v, kind k);
bool peri_pickle_is_text(const peri_pickle *p, value v, const char *text);
peri_io peri_pickle_is_data(const peri_pickle *p, value v, peri_fault *fault);

/* A new object, its value pushed. */
peri_io peri_pickle_create(peri_pickle *p, kind k, object **o, peri_fault *fault);

/* A string object of bytes that are at hand until the next call. */
peri_io peri_pickle_make_string(peri_pickle *p, const char *bytes, size_t length, bool text,
                                event *e, peri_fault *fault);
peri_io peri_pickle_make_container(peri_pickle *p, kind k, event *e, bool *made, peri_fault *fault);
peri_io peri_pickle_make_tuple(peri_pickle *p, size_t n, peri_fault *fault);

/* Puts the n values on top of the stack into the list or dict below them. `marked`: with the mark
 * between. Runs again until all are there. */
peri_io peri_pickle_put_items(peri_pickle *p, int op, kind k, size_t n, bool marked, event *e,
                              bool *made, peri_fault *fault);

/* Sees to it that the host has v: *made when an event is to be served first. */
peri_io peri_pickle_surface(peri_pickle *p, value v, event *e, bool *made, peri_fault *fault);

/* The allow-list: pushes what module.name means, or refuses it; and the name of a meaning. */
peri_io peri_pickle_push_global(peri_pickle *p, const char *module, size_t module_length,
                                const char *name, size_t name_length, peri_fault *fault);
void peri_pickle_global_name(int64_t meaning, const char **module, const char **name);

/* The opcodes REDUCE and BUILD. */
peri_io peri_pickle_reduce(peri_pickle *p, event *e, bool *made, peri_fault *fault);
peri_io peri_pickle_build(peri_pickle *p, event *e, bool *made, peri_fault *fault);

/* BINPERSID, which is a storage; and what PyTorch's names make of their arguments. */
peri_io peri_pickle_storage(peri_pickle *p, peri_fault *fault);
peri_io peri_pickle_torch(peri_pickle *p, int64_t meaning, const value *args, size_t n, event *e,
                          bool *made, peri_fault *fault);

/* Whether n bytes that come now are those of the array whose state is on the stack; if so, makes
 * the event that reads them into it. */
peri_io peri_pickle_predict_array(peri_pickle *p, size_t n, event *e, bool *made,
                                  peri_fault *fault);

#endif
