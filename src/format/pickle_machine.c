/* SPDX-License-Identifier: MIT
 *
 * What the pickle machine holds: stack, marks, memo and objects, and how a value of the machine
 * becomes one of the host. */
#include "format/pickle_machine.h"

#include <math.h>
#include <string.h>

#include "format/text.h"

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

/* What the host's values for this pickle cost counts, too. */
peri_io peri_pickle_charge(peri_pickle *p, size_t bytes, peri_fault *fault)
{
    p->charged += bytes;
    if (p->charged > p->source->limit)
        return peri_fail_format(fault, PERI_IO_LIMIT, p->place,
                                "the values need more than max_bytes,", "%llu",
                                (unsigned long long)p->source->limit);
    return PERI_IO_OK;
}

/* Makes room for `extra` elements after n. */
peri_io peri_pickle_grow(peri_pickle *p, void *block_address, size_t *room, size_t n, size_t extra,
                         size_t size, peri_fault *fault)
{
    if (extra <= *room - n)
        return PERI_IO_OK;
    size_t more = *room < 32 ? 64 : *room * 2;
    if (more < n + extra)
        more = n + extra;
    const peri_io status = peri_pickle_charge(p, (more - *room) * size, fault);
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

peri_io peri_pickle_push(peri_pickle *p, value v, peri_fault *fault)
{
    if (p->depth == p->stack_room) {
        const peri_io status =
            peri_pickle_grow(p, &p->stack, &p->stack_room, p->depth, 1, sizeof *p->stack, fault);
        if (status != PERI_IO_OK)
            return status;
    }
    if (p->nmarks == 0 && p->depth >= PERI_PICKLE_DEPTH)
        return peri_pickle_refuse(p, "the pickle nests deeper than 10000 levels", fault);
    p->stack[p->depth++] = v;
    return PERI_IO_OK;
}

/* How many values lie above the last mark. */
size_t peri_pickle_above_mark(const peri_pickle *p)
{
    return p->depth - (p->nmarks > 0 ? p->marks[p->nmarks - 1] : 0);
}

peri_io peri_pickle_want(const peri_pickle *p, size_t n, peri_fault *fault)
{
    return peri_pickle_above_mark(p) >= n
               ? PERI_IO_OK
               : peri_pickle_refuse(p, "the pickle is damaged: its stack is empty", fault);
}

/* Values from the last mark on, that mark being there and `below` values under it. */
peri_io peri_pickle_want_mark(const peri_pickle *p, size_t below, peri_fault *fault)
{
    if (p->nmarks == 0)
        return peri_pickle_refuse(p, "the pickle is damaged: there is no mark", fault);
    const size_t floor = p->nmarks > 1 ? p->marks[p->nmarks - 2] : 0;
    if (p->marks[p->nmarks - 1] - floor < below)
        return peri_pickle_refuse(p, "the pickle is damaged: its stack is empty", fault);
    return PERI_IO_OK;
}

static size_t slot_of(const peri_pickle *p, uint64_t key)
{
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (p->memo_room - 1);
    while (p->memo[at].key != 0 && p->memo[at].key != key)
        at = (at + 1) & (p->memo_room - 1);
    return at;
}

peri_io peri_pickle_memo_put(peri_pickle *p, uint64_t index, peri_fault *fault)
{
    peri_io status = peri_pickle_want(p, 1, fault);
    if (status != PERI_IO_OK)
        return status;
    /* Places are numbered in order, and each is stored by an opcode of its own. */
    if (index > p->source->position)
        return peri_pickle_refuse(p, "the pickle is damaged: a place in its memory", fault);
    if (p->memo_n * 2 >= p->memo_room) {
        const size_t old = p->memo_room, room = old == 0 ? 64 : old * 2;
        const size_t bytes = room * sizeof *p->memo;
        status = peri_pickle_charge(p, bytes - old * sizeof *p->memo, fault);
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

peri_io peri_pickle_memo_get(peri_pickle *p, uint64_t index, peri_fault *fault)
{
    size_t at = 0;
    if (p->memo_room == 0 || p->memo[at = slot_of(p, index + 1)].key == 0)
        return peri_pickle_refuse(p, "the pickle is damaged: it recalls what it never stored",
                                  fault);
    return peri_pickle_push(p, p->memo[at].value, fault);
}

/* ---- objects -------------------------------------------------------------------------------- */

object *peri_pickle_object_of(const peri_pickle *p, value v)
{
    return &p->objects[v.as.id - 1];
}

/* The items of a tuple, or NULL. */
const value *peri_pickle_items_of(const peri_pickle *p, const object *tuple)
{
    return tuple->length > 0 ? p->items + tuple->first : NULL;
}

bool peri_pickle_is(const peri_pickle *p, value v, kind k)
{
    return v.tag == PERI_PICKLE_OBJECT && peri_pickle_object_of(p, v)->kind == k;
}

/* A new object, its value pushed. */
peri_io peri_pickle_create(peri_pickle *p, kind k, object **o, peri_fault *fault)
{
    peri_io status = peri_pickle_grow(p, &p->objects, &p->objects_room, p->nobjects, 1,
                                      sizeof *p->objects, fault);
    if (status == PERI_IO_OK)
        status = peri_pickle_charge(p, 64, fault);
    if (status == PERI_IO_OK && p->nobjects >= UINT32_MAX - 1)
        status = peri_pickle_refuse(p, "the pickle holds too many values", fault);
    if (status == PERI_IO_OK) {
        const value v = {.tag = PERI_PICKLE_OBJECT, .as.id = (uint32_t)p->nobjects + 1};
        status = peri_pickle_push(p, v, fault);
    }
    if (status != PERI_IO_OK)
        return status;
    *o = &p->objects[p->nobjects++];
    memset(*o, 0, sizeof **o);
    (*o)->kind = (unsigned char)k;
    return PERI_IO_OK;
}

/* A string object of bytes that are at hand until the next call. */
peri_io peri_pickle_make_string(peri_pickle *p, const char *bytes, size_t length, bool text,
                                event *e, peri_fault *fault)
{
    if (text && length <= PERI_PICKLE_SHORT && !peri_utf8_or_surrogates(bytes, length))
        return peri_pickle_refuse(p, "a string of the pickle is not UTF-8", fault);
    object *o;
    peri_io status = peri_pickle_create(p, length <= PERI_PICKLE_SHORT ? STRING : BLOB, &o, fault);
    if (status == PERI_IO_OK)
        status = peri_pickle_charge(p, length, fault);
    if (status != PERI_IO_OK)
        return status;
    p->stack[p->depth - 1].text = text;
    o->text = text;
    o->length = length;
    o->made = length <= PERI_PICKLE_SHORT;
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

peri_io peri_pickle_too_deep(const peri_pickle *p, peri_fault *fault)
{
    return peri_pickle_refuse(p, "the pickle nests deeper than 10000 levels", fault);
}

/* Whether v may stand in data at all. */
peri_io peri_pickle_is_data(const peri_pickle *p, value v, peri_fault *fault)
{
    if (v.tag == PERI_PICKLE_GLOBAL) {
        const char *module, *name;
        peri_pickle_global_name(v.as.i, &module, &name);
        return peri_fail_format(fault, PERI_IO_BAD, p->place,
                                "the pickle holds a class or function as a value:", "%s.%s", module,
                                name);
    }
    if (v.tag == PERI_PICKLE_DATA)
        return peri_pickle_refuse(p, "the pickle uses the bytes of an array twice", fault);
    if (v.tag != PERI_PICKLE_OBJECT)
        return PERI_IO_OK;
    const object *o = peri_pickle_object_of(p, v);
    if (o->kind == DTYPE)
        return peri_pickle_refuse(p, "the pickle holds a class or function as a value: numpy.dtype",
                                  fault);
    if (o->kind == STORAGE)
        return peri_pickle_refuse(p, "the checkpoint holds a storage that is no tensor", fault);
    if (o->kind == SHELL)
        return peri_pickle_refuse(p, "the pickle uses an array before it has elements", fault);
    if (o->kind == BLOB && (o->gone || o->text != v.text))
        return peri_pickle_refuse(p, "the pickle uses the bytes of an array twice", fault);
    return PERI_IO_OK;
}

/* Sees to it that the host has v: *made when an event is to be served first. */
peri_io peri_pickle_surface(peri_pickle *p, value v, event *e, bool *made, peri_fault *fault)
{
    *made = false;
    if (p->nwork == 0) {
        const peri_io status = peri_pickle_is_data(p, v, fault);
        if (status != PERI_IO_OK || v.tag != PERI_PICKLE_OBJECT ||
            peri_pickle_object_of(p, v)->made)
            return status;
        const peri_io grown =
            peri_pickle_grow(p, &p->work, &p->work_room, 0, 1, sizeof *p->work, fault);
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
            if (o->text && !peri_utf8_or_surrogates(o->bytes, o->length))
                return peri_pickle_refuse(p, "a string of the pickle is not UTF-8", fault);
            *e = (event){.kind = PERI_PICKLE_TEXT, .id = id, .length = o->length};
            o->made = *made = true;
            p->nwork--;
            return peri_pickle_charge(p, o->length, fault);
        }
        while (*next < o->length) {
            const value child = p->items[o->first + *next];
            const peri_io status = peri_pickle_is_data(p, child, fault);
            if (status != PERI_IO_OK)
                return status;
            if (child.tag == PERI_PICKLE_OBJECT && !peri_pickle_object_of(p, child)->made)
                break;
            ++*next;
        }
        if (*next < o->length) {
            const uint32_t child = p->items[o->first + *next].as.id;
            const peri_io status =
                peri_pickle_grow(p, &p->work, &p->work_room, p->nwork, 1, sizeof *p->work, fault);
            if (status != PERI_IO_OK)
                return status;
            p->work[p->nwork].id = child;
            p->work[p->nwork++].next = 0;
            continue;
        }
        *e = (event){.kind = PERI_PICKLE_TUPLE,
                     .id = id,
                     .items = peri_pickle_items_of(p, o),
                     .n = o->length};
        o->made = *made = true;
        p->nwork--;
        return peri_pickle_charge(p, 64 + 16 * o->length, fault);
    }
    return PERI_IO_OK;
}

static peri_io nest(peri_pickle *p, object *outer, value inner, peri_fault *fault)
{
    if (inner.tag != PERI_PICKLE_OBJECT)
        return PERI_IO_OK;
    const object *o = peri_pickle_object_of(p, inner);
    if (o->levels >= PERI_PICKLE_DEPTH)
        return peri_pickle_too_deep(p, fault);
    if (outer->levels <= o->levels)
        outer->levels = (uint16_t)(o->levels + 1);
    return PERI_IO_OK;
}

/* Puts the n values on top of the stack into the list or dict below them. `marked`: with the mark
 * between. Runs again until all are there. */
peri_io peri_pickle_put_items(peri_pickle *p, int op, kind k, size_t n, bool marked, event *e,
                              bool *made, peri_fault *fault)
{
    const size_t first = p->depth - n;
    const value target = p->stack[first - 1];
    if (!peri_pickle_is(p, target, k))
        return peri_pickle_refuse(p,
                                  k == LIST ? "the pickle is damaged: it appends to what is no list"
                                            : "the pickle sets a field of what is no dict",
                                  fault);
    if (k == DICT && n % 2 != 0)
        return peri_pickle_refuse(p, "the pickle is damaged: a key has no value", fault);
    for (; p->cursor < n; p->cursor++) {
        const value v = p->stack[first + p->cursor];
        const peri_io status = peri_pickle_surface(p, v, e, made, fault);
        if (status != PERI_IO_OK || *made) {
            p->again = op;
            return status;
        }
        if (k == DICT && p->cursor % 2 == 0) {
            if (v.tag == PERI_PICKLE_NONE)
                return peri_pickle_refuse(p, "a dict has the key None, which a table cannot have",
                                          fault);
            if (v.tag == PERI_PICKLE_FLOAT && isnan(v.as.f))
                return peri_pickle_refuse(p, "a dict has the key nan, which a table cannot have",
                                          fault);
            if (v.tag == PERI_PICKLE_OBJECT && !peri_pickle_is(p, v, STRING) &&
                !peri_pickle_is(p, v, BLOB))
                return peri_pickle_refuse(
                    p,
                    peri_pickle_is(p, v, TUPLE)
                        ? "a dict has a tuple as key, which a table cannot find again"
                        : "the pickle is damaged: a key that Python cannot have",
                    fault);
        }
        const peri_io nested = nest(p, peri_pickle_object_of(p, target), v, fault);
        if (nested != PERI_IO_OK)
            return nested;
    }
    p->cursor = 0;
    object *o = peri_pickle_object_of(p, target);
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
    return peri_pickle_charge(p, n * (k == LIST ? 16 : 40), fault);
}

peri_io peri_pickle_make_container(peri_pickle *p, kind k, event *e, bool *made, peri_fault *fault)
{
    object *o;
    const peri_io status = peri_pickle_create(p, k, &o, fault);
    if (status != PERI_IO_OK)
        return status;
    o->made = *made = true;
    o->levels = 1;
    *e = (event){.kind = k == LIST ? PERI_PICKLE_LIST : PERI_PICKLE_DICT,
                 .id = (uint32_t)p->nobjects};
    return PERI_IO_OK;
}

/* The n values on top become a tuple. */
peri_io peri_pickle_make_tuple(peri_pickle *p, size_t n, peri_fault *fault)
{
    const size_t first = p->depth - n;
    peri_io status =
        peri_pickle_grow(p, &p->items, &p->items_room, p->nitems, n, sizeof *p->items, fault);
    if (status != PERI_IO_OK)
        return status;
    if (n > 0)
        memcpy(p->items + p->nitems, p->stack + first, n * sizeof *p->items);
    p->depth = first;
    object *o;
    status = peri_pickle_create(p, TUPLE, &o, fault);
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

bool peri_pickle_is_text(const peri_pickle *p, value v, const char *text)
{
    if (!peri_pickle_is(p, v, STRING))
        return false;
    const object *o = peri_pickle_object_of(p, v);
    return o->length == strlen(text) && memcmp(o->bytes, text, o->length) == 0;
}
