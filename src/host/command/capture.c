/* SPDX-License-Identifier: MIT */
#include "host/command/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
    int before;      /* what the descriptor was */
    off_t read, cut; /* how far it was read, and given back to the system */
} streams[2] = {{.before = -1}, {.before = -1}};

enum { CUT = 1 << 20 };

/* With O_APPEND, so that children who write as well never overwrite. */
static int redirect(int which)
{
    const int file = memfd_create(which == 0 ? "stdout" : "stderr", MFD_CLOEXEC);
    if (file < 0)
        return errno;
    int status = 0;
    streams[which].before = fcntl(which + 1, F_DUPFD_CLOEXEC, 3);
    if (fcntl(file, F_SETFL, O_APPEND) != 0 || dup2(file, which + 1) < 0)
        status = errno;
    close(file);
    return status;
}

int peri_capture_start(void)
{
    fflush(stdout);
    const int status = redirect(0);
    return status != 0 ? status : redirect(1);
}

size_t peri_capture_read(int which, char *bytes, size_t size)
{
    fflush(which == 0 ? stdout : stderr);
    const int fd = which + 1;
    const ssize_t n = pread(fd, bytes, size, streams[which].read);
    if (n <= 0)
        return 0;
    streams[which].read += n;
    const off_t done = streams[which].read / CUT * CUT;
    if (done > streams[which].cut) {
        const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        if (fallocate(fd, mode, streams[which].cut, done - streams[which].cut) == 0)
            streams[which].cut = done;
    }
    return (size_t)n;
}

void peri_capture_end(void)
{
    fflush(stdout);
    for (int k = 0; k < 2; k++)
        if (streams[k].before >= 0) {
            dup2(streams[k].before, k + 1);
            close(streams[k].before);
            streams[k].before = -1;
        }
}
