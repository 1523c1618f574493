/* SPDX-License-Identifier: MIT */
#include "host/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 240 };

/* Seconds between SIGTERM and SIGKILL of a job that ran too long, between two looks at the leader's
 * memory, and between two looks at that of its whole session. */
static const double GRACE = 2.0, LOOK = 0.05, LOOK_ALL = 0.25;

/* Seconds between two writes of a running job's end of output. */
static const double SHOW = 1.0;

/* A process by its number and when it began, so that a later one of that number is another. */
struct relative {
    pid_t pid;
    unsigned long long born;
};

struct peri_job {
    pid_t pid;
    int pipe, log;
    peri_job_state state, reason; /* reason: why the batch is ending it; RUNNING when it is not */
    int exit;
    double started, ended, timeout, kill_at, looked, looked_all;
    size_t memory, resident, peak, left;
    struct relative *kin; /* what descended from the leader when it was last looked at */
    size_t nkin;
    size_t head;              /* bytes written to the log's head */
    unsigned long long tail;  /* bytes that came after it */
    unsigned long long shown; /* how many of them had come when the log's end was written last */
    double shown_at;
    char ring[PERI_LOG_TAIL]; /* the last of them */
    char line[LINE], partial[LINE];
    size_t npartial;
    int escape; /* inside a terminal's escape sequence */
    bool failed_log;
};

static int wake[2] = {-1, -1};
static volatile sig_atomic_t seen;
static int last_seen;
static int unreaped; /* leaders that were started and not waited for yet */
static struct sigaction before[4], before_pipe;
static const int SIGNALS[4] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void notice(int number)
{
    const int kept = errno;
    if (number != SIGCHLD)
        seen = number;
    const ssize_t n = write(wake[1], "", 1);
    (void)n;
    errno = kept;
}

void peri_jobs_watch(bool on)
{
    if (on && wake[0] < 0 && pipe2(wake, O_CLOEXEC | O_NONBLOCK) == 0) {
        struct sigaction action = {.sa_handler = notice, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        seen = last_seen = 0;
        for (int i = 0; i < 4; i++)
            sigaction(SIGNALS[i], &action, &before[i]);
        /* A reader of the progress that goes away must not leave jobs without their watcher. */
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, &before_pipe);
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    } else if (!on && wake[0] >= 0) {
        for (int i = 0; i < 4; i++)
            sigaction(SIGNALS[i], &before[i], NULL);
        sigaction(SIGPIPE, &before_pipe, NULL);
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        close(wake[0]);
        close(wake[1]);
        wake[0] = wake[1] = -1;
    }
}

/* ---- the processes there are ------------------------------------------------------------- */

typedef struct {
    pid_t pid, parent, session;
    unsigned long long born;
    bool dead; /* and waits for its parent to notice */
    bool ours; /* belongs to the job that is looked at */
    size_t resident;
} process;

static bool read_stat(const char *pid, process *p)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    /* The name in parentheses may hold anything; what follows the last one counts. */
    const char *rest = strrchr(text, ')');
    int parent, session;
    char state;
    long pages;
    unsigned long long born;
    if (rest == NULL || sscanf(rest + 1,
                               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %*d %*d %llu %*u %ld",
                               &state, &parent, &session, &born, &pages) != 5)
        return false;
    p->born = born;
    p->ours = false;
    p->pid = (pid_t)strtol(pid, NULL, 10);
    p->parent = parent;
    p->session = session;
    p->dead = state == 'Z' || state == 'X';
    p->resident = (size_t)(pages < 0 ? 0 : pages) * (size_t)sysconf(_SC_PAGESIZE);
    return true;
}

static void each_process(void (*look)(const process *p, void *context), void *context)
{
    DIR *d = opendir("/proc");
    process p;
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (isdigit((unsigned char)e->d_name[0]) && read_stat(e->d_name, &p))
            look(&p, context);
    closedir(d);
}

/* Whether this process has children besides the leaders it knows. While it adopts orphans, whatever
 * a dead leader left behind is among them. */
