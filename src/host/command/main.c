/* SPDX-License-Identifier: MIT
 *
 * The program: stock lua's command line over a state that knows Perigee, and the subcommands.
 *
 * All work happens inside one protected call, so that running out of memory while the libraries
 * open is a message, not a crash. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bind/embed.h"
#include "bind/sandbox.h"
#include "host/call.h"
#include "host/command/keeper.h"
#include "host/command/limits.h"
#include "host/command/notebook.h"
#include "host/command/recorder.h"
#include "host/command/script.h"
#include "host/mpi.h"
#include "perigee.h"

static const char usage[] =
    "usage: perigee [options] [script [args]]\n"
    "       perigee run [options] script...   run scripts as a batch (perigee run --help)\n"
    "       perigee help [name]               the manual entry of pg.<name>\n"
    "       perigee jupyter install           the kernel for Jupyter's notebooks\n"
    "limits, for scripts one did not write:\n"
    "  --memory MB    of Lua and arrays together\n"
    "  --timeout S    of wall time; the exit status is then 124\n"
    "  --sandbox      no bytecode, programs, C modules or other files than the script's own\n"
    "options, as those of lua:\n"
    "  -e stat   execute string 'stat'\n"
    "  -i        enter interactive mode after executing 'script'\n"
    "  -l mod    require library 'mod' into global 'mod'\n"
    "  -l g=mod  require library 'mod' into global 'g'\n"
    "  -v        show version information\n"
    "  -E        ignore environment variables\n"
    "  -W        turn warnings on\n"
    "  --        stop handling options\n"
    "  -         stop handling options and execute stdin\n";

/* Words that are commands, not scripts: each is answered by the function `main` of that module,
 * called with the words that follow; its result is the exit status. */
static const struct {
    const char *word, *module;
} commands[] = {
    {"run", "_runner"},
    {"help", "_help"},
    {"jupyter", "_jupyter"},
};

struct options {
    int script; /* index in argv of the first word that is not an option; argc if none */
    bool interactive, version, execute, ignore_environment;
    const char *bad;
    peri_limits limits;
};

static struct options read_options(int argc, char **argv)
{
    struct options o = {.script = argc};
    int i = 1;
    for (; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-' || word[1] == '\0')
            break; /* a script, or "-" */
        if (strcmp(word, "--") == 0) {
            i++;
            break;
        }
        if (word[1] == '-') {
            if (peri_limits_option(&o.limits, argc, argv, &i) <= 0) {
                o.bad = word;
                return o;
            }
            continue;
        }
        if (strchr("EivW", word[1]) != NULL && word[2] != '\0')
            o.bad = word;
        switch (word[1]) {
        case 'E':
            o.ignore_environment = true;
            break;
        case 'i':
            o.interactive = true;
            o.version = true;
            break;
        case 'v':
            o.version = true;
            break;
        case 'W':
            break;
        case 'e':
        case 'l':
            o.execute |= word[1] == 'e';
            if (word[2] == '\0' && (++i >= argc || argv[i][0] == '-'))
                o.bad = word;
            break;
        default:
            o.bad = word;
        }
        if (o.bad != NULL)
            return o;
    }
    o.script = i;
    return o;
}

static void push_arguments(lua_State *L, int argc, char **argv, int script)
{
    if (script == argc)
        script = 0; /* no script: the program's name is arg[0] */
    lua_createtable(L, argc - script, script + 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - script);
    }
    lua_setglobal(L, "arg");
}

/* -l mod or -l g=mod. */
static int load_library(lua_State *L, char *word)
{
    char *equals = strchr(word, '=');
    const char *global = word, *module = word;
    if (equals != NULL) {
        *equals = '\0';
        module = equals + 1;
    }
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    const int status = peri_call(L, 1, 1, false);
    if (status == LUA_OK)
        lua_setglobal(L, global);
    return peri_report(L, status);
}

static int run_options(lua_State *L, char **argv, int n)
{
    for (int i = 1; i < n; i++) {
        const char option = argv[i][1];
        if (option == '-') {
            peri_limits read = {0};
            peri_limits_option(&read, n, argv, &i); /* passes over its value */
            continue;
        }
        if (option == 'e' || option == 'l') {
            char *value = argv[i] + 2;
            if (*value == '\0')
                value = argv[++i];
            const int status = option == 'e' ? peri_do_string(L, value, "=(command line)")
                                             : load_library(L, value);
            if (status != LUA_OK)
                return status;
        } else if (option == 'W') {
            lua_warning(L, "@on", 0);
        }
    }
    return LUA_OK;
}

static int run_init(lua_State *L)
{
    const char *name = "=LUA_INIT_5_4";
    const char *init = getenv(name + 1);
    if (init == NULL)
        init = getenv((name = "=LUA_INIT") + 1);
    if (init == NULL)
        return LUA_OK;
    return init[0] == '@' ? peri_do_file(L, init + 1) : peri_do_string(L, init, name);
}

