/* SPDX-License-Identifier: MIT
 *
 * Jobs without Lua: how they start, end and are ended, and what their logs hold.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/process.h"

static char log_path[] = "/tmp/perigee-job-XXXXXX";

static int make_log(void **state)
{
    (void)state;
    const int fd = mkstemp(log_path);
    if (fd >= 0)
        close(fd);
    peri_jobs_watch(true);
    return fd < 0;
}

static int remove_log(void **state)
{
    (void)state;
    peri_jobs_watch(false);
    return unlink(log_path);
}

static peri_job *start(const char *command, double timeout, size_t memory)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    const peri_job_spec spec = {argv, envp, log_path, timeout, memory};
    const char *what;
    peri_job *job;
    assert_int_equal(peri_job_start(&spec, &job, &what), 0);
    assert_int_equal(peri_job_status(job), PERI_JOB_RUNNING);
    return job;
}

static void finish(peri_job *job, peri_job_state state, int code)
{
    assert_int_equal(peri_jobs_wait(&job, 1, 20), 1);
    assert_int_equal(peri_job_status(job), state);
    if (code >= 0)
        assert_int_equal(peri_job_exit(job), code);
}

static size_t read_log(char *text, size_t size)
{
    FILE *f = fopen(log_path, "rb");
    assert_non_null(f);
    const size_t n = fread(text, 1, size - 1, f);
    fclose(f);
    text[n] = '\0';
    return n;
}

static void ends_by_itself(void **state)
{
    (void)state;
    char text[256];
    peri_job *job = start("echo out; echo error >&2; printf 'par'; exit 3", 0, 0);
    finish(job, PERI_JOB_EXITED, 3);
    assert_string_equal(peri_job_line(job), "error");
    assert_false(peri_job_clipped(job));
    assert_false(peri_job_log_failed(job));
    assert_true(peri_job_peak(job) > 0);
    peri_job_free(job);
    read_log(text, sizeof text);
    assert_string_equal(text, "out\nerror\npar");
    job = start("kill -TERM $$", 0, 0);
    finish(job, PERI_JOB_SIGNALLED, SIGTERM);
    peri_job_free(job);
}

static void is_ended(void **state)
{
    (void)state;
    peri_job *job = start("sleep 1000", 0.2, 0);
    finish(job, PERI_JOB_TIMED_OUT, -1);
    assert_true(peri_job_seconds(job) >= 0.2 && peri_job_seconds(job) < 5);
    peri_job_free(job);
    job = start("sleep 1000", 0, 0);
    assert_int_equal(peri_jobs_wait(&job, 1, 0.05), 0);
    peri_job_end(job, 2);
    finish(job, PERI_JOB_INTERRUPTED, -1);
    peri_job_free(job);
    /* One that does not listen is killed after its grace. */
    job = start("trap '' TERM; while :; do sleep 1; done", 0, 0);
    assert_int_equal(peri_jobs_wait(&job, 1, 0.2), 0);
    peri_job_end(job, 0.2);
    finish(job, PERI_JOB_INTERRUPTED, -1);
    peri_job_free(job);
    job = start("sleep 1000", 0, 1000);
    finish(job, PERI_JOB_TOO_LARGE, -1);
    peri_job_free(job);
}

static void takes_its_children_along(void **state)
{
    (void)state;
    char text[256];
    peri_job *job = start("sleep 1000 & echo $!", 0, 0);
    finish(job, PERI_JOB_EXITED, 0);
    peri_job_free(job);
    read_log(text, sizeof text);
    const pid_t child = (pid_t)strtol(text, NULL, 10);
    assert_true(child > 0);
    assert_non_null(strstr(text, "[perigee: killed 1 process left behind]"));
    peri_jobs_sweep();
    assert_int_equal(kill(child, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void caps_its_log(void **state)
{
    (void)state;
    char *text = malloc(4 << 20);
    assert_non_null(text);
    /* Exactly the head, then one byte of tail, then more than both hold. */
    static const struct {
        const char *command;
        size_t bytes;
    } cases[] = {{"head -c 1048576 /dev/zero", 1 << 20},
                 {"head -c 1048577 /dev/zero", (1 << 20) + 1},
                 {"head -c 1114112 /dev/zero", (1 << 20) + (1 << 16)}};
    for (size_t i = 0; i < 3; i++) {
        peri_job *job = start(cases[i].command, 0, 0);
        finish(job, PERI_JOB_EXITED, 0);
        assert_false(peri_job_clipped(job));
        peri_job_free(job);
        assert_int_equal(read_log(text, 4 << 20), cases[i].bytes);
    }
    peri_job *job = start("head -c 5000000 /dev/zero; echo last", 0, 0);
    finish(job, PERI_JOB_EXITED, 0);
    assert_true(peri_job_clipped(job));
    peri_job_free(job);
    const size_t n = read_log(text, 4 << 20);
    assert_memory_equal(text + n - 5, "last\n", 5);
    assert_non_null(memmem(text, n, "[perigee: 3885893 bytes of output left out here]", 48));
    free(text);
}

static void cannot_start(void **state)
{
    (void)state;
    const char *const argv[] = {"/no/such/program", NULL};
    const char *const envp[] = {NULL};
    const char *what;
    peri_job *job;
    peri_job_spec spec = {argv, envp, log_path, 0, 0};
    assert_int_equal(peri_job_start(&spec, &job, &what), ENOENT);
    assert_string_equal(what, "start");
    assert_null(job);
    spec.log = "/no/such/folder/log";
    assert_int_equal(peri_job_start(&spec, &job, &what), ENOENT);
    assert_string_equal(what, "log");
    peri_job_free(NULL);
    /* A job that nobody waits for ends with its handle. */
    job = start("sleep 1000", 0, 0);
    peri_job_free(job);
}

static void hears_signals(void **state)
{
    (void)state;
    peri_job *job = start("sleep 1000", 0, 0);
    raise(SIGTERM);
    assert_int_equal(peri_jobs_wait(&job, 1, 5), -1);
    assert_int_equal(peri_jobs_signal(), SIGTERM);
    assert_int_equal(peri_jobs_wait(&job, 1, 0.05), 0);
    peri_job_free(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_by_itself),
        cmocka_unit_test(is_ended),
        cmocka_unit_test(takes_its_children_along),
        cmocka_unit_test(caps_its_log),
        cmocka_unit_test(cannot_start),
        cmocka_unit_test(hears_signals),
    };
    return cmocka_run_group_tests(tests, make_log, remove_log);
}
