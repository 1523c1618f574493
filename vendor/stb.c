/* SPDX-License-Identifier: MIT
 *
 * The one unit that compiles stb, from the system's package. Its deflate is replaced by zlib's
 * (peri_stb_deflate in src/format/png.c), and a failed allocation is reported, not asserted. */
#include <stddef.h>

unsigned char *peri_stb_deflate(unsigned char *data, int length, int *out_length, int quality);

#define STBIW_ZLIB_COMPRESS peri_stb_deflate
#define STBIW_ASSERT(condition) ((void)0)
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
