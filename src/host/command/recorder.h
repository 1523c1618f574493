/* SPDX-License-Identifier: MIT
 *
 * What a job reads. The program's own calls of open, fopen and stat go through here, those of the
 * Lua in it too (the linker's --wrap), so that a script's modules, data and what it looked for and
 * did not find are known, whichever way it asked. */
#ifndef PERIGEE_HOST_COMMAND_RECORDER_H
#define PERIGEE_HOST_COMMAND_RECORDER_H

/* From here on notes each path that is asked for, without those below the folder and those that
 * were written; writes them to FOLDER/.reads when the program ends, each with a NUL after it. */
void peri_recorder_start(const char *folder);

#endif
