/* SPDX-License-Identifier: MIT
 *
 * The names that a pickle of data mentions. Whatever is not here ends the reading. */
#include <string.h>

#include "format/pickle_machine.h"

static const struct {
    const char *module, *name;
    int is;
    bool torch; /* only in a checkpoint of PyTorch's */
} globals[] = {
    {"numpy.core.multiarray", "_reconstruct", NUMPY_RECONSTRUCT, false},
    {"numpy._core.multiarray", "_reconstruct", NUMPY_RECONSTRUCT, false},
    {"numpy.core.multiarray", "scalar", NUMPY_SCALAR, false},
    {"numpy._core.multiarray", "scalar", NUMPY_SCALAR, false},
    {"numpy", "ndarray", NUMPY_NDARRAY, false},
    {"numpy", "dtype", NUMPY_DTYPE, false},
    {"numpy.core.numeric", "_frombuffer", NUMPY_FROMBUFFER, false},
    {"numpy._core.numeric", "_frombuffer", NUMPY_FROMBUFFER, false},
    {"_codecs", "encode", CODECS_ENCODE, false},
    {"__builtin__", "bytes", BYTES, false},
    {"builtins", "bytes", BYTES, false},
    {"__builtin__", "bytearray", BYTEARRAY, false},
    {"builtins", "bytearray", BYTEARRAY, false},
    {"collections", "OrderedDict", ORDERED_DICT, true},
    {"torch", "Size", TORCH_SIZE, true},
    {"torch._utils", "_rebuild_tensor", TORCH_TENSOR, true},
    {"torch._utils", "_rebuild_tensor_v2", TORCH_TENSOR, true},
    {"torch._utils", "_rebuild_parameter", TORCH_PARAMETER, true},
    {"torch", "DoubleStorage", TORCH_STORAGE + 0, true},
    {"torch", "FloatStorage", TORCH_STORAGE + 1, true},
    {"torch", "HalfStorage", TORCH_STORAGE + 2, true},
    {"torch", "BFloat16Storage", TORCH_STORAGE + 3, true},
    {"torch", "LongStorage", TORCH_STORAGE + 4, true},
    {"torch", "IntStorage", TORCH_STORAGE + 5, true},
    {"torch", "ShortStorage", TORCH_STORAGE + 6, true},
    {"torch", "CharStorage", TORCH_STORAGE + 7, true},
    {"torch", "ByteStorage", TORCH_STORAGE + 8, true},
    {"torch", "BoolStorage", TORCH_STORAGE + 9, true},
    {"torch", "ComplexDoubleStorage", TORCH_STORAGE + 10, true},
    {"torch", "ComplexFloatStorage", TORCH_STORAGE + 11, true},
};

peri_io peri_pickle_push_global(peri_pickle *p, const char *module, size_t module_length,
                                const char *name, size_t name_length, peri_fault *fault)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if ((p->torch || !globals[i].torch) && strlen(globals[i].module) == module_length &&
            strlen(globals[i].name) == name_length &&
            memcmp(globals[i].module, module, module_length) == 0 &&
            memcmp(globals[i].name, name, name_length) == 0)
            return peri_pickle_push(p, (value){.tag = PERI_PICKLE_GLOBAL, .as.i = globals[i].is},
                                    fault);
    char full[120];
    peri_printable(full, 58, module, module_length);
    const size_t n = strlen(full);
    full[n] = '.';
    peri_printable(full + n + 1, 58, name, name_length);
    return peri_fail_text(fault, PERI_IO_BAD, p->place,
                          p->torch
                              ? "only tensors, numbers, text and containers are read from a "
                                "checkpoint (in PyTorch: torch.save(model.state_dict(), path)),"
                                " and this one asks for"
                              : "only numbers, text, containers and NumPy arrays are read from a "
                                "pickle, and this one asks for",
                          full, strlen(full));
}

void peri_pickle_global_name(int64_t meaning, const char **module, const char **name)
{
    size_t i = 0;
    while (i + 1 < sizeof globals / sizeof *globals && globals[i].is != meaning)
        i++;
    *module = globals[i].module;
    *name = globals[i].name;
}
