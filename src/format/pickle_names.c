/* SPDX-License-Identifier: MIT
 *
 * The names that a pickle of data mentions. Whatever is not here ends the reading. */
#include <string.h>

#include "format/pickle_machine.h"

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

peri_io peri_pickle_push_global(peri_pickle *p, const char *module, size_t module_length,
                                const char *name, size_t name_length, peri_fault *fault)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strlen(globals[i].module) == module_length && strlen(globals[i].name) == name_length &&
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
                          "only numbers, text, containers and NumPy arrays are read from a pickle,"
                          " and this one asks for",
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
