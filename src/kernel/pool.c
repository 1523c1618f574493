/* SPDX-License-Identifier: MIT
 *
 * The pool is a set of workers that sleep on one condition variable. A run publishes one job; the
 * caller and whoever wakes in time take blocks from an atomic counter. When the caller finds no
 * block left it closes the job, so that a late worker does not join, and waits for those inside.
 *
 * One run uses the workers at a time; a second caller meanwhile runs its blocks in line. After
 * fork() the child has no workers and starts anew. Workers take no signals and are joined when
 * the library is unloaded, as stock Lua does at its end.
 */
#include "kernel/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <cblas.h>

#if defined __x86_64__
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

enum {
    MAX_WORKERS = 127,
    SPINS = 2000 /* about 30 to 100 us: between the steps of a training loop nobody falls asleep */
};

typedef void block_function(void *context, size_t block);

static struct {
    pthread_mutex_t owner; /* held by the run that uses the workers */
    pthread_mutex_t lock;  /* guards all below that is not atomic */
    pthread_cond_t wake, done;
    pthread_t thread[MAX_WORKERS];
    size_t workers;
    bool quit;
    int count;      /* threads asked for, 0 before the first call */
    size_t running; /* runs under way in the process; while there is one, OpenBLAS has one thread */
    atomic_ulong generation; /* one more for each published job */
    bool open;               /* workers may still join the job */
    size_t seats;            /* how many more may */
    atomic_size_t joined;    /* workers inside the job */
    block_function *work;
    void *context;
    size_t nblocks;
    atomic_size_t next;
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside;

static void before_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&pool.lock);
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&pool.owner, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.workers = 0;
    pool.open = false;
    pool.running = 0;
    atomic_store(&pool.joined, 0);
}

/* With pool.lock held. */
static int count_threads(void)
{
    if (pool.count == 0) {
        pool.count = openblas_get_num_threads();
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    }
    return pool.count;
}

int peri_threads(int n)
{
    pthread_mutex_lock(&pool.lock);
    count_threads();
    if (n >= 1) {
        pool.count = n <= MAX_WORKERS + 1 ? n : MAX_WORKERS + 1;
        if (pool.running == 0)
            openblas_set_num_threads(pool.count);
    }
    const int count = pool.count;
    pthread_mutex_unlock(&pool.lock);
    return count;
}

static void take_blocks(void)
{
    inside = true;
    for (;;) {
        const size_t block = atomic_fetch_add(&pool.next, 1);
        if (block >= pool.nblocks)
            break;
        pool.work(pool.context, block);
    }
    inside = false;
}

static void *serve(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.lock);
    unsigned long seen = atomic_load(&pool.generation) - (pool.open ? 1 : 0);
    while (!pool.quit) {
        if (atomic_load(&pool.generation) == seen || !pool.open || pool.seats == 0) {
            seen = atomic_load(&pool.generation);
            pthread_mutex_unlock(&pool.lock);
            for (int i = 0; i < SPINS && atomic_load(&pool.generation) == seen; i++)
                PAUSE();
            pthread_mutex_lock(&pool.lock);
            if (atomic_load(&pool.generation) == seen && !pool.quit)
                pthread_cond_wait(&pool.wake, &pool.lock);
            continue;
        }
        seen = atomic_load(&pool.generation);
        pool.seats--;
        atomic_fetch_add(&pool.joined, 1);
        pthread_mutex_unlock(&pool.lock);
        take_blocks();
        pthread_mutex_lock(&pool.lock);
        if (atomic_fetch_sub(&pool.joined, 1) == 1)
            pthread_cond_signal(&pool.done);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

/* With pool.lock held: brings the workers up to `wanted`, or as many as can be had. */
static void hire(size_t wanted)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.workers < wanted &&
           pthread_create(&pool.thread[pool.workers], NULL, serve, NULL) == 0)
        pool.workers++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* The library is unloaded or the process ends: unless a run is under way, send the workers home. */
__attribute__((destructor)) static void dismiss(void)
{
    if (pthread_mutex_trylock(&pool.owner) != 0)
        return;
    pthread_mutex_lock(&pool.lock);
    const size_t workers = pool.workers;
    pool.workers = 0;
    pool.quit = true;
    atomic_fetch_add(&pool.generation, 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (size_t i = 0; i < workers; i++)
        pthread_join(pool.thread[i], NULL);
    pool.quit = false;
    pthread_mutex_unlock(&pool.owner);
}

/* Returns the thread count in force. */
static int enter_run(void)
{
    pthread_mutex_lock(&pool.lock);
    const int count = count_threads();
    if (pool.running++ == 0 && count > 1)
        openblas_set_num_threads(1);
    pthread_mutex_unlock(&pool.lock);
    return count;
}

static void leave_run(void)
{
    pthread_mutex_lock(&pool.lock);
    if (--pool.running == 0 && pool.count > 1)
        openblas_set_num_threads(pool.count);
    pthread_mutex_unlock(&pool.lock);
}

static void run_shared(size_t nblocks, block_function *work, void *context, size_t threads)
{
    pthread_mutex_lock(&pool.lock);
    hire(threads - 1);
    pool.work = work;
    pool.context = context;
    pool.nblocks = nblocks;
    atomic_store(&pool.next, 0);
    pool.open = true;
    pool.seats = threads - 1;
    atomic_fetch_add(&pool.generation, 1);
    if (threads - 1 < pool.workers) {
        for (size_t i = 0; i < threads - 1; i++)
            pthread_cond_signal(&pool.wake);
    } else {
        pthread_cond_broadcast(&pool.wake);
    }
    pthread_mutex_unlock(&pool.lock);

    take_blocks();

    pthread_mutex_lock(&pool.lock);
    pool.open = false;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < SPINS && atomic_load(&pool.joined) != 0; i++)
        PAUSE();
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.joined) != 0)
        pthread_cond_wait(&pool.done, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

static void run_inline(size_t nblocks, block_function *work, void *context)
{
    inside = true;
    for (size_t block = 0; block < nblocks; block++)
        work(context, block);
    inside = false;
}

void peri_pool_run(size_t nblocks, block_function *work, void *context)
{
    if (inside) {
        for (size_t block = 0; block < nblocks; block++)
            work(context, block);
        return;
    }
    const int count = enter_run();
    const size_t threads = nblocks < (size_t)count ? nblocks : (size_t)count;
    if (threads > 1 && pthread_mutex_trylock(&pool.owner) == 0) {
        run_shared(nblocks, work, context, threads);
        pthread_mutex_unlock(&pool.owner);
    } else {
        run_inline(nblocks, work, context);
    }
    leave_run();
}
