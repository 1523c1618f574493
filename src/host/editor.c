/* SPDX-License-Identifier: MIT */
#include "host/editor.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is used of either library; libedit has readline's names. */
static struct {
    const char *name;
    int jump; /* whether Ctrl-C leaves it by a jump */
    char *(*readline)(const char *);
    void (*add_history)(const char *);
    void (*stifle_history)(int);
    char **(*matches)(const char *, char *(*)(const char *, int));
    char **line;                                /* rl_line_buffer */
    int *append, *over;                         /* what follows a completed word; no files */
    char **(**attempt)(const char *, int, int); /* rl_attempted_completion_function */
} lib;

static peri_editor_completer *completer;
static void *completer_context;
static char **found; /* what the completer gave, while readline asks for it one at a time */

static sigjmp_buf back;
static volatile sig_atomic_t reading, jumping, cancelled, completing;

static char *next_match(const char *word, int index)
{
    (void)word;
    static size_t at;
    if (index == 0)
        at = 0;
    if (found == NULL || found[at] == NULL)
        return NULL;
    return found[at++];
}

static char **attempt(const char *word, int start, int end)
{
    completing = 1;
    found = completer != NULL ? completer(*lib.line, start, end, completer_context) : NULL;
    completing = 0;
    *lib.over = 1;
    *lib.append = '\0';
    char **list = lib.matches(word, next_match);
    free(found); /* its strings are readline's now */
    found = NULL;
    return list;
}

static void *symbol(void *handle, const char *name)
{
    return dlsym(handle, name);
}

/* A function pointer from an object pointer, which ISO C has no cast for. */
#define FUNCTION(target, handle, name)                                                             \
    do {                                                                                           \
        void *const found_ = symbol(handle, name);                                                 \
        memcpy(&(target), &found_, sizeof found_);                                                 \
    } while (0)

static int open_library(const char *file, const char *name)
{
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return 0;
    FUNCTION(lib.readline, handle, "readline");
    FUNCTION(lib.add_history, handle, "add_history");
    FUNCTION(lib.stifle_history, handle, "stifle_history");
    FUNCTION(lib.matches, handle, "rl_completion_matches");
    lib.line = symbol(handle, "rl_line_buffer");
    lib.append = symbol(handle, "rl_completion_append_character");
    lib.over = symbol(handle, "rl_attempted_completion_over");
    lib.attempt = symbol(handle, "rl_attempted_completion_function");
    const char **program = symbol(handle, "rl_readline_name");
    const char **breaks = symbol(handle, "rl_completer_word_break_characters");
    if (lib.readline == NULL || lib.add_history == NULL || lib.matches == NULL ||
        lib.line == NULL || lib.append == NULL || lib.over == NULL || lib.attempt == NULL) {
        dlclose(handle);
        lib.readline = NULL;
        return 0;
    }
    lib.name = name;
    lib.jump = strcmp(name, "readline") == 0;
    int *const catch = symbol(handle, "rl_catch_signals");
    if (!lib.jump && catch != NULL)
        *catch = 0;
    *lib.attempt = attempt;
    if (program != NULL)
        *program = "perigee";
    if (breaks != NULL)
        *breaks = " \t\n\"'`<>=;+-*/%^#~,(){}[]|&?!";
    if (lib.stifle_history != NULL)
        lib.stifle_history(5000);
    return 1;
}

const char *peri_editor_open(peri_editor_completer *complete, void *context)
{
    completer = complete;
    completer_context = context;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return "";
    static const char *const files[][2] = {
        {"libreadline.so.8", "readline"},
        {"libreadline.so.7", "readline"},
        {"libedit.so.2", "libedit"},
        {"libedit.so.0", "libedit"},
    };
    const char *only = getenv("PERIGEE_EDITOR"); /* readline, libedit or none */
    for (size_t i = 0; lib.name == NULL && i < sizeof files / sizeof *files; i++)
        if (only == NULL || strcmp(only, files[i][1]) == 0)
            open_library(files[i][0], files[i][1]);
    return lib.name != NULL ? lib.name : "";
}

static void on_interrupt(int number)
{
    (void)number;
    if (!reading)
        return;
    cancelled = 1;
    if (jumping && !completing)
        siglongjmp(back, 1);
}

/* A line as it comes, without its end; NULL at the end of input or on an error, with errno. */
static char *read_plain(const char *prompt)
{
    char *text = NULL;
    size_t size = 0;
    fputs(prompt, stdout);
    fflush(stdout);
    errno = 0;
    const ssize_t n = getline(&text, &size, stdin);
    if (n < 0) {
        if (errno == EINTR)
            clearerr(stdin);
        free(text);
        return NULL;
    }
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    return text;
}

int peri_editor_read(const char *prompt, char **text)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    int result;
    *text = NULL;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before);
    cancelled = 0;
    /* A read that a signal cuts short makes libedit and getline return. readline goes on; it puts
     * the terminal right in a handler of its own before ours runs, and stands a jump. */
    if (sigsetjmp(back, 1) == 0) {
        jumping = lib.jump;
        reading = 1;
        *text = lib.name != NULL ? lib.readline(prompt) : read_plain(prompt);
    }
    reading = 0;
    result = cancelled ? -1 : *text != NULL ? 1 : 0;
    if (cancelled) {
        free(*text);
        *text = NULL;
        fputs("\n", stdout);
        fflush(stdout);
    }
    sigaction(SIGINT, &before, NULL);
    return result;
}

void peri_editor_remember(const char *entry)
{
    if (lib.name != NULL)
        lib.add_history(entry);
}
