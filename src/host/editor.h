/* SPDX-License-Identifier: MIT
 *
 * Reading lines from a person: through readline, else libedit, where the system has one (opened
 * with dlopen, never linked), else as they come. No Lua. One for the process, as those libraries
 * are.
 */
#ifndef PERIGEE_HOST_EDITOR_H
#define PERIGEE_HOST_EDITOR_H

/* Gives the completions of the word that is line[start] .. line[end - 1]: a list of strings that
 * ends with NULL, list and strings from malloc; NULL for none. */
typedef char **peri_editor_completer(const char *line, int start, int end, void *context);

/* Makes the editor ready for standard input. Returns "readline" or "libedit", or "" when lines are
 * read as they come: no library, or standard input is no terminal. */
const char *peri_editor_open(peri_editor_completer *complete, void *context);

/* Reads one entry, which may hold several lines when they were pasted. Returns 1 and a string for
 * free(); 0 at the end of input; -1 when Ctrl-C was pressed. */
int peri_editor_read(const char *prompt, char **text);

/* Adds an entry to the history that the arrow keys and Ctrl-R walk. */
void peri_editor_remember(const char *entry);

#endif
