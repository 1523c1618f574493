/* SPDX-License-Identifier: MIT
 *
 * What a pickle may build: NumPy's arrays, dtypes and scalars, and bytes.
 *
 * The bytes of an array come after what describes them (protocols 0 to 4: the stack then reads
 * shell, mark, 1, shape, dtype, order), so they go straight into the array; or before it
 * (_frombuffer of protocol 5), so they go into a blob that then becomes the array. */
#include <string.h>

#include "format/pickle_machine.h"

enum { PREDICT = 256 }; /* array bytes from which they are read into place */

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
    if (!peri_pickle_is(p, shape, TUPLE) || !peri_pickle_is(p, dtype, DTYPE) || !is_flag(order))
        return false;
    const object *t = peri_pickle_object_of(p, shape);
    if (t->length > PERI_MAX_NDIM)
        return false;
    for (size_t i = 0; i < t->length; i++) {
        const value v = p->items[t->first + i];
        if (v.tag != PERI_PICKLE_INT || v.as.i < 0)
            return false;
        l->shape[i] = (size_t)v.as.i;
    }
    l->ndim = (int)t->length;
    l->element = peri_pickle_object_of(p, dtype)->element;
    l->fortran = order.as.i == 1;
    return peri_layout_measure(l);
}

static peri_io bad_array(const peri_pickle *p, peri_fault *fault)
{
    return peri_pickle_refuse(p, "the description of an array is not one that NumPy writes", fault);
}

static int dtype_for(const peri_pickle *p, peri_element e)
{
    return p->dtype >= 0 ? p->dtype : peri_element_dtype(e);
}

