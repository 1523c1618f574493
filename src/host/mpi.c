/* SPDX-License-Identifier: MIT */
#include "host/mpi.h"

#include <ctype.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds of a wait in which the processor is kept, and between two looks after that, at first and
 * in the end. */
static const double KEEP = 0.01, NAP = 50e-6, LONG_NAP = 1e-3;

/* The tag of what is said at a meeting, and of what a collective moves. */
enum { MEETING = PERI_MPI_TAGS + 1, MOVING, SPINS = 2000 };

/* Bytes of a broadcast from which on each rank passes on a part. */
enum { LONG = 256 << 10 };

static size_t piece = (size_t)1 << 24;

static peri_mpi table;
static enum { CLOSED, OPEN, ENDED } state;
static bool ours, broken;
static double patience;
static int failed_with, last_status;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- which library ----------------------------------------------------------------------- */

/* A data pointer from dlsym() becomes a function pointer by its bytes, as POSIX allows. */
static bool find(void *library, const char *name, void *slot)
{
    void *function = dlsym(library, name);
    memcpy(slot, &function, sizeof function);
    return function != NULL;
}

static peri_mpi_handle object(void *library, const char *name)
{
    return (peri_mpi_handle)dlsym(library, name);
}

static bool fill(void *library, const char *path, char *why, size_t room)
{
#define FIND(name, arguments)                                                                      \
    if (!find(library, "MPI_" #name, &table.name)) {                                               \
        snprintf(why, room, "%s has no MPI_%s", path, #name);                                      \
        return false;                                                                              \
    }
    PERI_MPI_FUNCTIONS(FIND)
    if (dlsym(library, "ompi_mpi_comm_world") != NULL) { /* Open MPI: addresses of its objects */
        table.world = object(library, "ompi_mpi_comm_world");
        table.byte = object(library, "ompi_mpi_byte");
        table.errors_return = object(library, "ompi_mpi_errors_return");
        table.status_ignore = NULL;
    } else if (dlsym(library, "MPI_Abi_get_version") != NULL && strstr(path, "_abi") != NULL) {
        table.world = 0x101; /* MPI 5.0, chapter 20 */
        table.byte = 0x247;
        table.errors_return = 0x143;
        table.status_ignore = NULL;
    } else { /* the ABI of MPICH 3.1 to 4 */
        table.world = 0x44000000;
        table.byte = 0x4c00010d;
        table.errors_return = 0x54000001;
        table.status_ignore = (void *)1;
    }
    return true;
}

static bool given(const char *name)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0';
}

int peri_mpi_announced(void)
{
    static const char *const counts[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE",
                                         "MPI_LOCALNRANKS"};
    static const char *const marks[] = {"PMI_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "PALS_RANKID"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const char *count = getenv(counts[i]);
        if (count != NULL && *count != '\0') {
            const long n = strtol(count, NULL, 10);
            return n < 1 ? 1 : (int)n;
        }
    }
    /* In a step of srun; what a batch script has of its own says nothing about a process of it. */
    const char *tasks = given("SLURM_STEP_ID") ? getenv("SLURM_STEP_NUM_TASKS") : NULL;
    const long n = tasks != NULL ? strtol(tasks, NULL, 10) : 0;
    if (n > 1)
        return (int)n;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (given(marks[i]))
            return 1;
    return 0;
}

/* Opens the library that fits who started this process, *path being its name. */
static void *open_library(const char **path, char *why, size_t room)
{
    static const char *const abi[] = {"libmpi_abi.so.0", "libmpi_abi.so.1", NULL};
    static const char *const open_mpi[] = {"libmpi.so.40", "libmpi.so.20", NULL};
    static const char *const mpich[] = {"libmpich.so.12", "libmpi.so.12", NULL};
    const bool theirs = given("OMPI_COMM_WORLD_SIZE"), pmi = given("PMI_RANK") || given("PMI_SIZE");
    const char *const *order[] = {abi, pmi && !theirs ? mpich : open_mpi,
                                  pmi && !theirs ? open_mpi : mpich};
    if (theirs) {
        order[0] = open_mpi;
        order[1] = abi;
    }
    if (given("PERIGEE_MPI")) {
        *path = getenv("PERIGEE_MPI");
        void *library = dlopen(*path, RTLD_NOW | RTLD_GLOBAL);
        if (library == NULL)
            snprintf(why, room, "PERIGEE_MPI: %s", dlerror());
        return library;
    }
    for (int k = 0; k < 3; k++)
        for (const char *const *name = order[k]; *name != NULL; name++) {
            void *library = dlopen(*path = *name, RTLD_NOW | RTLD_GLOBAL);
            if (library != NULL)
                return library;
        }
    snprintf(
        why, room,
        "the launcher started %d process%s, but there is no MPI library; install libopenmpi3 or "
        "libmpich12, or name one in PERIGEE_MPI",
        peri_mpi_announced(), peri_mpi_announced() == 1 ? "" : "es");
    return NULL;
}

/* "Open MPI v4.1.4, package: ..." and "MPICH Version:      4.0.2" and a newline, in short. */
static void name_library(void)
{
    char text[8192] = "";
    int length = 0;
    table.Get_library_version(text, &length);
    text[sizeof text - 1] = '\0';
    size_t word = strcspn(text, "0123456789\n"), number = word;
    while (number > 0 && (isspace((unsigned char)text[number - 1]) || text[number - 1] == ':' ||
                          text[number - 1] == 'v'))
        number--;
    size_t n = number < 64 ? number : 64;
    memcpy(table.library, text, n);
    if (n > 8 && memcmp(table.library + n - 8, " Version", 8) == 0)
        n -= 8;
    const size_t digits = strspn(text + word, "0123456789.");
    snprintf(table.library + n, sizeof table.library - n, " %.*s", (int)(digits < 32 ? digits : 32),
             text + word);
}

const peri_mpi *peri_mpi_start(char *why, size_t room)
{
    const char *path = "";
    int begun = 0, over = 0, level;
    if (state == OPEN)
        return &table;
    if (state == ENDED) {
        snprintf(why, room, "MPI has ended in this process and cannot start again");
        return NULL;
    }
    void *library = open_library(&path, why, room);
    if (library == NULL || !fill(library, path, why, room))
        return NULL;
    table.Initialized(&begun);
    table.Finalized(&over);
    if (over || (!begun && table.Init_thread(NULL, NULL, 1, &level) != 0)) {
        snprintf(why, room, "%s does not start", path);
        return NULL;
    }
    ours = !begun;
    table.Comm_set_errhandler(table.world, table.errors_return);
    table.Comm_rank(table.world, &table.rank);
    table.Comm_size(table.world, &table.size);
    name_library();
    const int said = peri_mpi_announced();
    if (said > 1 && table.size == 1) {
        const bool theirs = strncmp(table.library, "Open MPI", 8) == 0;
        snprintf(why, room,
                 "the launcher started %d processes, but %s (%s) is alone; mpirun and the library "
                 "belong to different MPIs: use mpirun.%s, or set PERIGEE_MPI",
                 said, table.library, path, theirs ? "openmpi" : "mpich");
        if (ours)
            table.Finalize();
        state = ENDED;
        return NULL;
    }
    state = OPEN;
    return &table;
}

const peri_mpi *peri_mpi_started(void)
{
    return state == OPEN ? &table : NULL;
}

int peri_mpi_rank(void)
{
    return table.rank;
}

void peri_mpi_patience(double seconds)
{
    patience = seconds;
}

const char *peri_mpi_reason(void)
{
    static char text[2048];
    int length = 0;
    text[0] = '\0';
    table.Error_string(last_status, text, &length);
    text[sizeof text - 1] = '\0';
    return text;
}

void peri_mpi_pieces(size_t bytes)
{
    piece = bytes;
}

/* ---- waiting ----------------------------------------------------------------------------- */

static peri_mpi_outcome give_up(peri_mpi_outcome why)
{
    broken =
        true; /* what was sent may still arrive, and into memory of ours: it is not touched again */
    return why;
}

static peri_mpi_outcome wait_for(const peri_stop *stop, peri_mpi_handle *requests, int n)
{
    double start = 0, nap = NAP;
    for (long spins = 0; n > 0; spins++) {
        int done = 0;
        last_status = table.Test(&requests[n - 1], &done, table.status_ignore);
        if (last_status != 0)
            return give_up(PERI_MPI_FAILED);
        if (done) {
            n--;
            continue;
        }
        if (spins < SPINS)
            continue;
        if (peri_stop_requested(stop))
            return give_up(PERI_MPI_STOPPED);
        const double t = now();
        if (start == 0)
            start = t;
        if (patience > 0 && t - start >= patience)
            return give_up(PERI_MPI_LATE);
        if (t - start < KEEP) {
            sched_yield();
            continue;
        }
        const struct timespec pause = {0, (long)(nap * 1e9)};
        nanosleep(&pause, NULL);
        nap = nap * 1.2 < LONG_NAP ? nap * 1.2 : LONG_NAP;
    }
    return PERI_MPI_DONE;
}

static peri_mpi_outcome swap_once(const peri_stop *stop, int tag, const void *out, size_t n, int to,
                                  void *in, size_t m, int from)
{
    peri_mpi_handle requests[2] = {0, 0};
    int count = 0;
    if (from >= 0) {
        last_status =
            table.Irecv(in, (int)m, table.byte, from, tag, table.world, &requests[count++]);
        if (last_status != 0)
            return give_up(PERI_MPI_FAILED);
    }
    if (to >= 0) {
        last_status =
            table.Isend(out, (int)n, table.byte, to, tag, table.world, &requests[count++]);
        if (last_status != 0)
            return give_up(PERI_MPI_FAILED);
    }
    return wait_for(stop, requests, count);
}

peri_mpi_outcome peri_mpi_swap(const peri_stop *stop, int tag, const void *out, size_t n, int to,
                               void *in, size_t m, int from)
{
    const char *p = out;
    char *q = in;
    peri_mpi_outcome outcome = broken ? PERI_MPI_BROKEN : PERI_MPI_DONE;
    if (to < 0)
        n = 0;
    if (from < 0)
        m = 0;
    while (outcome == PERI_MPI_DONE && (n > 0 || m > 0)) {
        const size_t a = n < piece ? n : piece, b = m < piece ? m : piece;
        outcome = swap_once(stop, tag, p, a, a > 0 ? to : -1, q, b, b > 0 ? from : -1);
        if (a > 0)
            p += a;
        if (b > 0)
            q += b;
        n -= a;
        m -= b;
    }
    return outcome;
}

/* ---- meeting ----------------------------------------------------------------------------- */

/* Everyone's block of n bytes to everyone, in log2 of the ranks rounds: blocks[i] becomes that of
 * rank (own rank + i) mod size. Block 0 is filled. (Bruck et al. 1997.) */
static peri_mpi_outcome gather_blocks(const peri_stop *stop, int tag, char *blocks, size_t n)
{
    for (int have = 1; have < table.size; have *= 2) {
        const int count = have < table.size - have ? have : table.size - have;
        const size_t bytes = (size_t)count * n;
        const peri_mpi_outcome outcome =
            peri_mpi_swap(stop, tag, blocks, bytes, (table.rank - have + table.size) % table.size,
                          blocks + (size_t)have * n, bytes, (table.rank + have) % table.size);
        if (outcome != PERI_MPI_DONE)
            return outcome;
    }
    return PERI_MPI_DONE;
}

/* Both ends of each word over all ranks, as the greatest of it and of its complement. What a rank
 * knows of 2^k others it tells one that does not; that some are counted twice does not matter. */
static peri_mpi_outcome spread(const peri_stop *stop, const uint64_t *mine, bool *equal)
{
    static uint64_t ends[16], theirs[16];
    for (int i = 0; i < 8; i++) {
        ends[i] = mine[i];
        ends[8 + i] = ~mine[i];
    }
    for (int far = 1; far < table.size; far *= 2) {
        const peri_mpi_outcome outcome =
            peri_mpi_swap(stop, MEETING, ends, sizeof ends, (table.rank + far) % table.size, theirs,
                          sizeof theirs, (table.rank - far + table.size) % table.size);
        if (outcome != PERI_MPI_DONE)
            return outcome;
        for (int i = 0; i < 16; i++)
            ends[i] = ends[i] > theirs[i] ? ends[i] : theirs[i];
    }
    *equal = true;
    for (int i = 0; i < 8; i++)
        *equal = *equal && ends[i] == ~ends[8 + i];
    return PERI_MPI_DONE;
}

peri_mpi_outcome peri_mpi_meet(const peri_stop *stop, const peri_mpi_word *mine, bool *equal,
                               const peri_mpi_word **all)
{
    static peri_mpi_word words[PERI_MPI_ALL], sorted[PERI_MPI_ALL];
    if (table.size > PERI_MPI_ALL)
        return spread(stop, mine->same, equal);
    if (broken)
        return PERI_MPI_BROKEN;
    words[0] = *mine;
    const peri_mpi_outcome outcome = gather_blocks(stop, MEETING, (char *)words, sizeof *words);
    if (outcome != PERI_MPI_DONE)
        return outcome;
    *equal = true;
    for (int i = 1; i < table.size; i++)
        *equal = *equal && memcmp(words[i].same, mine->same, sizeof mine->same) == 0;
    if (all != NULL) {
        for (int i = 0; i < table.size; i++)
            sorted[(table.rank + i) % table.size] = words[i];
        *all = sorted;
    }
    return PERI_MPI_DONE;
}

/* ---- moving ------------------------------------------------------------------------------ */

peri_mpi_outcome peri_mpi_everyone(const peri_stop *stop, const void *mine, void *all, size_t n)
{
    /* Kept for the next call; and after one that was given up, since a message may still come into
     * it. */
    static char *blocks;
    static size_t room;
    const size_t bytes = (size_t)table.size * n;
    if (broken)
        return PERI_MPI_BROKEN;
    if (bytes > room) {
        free(blocks);
        blocks = malloc(bytes);
        room = blocks != NULL ? bytes : 0;
    }
    if (blocks == NULL)
        return bytes > 0 ? give_up(PERI_MPI_BROKEN) : PERI_MPI_DONE;
    memcpy(blocks, mine, n);
    const peri_mpi_outcome outcome = gather_blocks(stop, MOVING, blocks, n);
    for (int i = 0; outcome == PERI_MPI_DONE && i < table.size; i++)
        memcpy((char *)all + (size_t)((table.rank + i) % table.size) * n, blocks + (size_t)i * n,
               n);
    return outcome;
}

peri_mpi_outcome peri_mpi_ring(const peri_stop *stop, void *all, const size_t *counts,
                               const size_t *places)
{
    const int size = table.size, right = (table.rank + 1) % size,
              left = (table.rank + size - 1) % size;
    peri_mpi_outcome outcome = PERI_MPI_DONE;
    for (int step = 0; step < size - 1 && outcome == PERI_MPI_DONE; step++) {
        const int out = (table.rank - step + size) % size,
                  in = (table.rank - step - 1 + size) % size;
        outcome = peri_mpi_swap(stop, MOVING, (char *)all + places[out], counts[out], right,
                                (char *)all + places[in], counts[in], left);
    }
    return outcome;
}

peri_mpi_outcome peri_mpi_pairs(const peri_stop *stop, const void *out, const size_t *send,
                                const size_t *from, void *in, const size_t *take, const size_t *to)
{
    const int size = table.size;
    peri_mpi_outcome outcome = PERI_MPI_DONE;
    memcpy((char *)in + to[table.rank], (const char *)out + from[table.rank], send[table.rank]);
    for (int step = 1; step < size && outcome == PERI_MPI_DONE; step++) {
        const int a = (table.rank + step) % size, b = (table.rank - step + size) % size;
        outcome = peri_mpi_swap(stop, MOVING, (const char *)out + from[a], send[a], a,
                                (char *)in + to[b], take[b], b);
    }
    return outcome;
}

/* Down a binomial tree whose root is `root`. */
static peri_mpi_outcome pass_down(const peri_stop *stop, void *data, size_t n, int root)
{
    const int size = table.size, me = (table.rank - root + size) % size;
    int bit = 1;
    while (bit < size && (me & bit) == 0)
        bit *= 2;
    peri_mpi_outcome outcome = PERI_MPI_DONE;
    if (me != 0)
        outcome = peri_mpi_swap(stop, MOVING, NULL, 0, -1, data, n, (me - bit + root) % size);
    for (bit /= 2; bit > 0 && outcome == PERI_MPI_DONE; bit /= 2)
        if (me + bit < size)
            outcome = peri_mpi_swap(stop, MOVING, data, n, (me + bit + root) % size, NULL, 0, -1);
    return outcome;
}

peri_mpi_outcome peri_mpi_bcast(const peri_stop *stop, void *data, size_t n, int root)
{
    const int size = table.size;
    if (n < LONG || size == 2)
        return pass_down(stop, data, n, root);
    /* A part for each, which then goes round. */
    size_t *counts = malloc(2 * (size_t)size * sizeof *counts), *places = counts + size;
    const size_t each = (n + (size_t)size - 1) / (size_t)size;
    peri_mpi_outcome outcome = PERI_MPI_DONE;
    if (counts == NULL)
        return give_up(PERI_MPI_BROKEN);
    for (int r = 0; r < size; r++) {
        places[r] = (size_t)r * each < n ? (size_t)r * each : n;
        counts[r] = n - places[r] < each ? n - places[r] : each;
    }
    for (int r = 0; r < size && table.rank == root && outcome == PERI_MPI_DONE; r++)
        if (r != root)
            outcome =
                peri_mpi_swap(stop, MOVING, (char *)data + places[r], counts[r], r, NULL, 0, -1);
    if (table.rank != root)
        outcome = peri_mpi_swap(stop, MOVING, NULL, 0, -1, (char *)data + places[table.rank],
                                counts[table.rank], root);
    if (outcome == PERI_MPI_DONE)
        outcome = peri_mpi_ring(stop, data, counts, places);
    free(counts);
    return outcome;
}

/* ---- the end ----------------------------------------------------------------------------- */

void peri_mpi_fail(int status)
{
    failed_with = status != 0 ? status : 1;
}

void peri_mpi_finish(void)
{
    static const char end[192] = "perigee is at its end";
    const peri_mpi_word word = {.same = {~(uint64_t)0}};
    bool equal = true;
    if (state != OPEN)
        return;
    state = ENDED;
    fflush(NULL);
    if (failed_with == 0 && !broken && table.size > 1) {
        patience = 0;
        if (peri_mpi_meet(NULL, &word, &equal, NULL) != PERI_MPI_DONE)
            equal = false;
        if (!equal) { /* the others say what they wait for */
            char *all = malloc((size_t)table.size * sizeof end);
            if (all != NULL)
                (void)peri_mpi_everyone(NULL, end, all, sizeof end);
            free(all);
            fprintf(stderr, "perigee: rank %d: the script has ended here, and other ranks go on\n",
                    table.rank);
            failed_with = 1;
            /* They have a sentence of their own to say, and then end this rank too. */
            const struct timespec pause = {3, 0};
            nanosleep(&pause, NULL);
        }
    }
    if (failed_with != 0 || (broken && table.size > 1)) {
        /* The launcher has still to read what this rank said, and some drop it when they hear of
         * the end. */
        const struct timespec pause = {0, 100000000};
        nanosleep(&pause, NULL);
        table.Abort(table.world, failed_with != 0 ? failed_with : 1);
    } else if (ours) {
        table.Finalize();
    }
}
