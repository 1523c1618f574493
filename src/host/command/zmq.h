/* SPDX-License-Identifier: MIT
 *
 * The functions of libzmq that a notebook's kernel uses, as one table of pointers. The library is
 * opened by the first peri_zmq(); neither it nor its headers are needed to build. The numbers below
 * are those of its stable interface (zmq.h of 3.x and 4.x).
 */
#ifndef PERIGEE_HOST_COMMAND_ZMQ_H
#define PERIGEE_HOST_COMMAND_ZMQ_H

#include <stddef.h>

enum { PERI_ZMQ_PUB = 1, PERI_ZMQ_ROUTER = 6 };
enum { PERI_ZMQ_LINGER = 17, PERI_ZMQ_ROUTER_HANDOVER = 56 };
enum { PERI_ZMQ_POLLIN = 1, PERI_ZMQ_DONTWAIT = 1, PERI_ZMQ_SNDMORE = 2 };

typedef union {
    unsigned char bytes[64];
    void *aligned;
} peri_zmq_msg;

typedef struct {
    void *socket;
    int fd;
    short events, revents;
} peri_zmq_pollitem;

struct peri_zmq {
    void *(*zmq_ctx_new)(void);
    int (*zmq_ctx_term)(void *context);
    int (*zmq_ctx_shutdown)(void *context);
    void *(*zmq_socket)(void *context, int type);
    int (*zmq_close)(void *socket);
    int (*zmq_setsockopt)(void *socket, int option, const void *value, size_t size);
    int (*zmq_bind)(void *socket, const char *address);
    int (*zmq_send)(void *socket, const void *bytes, size_t size, int flags);
    int (*zmq_msg_init)(peri_zmq_msg *msg);
    int (*zmq_msg_recv)(peri_zmq_msg *msg, void *socket, int flags);
    int (*zmq_msg_close)(peri_zmq_msg *msg);
    void *(*zmq_msg_data)(peri_zmq_msg *msg);
    size_t (*zmq_msg_size)(const peri_zmq_msg *msg);
    int (*zmq_msg_more)(const peri_zmq_msg *msg);
    int (*zmq_poll)(peri_zmq_pollitem *items, int n, long milliseconds);
    int (*zmq_proxy)(void *frontend, void *backend, void *capture);
    void *(*zmq_threadstart)(void (*run)(void *), void *argument);
    void (*zmq_threadclose)(void *thread);
    const char *(*zmq_strerror)(int number);
    int (*zmq_errno)(void);
};

/* The table, or NULL and why. One thread opens it. */
const struct peri_zmq *peri_zmq(const char **reason);

#endif