/* The event that makes array `id` out of `data`, a string or blob. */
static peri_io make_array(peri_pickle *p, uint32_t id, const peri_layout *l, value data, event *e,
                          bool *made, peri_fault *fault)
{
    if (!peri_pickle_is(p, data, STRING) && !peri_pickle_is(p, data, BLOB))
        return bad_array(p, fault);
    object *from = peri_pickle_object_of(p, data);
    peri_io status = peri_pickle_is_data(p, data, fault);
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
        if (peri_is_f64(dtype) && peri_element_is_native(l->element, dtype))
            e->kind = PERI_PICKLE_VIEW;
    }
    if (e->kind == PERI_PICKLE_ARRAY) {
        status = peri_pickle_charge(p, l->size * peri_dtype_size(dtype), fault);
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
peri_io peri_pickle_predict_array(peri_pickle *p, size_t n, event *e, bool *made, peri_fault *fault)
{
    *made = false;
    if (n < PREDICT || peri_pickle_above_mark(p) != 4 || p->nmarks == 0 || p->depth < 5)
        return PERI_IO_OK;
    const value *top = p->stack + p->depth;
    const size_t floor = p->nmarks > 1 ? p->marks[p->nmarks - 2] : 0;
    if (p->depth - 5 < floor || !peri_pickle_is(p, top[-5], SHELL) ||
        peri_pickle_object_of(p, top[-5])->made || !is_int(top[-4], 1))
        return PERI_IO_OK;
    peri_layout l;
    if (!layout_of(p, top[-3], top[-2], top[-1], &l) || l.size * l.element.size != n)
        return PERI_IO_OK;
    const uint32_t id = top[-5].as.id;
    const int dtype = dtype_for(p, l.element);
    peri_io status = peri_pickle_charge(p, l.size * peri_dtype_size(dtype), fault);
    if (status != PERI_IO_OK)
        return status;
    status = peri_pickle_push(p, (value){.tag = PERI_PICKLE_DATA, .as.id = id}, fault);
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

static peri_io build_dtype(peri_pickle *p, object *dtype, value state, peri_fault *fault)
{
    /* (version, order, None, None, None, -1, -1, flags [, metadata]) */
    const object *t = peri_pickle_is(p, state, TUPLE) ? peri_pickle_object_of(p, state) : NULL;
    if (t == NULL || dtype->built || t->length < 8 || t->length > 9)
        return bad_array(p, fault);
    const value *v = peri_pickle_items_of(p, t);
    if (v[0].tag != PERI_PICKLE_INT || v[0].as.i < 1 || v[0].as.i > 4 ||
        v[2].tag != PERI_PICKLE_NONE || v[3].tag != PERI_PICKLE_NONE ||
        v[4].tag != PERI_PICKLE_NONE || !is_int(v[5], -1) || !is_int(v[6], -1) ||
        v[7].tag != PERI_PICKLE_INT || (t->length == 9 && v[8].tag != PERI_PICKLE_NONE))
        return bad_array(p, fault);
    const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    if (peri_pickle_is_text(p, v[1], "<"))
        dtype->element.swapped = !little;
    else if (peri_pickle_is_text(p, v[1], ">"))
        dtype->element.swapped = little;
    else if (!peri_pickle_is_text(p, v[1], "|") && !peri_pickle_is_text(p, v[1], "="))
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
    const object *t = peri_pickle_is(p, state, TUPLE) ? peri_pickle_object_of(p, state) : NULL;
    if (t == NULL || t->length != 5)
        return bad_array(p, fault);
    const value *v = peri_pickle_items_of(p, t);
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

peri_io peri_pickle_build(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    const peri_io status = peri_pickle_want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value target = p->stack[p->depth - 2], state = p->stack[p->depth - 1];
    p->depth--;
    if (peri_pickle_is(p, target, DTYPE))
        return build_dtype(p, peri_pickle_object_of(p, target), state, fault);
    if (p->torch && peri_pickle_is(p, target, DICT) && peri_pickle_is(p, state, DICT))
        return PERI_IO_OK; /* an OrderedDict's attributes: the versions of a module's layout */
    if (peri_pickle_is(p, target, SHELL))
        return build_array(p, target.as.id, state, e, made, fault);
    return peri_pickle_refuse(p, "the pickle sets the state of what is no new array", fault);
}

static peri_io make_dtype(peri_pickle *p, const value *args, size_t n, peri_fault *fault)
{
    if (n < 1 || n > 3 || !peri_pickle_is(p, args[0], STRING) || (n > 1 && !is_flag(args[1])) ||
        (n > 2 && !is_flag(args[2])))
        return bad_array(p, fault);
    const object *name = peri_pickle_object_of(p, args[0]);
    peri_element element;
    if (!peri_element_parse(name->bytes, name->length, &element))
        return peri_fail_text(fault, PERI_IO_BAD, p->place,
                              "its dtype cannot become an array of numbers:", name->bytes,
                              name->length);
    object *o;
    const peri_io status = peri_pickle_create(p, DTYPE, &o, fault);
    if (status == PERI_IO_OK)
        o->element = element;
    return status;
}

static peri_io make_scalar(peri_pickle *p, const value *args, size_t n, peri_fault *fault)
{
    if (n != 2 || !peri_pickle_is(p, args[0], DTYPE) || !peri_pickle_is(p, args[1], STRING))
        return bad_array(p, fault);
    const peri_element element = peri_pickle_object_of(p, args[0])->element;
    const object *raw = peri_pickle_object_of(p, args[1]);
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
        return peri_pickle_push(p, v, fault);
    }
    uint64_t bits = 0;
    memcpy(&bits, bytes, 8);
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        bits >>= 64 - 8 * element.size;
    if (element.kind == 'i' && element.size < 8 && bits >> (8 * element.size - 1) != 0)
        bits |= UINT64_MAX << 8 * element.size;
    if (element.kind == 'u' && bits > INT64_MAX)
        return peri_pickle_refuse(p, "an integer of the pickle does not fit 64 bits with sign",
                                  fault);
    v.as.i = element.kind == 'b' ? bits != 0 : (int64_t)bits;
    return peri_pickle_push(p, v, fault);
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
    peri_io status = peri_pickle_is_data(p, v, fault);
    if (status != PERI_IO_OK)
        return status;
    object *o = peri_pickle_object_of(p, v);
    if (o->kind == STRING) {
        status = peri_pickle_grow(p, &p->text, &p->text_room, 0, o->length + 1, 1, fault);
        if (status != PERI_IO_OK)
            return status;
        const size_t n = to_latin1(o->bytes, o->length, p->text);
        if (n == SIZE_MAX)
            return peri_pickle_refuse(p, wide, fault);
        *made = true;
        return peri_pickle_make_string(p, p->text, n, false, e, fault);
    }
    if (o->made)
        return peri_pickle_refuse(p, "the pickle uses the bytes of an array twice", fault);
    const size_t n = to_latin1(o->bytes, o->length, o->bytes);
    if (n == SIZE_MAX)
        return peri_pickle_refuse(p, wide, fault);
    o->length = n;
    o->text = false; /* whoever recalls it as text is refused */
    v.text = false;
    return peri_pickle_push(p, v, fault);
}

static peri_io make_bytes(peri_pickle *p, const value *args, size_t n, bool array, event *e,
                          bool *made, peri_fault *fault)
{
    if (n == 0) {
        *made = true;
        return peri_pickle_make_string(p, "", 0, false, e, fault);
    }
    if (array && n == 1 &&
        (peri_pickle_is(p, args[0], STRING) || peri_pickle_is(p, args[0], BLOB)) && !args[0].text)
        return peri_pickle_push(p, args[0], fault);
    if (array && n == 2 &&
        (peri_pickle_is(p, args[0], STRING) || peri_pickle_is(p, args[0], BLOB)) &&
        (peri_pickle_is_text(p, args[1], "latin-1") || peri_pickle_is_text(p, args[1], "latin1")))
        return encode(p, args[0], e, made, fault);
    return peri_pickle_refuse(p, "the pickle makes bytes of what is no text", fault);
}

peri_io peri_pickle_reduce(peri_pickle *p, event *e, bool *made, peri_fault *fault)
{
    peri_io status = peri_pickle_want(p, 2, fault);
    if (status != PERI_IO_OK)
        return status;
    const value callable = p->stack[p->depth - 2], tuple = p->stack[p->depth - 1];
    if (callable.tag != PERI_PICKLE_GLOBAL || !peri_pickle_is(p, tuple, TUPLE))
        return peri_pickle_refuse(p, "the pickle wants to call what is no function of NumPy",
                                  fault);
    p->depth -= 2;
    const size_t n = peri_pickle_object_of(p, tuple)->length;
    const value *args = peri_pickle_items_of(p, peri_pickle_object_of(p, tuple));
    switch (callable.as.i) {
    case NUMPY_RECONSTRUCT: {
        if (n != 3 || args[0].tag != PERI_PICKLE_GLOBAL || args[0].as.i != NUMPY_NDARRAY ||
            !peri_pickle_is(p, args[1], TUPLE) || !peri_pickle_is(p, args[2], STRING))
            return bad_array(p, fault);
        object *o;
        return peri_pickle_create(p, SHELL, &o, fault);
    }
    case NUMPY_SCALAR:
        return make_scalar(p, args, n, fault);
    case NUMPY_DTYPE:
        return make_dtype(p, args, n, fault);
    case NUMPY_FROMBUFFER: {
        peri_layout l;
        const bool fortran = n == 4 && peri_pickle_is_text(p, args[3], "F");
        if (n != 4 || (!fortran && !peri_pickle_is_text(p, args[3], "C")) ||
            !layout_of(p, args[2], args[1], (value){.tag = PERI_PICKLE_BOOL, .as.i = fortran}, &l))
            return bad_array(p, fault);
        const value data = args[0];
        object *o;
        status = peri_pickle_create(p, SHELL, &o, fault);
        if (status != PERI_IO_OK)
            return status;
        return make_array(p, (uint32_t)p->nobjects, &l, data, e, made, fault);
    }
    case CODECS_ENCODE:
        if (n != 2 || (!peri_pickle_is(p, args[0], STRING) && !peri_pickle_is(p, args[0], BLOB)) ||
            (!peri_pickle_is_text(p, args[1], "latin1") &&
             !peri_pickle_is_text(p, args[1], "latin-1")))
            return peri_pickle_refuse(p, "the pickle encodes other than text as latin1", fault);
        return encode(p, args[0], e, made, fault);
    case BYTES:
    case BYTEARRAY:
        return make_bytes(p, args, n, callable.as.i == BYTEARRAY, e, made, fault);
    case ORDERED_DICT:
        if (n != 0)
            return peri_pickle_refuse(p, "the pickle makes a dict of something", fault);
        return peri_pickle_make_container(p, DICT, e, made, fault);
    default:
        if (callable.as.i < ORDERED_DICT)
            break;
        return peri_pickle_torch(p, callable.as.i, args, n, e, made, fault);
    }
    return peri_pickle_refuse(p, "the pickle wants to call what is no function of NumPy", fault);
}
