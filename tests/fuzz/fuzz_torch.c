/* SPDX-License-Identifier: MIT */
#include "drive.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    drive d = {.bytes = bytes, .size = size, .memory = peri_memory_default(), .limit = 64 << 20};
    drive_torch(&d);
    return 0;
}
