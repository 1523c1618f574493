/* SPDX-License-Identifier: MIT */
#include "host/command/notebook.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bind/bind.h"
#include "host/call.h"
#include "host/command/capture.h"
#include "host/command/zmq.h"
#include "kernel/sha256.h"
#include "perigee.h"

/* ---- sockets -------------------------------------------------------------------------------- */

/* A context with the thread that answers heartbeats, which libzmq starts and which touches no Lua.
 */
typedef struct {
    const struct peri_zmq *zmq;
    void *context, *heart, *thread;
} hub;

/* A socket keeps its hub, its user value, alive. */
typedef struct {
    const struct peri_zmq *zmq;
    void *socket;
} plug;

typedef struct {
    const struct peri_zmq *zmq;
    peri_zmq_msg msg;
} letter;

static int close_hub(lua_State *L);
static int close_plug(lua_State *L);
static int close_letter(lua_State *L);

static const peri_handle_kind hub_kind = {.name = "hub", .close = close_hub};
static const peri_handle_kind plug_kind = {.name = "socket", .close = close_plug};
static const peri_handle_kind letter_kind = {.name = "message", .close = close_letter};

static int close_hub(lua_State *L)
{
    hub *h = peri_test_handle(L, 1, &hub_kind);
    if (h == NULL || h->context == NULL)
        return 0;
    h->zmq->zmq_ctx_shutdown(h->context);
    if (h->thread != NULL)
        h->zmq->zmq_threadclose(h->thread);
    if (h->heart != NULL)
        h->zmq->zmq_close(h->heart);
    h->zmq->zmq_ctx_term(h->context);
    h->context = NULL;
    return 0;
}

static int close_plug(lua_State *L)
{
    plug *p = peri_test_handle(L, 1, &plug_kind);
    if (p != NULL && p->socket != NULL) {
        p->zmq->zmq_close(p->socket);
        p->socket = NULL;
    }
    return 0;
}

static int close_letter(lua_State *L)
{
    letter *l = peri_test_handle(L, 1, &letter_kind);
    if (l != NULL && l->zmq != NULL) {
        l->zmq->zmq_msg_close(&l->msg);
        l->zmq = NULL;
    }
    return 0;
}

static int fail(lua_State *L, const struct peri_zmq *zmq, const char *what)
{
    lua_pushfstring(L, "jupyter: %s: %s", what, zmq->zmq_strerror(zmq->zmq_errno()));
    return lua_error(L);
}

static plug *check_plug(lua_State *L, int arg)
{
    plug *p = peri_arg_handle(L, arg, "socket", &plug_kind);
    if (p->socket == NULL)
        luaL_argerror(L, arg, "the socket is closed");
    return p;
}

/* hub() -> hub */
static int notebook_hub(lua_State *L)
{
    const char *reason = "unknown reason";
    const struct peri_zmq *zmq = peri_zmq(&reason);
    if (zmq == NULL) {
        lua_pushfstring(L,
                        "jupyter: a notebook's kernel needs libzmq.so.5, which cannot be opened "
                        "(%s); install the package libzmq5",
                        reason);
        return lua_error(L);
    }
    hub *h = peri_push_handle(L, &hub_kind, sizeof *h, 0);
    h->zmq = zmq;
    h->context = zmq->zmq_ctx_new();
    return h->context != NULL ? 1 : fail(L, zmq, "ZeroMQ");
}

static void *open_socket(lua_State *L, const hub *h, int type)
{
    const int linger = 1000, yes = 1;
    if (h->context == NULL)
        luaL_argerror(L, 1, "the hub is closed");
    void *socket = h->zmq->zmq_socket(h->context, type);
    if (socket == NULL)
        fail(L, h->zmq, "ZeroMQ");
    h->zmq->zmq_setsockopt(socket, PERI_ZMQ_LINGER, &linger, sizeof linger);
    if (type == PERI_ZMQ_ROUTER)
        h->zmq->zmq_setsockopt(socket, PERI_ZMQ_ROUTER_HANDOVER, &yes, sizeof yes);
    return socket;
}

