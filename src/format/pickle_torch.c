/* SPDX-License-Identifier: MIT
 *
 * What a checkpoint of PyTorch's may build. Its pickle names a storage by a persistent id,
 * ("storage", type, key, place, elements), and a tensor by _rebuild_tensor_v2(storage, offset,
 * shape, stride, ...). The elements lie in the archive, under the key; here they are only counted.
 *
 * Source: torch/serialization.py and torch/_utils.py. */
#include <string.h>

#include "format/pickle_machine.h"

/* In the order of the names' meanings from TORCH_STORAGE on. */
static const struct {
    char kind;
    unsigned char size;
} storages[] = {{'f', 8}, {'f', 4}, {'f', 2}, {'B', 2}, {'i', 8}, {'i', 4},
                {'i', 2}, {'i', 1}, {'u', 1}, {'b', 1}, {0, 16},  {0, 8}};

static peri_io bad_tensor(const peri_pickle *p, peri_fault *fault)
{
    return peri_pickle_refuse(p, "the description of a tensor is not one that PyTorch writes",
                              fault);
}

static bool is_count(value v)
{
    return v.tag == PERI_PICKLE_INT && v.as.i >= 0;
}

peri_io peri_pickle_storage(peri_pickle *p, peri_fault *fault)
{
    peri_io status = peri_pickle_want(p, 1, fault);
    if (status != PERI_IO_OK)
        return status;
    const value id = p->stack[--p->depth];
    const object *t = peri_pickle_is(p, id, TUPLE) ? peri_pickle_object_of(p, id) : NULL;
    if (t == NULL || t->length != 5)
        return bad_tensor(p, fault);
    const value *v = peri_pickle_items_of(p, t);
    const size_t known = sizeof storages / sizeof *storages;
    if (!peri_pickle_is_text(p, v[0], "storage") || v[1].tag != PERI_PICKLE_GLOBAL ||
        v[1].as.i < TORCH_STORAGE || (size_t)(v[1].as.i - TORCH_STORAGE) >= known ||
        !peri_pickle_is(p, v[2], STRING) || !peri_pickle_is(p, v[3], STRING) || !is_count(v[4]))
        return bad_tensor(p, fault);
    const size_t type = (size_t)(v[1].as.i - TORCH_STORAGE);
    const size_t key = v[2].as.id, count = (size_t)v[4].as.i;
    object *o;
    status = peri_pickle_create(p, STORAGE, &o, fault);
    if (status != PERI_IO_OK)
        return status;
    o->element = (peri_element){storages[type].kind, storages[type].size, false};
    o->length = count;
    o->first = key;
    return PERI_IO_OK;
}

/* The last element's place over the storage must be inside of it. */
static bool fits(const event *e)
{
    size_t last = e->offset;
    if (e->layout.size == 0)
        return e->offset <= e->storage;
    for (int axis = 0; axis < e->layout.ndim; axis++) {
        size_t span;
        if (__builtin_mul_overflow(e->layout.shape[axis] - 1, (size_t)e->stride[axis], &span) ||
            __builtin_add_overflow(last, span, &last))
            return false;
    }
    return last < e->storage;
}

static peri_io make_tensor(peri_pickle *p, const value *args, size_t n, event *e, bool *made,
                           peri_fault *fault)
{
    if (n < 4 || n > 7 || !peri_pickle_is(p, args[0], STORAGE) || !is_count(args[1]) ||
        !peri_pickle_is(p, args[2], TUPLE) || !peri_pickle_is(p, args[3], TUPLE))
        return bad_tensor(p, fault);
    const object *storage = peri_pickle_object_of(p, args[0]);
    const object *shape = peri_pickle_object_of(p, args[2]);
    const object *stride = peri_pickle_object_of(p, args[3]);
    if (shape->length != stride->length || shape->length > PERI_MAX_NDIM)
        return bad_tensor(p, fault);
    *e = (event){.kind = PERI_PICKLE_TENSOR,
                 .offset = (size_t)args[1].as.i,
                 .storage = storage->length,
                 .stride = p->stride,
                 .layout = {.element = storage->element, .ndim = (int)shape->length}};
    for (size_t i = 0; i < shape->length; i++) {
        const value extent = p->items[shape->first + i], step = p->items[stride->first + i];
        if (!is_count(extent) || !is_count(step))
            return bad_tensor(p, fault);
        e->layout.shape[i] = (size_t)extent.as.i;
        p->stride[i] = (ptrdiff_t)step.as.i;
    }
    if (!peri_layout_measure(&e->layout))
        return peri_pickle_refuse(p, "the shape is larger than any memory", fault);
    if (!fits(e))
        return peri_pickle_refuse(p, "a tensor of the checkpoint reaches beyond its storage",
                                  fault);
    const object *key = &p->objects[storage->first - 1];
    e->text = key->bytes;
    e->length = key->length;
    object *o;
    const peri_io status = peri_pickle_create(p, TENSOR, &o, fault);
    if (status != PERI_IO_OK)
        return status;
    o->made = *made = true;
    e->id = (uint32_t)p->nobjects;
    return PERI_IO_OK;
}

peri_io peri_pickle_torch(peri_pickle *p, int64_t meaning, const value *args, size_t n, event *e,
                          bool *made, peri_fault *fault)
{
    if (meaning == TORCH_TENSOR)
        return make_tensor(p, args, n, e, made, fault);
    if (meaning == TORCH_PARAMETER && n == 3 && peri_pickle_is(p, args[0], TENSOR))
        return peri_pickle_push(p, args[0], fault);
    if (meaning == TORCH_SIZE && n == 1 && peri_pickle_is(p, args[0], TUPLE))
        return peri_pickle_push(p, args[0], fault);
    return bad_tensor(p, fault);
}