static bool has_orphans(void)
{
    char path[64], text[4096];
    if (wake[0] < 0)
        return true;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true; /* this kernel does not say */
    const ssize_t n = read(fd, text, sizeof text);
    close(fd);
    int children = 0;
    for (ssize_t i = 0; i < n; i++)
        children += text[i] == ' ';
    return n == (ssize_t)sizeof text || children != unreaped;
}

typedef struct {
    process *list;
    size_t count, room;
} processes;

static void note_process(const process *p, void *context)
{
    processes *all = context;
    if (all->count == all->room) {
        const size_t room = all->room > 0 ? 2 * all->room : 256;
        process *list = realloc(all->list, room * sizeof *list);
        if (list == NULL)
            return;
        all->list = list;
        all->room = room;
    }
    all->list[all->count++] = *p;
}

static bool is_kin(const peri_job *job, const process *p)
{
    for (size_t i = 0; i < job->nkin; i++)
        if (job->kin[i].pid == p->pid && job->kin[i].born == p->born)
            return true;
    return false;
}

/* All processes there are, those of the job marked: what is in its session, and what descends from
 * that or from what was seen to do so before, in whatever session it is now. For free(). */
static process *members_of(peri_job *job, size_t *count)
{
    processes all = {0};
    each_process(note_process, &all);
    bool more = true;
    for (size_t i = 0; i < all.count; i++)
        all.list[i].ours = all.list[i].session == job->pid || is_kin(job, &all.list[i]);
    while (more) {
        more = false;
        for (size_t i = 0; i < all.count; i++) {
            for (size_t k = 0; k < all.count && !all.list[i].ours; k++)
                all.list[i].ours =
                    all.list[k].ours && all.list[k].pid == all.list[i].parent && (more = true);
        }
    }
    *count = all.count;
    return all.list;
}

static void look_at_all(peri_job *job)
{
    size_t count, n = 0;
    process *all = members_of(job, &count);
    job->resident = 0;
    for (size_t i = 0; i < count; i++)
        n += all[i].ours;
    struct relative *kin = realloc(job->kin, (n + 1) * sizeof *kin);
    if (kin != NULL) {
        job->kin = kin;
        job->nkin = 0;
    }
    for (size_t i = 0; i < count; i++)
        if (all[i].ours) {
            job->resident += all[i].resident;
            if (kin != NULL)
                kin[job->nkin++] = (struct relative){all[i].pid, all[i].born};
        }
    free(all);
}

/* Kills what belongs to the job besides its leader. */
static void kill_members(peri_job *job)
{
    size_t count;
    process *all = members_of(job, &count);
    for (size_t i = 0; i < count; i++) {
        const process *p = &all[i];
        if (!p->ours || p->pid == job->pid)
            continue;
        if (!p->dead && kill(p->pid, SIGKILL) == 0)
            job->left++;
        if (p->parent == getpid())
            waitpid(p->pid, NULL, p->dead ? 0 : WNOHANG);
    }
    free(all);
}

static void kill_child(const process *p, void *context)
{
    if (p->parent == getpid()) {
        kill(p->pid, SIGKILL);
        ++*(int *)context;
    }
}

void peri_jobs_sweep(void)
{
    /* A killed process leaves its own children to us, so look again until there are none. */
    for (int round = 0; round < 100; round++) {
        int children = 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        each_process(kill_child, &children);
        if (children == 0)
            return;
        const struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
}

/* ---- output ------------------------------------------------------------------------------ */

static void write_log(peri_job *job, const char *bytes, size_t n)
{
    while (n > 0 && !job->failed_log) {
        const ssize_t done = write(job->log, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            job->failed_log = true;
            return;
        }
        bytes += done;
        n -= (size_t)done;
    }
}

/* Keeps the last line for the progress display. */
static void keep_line(peri_job *job, const char *bytes, size_t n)
{
    if (n > 4 * LINE) {
        bytes += n - 4 * LINE;
        n = 4 * LINE;
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c == '\n' || c == '\r') {
            if (job->npartial > 0) {
                memcpy(job->line, job->partial, job->npartial);
                job->line[job->npartial] = '\0';
            }
            job->npartial = 0;
            job->escape = 0;
        } else if (c == 0x1b) {
            job->escape = 1;
        } else if (job->escape == 1) {
            job->escape = c == '[' ? 2 : strchr("]PX^_", c) != NULL ? 3 : 0;
        } else if (job->escape == 3) {
            job->escape = c == 0x07 ? 0 : 3; /* a title or a link, to its end */
        } else if (job->escape == 2) {
            job->escape = c >= '@' && c <= '~' ? 0 : 2;
        } else if ((c >= ' ' && c != 0x7f) || c == '\t') {
            if (job->npartial < LINE - 1)
                job->partial[job->npartial++] = c == '\t' ? ' ' : (char)c;
        }
    }
}