/* bind(hub, "router" or "pub", address) -> socket */
static int notebook_bind(lua_State *L)
{
    static const char *const names[] = {"router", "pub", NULL};
    static const int types[] = {PERI_ZMQ_ROUTER, PERI_ZMQ_PUB};
    const hub *h = peri_arg_handle(L, 1, "hub", &hub_kind);
    const int type = types[luaL_checkoption(L, 2, NULL, names)];
    const char *address = luaL_checkstring(L, 3);
    plug *p = peri_push_handle(L, &plug_kind, sizeof *p, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    p->zmq = h->zmq;
    p->socket = open_socket(L, h, type);
    return h->zmq->zmq_bind(p->socket, address) == 0 ? 1 : fail(L, h->zmq, address);
}

static void beat(void *argument)
{
    const hub *h = argument;
    h->zmq->zmq_proxy(h->heart, h->heart, NULL);
}

/* heart(hub, address): from here on what comes there is sent back, whatever Lua does. */
static int notebook_heart(lua_State *L)
{
    hub *h = peri_arg_handle(L, 1, "hub", &hub_kind);
    const char *address = luaL_checkstring(L, 2);
    h->heart = open_socket(L, h, PERI_ZMQ_ROUTER);
    if (h->zmq->zmq_bind(h->heart, address) != 0)
        return fail(L, h->zmq, address);
    h->thread = h->zmq->zmq_threadstart(beat, h);
    return h->thread != NULL ? 0 : fail(L, h->zmq, "a thread");
}

/* send(socket, list of strings): one message of so many parts */
static int notebook_send(lua_State *L)
{
    const plug *p = check_plug(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    const lua_Integer n = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
        size_t size;
        if (lua_rawgeti(L, 2, i) != LUA_TSTRING)
            luaL_error(L, "send: part %d is no string", (int)i);
        const char *bytes = lua_tolstring(L, -1, &size);
        while (p->zmq->zmq_send(p->socket, bytes, size, i < n ? PERI_ZMQ_SNDMORE : 0) < 0)
            if (p->zmq->zmq_errno() != EINTR)
                fail(L, p->zmq, "send");
        lua_pop(L, 1);
    }
    return 0;
}

/* receive(socket) -> list of strings, or nil when no message is there */
static int notebook_receive(lua_State *L)
{
    const plug *p = check_plug(L, 1);
    lua_settop(L, 1);
    letter *l = peri_push_handle(L, &letter_kind, sizeof *l, 0);
    p->zmq->zmq_msg_init(&l->msg);
    l->zmq = p->zmq;
    lua_newtable(L);
    int flags = PERI_ZMQ_DONTWAIT;
    for (lua_Integer i = 1;; i++) {
        while (p->zmq->zmq_msg_recv(&l->msg, p->socket, flags) < 0) {
            const int why = p->zmq->zmq_errno();
            if (why == EAGAIN)
                return 0;
            if (why != EINTR)
                fail(L, p->zmq, "receive");
        }
        flags = 0; /* the parts of a message come together */
        lua_pushlstring(L, p->zmq->zmq_msg_data(&l->msg), p->zmq->zmq_msg_size(&l->msg));
        lua_rawseti(L, 3, i);
        if (!p->zmq->zmq_msg_more(&l->msg))
            return 1;
    }
}

/* poll(sockets, seconds) -> the number of the first that has a message; nil after so many seconds,
 * and when a signal came. */
static int notebook_poll(lua_State *L)
{
    enum { MOST = 8 };
    peri_zmq_pollitem items[MOST];
    luaL_checktype(L, 1, LUA_TTABLE);
    const double seconds = luaL_checknumber(L, 2);
    const lua_Integer n = luaL_len(L, 1);
    luaL_argcheck(L, n >= 1 && n <= MOST, 1, "1 to 8 sockets");
    const struct peri_zmq *zmq = NULL;
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        const plug *p = check_plug(L, -1);
        zmq = p->zmq;
        items[i] = (peri_zmq_pollitem){.socket = p->socket, .events = PERI_ZMQ_POLLIN};
        lua_pop(L, 1);
    }
    if (zmq == NULL)
        return 0;
    const int ready = zmq->zmq_poll(items, (int)n, (long)(fmin(fmax(seconds, 0), 1e6) * 1000));
    if (ready < 0 && zmq->zmq_errno() != EINTR)
        fail(L, zmq, "poll");
    if (ready < 0 && peri_stop_requested(&peri_getstate(L)->stop))
        peri_raise_stop(L);
    for (lua_Integer i = 0; ready > 0 && i < n; i++)
        if (items[i].revents != 0) {
            lua_pushinteger(L, i + 1);
            return 1;
        }
    return 0;
}

