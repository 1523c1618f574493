/* SPDX-License-Identifier: MIT
 *
 * Reading a file: the loader holds the state of every reader, in a userdata that is closed when the
 * function that made it ends, however it ends. A function peri_load_* pushes what its format holds
 * and returns how many values that are; the options are at stack index 2. */
#ifndef PERIGEE_BIND_LOADER_H
#define PERIGEE_BIND_LOADER_H

#include "bind/bind.h"
#include "format/csv.h"
#include "format/element.h"
#include "format/image.h"
#include "format/pickle.h"
#include "format/safetensors.h"
#include "format/source.h"
#include "format/zip.h"

typedef struct {
    peri_source source;
    peri_zip zip;
    peri_pickle pickle;
    peri_safetensors tensors;
    peri_csv csv;
    peri_image image;
    unsigned char *text; /* a whole file in memory */
    size_t text_length, text_taken;
    /* how to load */
    const char *path;
    int dtype; /* -1: as the file suggests */
    bool exact;
    uint64_t limit, arrays; /* bytes of arrays allowed, and made so far */
} peri_loader;

/* The state's own allocator, so that its limit counts what readers and writers take. */
peri_memory peri_state_memory(lua_State *L);

/* The smaller of 4 GiB and half of the machine's memory, unless the state has a limit. */
uint64_t peri_default_limit(lua_State *L);

/* Readers' and writers' own memory comes from the state's allocator, which collects nothing when
 * it runs out; so what is dead goes first where a limit is near. */
void peri_make_room(lua_State *L);

/* Pushes one, marked to be closed. */
peri_loader *peri_push_loader(lua_State *L);

/* peri_check_io() with the loader's path. */
void peri_loader_check(lua_State *L, const peri_loader *l, peri_io status, const peri_fault *fault);

/* Reads to the end, for the checksums; warns of what was left unread. */
void peri_loader_finish(lua_State *L, peri_loader *l);

/* Pushes an array for what a file describes, in the memory order of the file; peri_turn() makes of
 * it, on top of the stack, one that has the layout's shape. */
peri_array *peri_push_for(lua_State *L, peri_loader *l, const peri_layout *layout, int dtype);
void peri_turn(lua_State *L, const peri_layout *layout);

/* Pushes the array whose elements come next. */
void peri_push_elements(lua_State *L, peri_loader *l, peri_source *s, const peri_layout *layout);

/* Of a file with many arrays, those in the option `only`: peri_push_only() pushes the names (nil
 * for all) and returns their stack index; peri_check_only() raises where one of them is not in the
 * table at `result`, naming some keys of the table at `all`. */
int peri_push_only(lua_State *L);
bool peri_only_wants(lua_State *L, int only, const char *name, size_t length);
void peri_check_only(lua_State *L, const peri_loader *l, int only, int result, int all);

/* Warns of what is in the table at `left`, by name, and leaves result and left on top of the stack,
 * or only the result when nothing was left out. Raises when nothing else was there. */
int peri_name_left_out(lua_State *L, peri_loader *l, int result, int left);

/* Pushes what a pickle holds; of a checkpoint's, tensors are what peri_push_tensor() pushes. */
void peri_push_pickle(lua_State *L, peri_loader *l, peri_source *source, bool torch);
void peri_push_tensor(lua_State *L, const peri_pickle_event *e);

/* Whether the archive that is open is a checkpoint of PyTorch's; and what it holds. */
bool peri_is_checkpoint(const peri_zip *z);
int peri_push_checkpoint(lua_State *L, peri_loader *l);

/* Pushes a function of the JSON module. */
void peri_push_json(lua_State *L, const char *name);

int peri_load_npy(lua_State *L, peri_loader *l);
int peri_load_npz(lua_State *L, peri_loader *l);
int peri_load_safetensors(lua_State *L, peri_loader *l);
int peri_load_pickle(lua_State *L, peri_loader *l);
int peri_load_torch(lua_State *L, peri_loader *l);
int peri_load_idx(lua_State *L, peri_loader *l);
int peri_load_csv(lua_State *L, peri_loader *l);
int peri_load_tsv(lua_State *L, peri_loader *l);
int peri_load_json(lua_State *L, peri_loader *l);
int peri_load_png(lua_State *L, peri_loader *l);
int peri_load_jpeg(lua_State *L, peri_loader *l);
int peri_load_pnm(lua_State *L, peri_loader *l);

#endif
