/* SPDX-License-Identifier: MIT */
#include "drive.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    drive d = {.bytes = bytes, .size = size, .memory = peri_memory_default(), .limit = 1 << 20};
    drive_gzip(&d);
    return 0;
}