/* close(socket or hub); its sockets are closed before a hub is. */
static int notebook_close(lua_State *L)
{
    close_plug(L);
    return close_hub(L);
}

/* ---- messages ------------------------------------------------------------------------------- */

/* sign(key, text...) -> the HMAC-SHA256 of the texts, in hexadecimal */
static int notebook_sign(lua_State *L)
{
    size_t n;
    const char *key = luaL_checklstring(L, 1, &n);
    peri_sha256 s;
    unsigned char pad[64];
    char hex[65];
    peri_hmac_start(&s, pad, key, n);
    for (int i = 2; i <= lua_gettop(L); i++) {
        const char *text = luaL_checklstring(L, i, &n);
        peri_sha256_add(&s, text, n);
    }
    peri_hmac_finish(&s, pad, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* same(a, b): whether two texts are equal, in a time that does not tell where they differ */
static int notebook_same(lua_State *L)
{
    size_t n, m;
    const char *a = luaL_checklstring(L, 1, &n), *b = luaL_checklstring(L, 2, &m);
    unsigned char differs = n != m;
    for (size_t i = 0; i < n && i < m; i++)
        differs |= (unsigned char)(a[i] ^ b[i]);
    lua_pushboolean(L, differs == 0);
    return 1;
}

/* name() -> 32 hexadecimal digits that nobody else has */
static int notebook_name(lua_State *L)
{
    unsigned char bytes[16];
    char hex[33];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return luaL_error(L, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    lua_pushstring(L, hex);
    return 1;
}

/* ---- the process ---------------------------------------------------------------------------- */

/* start(): standard output and error go into memory; a signal to stop that comes while nothing runs
 * does nothing. */
static int notebook_start(lua_State *L)
{
    const int status = peri_capture_start();
    if (status != 0)
        return luaL_error(L, "jupyter: standard output: %s", strerror(status));
    signal(SIGINT, SIG_IGN);
    peri_watch(L); /* coroutines of cells hear it too */
    return 0;
}

static int notebook_end(lua_State *L)
{
    (void)L;
    peri_capture_end();
    return 0;
}

/* written(which) -> what was written to standard output (0) or error (1) since the last time; a
 * part of it where it is much; "" when there is no more. */
static int notebook_written(lua_State *L)
{
    luaL_Buffer buffer;
    const int which = luaL_checkinteger(L, 1) == 0 ? 0 : 1;
    char *bytes = luaL_buffinitsize(L, &buffer, 1 << 16);
    luaL_pushresultsize(&buffer, peri_capture_read(which, bytes, 1 << 16));
    return 1;
}

/* call(f, ...) -> true and the results, or false and the message with its traceback */
static int notebook_call(lua_State *L)
{
    const bool fine = peri_call(L, lua_gettop(L) - 1, LUA_MULTRET, true) == LUA_OK;
    lua_pushboolean(L, fine);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* parent() -> the number of the process that started this one */
static int notebook_parent(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)getppid());
    return 1;
}

int peri_open_notebook(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"hub", notebook_hub},         {"bind", notebook_bind},
        {"heart", notebook_heart},     {"send", notebook_send},
        {"receive", notebook_receive}, {"poll", notebook_poll},
        {"sign", notebook_sign},       {"same", notebook_same},
        {"name", notebook_name},       {"start", notebook_start},
        {"finish", notebook_end},      {"written", notebook_written},
        {"call", notebook_call},       {"parent", notebook_parent},
        {"close", notebook_close},     {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
