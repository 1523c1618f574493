/* SPDX-License-Identifier: MIT
 *
 * Readers and writers when memory runs out and the disk fails. Every seed of tests/fuzz is read
 * with the k-th allocation failing, once or from then on, until one reading succeeds; with the
 * k-th read() or pread() failing; cut after every byte; and with bytes changed. Writers run with
 * the k-th write, fsync, close or rename failing. What is printed are counts of such points.
 *
 * read, pread, write, fsync, close and rename are this program's own: the library's calls end
 * here. */
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fuzz/drive.h"
#include "format/npz.h"
#include "format/png.h"
#include "format/table.h"
#include "format/writer.h"

/* ---- system calls that fail on demand ------------------------------------------------------- */

static struct {
    long at;     /* the call that fails, counted from 0; -1: none */
    long calls;  /* seen so far */
    int error;   /* errno of it; 0: a short count instead, which is no failure */
    long failed; /* how often one was made to fail */
    bool counting;
} plan = {.at = -1};

/* Whether the call at hand is the one. */
static bool strikes(void)
{
    if (!plan.counting)
        return false;
    const bool now = plan.calls++ == plan.at;
    plan.failed += now;
    return now;
}

ssize_t read(int fd, void *out, size_t n)
{
    if (strikes()) {
        if (plan.error != 0) {
            errno = plan.error;
            return -1;
        }
        n = n > 1 ? 1 : n;
    }
    return syscall(SYS_read, fd, out, n);
}

ssize_t pread(int fd, void *out, size_t n, off_t at)
{
    if (strikes()) {
        if (plan.error != 0) {
            errno = plan.error;
            return -1;
        }
        n = n > 1 ? 1 : n;
    }
    return syscall(SYS_pread64, fd, out, n, at);
}

ssize_t pread64(int fd, void *out, size_t n, off_t at);
ssize_t pread64(int fd, void *out, size_t n, off_t at)
{
    return pread(fd, out, n, at);
}

ssize_t write(int fd, const void *data, size_t n)
{
    if (strikes()) {
        if (plan.error != 0) {
            errno = plan.error;
            return -1;
        }
        n = n > 1 ? 1 : n;
    }
    return syscall(SYS_write, fd, data, n);
}

