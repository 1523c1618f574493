/* SPDX-License-Identifier: MIT
 *
 * The one unit that compiles stb, from the system's package. Its deflate is zlib's and its memory
 * the writer's (src/format/png.c); a failed allocation is reported, not asserted. */
#include <stddef.h>

void *peri_stb_malloc(size_t size);
void peri_stb_free(void *block);
unsigned char *peri_stb_deflate(unsigned char *data, int length, int *out_length, int quality);

#define STBIW_MALLOC(size)         peri_stb_malloc(size)
#define STBIW_REALLOC(block, size) NULL /* only its own deflate asks */
#define STBIW_FREE(block)          peri_stb_free(block)
#define STBIW_ZLIB_COMPRESS        peri_stb_deflate
#define STBIW_ASSERT(condition)    ((void)0)
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
