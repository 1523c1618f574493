/* SPDX-License-Identifier: MIT
 *
 * What a notebook's process writes to standard output and error, from C code and from its children
 * too. Both become files in memory, so that nobody who writes ever waits, and are read back where
 * the kernel wants to pass on what has come.
 */
#ifndef PERIGEE_HOST_COMMAND_CAPTURE_H
#define PERIGEE_HOST_COMMAND_CAPTURE_H

#include <stddef.h>
#include <sys/types.h>

/* Puts files in memory in the place of descriptors 1 and 2. 0 or an errno value. */
int peri_capture_start(void);

/* Flushes C's buffers and reads what was written to descriptor 1 (which = 0) or 2 (1) since the
 * last time: at most `size` bytes; how many, 0 when there is no more. */
size_t peri_capture_read(int which, char *bytes, size_t size);

/* Gives the descriptors back, so that a last message reaches whoever started the process. */
void peri_capture_end(void);

#endif
