/* SPDX-License-Identifier: MIT
 *
 * MPI as one table of pointers, filled by dlopen from whichever library the cluster has: nothing is
 * built against one. No Lua.
 *
 * A handle is a word: an object's address in Open MPI, a number in MPICH and all that share its ABI
 * (Intel MPI, MVAPICH, Cray MPICH), a small number in the ABI of MPI 5. Each is passed by value in
 * one register, so one table of functions serves them all; a handle that is written must be zero
 * before, since MPICH writes half of it. Handles differ between processes: never compare or send
 * them.
 *
 * There is one MPI a process, and one thread may use it.
 */
#ifndef PERIGEE_HOST_MPI_H
#define PERIGEE_HOST_MPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/stop.h"

typedef intptr_t peri_mpi_handle;

/* clang-format off */
#define PERI_MPI_FUNCTIONS(f)                                                                      \
    f(Init_thread, (int *, char ***, int, int *))                                                  \
    f(Initialized, (int *))                                                                        \
    f(Finalized, (int *))                                                                          \
    f(Finalize, (void))                                                                            \
    f(Abort, (peri_mpi_handle, int))                                                               \
    f(Comm_rank, (peri_mpi_handle, int *))                                                         \
    f(Comm_size, (peri_mpi_handle, int *))                                                         \
    f(Comm_set_errhandler, (peri_mpi_handle, peri_mpi_handle))                                     \
    f(Error_string, (int, char *, int *))                                                          \
    f(Get_library_version, (char *, int *))                                                        \
    f(Isend, (const void *, int, peri_mpi_handle, int, int, peri_mpi_handle, peri_mpi_handle *))   \
    f(Irecv, (void *, int, peri_mpi_handle, int, int, peri_mpi_handle, peri_mpi_handle *))         \
    f(Test, (peri_mpi_handle *, int *, void *))
/* clang-format on */

typedef struct {
#define FIELD(name, arguments) int(*name) arguments;
    PERI_MPI_FUNCTIONS(FIELD)
#undef FIELD
    char library[128]; /* "Open MPI 4.1.4", "MPICH 4.0.2" */
    peri_mpi_handle world, byte, errors_return;
    void *status_ignore;
    int rank, size;
} peri_mpi;

/* How many processes the launcher of this one started, by the variables that it set; 1 where it
 * does not say how many, 0 where none started it. Opens nothing. */
int peri_mpi_announced(void);

/* The table, with MPI initialised; NULL and a sentence in why where that cannot be. */
const peri_mpi *peri_mpi_start(char *why, size_t room);

/* The table once it was started and has not ended; else NULL. */
const peri_mpi *peri_mpi_started(void);

/* This process's rank, also when MPI has ended; 0 where it never started. */
int peri_mpi_rank(void);

/* How long a wait lasts before it is given up, in seconds; 0: for ever, as at first. */
void peri_mpi_patience(double seconds);

typedef enum {
    PERI_MPI_DONE,
    PERI_MPI_STOPPED, /* the stop flag was seen */
    PERI_MPI_LATE,    /* patience is at an end */
    PERI_MPI_BROKEN,  /* an earlier wait was given up, so the ranks are out of step */
    PERI_MPI_FAILED   /* MPI said so: peri_mpi_reason */
} peri_mpi_outcome;

/* All that moves goes through this: sends n bytes to one rank and receives m from another at the
 * same time. Either rank may be -1 for none. A wait can be interrupted, and does not use the
 * processor for longer than 10 ms. tag: below PERI_MPI_TAGS; messages of one tag between two ranks
 * arrive in order. */
enum { PERI_MPI_TAGS = 32000 };
peri_mpi_outcome peri_mpi_swap(const peri_stop *stop, int tag, const void *out, size_t n, int to,
                               void *in, size_t m, int from);

/* Bytes that one message has at most, in place of 16 MB: for tests. */
void peri_mpi_pieces(size_t bytes);

/* Of all ranks together, each called by all of them. counts and places: bytes for each rank. */
/* n bytes of root to everyone. */
peri_mpi_outcome peri_mpi_bcast(const peri_stop *stop, void *data, size_t n, int root);
/* The same n bytes of every rank, in order of the ranks, to everyone: for few bytes. */
peri_mpi_outcome peri_mpi_everyone(const peri_stop *stop, const void *mine, void *all, size_t n);
/* counts[r] bytes of rank r, which stand at all + places[r] there, to everyone. */
peri_mpi_outcome peri_mpi_ring(const peri_stop *stop, void *all, const size_t *counts,
                               const size_t *places);
/* send[r] bytes at out + from[r] to rank r, take[r] from rank r to in + to[r]. */
peri_mpi_outcome peri_mpi_pairs(const peri_stop *stop, const void *out, const size_t *send,
                                const size_t *from, void *in, const size_t *take, const size_t *to);

/* What every rank tells all others before a collective: 64 bytes that must be the same everywhere,
 * and 64 more. */
typedef struct {
    uint64_t same[8];
    unsigned char more[64];
} peri_mpi_word;

enum { PERI_MPI_ALL = 64 }; /* up to so many ranks everyone learns everyone's `more` */

/* Brings the ranks together. *equal: whether all had the same. all (NULL: not wanted): with at most
 * PERI_MPI_ALL ranks the words of all, in order of their ranks. */
peri_mpi_outcome peri_mpi_meet(const peri_stop *stop, const peri_mpi_word *mine, bool *equal,
                               const peri_mpi_word **all);

/* What MPI said when it failed. */
const char *peri_mpi_reason(void);

/* The script has failed: the next peri_mpi_finish ends all ranks, with this exit status. */
void peri_mpi_fail(int status);

/* Ends this process's part: meets the others, who must be at their end too, or ends all ranks. Safe
 * to call twice. */
void peri_mpi_finish(void);

#endif