static int run_script(lua_State *L, char **argv)
{
    const char *file = argv[0];
    if (strcmp(file, "-") == 0 && strcmp(argv[-1], "--") != 0)
        file = NULL; /* standard input */
    int status = peri_load_file(L, file);
    if (status == LUA_OK) {
        lua_getglobal(L, "arg");
        if (!lua_istable(L, -1))
            luaL_error(L, "'arg' is not a table");
        const int n = (int)luaL_len(L, -1);
        luaL_checkstack(L, n + 3, "too many arguments to script");
        for (int i = 1; i <= n; i++)
            lua_rawgeti(L, -i, i);
        lua_remove(L, -n - 1);
        status = peri_call(L, n, LUA_MULTRET, false);
    }
    return peri_report(L, status);
}

/* perigee run ..., perigee help ...: pg.<module>.main(words...). */
static int run_command(lua_State *L, const char *module, int argc, char **argv)
{
    peri_register(L, "perigee.notebook", peri_open_notebook);
    luaopen_perigee(L);
    lua_getfield(L, -1, module);
    lua_getfield(L, -1, "main");
    luaL_checkstack(L, argc, "too many arguments");
    for (int i = 2; i < argc; i++)
        lua_pushstring(L, argv[i]);
    const int status = peri_call(L, argc - 2, 1, false);
    if (peri_report(L, status) == LUA_OK && lua_tointeger(L, -1) != 0)
        exit((int)lua_tointeger(L, -1));
    return status;
}

static void print_version(void)
{
    printf("Perigee %s  %s\n", peri_version(), LUA_COPYRIGHT);
    fflush(stdout);
}

static int refuse_option(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        fputs(usage, stdout);
        return true;
    }
    if (strncmp(word, "--memory", 8) == 0 || strncmp(word, "--timeout", 9) == 0)
        fprintf(stderr, "perigee: '%s' needs a number above 0\n%s", word, usage);
    else if (word[1] == 'e' || word[1] == 'l')
        fprintf(stderr, "perigee: '%s' needs argument\n%s", word, usage);
    else
        fprintf(stderr, "perigee: unrecognized option '%s'\n%s", word, usage);
    return false;
}

/* Arguments argc and argv; the result says whether all went well. */
static int protected_main(lua_State *L)
{
    const int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    luaL_checkversion(L);
    const struct options o = read_options(argc, argv);
    if (o.bad != NULL) {
        lua_pushboolean(L, refuse_option(o.bad));
        return 1;
    }
    if (o.version)
        print_version();
    if (o.ignore_environment) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    peri_register(L, "perigee", luaopen_perigee);
    peri_listen(L);
    push_arguments(L, argc, argv, o.script);
    peri_limits_apply(L, &o.limits, o.script < argc ? argv[o.script] : NULL);
    if (!o.ignore_environment && !o.limits.sandbox && run_init(L) != LUA_OK)
        return 0;
    if (o.script == 1 && argc > 1)
        for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
            if (strcmp(argv[1], commands[k].word) == 0) {
                lua_pushboolean(L, run_command(L, commands[k].module, argc, argv) == LUA_OK);
                return 1;
            }
    if (run_options(L, argv, o.script) != LUA_OK)
        return 0;
    /* With -i on a terminal the prompt runs it, so that its locals stay to be looked at. */
    const bool kept = o.interactive && o.script < argc && strcmp(argv[o.script], "-") != 0 &&
                      isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (o.script < argc && !kept && run_script(L, argv + o.script) != LUA_OK)
        return 0;
    if (o.interactive) {
        if (peri_repl_script(L, kept ? argv[o.script] : NULL) != 0)
            return 0;
    } else if (o.script == argc && !(o.execute || o.version)) {
        if (isatty(STDIN_FILENO)) {
            print_version();
            if (peri_repl(L) != 0)
                return 0;
        } else if (peri_do_file(L, NULL) != LUA_OK) {
            return 0;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* What was printed and could not be written is no success, unless a reader just went away. Runs at
 * every exit, that of os.exit too. */
static void check_output(void)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return;
    fprintf(stderr, "perigee: standard output: %s\n",
            errno != 0 ? strerror(errno) : "not everything could be written");
    _exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    /* A job of a batch writes into a pipe: each line is seen as it comes, and none is lost with a
     * job that is killed. */
    const char *job = getenv("PERIGEE_JOB");
    if (job != NULL && *job != '\0') {
        setvbuf(stdout, NULL, _IOLBF, 1 << 16);
        peri_recorder_start(job);
    }
    /* The exit status of a batch is that of its jobs. */
    if (argc < 2 || strcmp(argv[1], "run") != 0)
        atexit(check_output);
    else
        peri_keep();
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        fputs("perigee: cannot create state: not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, protected_main);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    const int status = lua_pcall(L, 2, 1, 0);
    const bool fine = status == LUA_OK && lua_toboolean(L, -1);
    peri_report(L, status);
    /* One rank's failure ends all, once this one has written what it has to. */
    if (!fine)
        peri_mpi_fail(EXIT_FAILURE);
    peri_resume(L); /* what is still to be written is written, after a time limit too */
    lua_close(L);
    if (peri_limits_timed_out())
        return PERI_EXIT_TIMEOUT;
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