int fsync(int fd)
{
    if (strikes() && plan.error != 0) {
        errno = plan.error;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
    const bool now = strikes();
    const int status = (int)syscall(SYS_close, fd);
    if (now && plan.error != 0) {
        errno = plan.error;
        return -1;
    }
    return status;
}

int rename(const char *from, const char *to)
{
    if (strikes() && plan.error != 0) {
        errno = plan.error;
        return -1;
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
                        0); /* not every CPU has rename */
}

/* ---- memory that fails on demand ------------------------------------------------------------ */

typedef struct {
    long at, calls; /* the request that fails, -1: none */
    bool for_good;  /* and all after it */
    long live;      /* bytes out */
} failing;

static void *failing_call(void *ud, void *block, size_t old, size_t new)
{
    failing *f = ud;
    if (new == 0) {
        f->live -= block != NULL ? (long)old : 0;
        free(block);
        return NULL;
    }
    const long k = f->calls++;
    if (f->at >= 0 && (k == f->at || (f->for_good && k > f->at)))
        return NULL;
    void *moved = realloc(block, new);
    if (moved != NULL)
        f->live += (long)new - (block != NULL ? (long)old : 0);
    return moved;
}

/* ---- seeds ---------------------------------------------------------------------------------- */

enum { MAX_SEED = 64 * 1024 };

typedef struct {
    char path[512];
    unsigned char bytes[MAX_SEED];
    size_t size;
} seed;

static seed current;

static void load_seed(const char *path)
{
    snprintf(current.path, sizeof current.path, "%s", path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    current.size = fread(current.bytes, 1, MAX_SEED, f);
    fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Calls visit for every seed of the reader. */
static void each_seed(const drive_reader *reader, void (*visit)(const drive_reader *))
{
    char folder[256];
    snprintf(folder, sizeof folder, "tests/fuzz/seeds/%s", reader->name);
    DIR *d = opendir(folder);
    if (d == NULL)
        fail_msg("%s: %s", folder, strerror(errno));
    char *names[512];
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        if (entry->d_name[0] != '.' && n < 512)
            names[n++] = strdup(entry->d_name);
    closedir(d);
    assert_true(n > 0);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        load_seed(path);
        visit(reader);
        free(names[i]);
    }
}

static void each_reader(void (*visit)(const drive_reader *))
{
    for (size_t r = 0; r < sizeof drive_readers / sizeof *drive_readers; r++)
        each_seed(&drive_readers[r], visit);
}

static peri_io run_bytes(const drive_reader *reader, failing *f, drive *d)
{
    *d = (drive){.bytes = current.bytes,
                 .size = current.size,
                 .memory = {failing_call, f},
                 .limit = 16 << 20};
    return reader->run(d);
}

/* ---- the sweeps ----------------------------------------------------------------------------- */

static long points;

static void sweep_memory(const drive_reader *reader)
{
    failing none = {.at = -1};
    drive whole, d;
    const peri_io outcome = run_bytes(reader, &none, &whole);
    assert_int_equal(none.live, 0);
    for (int for_good = 0; for_good < 2; for_good++)
        for (long k = 0; k < none.calls; k++) {
            failing f = {.at = k, .for_good = for_good == 1};
            const peri_io status = run_bytes(reader, &f, &d);
            if (f.live != 0)
                fail_msg("%s: allocation %ld fails and %ld bytes leak", current.path, k, f.live);
            /* A codec may do without; then nothing may have changed. */
            if (status != PERI_IO_MEMORY && (status != outcome || d.sum != whole.sum))
                fail_msg("%s: allocation %ld fails and the outcome is %d: %s", current.path, k,
                         status, d.fault.reason);
            points++;
        }
}

static void test_memory(void **state)
{
    (void)state;
    points = 0;
    each_reader(sweep_memory);
    print_message("allocation points of readers: %ld survived\n", points);
    assert_true(points > 1000);
}

static void sweep_reads(const drive_reader *reader)
{
    const int errors[] = {EIO, EINTR, 0};
    failing none = {.at = -1};
    drive whole = {.path = current.path, .memory = {failing_call, &none}, .limit = 16 << 20};
    plan.at = -1;
    plan.calls = 0;
    plan.counting = true;
    const peri_io outcome = reader->run(&whole);
    const long calls = plan.calls;
    plan.counting = false;
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
        for (long k = 0; k < calls; k++) {
            drive d = {.path = current.path, .memory = {failing_call, &none}, .limit = 16 << 20};
            plan.at = k;
            plan.calls = 0;
            plan.error = errors[e];
            plan.counting = true;
            const peri_io status = reader->run(&d);
            plan.counting = false;
            if (none.live != 0)
                fail_msg("%s: read %ld fails and %ld bytes leak", current.path, k, none.live);
            /* close() of a file that was only read may fail; interrupted and short reads go on. */
            const bool same = status == outcome && d.sum == whole.sum;
            const bool told = status == PERI_IO_SYSTEM && d.fault.error_number == EIO;
            if (!same && !(errors[e] == EIO && told))
                fail_msg("%s: read %ld with error %d: outcome %d %s", current.path, k, errors[e],
                         status, d.fault.reason);
            points++;
        }
}

static void test_reads(void **state)
{
    (void)state;
    points = 0;
    each_reader(sweep_reads);
    print_message("I/O points of readers: %ld survived\n", points);
    assert_true(points > 300);
}

/* No prefix of a file reads as a whole one, but for text and what may follow in any case. */
static void sweep_cuts(const drive_reader *reader)
{
    failing none = {.at = -1};
    drive d;
    const size_t size = current.size;
    const peri_io outcome = run_bytes(reader, &none, &d);
    for (size_t n = 0; n < size; n++) {
        current.size = n;
        /* A copy of just that length, so that a sanitizer sees a byte read beyond. */
        unsigned char *copy = malloc(n + (n == 0));
        memcpy(copy, current.bytes, n);
        d = (drive){.bytes = copy, .size = n, .memory = {failing_call, &none}, .limit = 16 << 20};
        const peri_io status = reader->run(&d);
        free(copy);
        assert_int_equal(none.live, 0);
        const bool text = strcmp(reader->name, "csv") == 0 || strcmp(reader->name, "gzip") == 0 ||
                          strstr(current.path, "/p2.") != NULL ||
                          strstr(current.path, "/p3.") != NULL;
        if (status == PERI_IO_OK && outcome == PERI_IO_OK && !text)
            fail_msg("%s: reads as whole when cut after %zu of %zu bytes", current.path, n, size);
        points++;
    }
    current.size = size;
}

static void test_cuts(void **state)
{
    (void)state;
    points = 0;
    each_reader(sweep_cuts);
    print_message("cut files: %ld survived\n", points);
}

static void sweep_changes(const drive_reader *reader)
{
    failing none = {.at = -1};
    drive d;
    uint32_t random = 2385;
    const size_t tries = current.size < 300 ? 600 : 300;
    for (size_t i = 0; i < tries; i++) {
        size_t at[3];
        unsigned char was[3];
        const int n = (int)(i % 3) + 1;
        for (int k = 0; k < n; k++) {
            random = random * 1664525 + 1013904223;
            at[k] = (random >> 8) % current.size;
            was[k] = current.bytes[at[k]];
            random = random * 1664525 + 1013904223;
            current.bytes[at[k]] = (unsigned char)(random >> 16);
        }
        run_bytes(reader, &none, &d);
        for (int k = n - 1; k >= 0; k--)
            current.bytes[at[k]] = was[k];
        if (none.live != 0)
            fail_msg("%s: changed, and %ld bytes leak", current.path, none.live);
        points++;
    }
}

static void test_changes(void **state)
{
    (void)state;
    points = 0;
    each_reader(sweep_changes);
    print_message("changed files: %ld survived\n", points);
}

/* ---- writers -------------------------------------------------------------------------------- */

static char folder[] = "/tmp/perigee-faults-XXXXXX";

static const double values[6] = {2.385, -1.5, 0.1, 255.4, 1e300, 7};
static const size_t shape[2] = {2, 3};
static const ptrdiff_t stride[2] = {3, 1};
static const peri_view array = {(void *)values, PERI_F64, 2, shape, stride};

static peri_io put_bytes(void *ud, const void *data, size_t n, peri_fault *fault)
{
    return peri_writer_write(ud, data, n, fault);
}

typedef peri_io (*writing)(peri_writer *, const peri_memory *, peri_fault *);

static peri_io write_npy(peri_writer *w, const peri_memory *m, peri_fault *fault)
{
    (void)m;
    return peri_npy_put(&array, put_bytes, w, fault);
}

static peri_io write_archive(peri_writer *w, bool compress, const peri_memory *m, peri_fault *fault)
{
    const char *const names[] = {"a", "b"};
    const peri_view arrays[] = {array, array};
    return peri_npz_write(w, 2, names, arrays, compress, m, fault);
}

static peri_io write_npz(peri_writer *w, const peri_memory *m, peri_fault *fault)
{
    return write_archive(w, false, m, fault);
}

static peri_io write_deflated(peri_writer *w, const peri_memory *m, peri_fault *fault)
{
    return write_archive(w, true, m, fault);
}

static peri_io write_csv(peri_writer *w, const peri_memory *m, peri_fault *fault)
{
    (void)m;
    const char *const names[] = {"x", "y", "z"};
    return peri_csv_write(w, &array, names, ',', fault);
}

static peri_io write_png(peri_writer *w, const peri_memory *m, peri_fault *fault)
{
    return peri_png_write(w, &array, m, fault);
}

static const struct {
    const char *name;
    writing put;
} writings[] = {{"npy", write_npy},
                {"npz", write_npz},
                {"deflated", write_deflated},
                {"csv", write_csv},
                {"png", write_png}};

static peri_io save(writing put, const char *path, const peri_memory *m, peri_fault *fault)
{
    peri_writer w;
    peri_io status = peri_writer_open(&w, path, true, fault);
    if (status == PERI_IO_OK)
        status = put(&w, m, fault);
    if (status == PERI_IO_OK)
        return peri_writer_commit(&w, fault);
    peri_writer_abort(&w);
    return status;
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;)
        n += entry->d_name[0] != '.' || strstr(entry->d_name, ".tmp") != NULL;
    closedir(d);
    return n;
}

/* What is in a file, as one string. */
static size_t slurp(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t n = fread(out, 1, room - 1, f);
    out[n] = 0;
    fclose(f);
    return n;
}

static void test_writes(void **state)
{
    (void)state;
    const int errors[] = {EIO, ENOSPC, EINTR, 0};
    long made = 0;
    for (size_t w = 0; w < sizeof writings / sizeof *writings; w++) {
        char path[256], whole[8192], now[8192];
        snprintf(path, sizeof path, "%s/file.%s", folder, writings[w].name);
        failing none = {.at = -1};
        const peri_memory memory = {failing_call, &none};
        peri_fault fault;
        plan.at = -1;
        plan.calls = 0;
        plan.counting = true;
        assert_int_equal(save(writings[w].put, path, &memory, &fault), PERI_IO_OK);
        plan.counting = false;
        const long calls = plan.calls;
        const size_t length = slurp(path, whole, sizeof whole);
        assert_true(length > 20);
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
            for (long k = 0; k < calls; k++)
                for (int exists = 0; exists < 2; exists++) {
                    unlink(path);
                    if (exists)
                        assert_int_equal(peri_writer_save(path, "old", 3, true, &fault), 0);
                    plan.at = k;
                    plan.calls = 0;
                    plan.error = errors[e];
                    plan.counting = true;
                    const peri_io status = save(writings[w].put, path, &memory, &fault);
                    plan.counting = false;
                    made++;
                    assert_int_equal(none.live, 0);
                    if (status == PERI_IO_OK) {
                        assert_true(errors[e] == EINTR || errors[e] == 0);
                        assert_int_equal(slurp(path, now, sizeof now), length);
                        assert_memory_equal(now, whole, length);
                        assert_int_equal(count_files(), 1);
                        continue;
                    }
                    /* fsync and rename are not tried again when they are interrupted */
                    assert_int_equal(status, PERI_IO_SYSTEM);
                    assert_int_equal(fault.error_number, errors[e]);
                    if (exists) {
                        assert_int_equal(slurp(path, now, sizeof now), 3);
                        assert_string_equal(now, "old");
                    } else {
                        assert_int_equal(access(path, F_OK), -1);
                    }
                    assert_int_equal(count_files(), exists);
                }
        for (int for_good = 0; for_good < 2; for_good++)
            for (long k = 0;; k++) {
                failing f = {.at = k, .for_good = for_good == 1};
                const peri_memory short_memory = {failing_call, &f};
                const peri_io status = save(writings[w].put, path, &short_memory, &fault);
                assert_int_equal(f.live, 0);
                if (status == PERI_IO_OK)
                    break;
                assert_int_equal(status, PERI_IO_MEMORY);
                points++;
            }
        unlink(path);
    }
    print_message("I/O points of writers: %ld survived\n", made);
    assert_true(made > 100);
}

static void test_full_disk(void **state)
{
    (void)state;
    peri_fault fault;
    const peri_memory memory = peri_memory_default();
    char path[256];
    snprintf(path, sizeof path, "%s/full.png", folder);
    assert_int_equal(symlink("/dev/full", path), 0);
    for (size_t w = 0; w < sizeof writings / sizeof *writings; w++) {
        assert_int_equal(save(writings[w].put, path, &memory, &fault), PERI_IO_SYSTEM);
        assert_int_equal(fault.error_number, ENOSPC);
    }
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    unlink(path);
}

/* A reader that is gone gives EPIPE and no signal; a pending signal of the host's own stays. */
static void test_closed_pipe(void **state)
{
    (void)state;
    peri_fault fault;
    char path[256];
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int in = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(in >= 0);
    peri_writer w;
    assert_int_equal(peri_writer_open(&w, path, true, &fault), PERI_IO_OK);
    syscall(SYS_close, in);
    assert_int_equal(peri_writer_write(&w, "x", 1, &fault), PERI_IO_OK);
    assert_int_equal(peri_writer_commit(&w, &fault), PERI_IO_SYSTEM);
    assert_int_equal(fault.error_number, EPIPE);
    /* the reader leaves while a write waits for room: some bytes went, and the signal came */
    for (int i = 0; i < 5; i++) {
        const pid_t reader = fork();
        if (reader == 0) {
            char some[4096];
            const int out = open(path, O_RDONLY);
            usleep(20000);
            _exit(syscall(SYS_read, out, some, sizeof some) < 0);
        }
        static const char large[1 << 20];
        assert_int_equal(peri_writer_save(path, large, sizeof large, true, &fault), PERI_IO_SYSTEM);
        assert_int_equal(fault.error_number, EPIPE);
        waitpid(reader, NULL, 0);
    }
    unlink(path);
}

static void test_links(void **state)
{
    (void)state;
    peri_fault fault;
    char target[256], link[256], loop[256], text[16];
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(loop, sizeof loop, "%s/loop", folder);
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(symlink("loop", loop), 0);
    /* through a link to what does not exist yet, and then does; its permissions stay */
    assert_int_equal(peri_writer_save(link, "one", 3, true, &fault), PERI_IO_OK);
    assert_int_equal(slurp(target, text, sizeof text), 3);
    assert_int_equal(chmod(target, 0640), 0);
    assert_int_equal(peri_writer_save(link, "two", 3, false, &fault), PERI_IO_OK);
    slurp(target, text, sizeof text);
    assert_string_equal(text, "two");
    struct stat st;
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(peri_writer_save(loop, "x", 1, true, &fault), PERI_IO_SYSTEM);
    assert_int_equal(fault.error_number, ELOOP);
    assert_int_equal(peri_writer_save(folder, "x", 1, true, &fault), PERI_IO_SYSTEM);
    assert_int_equal(fault.error_number, EISDIR);
    unlink(link);
    unlink(target);
    unlink(loop);
    assert_int_equal(count_files(), 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_reads),
        cmocka_unit_test(test_cuts),        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_writes),      cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_closed_pipe), cmocka_unit_test(test_links),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
