/* SPDX-License-Identifier: MIT */
#include "host/command/limits.h"

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "bind/sandbox.h"
#include "perigee.h"

/* What the signal handler needs; a process has one timer. */
static lua_State *timed_state;
static volatile sig_atomic_t timed_out;

static int read_value(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value) && *value > 0 ? 1 : -1;
}

int peri_limits_option(peri_limits *limits, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    if (strcmp(word, "--sandbox") == 0) {
        limits->sandbox = true;
        return 1;
    }
    double *value = strncmp(word, "--memory", 8) == 0    ? &limits->memory_mb
                    : strncmp(word, "--timeout", 9) == 0 ? &limits->seconds
                                                         : NULL;
    if (value == NULL)
        return 0;
    const char *rest = word + (value == &limits->memory_mb ? 8 : 9);
    if (*rest == '=')
        return read_value(rest + 1, value);
    if (*rest != '\0')
        return 0;
    return ++*i < argc ? read_value(argv[*i], value) : -1;
}

/* At least 1, since 0 would be no limit. */
static size_t bytes_of(double megabytes)
{
    const double bytes = megabytes * 1048576;
    return bytes < 1 ? 1 : bytes >= (double)SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

static void set_timer(double seconds)
{
    const double whole = fmin(floor(seconds), 1e9);
    const struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)whole,
                     .tv_usec = (suseconds_t)fmin(fmax(1, (seconds - whole) * 1e6), 999999)}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
    if (timed_out) {
        static const char message[] = "perigee: the time limit is over; the script did not end\n";
        const ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
        (void)written;
        _exit(PERI_EXIT_TIMEOUT);
    }
    timed_out = 1;
    peri_interrupt(timed_state);
    set_timer(1);
}

bool peri_limits_timed_out(void)
{
    return timed_out != 0;
}

/* The folder of the script, "." where it has none. */
static const char *push_folder(lua_State *L, const char *script)
{
    const char *slash = script != NULL ? strrchr(script, '/') : NULL;
    if (slash == NULL)
        return lua_pushliteral(L, ".");
    return lua_pushlstring(L, script, slash == script ? 1 : (size_t)(slash - script));
}

void peri_limits_apply(lua_State *L, const peri_limits *limits, const char *script)
{
    if (limits->sandbox) {
        const char *job = getenv("PERIGEE_JOB");
        peri_sandbox(L, push_folder(L, script), job != NULL && *job != '\0' ? job : "out");
        lua_pop(L, 1);
    }
    if (limits->memory_mb > 0)
        peri_limit_memory(L, bytes_of(limits->memory_mb));
    if (limits->seconds > 0 || limits->sandbox)
        peri_watch(L);
    if (limits->seconds > 0) {
        timed_state = L;
        const struct sigaction action = {.sa_handler = on_alarm};
        sigaction(SIGALRM, &action, NULL);
        set_timer(limits->seconds);
    }
}
