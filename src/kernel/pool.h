/* SPDX-License-Identifier: MIT
 *
 * The one pool of threads of the process, made on first use; the only place that starts threads.
 *
 * A kernel cuts its work into blocks fixed by sizes alone, never by the thread count, so that the
 * same bits come out whatever the count. While blocks run, OpenBLAS computes on one thread.
 */
#ifndef PERIGEE_KERNEL_POOL_H
#define PERIGEE_KERNEL_POOL_H

#include <stddef.h>

/* The thread count of the process, OpenBLAS's too. n < 1 asks only. Returns the count in force.
 * The first call reads OPENBLAS_NUM_THREADS (through OpenBLAS) and else takes the cores there
 * are. */
int peri_threads(int n);

/* Calls work(context, block) for each block in 0..nblocks-1, on up to peri_threads() threads with
 * the caller among them, and returns when all are done. Blocks are handed out in order; which
 * thread takes which is not fixed, so a block writes only what is its own. Runs in line when
 * nblocks is 1, when one thread is in force, or when called from inside a block. `work` must not
 * call Lua or jump. */
void peri_pool_run(size_t nblocks, void (*work)(void *context, size_t block), void *context);

#endif
