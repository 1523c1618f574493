/* SPDX-License-Identifier: MIT
 *
 * Writing a file. A function peri_save_* writes the value at stack index 2; the options are at 3.
 */
#ifndef PERIGEE_BIND_SAVER_H
#define PERIGEE_BIND_SAVER_H

#include "bind/bind.h"
#include "format/memory.h"

typedef struct {
    const char *path;
    bool sync;
    peri_memory memory;
} peri_saving;

void peri_save_npy(lua_State *L, const peri_saving *s);
void peri_save_npz(lua_State *L, const peri_saving *s);
void peri_save_safetensors(lua_State *L, const peri_saving *s);
void peri_save_csv(lua_State *L, const peri_saving *s);
void peri_save_tsv(lua_State *L, const peri_saving *s);
void peri_save_json(lua_State *L, const peri_saving *s);
void peri_save_png(lua_State *L, const peri_saving *s);

#endif
