/* SPDX-License-Identifier: MIT
 *
 * The pickle machine. An opcode that needs several events sets `again` and runs anew at the next
 * call, its progress in `cursor` and `work`; its operands stay on the stack until it is through.
 *
 * The bytes of an array come after what describes them (protocols 0 to 4: the stack then reads
 * shell, mark, 1, shape, dtype, order), so they go straight into the array; or before it
 * (_frombuffer of protocol 5), so they go into a blob that then becomes the array. */
#include "format/pickle.h"

#include <math.h>
#include <string.h>

#include "format/number.h"

enum { SHORT = 64 * 1024 }; /* longer strings become blobs */
enum { PREDICT = 256 };     /* array bytes from which they are read into place */

typedef peri_pickle_value value;
typedef peri_pickle_event event;

typedef enum { STRING, LIST, DICT, TUPLE, BLOB, DTYPE, SHELL, ARRAY } kind;

typedef struct peri_pickle_object {
    unsigned char kind;
    bool made;            /* the host has it */
    bool text;            /* STRING, BLOB: of Python 3's type str */
    bool built;           /* DTYPE: its BUILD has been */
    bool gone;            /* BLOB: its memory belongs to something else now */
    peri_element element; /* DTYPE */
    uint16_t levels;      /* of containers, with its own */
    size_t length;        /* STRING, BLOB: bytes; LIST: elements; TUPLE: items */
    size_t first;         /* TUPLE: into items */
    char *bytes;          /* STRING, BLOB */
} object;

enum {
    NUMPY_RECONSTRUCT,
    NUMPY_SCALAR,
    NUMPY_NDARRAY,
    NUMPY_DTYPE,
    NUMPY_FROMBUFFER,
    CODECS_ENCODE,
    BYTES,
    BYTEARRAY,
    NGLOBALS
};

