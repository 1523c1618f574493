/* SPDX-License-Identifier: MIT */
#include "host/command/zmq.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static struct peri_zmq table;

/* A data pointer from dlsym() becomes a function pointer by its bytes, as POSIX allows. */
static bool find(void *handle, const char *name, void *slot)
{
    void *function = dlsym(handle, name);
    memcpy(slot, &function, sizeof function);
    return function != NULL;
}

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, &table.name                                                                         \
    }

const struct peri_zmq *peri_zmq(const char **reason)
{
    static const struct {
        const char *name;
        void *slot;
    } rows[] = {
        ROW(zmq_ctx_new),     ROW(zmq_ctx_term), ROW(zmq_ctx_shutdown), ROW(zmq_socket),
        ROW(zmq_close),       ROW(zmq_bind),     ROW(zmq_setsockopt),   ROW(zmq_send),
        ROW(zmq_msg_init),    ROW(zmq_msg_recv), ROW(zmq_msg_close),    ROW(zmq_msg_data),
        ROW(zmq_msg_size),    ROW(zmq_msg_more), ROW(zmq_poll),         ROW(zmq_proxy),
        ROW(zmq_threadstart), ROW(zmq_strerror), ROW(zmq_errno),        ROW(zmq_threadclose),
    };
    void *handle = dlopen("libzmq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        *reason = dlerror();
        return NULL;
    }
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (!find(handle, rows[k].name, rows[k].slot)) {
            *reason = "it is too old";
            return NULL;
        }
    return &table;
}
