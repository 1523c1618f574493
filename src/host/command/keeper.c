/* SPDX-License-Identifier: MIT */
#include "host/command/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/process.h"

static volatile pid_t batch;

/* Ctrl-C reaches both processes by itself; what was sent to this one alone is passed on. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    (void)context;
    const int kept = errno;
    if (info->si_code <= 0)
        kill(batch, number);
    errno = kept;
}

void peri_keep(void)
{
    static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    enum { PASSED = sizeof passed / sizeof *passed };
    sigset_t all, before;
    sigemptyset(&all);
    for (int i = 0; i < PASSED; i++)
        sigaddset(&all, passed[i]);
    sigprocmask(SIG_BLOCK, &all, &before);
    const pid_t parent = getpid();
    batch = fork();
    if (batch <= 0) {
        if (batch == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
            if (getppid() != parent)
                _exit(EXIT_FAILURE);
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        return;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < PASSED; i++)
        sigaction(passed[i], &action, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    int status;
    while (waitpid(batch, &status, 0) != batch)
        if (errno != EINTR)
            _exit(EXIT_FAILURE);
    if (WIFEXITED(status))
        _exit(WEXITSTATUS(status));
    peri_jobs_sweep();
    signal(WTERMSIG(status), SIG_DFL);
    kill(parent, WTERMSIG(status));
    _exit(128 + WTERMSIG(status));
}
