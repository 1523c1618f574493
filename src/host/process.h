/* SPDX-License-Identifier: MIT
 *
 * Jobs: processes that a batch starts, watches and ends. No Lua.
 *
 * A job leads a session and a process group of its own, reads /dev/null, and writes standard output
 * and error into one pipe; whatever comes out of it, from C code and from its children too, goes to
 * a log file: the first PERI_LOG_HEAD bytes as they come, and of the rest the last PERI_LOG_TAIL,
 * as they are each second, with a line between that says how much is left out. It dies when the
 * process that started it dies.
 *
 * A job ends when its leader has ended; then everything left of it is killed: what is in its
 * session, and what was seen to descend from it in another, as MPI's ranks may be. Its state:
 */
#ifndef PERIGEE_HOST_PROCESS_H
#define PERIGEE_HOST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum { PERI_LOG_HEAD = 1 << 20, PERI_LOG_TAIL = 1 << 16 };

typedef enum {
    PERI_JOB_RUNNING,
    PERI_JOB_EXITED,     /* by itself, with exit status `exit` */
    PERI_JOB_SIGNALLED,  /* by signal `exit`, which the batch did not send */
    PERI_JOB_TIMED_OUT,  /* ended by the batch: too long */
    PERI_JOB_TOO_LARGE,  /* ended by the batch: too much memory */
    PERI_JOB_INTERRUPTED /* ended by the batch: peri_job_end */
} peri_job_state;

typedef struct peri_job peri_job;

typedef struct {
    const char *const *argv; /* argv[0] is the program's path; ends with NULL */
    const char *const *envp; /* "NAME=value"; ends with NULL */
    const char *log;         /* path of the log file, made anew */
    double timeout;          /* seconds; 0: none. SIGTERM, and 2 s later SIGKILL */
    size_t memory;           /* bytes it may be resident with, all its processes; 0: any number */
} peri_job_spec;

/* Starts a job. Returns 0 or an errno value, and then *what is "log" or "start". */
int peri_job_start(const peri_job_spec *spec, peri_job **job, const char **what);

/* Waits until one of the jobs has ended or `seconds` passed, whichever is first; copies output to
 * the logs, enforces the limits. An ended one's log is complete. Returns the number of ended jobs
 * among them, or -1, once, when a SIGINT, SIGTERM or SIGHUP came (with peri_jobs_watch in force).
 */
int peri_jobs_wait(peri_job *const *jobs, size_t njobs, double seconds);

/* Asks a running job to end, as interrupted: SIGTERM, and `grace` seconds later SIGKILL. */
void peri_job_end(peri_job *job, double grace);

peri_job_state peri_job_status(const peri_job *job);
int peri_job_exit(const peri_job *job);       /* exit status, or signal */
double peri_job_seconds(const peri_job *job); /* run time so far, or in all */
size_t
peri_job_resident(const peri_job *job);    /* bytes its processes are resident with, as last seen */
size_t peri_job_peak(const peri_job *job); /* the most that was seen */
bool peri_job_clipped(const peri_job *job); /* whether the log leaves something out */

/* Whether the log could not be written whole, such as on a full disk. */
bool peri_job_log_failed(const peri_job *job);

/* The last whole line of output that is not empty, without control characters; "" at first. */
const char *peri_job_line(const peri_job *job);

/* Kills what is left of it, closes its files and frees it. NULL is nothing. */
void peri_job_free(peri_job *job);

/* Takes over SIGINT, SIGTERM, SIGHUP and SIGPIPE of this process (on) or gives them back; makes
 * this process the parent of its jobs' orphans. One caller at a time. */
void peri_jobs_watch(bool on);

/* The signal for which peri_jobs_wait returned -1 last, or 0. */
int peri_jobs_signal(void);

/* Whether a signal came for which peri_jobs_wait has not returned -1 yet. */
bool peri_jobs_signalled(void);

/* Kills every process that descends from this one, such as daemons that left their job's session.
 */
void peri_jobs_sweep(void);

#endif
