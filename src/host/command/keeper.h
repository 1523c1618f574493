/* SPDX-License-Identifier: MIT
 *
 * A batch that is killed leaves nothing running. What its jobs started may be in sessions of its
 * own, and outlives the process that would have killed it; so the batch is made of two processes
 * that look after each other. */
#ifndef PERIGEE_HOST_COMMAND_KEEPER_H
#define PERIGEE_HOST_COMMAND_KEEPER_H

/* Returns in a new process, the batch. The process that called passes signals on to it, ends with
 * its status and never returns. Where the batch is killed by a signal it kills whatever the batch
 * has left and dies of that signal; where it is killed itself the batch gets SIGTERM. Returns in
 * the same process where there cannot be another. */
void peri_keep(void);

#endif
