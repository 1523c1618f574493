/* SPDX-License-Identifier: MIT
 *
 * Writing files. The temporary file has a short name of its own in the target's folder (rename
 * works only within a file system), made with O_EXCL so that nobody's file or link is taken. */
#include "format/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINKS = 40, MAX_NAMES = 10000 };

/* The folder of path with its slash goes to out. Returns its length, or SIZE_MAX. */
static size_t folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (n >= PATH_MAX)
        return SIZE_MAX;
    memcpy(out, path, n);
    out[n] = 0;
    return n;
}

/* Follows links from path to the name of a file that is none; it need not exist. */
static int resolve(const char *path, char target[PATH_MAX])
{
    const size_t length = strlen(path);
    if (length >= PATH_MAX)
        return ENAMETOOLONG;
    memcpy(target, path, length + 1);
    for (int links = 0; links < MAX_LINKS; links++) {
        char to[PATH_MAX], folder[PATH_MAX];
        const ssize_t n = readlink(target, to, sizeof to - 1);
        if (n < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : errno;
        to[n] = 0;
        size_t before = 0;
        if (to[0] != '/')
            before = folder_of(target, folder);
        if (before == SIZE_MAX || before + (size_t)n >= PATH_MAX)
            return ENAMETOOLONG;
        memcpy(target, folder, before);
        memcpy(target + before, to, (size_t)n + 1);
    }
    return ELOOP;
}

static peri_io open_beside(peri_writer *w, bool exists, mode_t mode, peri_fault *fault)
{
    const size_t before = folder_of(w->target, w->temporary);
    if (before == SIZE_MAX)
        return peri_fail_system(fault, ENAMETOOLONG, "cannot write");
    for (int name = 0; name < MAX_NAMES; name++) {
        const int n = snprintf(w->temporary + before, sizeof w->temporary - before,
                               ".perigee-%ld-%d.tmp", (long)getpid(), name);
        if ((size_t)n >= sizeof w->temporary - before)
            return peri_fail_system(fault, ENAMETOOLONG, "cannot write");
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0 || (errno != EEXIST && errno != EINTR))
            break;
    }
    if (w->fd < 0) {
        const int error = errno;
        w->temporary[0] = 0;
        return peri_fail_system(fault, error, "cannot write");
    }
    /* The permissions stay those of the file that is replaced; a refusal leaves new ones. */
    if (exists && fchmod(w->fd, mode & 07777) != 0 && errno != EPERM)
        return peri_fail_system(fault, errno, "cannot write");
    return PERI_IO_OK;
}

peri_io peri_writer_open(peri_writer *w, const char *path, bool sync, peri_fault *fault)
{
    w->fd = -1;
    w->direct = false;
    w->sync = sync;
    w->at = 0;
    w->used = 0;
    w->target[0] = w->temporary[0] = 0;
    struct stat st;
    const bool exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return peri_fail_system(fault, errno, "cannot write");
    if (exists && S_ISDIR(st.st_mode))
        return peri_fail_system(fault, EISDIR, "cannot write");
    if (exists && !S_ISREG(st.st_mode)) {
        w->direct = true;
        do
            w->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        while (w->fd < 0 && errno == EINTR);
        return w->fd >= 0 ? PERI_IO_OK : peri_fail_system(fault, errno, "cannot write");
    }
    const int error = resolve(path, w->target);
    if (error != 0)
        return peri_fail_system(fault, error, "cannot write");
    if (exists && access(w->target, W_OK) != 0)
        return peri_fail_system(fault, errno, "cannot write");
    const peri_io status = open_beside(w, exists, exists ? st.st_mode : 0, fault);
    if (status != PERI_IO_OK)
        peri_writer_abort(w);
    return status;
}

static bool pipe_signal_waits(void)
{
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

/* write() to what may be a pipe whose reader is gone: without the signal that would end us. The
 * signal comes with EPIPE, and also with a count when the reader left in the middle. */
static ssize_t write_unsignalled(int fd, const void *data, size_t n)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const bool waited = pipe_signal_waits();
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const ssize_t written = write(fd, data, n);
    const int error = errno;
    if (!waited && pipe_signal_waits()) {
        const struct timespec now = {0, 0};
        while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

static peri_io put(peri_writer *w, const unsigned char *data, size_t n, peri_fault *fault)
{
    while (n > 0) {
        const ssize_t written =
            w->direct ? write_unsignalled(w->fd, data, n) : write(w->fd, data, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return peri_fail_system(fault, errno, "cannot write");
        if (written == 0)
            return peri_fail_system(fault, EIO, "cannot write");
        data += written;
        n -= (size_t)written;
    }
    return PERI_IO_OK;
}

static peri_io flush(peri_writer *w, peri_fault *fault)
{
    const size_t n = w->used;
    w->used = 0;
    return put(w, w->buffer, n, fault);
}

peri_io peri_writer_write(peri_writer *w, const void *data, size_t n, peri_fault *fault)
{
    w->at += n;
    if (n > sizeof w->buffer - w->used) {
        const peri_io status = flush(w, fault);
        if (status != PERI_IO_OK)
            return status;
        if (n >= sizeof w->buffer)
            return put(w, data, n, fault);
    }
    if (n > 0)
        memcpy(w->buffer + w->used, data, n);
    w->used += n;
    return PERI_IO_OK;
}

peri_io peri_writer_seek(peri_writer *w, uint64_t offset, peri_fault *fault)
{
    const peri_io status = flush(w, fault);
    if (status != PERI_IO_OK)
        return status;
    if (offset > INT64_MAX || lseek(w->fd, (off_t)offset, SEEK_SET) < 0)
        return peri_fail_system(fault, offset > INT64_MAX ? EINVAL : errno, "cannot write");
    w->at = offset;
    return PERI_IO_OK;
}

void peri_writer_abort(peri_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    if (w->temporary[0] != 0)
        unlink(w->temporary);
    w->temporary[0] = 0;
}

peri_io peri_writer_commit(peri_writer *w, peri_fault *fault)
{
    peri_io status = flush(w, fault);
    if (status == PERI_IO_OK && !w->direct && w->sync && fsync(w->fd) != 0)
        status = peri_fail_system(fault, errno, "cannot write");
    const int fd = w->fd;
    w->fd = -1;
    /* After EINTR the descriptor is closed all the same. */
    if (close(fd) != 0 && errno != EINTR && status == PERI_IO_OK)
        status = peri_fail_system(fault, errno, "cannot write");
    if (status == PERI_IO_OK && !w->direct) {
        if (rename(w->temporary, w->target) != 0)
            status = peri_fail_system(fault, errno, "cannot write");
        else
            w->temporary[0] = 0;
    }
    peri_writer_abort(w);
    return status;
}

peri_io peri_writer_save(const char *path, const void *data, size_t n, bool sync, peri_fault *fault)
{
    peri_writer w;
    peri_io status = peri_writer_open(&w, path, sync, fault);
    if (status == PERI_IO_OK)
        status = peri_writer_write(&w, data, n, fault);
    if (status == PERI_IO_OK)
        return peri_writer_commit(&w, fault);
    peri_writer_abort(&w);
    return status;
}