static void keep_output(peri_job *job, const char *bytes, size_t n)
{
    keep_line(job, bytes, n);
    if (job->head < PERI_LOG_HEAD) {
        const size_t take = n < PERI_LOG_HEAD - job->head ? n : PERI_LOG_HEAD - job->head;
        write_log(job, bytes, take);
        job->head += take;
        bytes += take;
        n -= take;
    }
    while (n > 0) {
        const size_t at = (size_t)(job->tail % PERI_LOG_TAIL);
        const size_t take = n < PERI_LOG_TAIL - at ? n : PERI_LOG_TAIL - at;
        memcpy(job->ring + at, bytes, take);
        job->tail += take;
        bytes += take;
        n -= take;
    }
}

/* Reads what is there, at most `most` chunks. */
static void drain(peri_job *job, int most)
{
    char chunk[1 << 16];
    while (job->pipe >= 0 && most-- > 0) {
        const ssize_t n = read(job->pipe, chunk, sizeof chunk);
        if (n > 0) {
            keep_output(job, chunk, (size_t)n);
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            close(job->pipe);
            job->pipe = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

/* What follows the log's head: how much is left out, and the end of the output. */
static void write_tail(peri_job *job)
{
    char note[160];
    if (job->tail > PERI_LOG_TAIL) {
        const size_t at = (size_t)(job->tail % PERI_LOG_TAIL);
        const int n =
            snprintf(note, sizeof note, "\n[perigee: %llu bytes of output left out here]\n",
                     job->tail - PERI_LOG_TAIL);
        write_log(job, note, (size_t)n);
        write_log(job, job->ring + at, PERI_LOG_TAIL - at);
        write_log(job, job->ring, at);
    } else {
        write_log(job, job->ring, (size_t)job->tail);
    }
}

/* Brings the log's end to the disk while the job runs, in the place where the last one stood, so
 * that one can look at it, and has it when the watcher is killed. */
static void show_tail(peri_job *job, double t)
{
    if (job->tail == job->shown || t - job->shown_at < SHOW ||
        lseek(job->log, (off_t)job->head, SEEK_SET) < 0)
        return;
    write_tail(job);
    const off_t end = lseek(job->log, 0, SEEK_CUR);
    if (end < 0 || ftruncate(job->log, end) != 0)
        job->failed_log = true;
    job->shown = job->tail;
    job->shown_at = t;
}

static void finish_log(peri_job *job)
{
    char note[160];
    const bool again = job->shown > 0 && lseek(job->log, (off_t)job->head, SEEK_SET) >= 0;
    write_tail(job);
    if (job->left > 0) {
        const int n = snprintf(note, sizeof note, "\n[perigee: killed %zu process%s left behind]\n",
                               job->left, job->left == 1 ? "" : "es");
        write_log(job, note, (size_t)n);
    }
    if (again && ftruncate(job->log, lseek(job->log, 0, SEEK_CUR)) != 0)
        job->failed_log = true;
    if (job->log >= 0 && close(job->log) != 0)
        job->failed_log = true;
    job->log = -1;
}

/* ---- start and end ----------------------------------------------------------------------- */

/* The child's side; only calls that are safe after fork in a process with threads. */
_Noreturn static void become(const peri_job_spec *spec, pid_t parent, int output, int trouble)
{
    sigset_t none;
    sigemptyset(&none);
    for (int i = 0; i < 4; i++)
        signal(SIGNALS[i], SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(127);
    const int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(output, 1) >= 0 && dup2(output, 2) >= 0) {
        if (null > 2)
            close(null);
        execve(spec->argv[0], (char *const *)spec->argv, (char *const *)spec->envp);
    }
    const int why = errno;
    const ssize_t n = write(trouble, &why, sizeof why);
    (void)n;
    _exit(127);
}

int peri_job_start(const peri_job_spec *spec, peri_job **out, const char **what)
{
    int output[2] = {-1, -1}, trouble[2] = {-1, -1}, status = 0, why = 0;
    peri_job *job = calloc(1, sizeof *job);
    *out = NULL;
    *what = "start";
    if (job == NULL)
        return ENOMEM;
    job->pipe = -1;
    job->log = open(spec->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (job->log < 0) {
        status = errno;
        *what = "log";
    } else if (pipe2(output, O_CLOEXEC) != 0 || pipe2(trouble, O_CLOEXEC) != 0) {
        status = errno;
    } else {
        fcntl(output[0], F_SETFL, O_NONBLOCK);
        fcntl(output[0], F_SETPIPE_SZ, 1 << 20);
        const pid_t parent = getpid();
        job->started = now();
        job->pid = fork();
        if (job->pid == 0)
            become(spec, parent, output[1], trouble[1]);
        if (job->pid < 0)
            status = errno;
        else
            unreaped++;
    }
    if (output[1] >= 0)
        close(output[1]);
    if (trouble[1] >= 0)
        close(trouble[1]);
    if (status == 0) {
        ssize_t n;
        do
            n = read(trouble[0], &why, sizeof why);
        while (n < 0 && errno == EINTR);
        if (n == (ssize_t)sizeof why) {
            waitpid(job->pid, NULL, 0);
            unreaped--;
            status = why;
        }
    }
    if (trouble[0] >= 0)
        close(trouble[0]);
    if (status != 0) {
        if (output[0] >= 0)
            close(output[0]);
        if (job->log >= 0)
            close(job->log);
        free(job);
        return status;
    }
    job->looked = job->looked_all = job->started;
    job->pipe = output[0];
    job->timeout = spec->timeout;
    job->memory = spec->memory;
    *out = job;
    return 0;
}

static void signal_job(const peri_job *job, int number)
{
    if (kill(-job->pid, number) != 0)
        kill(job->pid, number);
}

static void end_as(peri_job *job, peri_job_state reason, double grace)
{
    if (job->state != PERI_JOB_RUNNING || job->reason != PERI_JOB_RUNNING)
        return;
    job->reason = reason;
    job->kill_at = now() + grace;
    signal_job(job, grace > 0 ? SIGTERM : SIGKILL);
}

void peri_job_end(peri_job *job, double grace)
{
    end_as(job, PERI_JOB_INTERRUPTED, grace);
}

static void note_peak(peri_job *job)
{
    if (job->resident > job->peak)
        job->peak = job->resident;
    if (job->memory > 0 && job->resident > job->memory)
        end_as(job, PERI_JOB_TOO_LARGE, 0);
}

static void enforce(peri_job *job, double t)
{
    char pid[32];
    process p;
    show_tail(job, t);
    if (job->reason != PERI_JOB_RUNNING) {
        if (t >= job->kill_at) {
            signal_job(job, SIGKILL);
            kill_members(job);
            job->left = 0;
            job->kill_at = t + GRACE;
        }
        return;
    }
    if (job->timeout > 0 && t - job->started >= job->timeout)
        end_as(job, PERI_JOB_TIMED_OUT, GRACE);
    if (t - job->looked_all >= LOOK_ALL) {
        job->looked = job->looked_all = t;
        look_at_all(job);
        note_peak(job);
    } else if (t - job->looked >= LOOK) {
        job->looked = t;
        snprintf(pid, sizeof pid, "%ld", (long)job->pid);
        if (read_stat(pid, &p) && p.resident > job->resident)
            job->resident = p.resident;
        note_peak(job);
    }
}

static bool reap(peri_job *job)
{
    int status;
    struct rusage usage;
    /* The leader is kept as a zombie until its session is dead, so that its number stays its own.
     */
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)job->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    job->ended = now();
    job->left = 0;
    if (has_orphans())
        kill_members(job);
    drain(job, 1 << 10);
    unreaped--;
    if (wait4(job->pid, &status, 0, &usage) == job->pid) {
        const size_t peak = (size_t)usage.ru_maxrss * 1024;
        job->peak = peak > job->peak ? peak : job->peak;
        job->state = WIFSIGNALED(status) ? PERI_JOB_SIGNALLED : PERI_JOB_EXITED;
        job->exit = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    } else {
        job->state = PERI_JOB_EXITED;
        job->exit = 127;
    }
    if (job->reason != PERI_JOB_RUNNING)
        job->state = job->reason;
    if (job->pipe >= 0)
        close(job->pipe);
    job->pipe = -1;
    finish_log(job);
    return true;
}

int peri_jobs_wait(peri_job *const *jobs, size_t njobs, double seconds)
{
    const double until = now() + seconds;
    struct pollfd *fds = calloc(njobs + 1, sizeof *fds);
    char rubbish[256];
    int ended = 0;
    while (fds != NULL) {
        double t = now(), next = until;
        for (size_t i = 0; i < njobs; i++) {
            if (jobs[i]->state != PERI_JOB_RUNNING)
                continue;
            if (reap(jobs[i])) {
                ended++;
                continue;
            }
            enforce(jobs[i], t);
            next = t + LOOK < next ? t + LOOK : next;
        }
        if (ended > 0 || seen != 0 || t >= until)
            break;
        fds[0] = (struct pollfd){.fd = wake[0], .events = POLLIN};
        for (size_t i = 0; i < njobs; i++)
            fds[i + 1] = (struct pollfd){.fd = jobs[i]->pipe, .events = POLLIN};
        if (poll(fds, (nfds_t)(njobs + 1), (int)(1e3 * (next - t)) + 1) > 0) {
            while (wake[0] >= 0 && read(wake[0], rubbish, sizeof rubbish) > 0)
                ;
            for (size_t i = 0; i < njobs; i++)
                if (fds[i + 1].revents != 0)
                    drain(jobs[i], 16);
        }
    }
    free(fds);
    if (ended > 0 || seen == 0)
        return ended;
    last_seen = seen;
    seen = 0;
    return -1;
}

bool peri_jobs_signalled(void)
{
    return seen != 0;
}

int peri_jobs_signal(void)
{
    return last_seen;
}

void peri_job_free(peri_job *job)
{
    if (job == NULL)
        return;
    if (job->state == PERI_JOB_RUNNING) {
        signal_job(job, SIGKILL);
        kill_members(job);
        waitpid(job->pid, NULL, 0);
        unreaped--;
        finish_log(job);
    }
    if (job->pipe >= 0)
        close(job->pipe);
    free(job->kin);
    free(job);
}

/* ---- what is known ----------------------------------------------------------------------- */

peri_job_state peri_job_status(const peri_job *job)
{
    return job->state;
}

int peri_job_exit(const peri_job *job)
{
    return job->exit;
}

double peri_job_seconds(const peri_job *job)
{
    return (job->state == PERI_JOB_RUNNING ? now() : job->ended) - job->started;
}

size_t peri_job_resident(const peri_job *job)
{
    return job->resident;
}

size_t peri_job_peak(const peri_job *job)
{
    return job->peak;
}

bool peri_job_clipped(const peri_job *job)
{
    return job->tail > PERI_LOG_TAIL;
}

bool peri_job_log_failed(const peri_job *job)
{
    return job->failed_log;
}

const char *peri_job_line(const peri_job *job)
{
    return job->line;
}
