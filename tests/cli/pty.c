/* SPDX-License-Identifier: MIT
 *
 * Drives a program through a pseudo-terminal: `pty PROGRAM [ARG...] < SCRIPT`. A line of the script
 * is one of
 *
 *     send TEXT      types TEXT once nothing has come for 20 ms; \n \r \t \e \\ and \xHH are known
 *     again TEXT     has the next expect type TEXT each half second: signals that come while the
 *                    program has no processor are one signal to it
 *     expect TEXT    waits until TEXT has come since the last expect; prints "[took S]" on standard
 *                    error
 *     within S       the seconds that an expect may take from here on (10 at first)
 *     refuse TEXT    fails if TEXT has come since the last expect
 *     pause S        waits
 *     end            waits until the program has ended, and prints "ended STATUS"
 *
 * Prints all that came. Status 0 when everything was as written, else 1 and the line at fault on
 * standard error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char seen[1 << 22];
static size_t nseen, from;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Reads what comes within `seconds`; 0 at the end of output. */
static int pump(int fd, double seconds)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, (int)(seconds * 1000)) <= 0)
        return 1;
    char chunk[4096];
    const ssize_t n = read(fd, chunk, sizeof chunk);
    if (n <= 0)
        return 0;
    if (nseen + (size_t)n < sizeof seen) {
        memcpy(seen + nseen, chunk, (size_t)n);
        nseen += (size_t)n;
    }
    fwrite(chunk, 1, (size_t)n, stdout);
    return 1;
}

static size_t unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in != '\\') {
            *out++ = *in;
            continue;
        }
        switch (*++in) {
        case 'n':
            *out++ = '\n';
            break;
        case 'r':
            *out++ = '\r';
            break;
        case 't':
            *out++ = '\t';
            break;
        case 'e':
            *out++ = '\033';
            break;
        case 'x': {
            const char digits[3] = {in[1], in[2], '\0'};
            *out++ = (char)strtol(digits, NULL, 16);
            in += 2;
            break;
        }
        default:
            *out++ = *in;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

static void type(int fd, const char *text, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(fd, text, n);
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        } else if (errno != EAGAIN && errno != EINTR) {
            return;
        }
        while (pump(fd, 0) && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0)
            ;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0)
        return 2;
    const struct winsize size = {.ws_row = 40, .ws_col = 200};
    ioctl(fd, TIOCSWINSZ, &size);
    const pid_t pid = fork();
    if (pid == 0) {
        setsid();
        /* What a shell starts beside itself ignores these, and so would the program. */
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        const int terminal = open(ptsname(fd), O_RDWR);
        dup2(terminal, 0);
        dup2(terminal, 1);
        dup2(terminal, 2);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    char *line = NULL;
    size_t room = 0;
    double limit = 10;
    char again[64] = "";
    int fault = 0;
    while (!fault && getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        char *text = strchr(line, ' ');
        text = text != NULL ? text + 1 : line + strlen(line);
        const double start = now();
        if (strncmp(line, "within", 6) == 0) {
            limit = strtod(text, NULL);
        } else if (strncmp(line, "pause", 5) == 0) {
            const double until = start + strtod(text, NULL);
            while (now() < until && pump(fd, until - now()))
                ;
        } else if (strncmp(line, "send", 4) == 0) {
            size_t before;
            do {
                before = nseen;
            } while (pump(fd, 0.02) && nseen != before);
            type(fd, text, unescape(text));
        } else if (strncmp(line, "again", 5) == 0) {
            snprintf(again, sizeof again, "%.*s", (int)unescape(text), text);
        } else if (strncmp(line, "expect", 6) == 0) {
            const size_t n = unescape(text);
            const char *hit;
            double typed = start;
            int open = 1;
            while ((hit = memmem(seen + from, nseen - from, text, n)) == NULL && open &&
                   now() - start < limit) {
                open = pump(fd, 0.02);
                if (again[0] != '\0' && now() - typed > 0.5) {
                    type(fd, again, strlen(again));
                    typed = now();
                }
            }
            again[0] = '\0';
            fault = hit == NULL;
            if (hit != NULL) {
                from = (size_t)(hit - seen) + n;
                fprintf(stderr, "[took %.3f]\n", now() - start);
            }
        } else if (strncmp(line, "refuse", 6) == 0) {
            const size_t n = unescape(text);
            fault = memmem(seen + from, nseen - from, text, n) != NULL;
        } else if (strncmp(line, "end", 3) == 0) {
            int status;
            while (waitpid(pid, &status, WNOHANG) == 0 && now() - start < limit)
                pump(fd, 0.02);
            pump(fd, 0);
            if (now() - start >= limit)
                fault = 1;
            else if (WIFSIGNALED(status))
                printf("\nended by signal %d\n", WTERMSIG(status));
            else
                printf("\nended %d\n", WEXITSTATUS(status));
        }
        if (fault)
            fprintf(stderr, "pty: failed at: %s\n", line);
    }
    kill(pid, SIGKILL);
    free(line);
    return fault;
}
