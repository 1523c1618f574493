/* SPDX-License-Identifier: MIT
 *
 * Names and writing of .npz. */
#include "format/npz.h"

#include <stdio.h>
#include <string.h>

#include "format/npy.h"

size_t peri_npz_name(const char *member)
{
    const size_t n = strlen(member);
    return n > 4 && strcmp(member + n - 4, ".npy") == 0 ? n - 4 : n;
}

static peri_io put_array(const void *array, peri_zip_sink sink, void *ud, peri_fault *fault)
{
    return peri_npy_put(array, sink, ud, fault);
}

peri_io peri_npz_write(peri_writer *w, size_t n, const char *const names[],
                       const peri_view arrays[], bool compress, const peri_memory *memory,
                       peri_fault *fault)
{
    peri_zip_writer z;
    peri_zip_begin(&z, w, memory);
    peri_io status = PERI_IO_OK;
    for (size_t i = 0; i < n && status == PERI_IO_OK; i++) {
        char member[PERI_ZIP_NAME_MAX + 1];
        const size_t length = strlen(names[i]);
        if (length == 0 || length > PERI_NPZ_NAME_MAX) {
            status =
                peri_fail_text(fault, PERI_IO_BAD, PERI_NO_BYTE,
                               "a name in an archive has 1 to 1020 bytes, not", names[i], length);
            break;
        }
        snprintf(member, sizeof member, "%s.npy", names[i]);
        status = peri_zip_add(&z, member, peri_npy_size(&arrays[i]), compress, put_array,
                              &arrays[i], fault);
    }
    if (status == PERI_IO_OK)
        status = peri_zip_end(&z, fault);
    peri_zip_drop(&z);
    return status;
}