static const struct {
    const char *module, *name;
    int is;
} globals[] = {
    {"numpy.core.multiarray", "_reconstruct", NUMPY_RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", NUMPY_RECONSTRUCT},
    {"numpy.core.multiarray", "scalar", NUMPY_SCALAR},
    {"numpy._core.multiarray", "scalar", NUMPY_SCALAR},
    {"numpy", "ndarray", NUMPY_NDARRAY},
    {"numpy", "dtype", NUMPY_DTYPE},
    {"numpy.core.numeric", "_frombuffer", NUMPY_FROMBUFFER},
    {"numpy._core.numeric", "_frombuffer", NUMPY_FROMBUFFER},
    {"_codecs", "encode", CODECS_ENCODE},
    {"__builtin__", "bytes", BYTES},
    {"builtins", "bytes", BYTES},
    {"__builtin__", "bytearray", BYTEARRAY},
    {"builtins", "bytearray", BYTEARRAY},
};

void peri_pickle_init(peri_pickle *p, peri_source *source, int dtype, bool exact)
{
    memset(p, 0, sizeof *p);
    p->source = source;
    p->dtype = dtype;
    p->exact = exact;
    p->again = -1;
}

void peri_pickle_close(peri_pickle *p)
{
    if (p->source == NULL)
        return;
    const peri_memory *m = &p->source->memory;
    peri_give(m, p->stack, p->stack_room * sizeof *p->stack);
    peri_give(m, p->marks, p->marks_room * sizeof *p->marks);
    peri_give(m, p->memo, p->memo_room * sizeof *p->memo);
    peri_give(m, p->objects, p->objects_room * sizeof *p->objects);
    peri_give(m, p->items, p->items_room * sizeof *p->items);
    peri_give(m, p->work, p->work_room * sizeof *p->work);
    peri_give(m, p->line, p->line_room);
    peri_give(m, p->text, p->text_room);
    memset(p, 0, sizeof *p);
    p->again = -1;
}

peri_io peri_pickle_refuse(const peri_pickle *p, const char *reason, peri_fault *fault)
{
    return peri_fail(fault, PERI_IO_BAD, p->place, reason);
}

static peri_io refuse(const peri_pickle *p, const char *reason, peri_fault *fault)
{
    return peri_fail(fault, PERI_IO_BAD, p->place, reason);
}

/* What the host's values for this pickle cost counts, too. */
static peri_io charge(peri_pickle *p, size_t bytes, peri_fault *fault)
{
    p->charged += bytes;
    if (p->charged > p->source->limit)
        return peri_fail_format(fault, PERI_IO_LIMIT, p->place,
                                "the values need more than max_bytes,", "%llu",
                                (unsigned long long)p->source->limit);
    return PERI_IO_OK;
}

/* Makes room for `extra` elements after n. */
static peri_io grow(peri_pickle *p, void *block_address, size_t *room, size_t n, size_t extra,
                    size_t size, peri_fault *fault)
{
    if (extra <= *room - n)
        return PERI_IO_OK;
    size_t more = *room < 32 ? 64 : *room * 2;
    if (more < n + extra)
        more = n + extra;
    const peri_io status = charge(p, (more - *room) * size, fault);
    if (status != PERI_IO_OK)
        return status;
    void *block;
    memcpy(&block, block_address, sizeof block);
    block = p->source->memory.call(p->source->memory.ud, block, *room * size, more * size);
    if (block == NULL)
        return peri_fail_memory(fault);
    memcpy(block_address, &block, sizeof block);
    *room = more;
    return PERI_IO_OK;
}

/* ---- stack, marks, memo --------------------------------------------------------------------- */

static peri_io push(peri_pickle *p, value v, peri_fault *fault)
{
    if (p->depth == p->stack_room) {
        const peri_io status =
            grow(p, &p->stack, &p->stack_room, p->depth, 1, sizeof *p->stack, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    if (p->nmarks == 0 && p->depth >= PERI_PICKLE_DEPTH)
        return refuse(p, "the pickle nests deeper than 10000 levels", fault);
    p->stack[p->depth++] = v;
    return PERI_IO_OK;
}

/* How many values lie above the last mark. */
static size_t above_mark(const peri_pickle *p)
{
    return p->depth - (p->nmarks > 0 ? p->marks[p->nmarks - 1] : 0);
}

static peri_io want(const peri_pickle *p, size_t n, peri_fault *fault)
{
    return above_mark(p) >= n ? PERI_IO_OK
                              : refuse(p, "the pickle is damaged: its stack is empty", fault);
}

/* Values from the last mark on, that mark being there and `below` values under it. */
static peri_io want_mark(const peri_pickle *p, size_t below, peri_fault *fault)
{
    if (p->nmarks == 0)
        return refuse(p, "the pickle is damaged: there is no mark", fault);
    const size_t floor = p->nmarks > 1 ? p->marks[p->nmarks - 2] : 0;
    if (p->marks[p->nmarks - 1] - floor < below)
        return refuse(p, "the pickle is damaged: its stack is empty", fault);
    return PERI_IO_OK;
}

static size_t slot_of(const peri_pickle *p, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (p->memo_room - 1);
    while (p->memo[at].key != 0 && p->memo[at].key != key)
        at = (at + 1) & (p->memo_room - 1);
    return at;
}

static peri_io memo_put(peri_pickle *p, uint64_t index, peri_fault *fault)
{
    peri_io status = want(p, 1, fault);
    if (status != PERI_IO_OK)
        return status;
    if (p->memo_n * 2 >= p->memo_room) {
        const size_t old = p->memo_room, room = old == 0 ? 64 : old * 2;
        const size_t bytes = room * sizeof *p->memo;
        status = charge(p, bytes - old * sizeof *p->memo, fault);
        if (status != PERI_IO_OK)
            return status;
        void *fresh = peri_take(&p->source->memory, bytes);
        if (fresh == NULL)
            return peri_fail_memory(fault);
        memset(fresh, 0, bytes);
        peri_pickle_slot *before = p->memo;
        p->memo = fresh;
        p->memo_room = room;
        for (size_t i = 0; i < old; i++)
            if (before[i].key != 0)
                p->memo[slot_of(p, before[i].key)] = before[i];
        peri_give(&p->source->memory, before, old * sizeof *p->memo);
    }
    const size_t at = slot_of(p, index + 1);
    p->memo_n += p->memo[at].key == 0;
    p->memo[at].key = index + 1;
    p->memo[at].value = p->stack[p->depth - 1];
    return PERI_IO_OK;
}

static peri_io memo_get(peri_pickle *p, uint64_t index, peri_fault *fault)
{
    size_t at = 0;
    if (p->memo_room == 0 || p->memo[at = slot_of(p, index + 1)].key == 0)
        return refuse(p, "the pickle is damaged: it recalls what it never stored", fault);
    return push(p, p->memo[at].value, fault);
}

/* ---- objects -------------------------------------------------------------------------------- */

static object *object_of(const peri_pickle *p, value v)
{
    return &p->objects[v.as.id - 1];
}

/* The items of a tuple, or NULL. */
static const value *items_of(const peri_pickle *p, const object *tuple)
{
    return tuple->length > 0 ? p->items + tuple->first : NULL;
}

static bool is(const peri_pickle *p, value v, kind k)
{
    return v.tag == PERI_PICKLE_OBJECT && object_of(p, v)->kind == k;
}

/* A new object, its value pushed. */
static peri_io create(peri_pickle *p, kind k, object **o, peri_fault *fault)
{
    peri_io status =
        grow(p, &p->objects, &p->objects_room, p->nobjects, 1, sizeof *p->objects, fault);
    if (status == PERI_IO_OK)
        status = charge(p, 64, fault);
    if (status == PERI_IO_OK && p->nobjects >= UINT32_MAX - 1)
        status = refuse(p, "the pickle holds too many values", fault);
    if (status == PERI_IO_OK) {
        const value v = {.tag = PERI_PICKLE_OBJECT, .as.id = (uint32_t)p->nobjects + 1};
        status = push(p, v, fault);
    }
    if (status != PERI_IO_OK)
        return status;
    *o = &p->objects[p->nobjects++];
    memset(*o, 0, sizeof **o);
    (*o)->kind = (unsigned char)k;
    return PERI_IO_OK;
}

static bool valid_utf8(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    while (s < end) {
        if (*s < 0x80) {
            s++;
            continue;
        }
        /* Surrogates pass, as they do in Python's pickles. */
        const int n = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
        if (*s < 0xc2 || *s > 0xf4 || end - s <= n || (*s == 0xe0 && s[1] < 0xa0) ||
            (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
            return false;
        for (int i = 1; i <= n; i++)
            if ((s[i] & 0xc0) != 0x80)
                return false;
        s += n + 1;
    }
    return true;
}

/* A string object of bytes that are at hand until the next call. */
static peri_io make_string(peri_pickle *p, const char *bytes, size_t length, bool text, event *e,
                           peri_fault *fault)
{
    if (text && length <= SHORT && !valid_utf8(bytes, length))
        return refuse(p, "a string of the pickle is not UTF-8", fault);
    object *o;
    peri_io status = create(p, length <= SHORT ? STRING : BLOB, &o, fault);
    if (status == PERI_IO_OK)
        status = charge(p, length, fault);
    if (status != PERI_IO_OK)
        return status;
    p->stack[p->depth - 1].text = text;
    o->text = text;
    o->length = length;
    o->made = length <= SHORT;
    *e = (event){.kind = o->made ? PERI_PICKLE_STRING : PERI_PICKLE_BLOB,
                 .id = (uint32_t)p->nobjects,
                 .text = bytes,
                 .length = length};
    p->fill.id = e->id;
    p->fill.memory = bytes;
    p->fill.length = length;
    p->fill.from_source = false;
    return PERI_IO_OK;
}

void peri_pickle_keep(peri_pickle *p, uint32_t id, const char *bytes)
{
    object *o = &p->objects[id - 1];
    o->bytes = (char *)bytes;
    o->kind = STRING;
}

peri_io peri_pickle_fill(peri_pickle *p, void *memory, peri_fault *fault)
{
    object *o = &p->objects[p->fill.id - 1];
    if (o->kind == BLOB) {
        o->bytes = memory;
        if (p->fill.from_source)
            return peri_source_read(p->source, memory, p->fill.length, fault);
        memcpy(memory, p->fill.memory, p->fill.length);
        return PERI_IO_OK;
    }
    const peri_layout *l = &p->fill.layout;
    if (p->fill.from_source)
        return peri_element_read(p->source, l->element, l->size, p->fill.dtype, p->exact, memory,
                                 fault);
    return peri_element_convert(l->element, p->fill.memory, l->size, p->fill.dtype, p->exact,
                                memory, p->place, fault);
}

/* ---- from the machine's values to the host's ------------------------------------------------ */

static peri_io too_deep(const peri_pickle *p, peri_fault *fault)
{
    return refuse(p, "the pickle nests deeper than 10000 levels", fault);
}

/* Whether v may stand in data at all. */
static peri_io is_data(const peri_pickle *p, value v, peri_fault *fault)
{
    if (v.tag == PERI_PICKLE_GLOBAL) {
        for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
            if (globals[i].is == v.as.i)
                return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                        "the pickle holds a class or function as a value:", "%s.%s",
                                        globals[i].module, globals[i].name);
    }
    if (v.tag == PERI_PICKLE_DATA)
        return refuse(p, "the pickle uses the bytes of an array twice", fault);
    if (v.tag != PERI_PICKLE_OBJECT)
        return PERI_IO_OK;
    const object *o = object_of(p, v);
    if (o->kind == DTYPE)
        return refuse(p, "the pickle holds a class or function as a value: numpy.dtype", fault);
    if (o->kind == SHELL)
        return refuse(p, "the pickle uses an array before it has elements", fault);
    if (o->kind == BLOB && (o->gone || o->text != v.text))
        return refuse(p, "the pickle uses the bytes of an array twice", fault);
    return PERI_IO_OK;
}

/* Sees to it that the host has v: *made when an event is to be served first. */
static peri_io surface(peri_pickle *p, value v, event *e, bool *made, peri_fault *fault)
{
    *made = false;
    if (p->nwork == 0) {
        const peri_io status = is_data(p, v, fault);
        if (status != PERI_IO_OK || v.tag != PERI_PICKLE_OBJECT || object_of(p, v)->made)
            return status;
        const peri_io grown = grow(p, &p->work, &p->work_room, 0, 1, sizeof *p->work, fault);
        if (grown != PERI_IO_OK)
            return grown;
        p->work[0].id = v.as.id;
        p->work[0].next = 0;
        p->nwork = 1;
    }
    while (p->nwork > 0) {
        const uint32_t id = p->work[p->nwork - 1].id;
        object *o = &p->objects[id - 1];
        size_t *next = &p->work[p->nwork - 1].next;
        if (o->kind == BLOB) {
            if (o->text && !valid_utf8(o->bytes, o->length))
                return refuse(p, "a string of the pickle is not UTF-8", fault);
            *e = (event){.kind = PERI_PICKLE_TEXT, .id = id, .length = o->length};
            o->made = *made = true;
            p->nwork--;
            return charge(p, o->length, fault);
        }
        while (*next < o->length) {
            const value child = p->items[o->first + *next];
            const peri_io status = is_data(p, child, fault);
            if (status != PERI_IO_OK)
                return status;
            if (child.tag == PERI_PICKLE_OBJECT && !object_of(p, child)->made)
                break;
            ++*next;
        }
        if (*next < o->length) {
            const uint32_t child = p->items[o->first + *next].as.id;
            const peri_io status =
                grow(p, &p->work, &p->work_room, p->nwork, 1, sizeof *p->work, fault);
            if (status != PERI_IO_OK)
                return status;
            p->work[p->nwork].id = child;
            p->work[p->nwork++].next = 0;
            continue;
        }
        *e = (event){.kind = PERI_PICKLE_TUPLE, .id = id, .items = items_of(p, o), .n = o->length};
        o->made = *made = true;
        p->nwork--;
        return charge(p, 64 + 16 * o->length, fault);
    }
    return PERI_IO_OK;
}

static peri_io nest(peri_pickle *p, object *outer, value inner, peri_fault *fault)
{
    if (inner.tag != PERI_PICKLE_OBJECT)
        return PERI_IO_OK;
    const object *o = object_of(p, inner);
    if (o->levels >= PERI_PICKLE_DEPTH)
        return too_deep(p, fault);
    if (outer->levels <= o->levels)
        outer->levels = (uint16_t)(o->levels + 1);
    return PERI_IO_OK;
}

/* Puts the n values on top of the stack into the list or dict below them. `marked`: with the mark
 * between. Runs again until all are there. */
static peri_io put_items(peri_pickle *p, int op, kind k, size_t n, bool marked, event *e,
                         bool *made, peri_fault *fault)
{
    const size_t first = p->depth - n;
    const value target = p->stack[first - 1];
    if (!is(p, target, k))
        return refuse(p,
                      k == LIST ? "the pickle is damaged: it appends to what is no list"
                                : "the pickle sets a field of what is no dict",
                      fault);
    if (k == DICT && n % 2 != 0)
        return refuse(p, "the pickle is damaged: a key has no value", fault);
    for (; p->cursor < n; p->cursor++) {
        const value v = p->stack[first + p->cursor];
        const peri_io status = surface(p, v, e, made, fault);
        if (status != PERI_IO_OK || *made) {
            p->again = op;
            return status;
        }
        if (k == DICT && p->cursor % 2 == 0) {
            if (v.tag == PERI_PICKLE_NONE)
                return refuse(p, "a dict has the key None, which a table cannot have", fault);
            if (v.tag == PERI_PICKLE_FLOAT && isnan(v.as.f))
                return refuse(p, "a dict has the key nan, which a table cannot have", fault);
            if (v.tag == PERI_PICKLE_OBJECT && !is(p, v, STRING) && !is(p, v, BLOB))
                return refuse(p,
                              is(p, v, TUPLE)
                                  ? "a dict has a tuple as key, which a table cannot find again"
                                  : "the pickle is damaged: a key that Python cannot have",
                              fault);
        }
        const peri_io nested = nest(p, object_of(p, target), v, fault);
        if (nested != PERI_IO_OK)
            return nested;
    }
    p->cursor = 0;
    object *o = object_of(p, target);
    *e = (event){.kind = k == LIST ? PERI_PICKLE_APPEND : PERI_PICKLE_SET,
                 .id = target.as.id,
                 .items = p->stack + first,
                 .n = n,
                 .at = o->length};
    *made = n > 0;
    o->length += n;
    p->depth = first;
    if (marked)
        p->nmarks--;
    return charge(p, n * (k == LIST ? 16 : 40), fault);
}

static peri_io make_container(peri_pickle *p, kind k, event *e, bool *made, peri_fault *fault)
{
    object *o;
    const peri_io status = create(p, k, &o, fault);
    if (status != PERI_IO_OK)
        return status;
    o->made = *made = true;
    o->levels = 1;
    *e = (event){.kind = k == LIST ? PERI_PICKLE_LIST : PERI_PICKLE_DICT,
                 .id = (uint32_t)p->nobjects};
    return PERI_IO_OK;
}

/* The n values on top become a tuple. */
static peri_io make_tuple(peri_pickle *p, size_t n, peri_fault *fault)
{
    const size_t first = p->depth - n;
    peri_io status = grow(p, &p->items, &p->items_room, p->nitems, n, sizeof *p->items, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0)
        memcpy(p->items + p->nitems, p->stack + first, n * sizeof *p->items);
    p->depth = first;
    object *o;
    status = create(p, TUPLE, &o, fault);
    if (status != PERI_IO_OK)
        return status;
    o->first = p->nitems;
    o->length = n;
    o->levels = 1;
    p->nitems += n;
    for (size_t i = 0; i < n; i++) {
        status = nest(p, o, p->items[o->first + i], fault);
        if (status != PERI_IO_OK)
            return status;
    }
    return PERI_IO_OK;
}

/* ---- NumPy ---------------------------------------------------------------------------------- */

static bool is_text(const peri_pickle *p, value v, const char *text)
{
    if (!is(p, v, STRING))
        return false;
    const object *o = object_of(p, v);
    return o->length == strlen(text) && memcmp(o->bytes, text, o->length) == 0;
}

static bool is_flag(value v)
{
    return (v.tag == PERI_PICKLE_BOOL || v.tag == PERI_PICKLE_INT) && (v.as.i == 0 || v.as.i == 1);
}

static bool is_int(value v, int64_t i)
{
    return v.tag == PERI_PICKLE_INT && v.as.i == i;
}

/* The extents of a tuple of ints, measured with the element's kind. */
static bool layout_of(const peri_pickle *p, value shape, value dtype, value order, peri_layout *l)
{
    memset(l, 0, sizeof *l);
    if (!is(p, shape, TUPLE) || !is(p, dtype, DTYPE) || !is_flag(order))
        return false;
    const object *t = object_of(p, shape);
    if (t->length > PERI_MAX_NDIM)
        return false;
    for (size_t i = 0; i < t->length; i++) {
        const value v = p->items[t->first + i];
        if (v.tag != PERI_PICKLE_INT || v.as.i < 0)
            return false;
        l->shape[i] = (size_t)v.as.i;
    }
    l->ndim = (int)t->length;
    l->element = object_of(p, dtype)->element;
    l->fortran = order.as.i == 1;
    return peri_layout_measure(l);
}

static peri_io bad_array(const peri_pickle *p, peri_fault *fault)
{
    return refuse(p, "the description of an array is not one that NumPy writes", fault);
}

static int dtype_for(const peri_pickle *p, peri_element e)
{
    return p->dtype >= 0 ? p->dtype : peri_element_dtype(e);
}

/* The event that makes array `id` out of `data`, a string or blob. */
static peri_io make_array(peri_pickle *p, uint32_t id, const peri_layout *l, value data, event *e,
                          bool *made, peri_fault *fault)
{
    if (!is(p, data, STRING) && !is(p, data, BLOB))
        return bad_array(p, fault);
    object *from = object_of(p, data);
    peri_io status = is_data(p, data, fault);
    if (status != PERI_IO_OK)
        return status;
    if (from->length != l->size * l->element.size)
        return peri_fail_format(
            fault, PERI_IO_BAD, p->place,
            "an array's bytes do not fill its shape:", "%zu for %zu elements of %d", from->length,
            l->size, l->element.size);
    const int dtype = dtype_for(p, l->element);
    const bool blob = from->kind == BLOB;
    *e = (event){.kind = PERI_PICKLE_ARRAY, .id = id, .layout = *l, .dtype = dtype};
    *made = true;
    if (blob) {
        e->blob = data.as.id;
        from->gone = true;
        if (dtype == PERI_F64 && peri_element_is_native(l->element, dtype))
            e->kind = PERI_PICKLE_VIEW;
    }
    if (e->kind == PERI_PICKLE_ARRAY) {
        status = charge(p, l->size * peri_dtype_size(dtype), fault);
        if (status != PERI_IO_OK)
            return status;
    }
    p->fill.id = id;
    p->fill.from_source = false;
    p->fill.memory = from->bytes;
    p->fill.layout = *l;
    p->fill.dtype = dtype;
    object *o = &p->objects[id - 1];
    o->kind = ARRAY;
    o->made = true;
    return PERI_IO_OK;
}

/* Whether n bytes that come now are those of the array whose state is on the stack; if so, makes
 * the event that reads them into it. */
static peri_io predict_array(peri_pickle *p, size_t n, event *e, bool *made, peri_fault *fault)
{
    *made = false;
    if (n < PREDICT || above_mark(p) != 4 || p->nmarks == 0 || p->depth < 5)
        return PERI_IO_OK;
    const value *top = p->stack + p->depth;
    const size_t floor = p->nmarks > 1 ? p->marks[p->nmarks - 2] : 0;
    if (p->depth - 5 < floor || !is(p, top[-5], SHELL) || object_of(p, top[-5])->made ||
        !is_int(top[-4], 1))
        return PERI_IO_OK;
    peri_layout l;
    if (!layout_of(p, top[-3], top[-2], top[-1], &l) || l.size * l.element.size != n)
        return PERI_IO_OK;
    const uint32_t id = top[-5].as.id;
    const int dtype = dtype_for(p, l.element);
    peri_io status = charge(p, l.size * peri_dtype_size(dtype), fault);
    if (status != PERI_IO_OK)
        return status;
    status = push(p, (value){.tag = PERI_PICKLE_DATA, .as.id = id}, fault);
    if (status != PERI_IO_OK)
        return status;
    *e = (event){.kind = PERI_PICKLE_ARRAY, .id = id, .layout = l, .dtype = dtype};
    *made = true;
    p->fill.id = id;
    p->fill.from_source = true;
    p->fill.layout = l;
    p->fill.dtype = dtype;
    p->objects[id - 1].made = true;
    return PERI_IO_OK;
}

/* n bytes of the source as a string, blob or array. */
static peri_io take_bytes(peri_pickle *p, uint64_t n, bool text, event *e, bool *made,
                          peri_fault *fault)
{
    peri_io status = peri_source_claim(p->source, n, "a string of the pickle claims", fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t length = (size_t)n;
    if (!text) {
        status = predict_array(p, length, e, made, fault);
        if (status != PERI_IO_OK || *made)
            return status;
    }
    const unsigned char *bytes = (const unsigned char *)"";
    if (length <= SHORT) {
        status = peri_source_need(p->source, length, &bytes, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    status = make_string(p, (const char *)bytes, length, text, e, fault);
    if (status != PERI_IO_OK)
        return status;
    *made = true;
    if (length <= SHORT)
        peri_source_skip(p->source, length);
    else
        p->fill.from_source = true;
    return PERI_IO_OK;
}

static peri_io build_dtype(peri_pickle *p, object *dtype, value state, peri_fault *fault)
{
    /* (version, order, None, None, None, -1, -1, flags [, metadata]) */
    const object *t = is(p, state, TUPLE) ? object_of(p, state) : NULL;
    if (t == NULL || dtype->built || t->length < 8 || t->length > 9)
        return bad_array(p, fault);
    const value *v = items_of(p, t);
    if (v[0].tag != PERI_PICKLE_INT || v[0].as.i < 1 || v[0].as.i > 4 ||
        v[2].tag != PERI_PICKLE_NONE || v[3].tag != PERI_PICKLE_NONE ||
        v[4].tag != PERI_PICKLE_NONE || !is_int(v[5], -1) || !is_int(v[6], -1) ||
        v[7].tag != PERI_PICKLE_INT || (t->length == 9 && v[8].tag != PERI_PICKLE_NONE))
        return bad_array(p, fault);
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    if (is_text(p, v[1], "<"))
        dtype->element.swapped = !little;
    else if (is_text(p, v[1], ">"))
        dtype->element.swapped = little;
    else if (!is_text(p, v[1], "|") && !is_text(p, v[1], "="))
        return bad_array(p, fault);
    if (dtype->element.size == 1)
        dtype->element.swapped = false;
    dtype->built = true;
    return PERI_IO_OK;
}

static peri_io build_array(peri_pickle *p, uint32_t id, value state, event *e, bool *made,
                           peri_fault *fault)
{
    /* (1, shape, dtype, is_fortran, bytes) */
    const object *t = is(p, state, TUPLE) ? object_of(p, state) : NULL;
    if (t == NULL || t->length != 5)
        return bad_array(p, fault);
    const value *v = items_of(p, t);
    peri_layout l;
    if (!is_int(v[0], 1) || !layout_of(p, v[1], v[2], v[3], &l))
        return bad_array(p, fault);
    if (v[4].tag == PERI_PICKLE_DATA && v[4].as.id == id) {
        p->objects[id - 1].kind = ARRAY; /* its elements are there */
        return PERI_IO_OK;
    }
    if (p->objects[id - 1].made)
        return bad_array(p, fault);
    return make_array(p, id, &l, v[4], e, made, fault);
}

static peri_io op_build(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    const peri_io status = want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value target = p->stack[p->depth - 2], state = p->stack[p->depth - 1];
    p->depth--;
    if (is(p, target, DTYPE))
        return build_dtype(p, object_of(p, target), state, fault);
    if (is(p, target, SHELL))
        return build_array(p, target.as.id, state, e, made, fault);
    return refuse(p, "the pickle sets the state of what is no new array", fault);
}

static peri_io make_dtype(peri_pickle *p, const value *args, size_t n, peri_fault *fault)
{
    if (n < 1 || n > 3 || !is(p, args[0], STRING) || (n > 1 && !is_flag(args[1])) ||
        (n > 2 && !is_flag(args[2])))
        return bad_array(p, fault);
    const object *name = object_of(p, args[0]);
    peri_element element;
    if (!peri_element_parse(name->bytes, name->length, &element))
        return peri_fail_text(fault, PERI_IO_BAD, p->place,
                              "its dtype cannot become an array of numbers:", name->bytes,
                              name->length);
    object *o;
    const peri_io status = create(p, DTYPE, &o, fault);
    if (status == PERI_IO_OK)
        o->element = element;
    return status;
}

static peri_io make_scalar(peri_pickle *p, const value *args, size_t n, peri_fault *fault)
{
    if (n != 2 || !is(p, args[0], DTYPE) || !is(p, args[1], STRING))
        return bad_array(p, fault);
    const peri_element element = object_of(p, args[0])->element;
    const object *raw = object_of(p, args[1]);
    if (raw->length != element.size)
        return bad_array(p, fault);
    unsigned char bytes[8] = {0};
    for (size_t i = 0; i < element.size; i++)
        bytes[i] = (unsigned char)raw->bytes[element.swapped ? element.size - 1 - i : i];
    peri_element native = element;
    native.swapped = false;
    value v = {.tag = PERI_PICKLE_INT};
    if (element.kind == 'f') {
        v.tag = PERI_PICKLE_FLOAT;
        const peri_io status =
            peri_element_convert(native, bytes, 1, PERI_F64, false, &v.as.f, p->place, fault);
        if (status != PERI_IO_OK)
            return status;
        return push(p, v, fault);
    }
    uint64_t bits = 0;
    memcpy(&bits, bytes, 8);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        bits >>= 64 - 8 * element.size;
    if (element.kind == 'i' && element.size < 8 && bits >> (8 * element.size - 1) != 0)
        bits |= UINT64_MAX << 8 * element.size;
    if (element.kind == 'u' && bits > INT64_MAX)
        return refuse(p, "an integer of the pickle does not fit 64 bits with sign", fault);
    v.as.i = element.kind == 'b' ? bits != 0 : (int64_t)bits;
    return push(p, v, fault);
}

/* UTF-8 to Latin-1, in place or not (out may be in). Returns the length, or SIZE_MAX. */
static size_t to_latin1(const char *in, size_t length, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)in[i];
        if (c < 0x80)
            out[n++] = (char)c;
        else if ((c == 0xc2 || c == 0xc3) && i + 1 < length &&
                 ((unsigned char)in[i + 1] & 0xc0) == 0x80)
            out[n++] = (char)((c & 3) << 6 | ((unsigned char)in[++i] & 0x3f));
        else
            return SIZE_MAX;
    }
    return n;
}

static peri_io encode(peri_pickle *p, value v, event *e, bool *made, peri_fault *fault)
{
    static const char *const wide = "text that is to be bytes has letters beyond Latin-1";
    peri_io status = is_data(p, v, fault);
    if (status != PERI_IO_OK)
        return status;
    object *o = object_of(p, v);
    if (o->kind == STRING) {
        status = grow(p, &p->text, &p->text_room, 0, o->length + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        const size_t n = to_latin1(o->bytes, o->length, p->text);
        if (n == SIZE_MAX)
            return refuse(p, wide, fault);
        *made = true;
        return make_string(p, p->text, n, false, e, fault);
    }
    if (o->made)
        return refuse(p, "the pickle uses the bytes of an array twice", fault);
    const size_t n = to_latin1(o->bytes, o->length, o->bytes);
    if (n == SIZE_MAX)
        return refuse(p, wide, fault);
    o->length = n;
    o->text = false; /* whoever recalls it as text is refused */
    v.text = false;
    return push(p, v, fault);
}

static peri_io make_bytes(peri_pickle *p, const value *args, size_t n, bool array, event *e,
                          bool *made, peri_fault *fault)
{
    if (n == 0) {
        *made = true;
        return make_string(p, "", 0, false, e, fault);
    }
    if (array && n == 1 && (is(p, args[0], STRING) || is(p, args[0], BLOB)) && !args[0].text)
        return push(p, args[0], fault);
    if (array && n == 2 && (is(p, args[0], STRING) || is(p, args[0], BLOB)) &&
        (is_text(p, args[1], "latin-1") || is_text(p, args[1], "latin1")))
        return encode(p, args[0], e, made, fault);
    return refuse(p, "the pickle makes bytes of what is no text", fault);
}

static peri_io op_reduce(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    peri_io status = want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value callable = p->stack[p->depth - 2], tuple = p->stack[p->depth - 1];
    if (callable.tag != PERI_PICKLE_GLOBAL || !is(p, tuple, TUPLE))
        return refuse(p, "the pickle wants to call what is no function of NumPy", fault);
    p->depth -= 2;
    const size_t n = object_of(p, tuple)->length;
    const value *args = items_of(p, object_of(p, tuple));
    switch (callable.as.i) {
    case NUMPY_RECONSTRUCT: {
        if (n != 3 || args[0].tag != PERI_PICKLE_GLOBAL || args[0].as.i != NUMPY_NDARRAY ||
            !is(p, args[1], TUPLE) || !is(p, args[2], STRING))
            return bad_array(p, fault);
        object *o;
        return create(p, SHELL, &o, fault);
    }
    case NUMPY_SCALAR:
        return make_scalar(p, args, n, fault);
    case NUMPY_DTYPE:
        return make_dtype(p, args, n, fault);
    case NUMPY_FROMBUFFER: {
        peri_layout l;
        const bool fortran = n == 4 && is_text(p, args[3], "F");
        if (n != 4 || (!fortran && !is_text(p, args[3], "C")) ||
            !layout_of(p, args[2], args[1], (value){.tag = PERI_PICKLE_BOOL, .as.i = fortran}, &l))
            return bad_array(p, fault);
        const value data = args[0];
        object *o;
        status = create(p, SHELL, &o, fault);
        if (status != PERI_IO_OK)
            return status;
        return make_array(p, (uint32_t)p->nobjects, &l, data, e, made, fault);
    }
    case CODECS_ENCODE:
        if (n != 2 || (!is(p, args[0], STRING) && !is(p, args[0], BLOB)) ||
            (!is_text(p, args[1], "latin1") && !is_text(p, args[1], "latin-1")))
            return refuse(p, "the pickle encodes other than text as latin1", fault);
        return encode(p, args[0], e, made, fault);
    case BYTES:
    case BYTEARRAY:
        return make_bytes(p, args, n, callable.as.i == BYTEARRAY, e, made, fault);
    default:
        return refuse(p, "the pickle wants to call what is no function of NumPy", fault);
    }
}

static peri_io push_global(peri_pickle *p, const char *module, size_t module_length,
                           const char *name, size_t name_length, peri_fault *fault)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strlen(globals[i].module) == module_length && strlen(globals[i].name) == name_length &&
            memcmp(globals[i].module, module, module_length) == 0 &&
            memcmp(globals[i].name, name, name_length) == 0)
            return push(p, (value){.tag = PERI_PICKLE_GLOBAL, .as.i = globals[i].is}, fault);
    char full[120];
    peri_printable(full, 58, module, module_length);
    const size_t n = strlen(full);
    full[n] = '.';
    peri_printable(full + n + 1, 58, name, name_length);
    return peri_fail_text(fault, PERI_IO_BAD, p->place,
                          "only numbers, text, containers and NumPy arrays are read from a pickle,"
                          " and this one asks for",
                          full, strlen(full));
}

static peri_io op_stack_global(peri_pickle *p, peri_fault *fault)
{
    const peri_io status = want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value module = p->stack[p->depth - 2], name = p->stack[p->depth - 1];
    if (!is(p, module, STRING) || !is(p, name, STRING))
        return refuse(p, "the pickle is damaged: a name must be text", fault);
    p->depth -= 2;
    return push_global(p, object_of(p, module)->bytes, object_of(p, module)->length,
                       object_of(p, name)->bytes, object_of(p, name)->length, fault);
}

/* ---- arguments of opcodes ------------------------------------------------------------------- */

/* n (1 to 8) bytes, little-endian. */
static peri_io take_number(peri_pickle *p, size_t n, uint64_t *out, peri_fault *fault)
{
    const unsigned char *bytes;
    const peri_io status = peri_source_need(p->source, n, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)bytes[i] << 8 * i;
    peri_source_skip(p->source, n);
    return PERI_IO_OK;
}

/* A line without its newline, in p->line, *length long. */
static peri_io take_line(peri_pickle *p, size_t *length, peri_fault *fault)
{
    *length = 0;
    for (;;) {
        const unsigned char *bytes;
        size_t count;
        peri_io status = peri_source_peek(p->source, 1, &bytes, &count, fault);
        if (status != PERI_IO_OK)
            return status;
        if (count == 0)
            return peri_fail(fault, PERI_IO_BAD, p->source->position, "the file ends early");
        const unsigned char *newline = memchr(bytes, '\n', count);
        const size_t n = newline != NULL ? (size_t)(newline - bytes) : count;
        status = grow(p, &p->line, &p->line_room, *length, n + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        memcpy(p->line + *length, bytes, n);
        *length += n;
        p->line[*length] = 0;
        peri_source_skip(p->source, n + (newline != NULL));
        if (newline != NULL)
            return PERI_IO_OK;
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undoes repr() of Python 2's str, in place. False when an escape is damaged. */
static bool unescape(char *s, size_t n, size_t *length)
{
    static const char letters[] = "\\'\"abfnrtv", meant[] = "\\'\"\a\b\f\n\r\t\v";
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '\\') {
            s[out++] = s[i];
            continue;
        }
        if (++i == n)
            return false;
        const char *found = memchr(letters, s[i], sizeof letters - 1);
        if (found != NULL) {
            s[out++] = meant[found - letters];
        } else if (s[i] == 'x') {
            const int high = n - i < 3 ? -1 : hex_digit(s[i + 1]);
            const int low = n - i < 3 ? -1 : hex_digit(s[i + 2]);
            if (high < 0 || low < 0)
                return false;
            s[out++] = (char)(high * 16 + low);
            i += 2;
        } else if (s[i] >= '0' && s[i] <= '7') {
            int code = 0, digits = 0;
            while (digits < 3 && i < n && s[i] >= '0' && s[i] <= '7') {
                code = code * 8 + (s[i++] - '0');
                digits++;
            }
            i--;
            s[out++] = (char)code;
        } else {
            s[out++] = '\\';
            s[out++] = s[i];
        }
    }
    *length = out;
    return true;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)(lead[n] | c);
    return (size_t)n;
}

/* raw-unicode-escape to UTF-8; out holds 2 * n. False when an escape is damaged. */
static bool unescape_unicode(const char *s, size_t n, char *out, size_t *length)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t digits = s[i] != '\\' || i + 1 >= n ? 0
                              : s[i + 1] == 'u'          ? 4
                              : s[i + 1] == 'U'          ? 8
                                                         : 0;
        if (digits == 0) {
            used += put_utf8((unsigned char)s[i], out + used);
            continue;
        }
        uint32_t c = 0;
        if (n - i < digits + 2)
            return false;
        for (size_t d = 0; d < digits; d++) {
            const int h = hex_digit(s[i + 2 + d]);
            if (h < 0 || c > 0x10ffff)
                return false;
            c = c << 4 | (uint32_t)h;
        }
        if (c > 0x10ffff)
            return false;
        used += put_utf8(c, out + used);
        i += digits + 1;
    }
    *length = used;
    return true;
}

static peri_io op_text_line(peri_pickle *p, bool unicode, event *e, bool *made, peri_fault *fault)
{
    size_t n;
    peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    *made = true;
    if (unicode) {
        status = grow(p, &p->text, &p->text_room, 0, 2 * n + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        if (!unescape_unicode(p->line, n, p->text, &n))
            return refuse(p, "the pickle is damaged: an escape in a string", fault);
        return make_string(p, p->text, n, true, e, fault);
    }
    while (n > 0 && (p->line[n - 1] == '\r' || p->line[n - 1] == ' '))
        n--;
    if (n < 2 || p->line[0] != p->line[n - 1] || (p->line[0] != '\'' && p->line[0] != '"'))
        return refuse(p, "the pickle is damaged: a string without quotes", fault);
    size_t length;
    if (!unescape(p->line + 1, n - 2, &length))
        return refuse(p, "the pickle is damaged: an escape in a string", fault);
    return make_string(p, p->line + 1, length, false, e, fault);
}

static peri_io op_number_line(peri_pickle *p, int op, peri_fault *fault)
{
    size_t n;
    const peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    value v = {.tag = PERI_PICKLE_INT};
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    if (op == 'F') {
        v.tag = PERI_PICKLE_FLOAT;
        if (!peri_number_parse(p->line, n, &v.as.f))
            return refuse(p, "the pickle is damaged: a number", fault);
        return push(p, v, fault);
    }
    if (op == 'I' && n == 2 && p->line[0] == '0' && (p->line[1] == '0' || p->line[1] == '1')) {
        v.tag = PERI_PICKLE_BOOL;
        v.as.i = p->line[1] == '1';
        return push(p, v, fault);
    }
    if (op == 'L' && n > 0 && p->line[n - 1] == 'L')
        n--;
    if (peri_integer_parse(p->line, n, &v.as.i))
        return push(p, v, fault);
    for (size_t i = n > 0 && (p->line[0] == '-' || p->line[0] == '+'); i < n || n == 0; i++)
        if (n == 0 || p->line[i] < '0' || p->line[i] > '9')
            return refuse(p, "the pickle is damaged: a number", fault);
    return refuse(p, "an integer of the pickle does not fit 64 bits with sign", fault);
}

static peri_io op_long(peri_pickle *p, size_t width, peri_fault *fault)
{
    uint64_t n;
    peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (width == 4 && n > INT32_MAX)
        return refuse(p, "the pickle is damaged: an integer of negative length", fault);
    if (n > 1024)
        return refuse(p, "an integer of the pickle does not fit 64 bits with sign", fault);
    const unsigned char *bytes;
    status = peri_source_need(p->source, (size_t)n, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    uint64_t bits = 0;
    const bool negative = n > 0 && bytes[n - 1] >= 0x80;
    if (negative)
        bits = UINT64_MAX;
    for (size_t i = 0; i < n && i < 8; i++)
        bits = (bits & ~((uint64_t)0xff << 8 * i)) | (uint64_t)bytes[i] << 8 * i;
    bool fits = n <= 8 || (bits >> 63 != 0) == negative;
    for (size_t i = 8; i < n; i++)
        fits = fits && bytes[i] == (negative ? 0xff : 0);
    if (!fits)
        return refuse(p, "an integer of the pickle does not fit 64 bits with sign", fault);
    peri_source_skip(p->source, (size_t)n);
    return push(p, (value){.tag = PERI_PICKLE_INT, .as.i = (int64_t)bits}, fault);
}

static peri_io op_int(peri_pickle *p, size_t width, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    const int64_t i = width == 4 ? (int32_t)(uint32_t)n : (int64_t)n;
    return push(p, (value){.tag = PERI_PICKLE_INT, .as.i = i}, fault);
}

static peri_io op_float(peri_pickle *p, peri_fault *fault)
{
    const unsigned char *bytes;
    const peri_io status = peri_source_need(p->source, 8, &bytes, fault);
    if (status != PERI_IO_OK)
        return status;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i];
    value v = {.tag = PERI_PICKLE_FLOAT};
    memcpy(&v.as.f, &bits, 8);
    peri_source_skip(p->source, 8);
    return push(p, v, fault);
}

static peri_io op_bytes(peri_pickle *p, size_t width, bool sign, bool text, event *e, bool *made,
                        peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, width, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (sign && n > INT32_MAX)
        return refuse(p, "the pickle is damaged: a string of negative length", fault);
    return take_bytes(p, n, text, e, made, fault);
}

static peri_io op_memo(peri_pickle *p, size_t width, bool put, peri_fault *fault)
{
    uint64_t index;
    const peri_io status = take_number(p, width, &index, fault);
    if (status != PERI_IO_OK)
        return status;
    return put ? memo_put(p, index, fault) : memo_get(p, index, fault);
}

static peri_io op_memo_line(peri_pickle *p, bool put, peri_fault *fault)
{
    size_t n;
    int64_t index;
    const peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    if (!peri_integer_parse(p->line, n, &index) || index < 0)
        return refuse(p, "the pickle is damaged: a place in its memory", fault);
    return put ? memo_put(p, (uint64_t)index, fault) : memo_get(p, (uint64_t)index, fault);
}

static peri_io op_global(peri_pickle *p, peri_fault *fault)
{
    size_t n, name;
    peri_io status = take_line(p, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0 && p->line[n - 1] == '\r')
        n--;
    status = grow(p, &p->text, &p->text_room, 0, n + 1, 1, fault);
    if (status != PERI_IO_OK)
        return status;
    memcpy(p->text, p->line, n);
    status = take_line(p, &name, fault);
    if (status != PERI_IO_OK)
        return status;
    if (name > 0 && p->line[name - 1] == '\r')
        name--;
    return push_global(p, p->text, n, p->line, name, fault);
}

static peri_io op_mark(peri_pickle *p, peri_fault *fault)
{
    if (p->nmarks >= PERI_PICKLE_DEPTH)
        return too_deep(p, fault);
    const peri_io status =
        grow(p, &p->marks, &p->marks_room, p->nmarks, 1, sizeof *p->marks, fault);
    if (status == PERI_IO_OK)
        p->marks[p->nmarks++] = p->depth;
    return status;
}

static peri_io op_pop(peri_pickle *p, peri_fault *fault)
{
    if (p->nmarks > 0 && p->marks[p->nmarks - 1] == p->depth) {
        p->nmarks--;
        return PERI_IO_OK;
    }
    const peri_io status = want(p, 1, fault);
    if (status == PERI_IO_OK)
        p->depth--;
    return status;
}

static peri_io op_put(peri_pickle *p, int op, event *e, bool *made, peri_fault *fault)
{
    const kind k = op == 'a' || op == 'e' ? LIST : DICT;
    const bool marked = op == 'e' || op == 'u';
    const peri_io status = marked ? want_mark(p, 1, fault) : want(p, k == LIST ? 2 : 3, fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t n = marked ? above_mark(p) : k == LIST ? 1 : 2;
    return put_items(p, op, k, n, marked, e, made, fault);
}

/* LIST and DICT of protocol 0 take their contents from the stack: they become an empty container
 * under the mark, and then APPENDS or SETITEMS. */
static peri_io op_collect(peri_pickle *p, kind k, event *e, bool *made, peri_fault *fault)
{
    peri_io status = want_mark(p, 0, fault);
    if (status != PERI_IO_OK)
        return status;
    const size_t mark = p->marks[p->nmarks - 1], n = p->depth - mark;
    status = make_container(p, k, e, made, fault);
    if (status != PERI_IO_OK)
        return status;
    const value container = p->stack[p->depth - 1];
    memmove(p->stack + mark + 1, p->stack + mark, n * sizeof *p->stack);
    p->stack[mark] = container;
    p->marks[p->nmarks - 1] = mark + 1;
    p->again = k == LIST ? 'e' : 'u';
    return PERI_IO_OK;
}

static peri_io op_stop(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    if (p->depth != 1 || p->nmarks != 0)
        return refuse(p, "the pickle is damaged: it ends in the middle", fault);
    const value v = p->stack[0];
    const peri_io status = surface(p, v, e, made, fault);
    if (status != PERI_IO_OK || *made) {
        p->again = '.';
        return status;
    }
    *made = true;
    *e = (event){.kind = PERI_PICKLE_DONE, .value = v};
    return PERI_IO_OK;
}

static peri_io op_frame(peri_pickle *p, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, 8, &n, fault);
    if (status != PERI_IO_OK)
        return status;
    return peri_source_claim(p->source, n, "a frame of the pickle claims", fault);
}

static peri_io op_protocol(peri_pickle *p, peri_fault *fault)
{
    uint64_t n;
    const peri_io status = take_number(p, 1, &n, fault);
    if (status == PERI_IO_OK && n > 5)
        return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                "a pickle of this protocol is not known:", "%d", (int)n);
    return status;
}

static peri_io op_tuple(peri_pickle *p, int op, peri_fault *fault)
{
    if (op == 't') {
        const peri_io status = want_mark(p, 0, fault);
        if (status != PERI_IO_OK)
            return status;
        const size_t n = above_mark(p);
        p->nmarks--;
        return make_tuple(p, n, fault);
    }
    const size_t n = op == ')' ? 0 : (size_t)(op - 0x84);
    const peri_io status = want(p, n, fault);
    return status == PERI_IO_OK ? make_tuple(p, n, fault) : status;
}

static peri_io not_data(const peri_pickle *p, int op, peri_fault *fault)
{
    static const struct {
        unsigned char op;
        const char *name;
    } known[] = {
        {'i', "an object (INST)"},
        {'o', "an object (OBJ)"},
        {0x81, "an object (NEWOBJ)"},
        {0x92, "an object (NEWOBJ_EX)"},
        {'P', "a persistent id"},
        {'Q', "a persistent id"},
        {0x82, "an extension code"},
        {0x83, "an extension code"},
        {0x84, "an extension code"},
        {0x8f, "a set"},
        {0x90, "a set"},
        {0x91, "a frozenset"},
        {0x97, "a buffer outside of it"},
        {0x98, "a buffer outside of it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].op == op)
            return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                    "only numbers, text, containers and NumPy arrays are read from"
                                    " a pickle, and this one holds",
                                    "%s", known[i].name);
    return peri_fail_format(fault, PERI_IO_BAD, p->place, "the pickle is damaged: no opcode is",
                            "0x%02x", (unsigned)op);
}

/* INST and NEWOBJ name a class: say which. */
static peri_io op_inst(peri_pickle *p, peri_fault *fault)
{
    const peri_io status = op_global(p, fault);
    return status == PERI_IO_OK ? not_data(p, 'i', fault) : status;
}

static peri_io run(peri_pickle *p, int op, event *e, bool *made, peri_fault *fault)
{
    switch (op) {
    case '(':
        return op_mark(p, fault);
    case '.':
        return op_stop(p, e, made, fault);
    case '0':
        return op_pop(p, fault);
    case '1': {
        const peri_io status = want_mark(p, 0, fault);
        if (status == PERI_IO_OK)
            p->depth = p->marks[--p->nmarks];
        return status;
    }
    case '2': {
        const peri_io status = want(p, 1, fault);
        return status == PERI_IO_OK ? push(p, p->stack[p->depth - 1], fault) : status;
    }
    case 'N':
        return push(p, (value){.tag = PERI_PICKLE_NONE}, fault);
    case 0x88:
    case 0x89:
        return push(p, (value){.tag = PERI_PICKLE_BOOL, .as.i = op == 0x88}, fault);
    case 'F':
    case 'I':
    case 'L':
        return op_number_line(p, op, fault);
    case 'J':
        return op_int(p, 4, fault);
    case 'K':
        return op_int(p, 1, fault);
    case 'M':
        return op_int(p, 2, fault);
    case 0x8a:
        return op_long(p, 1, fault);
    case 0x8b:
        return op_long(p, 4, fault);
    case 'G':
        return op_float(p, fault);
    case 'S':
    case 'V':
        return op_text_line(p, op == 'V', e, made, fault);
    case 'T':
        return op_bytes(p, 4, true, false, e, made, fault);
    case 'U':
    case 'C':
        return op_bytes(p, 1, false, false, e, made, fault);
    case 'B':
        return op_bytes(p, 4, false, false, e, made, fault);
    case 0x8e:
    case 0x96:
        return op_bytes(p, 8, false, false, e, made, fault);
    case 'X':
        return op_bytes(p, 4, false, true, e, made, fault);
    case 0x8c:
        return op_bytes(p, 1, false, true, e, made, fault);
    case 0x8d:
        return op_bytes(p, 8, false, true, e, made, fault);
    case ']':
        return make_container(p, LIST, e, made, fault);
    case '}':
        return make_container(p, DICT, e, made, fault);
    case 'l':
        return op_collect(p, LIST, e, made, fault);
    case 'd':
        return op_collect(p, DICT, e, made, fault);
    case 'a':
    case 'e':
    case 's':
    case 'u':
        return op_put(p, op, e, made, fault);
    case ')':
    case 't':
    case 0x85:
    case 0x86:
    case 0x87:
        return op_tuple(p, op, fault);
    case 'c':
        return op_global(p, fault);
    case 0x93:
        return op_stack_global(p, fault);
    case 'i':
        return op_inst(p, fault);
    case 'R':
        return op_reduce(p, e, made, fault);
    case 'b':
        return op_build(p, e, made, fault);
    case 'p':
    case 'g':
        return op_memo_line(p, op == 'p', fault);
    case 'q':
    case 'h':
        return op_memo(p, 1, op == 'q', fault);
    case 'r':
    case 'j':
        return op_memo(p, 4, op == 'r', fault);
    case 0x94:
        return memo_put(p, p->memo_n, fault);
    case 0x80:
        return op_protocol(p, fault);
    case 0x95:
        return op_frame(p, fault);
    default:
        return not_data(p, op, fault);
    }
}

peri_io peri_pickle_next(peri_pickle *p, event *e, peri_fault *fault)
{
    bool made = false;
    while (!made) {
        int op = p->again;
        p->again = -1;
        if (op < 0) {
            const unsigned char *bytes;
            p->place = p->source->position;
            const peri_io status = peri_source_need(p->source, 1, &bytes, fault);
            if (status != PERI_IO_OK)
                return status;
            op = bytes[0];
            peri_source_skip(p->source, 1);
        }
        const peri_io status = run(p, op, e, &made, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    return PERI_IO_OK;
}

bool peri_pickle_sniff(const unsigned char *bytes, size_t count)
{
    if (count >= 2 && bytes[0] == 0x80)
        return bytes[1] <= 5;
    return count >= 1 && memchr("(]}lcNIFLSVKJMGXU)\x8a", bytes[0], 18) != NULL;
}
