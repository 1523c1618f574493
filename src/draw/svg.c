/* SPDX-License-Identifier: MIT */
#include "draw/svg.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
    const unsigned char *text;
    size_t length;
};

/* An open table: slots hold 1 + the name's number, 0 is free. */
struct names {
    struct name *list;
    size_t count, room;
    size_t *slots, nslots;
};

static size_t slot_of(const struct names *names, const unsigned char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ text[i]) * 1099511628211u;
    size_t slot = (size_t)hash & (names->nslots - 1);
    while (names->slots[slot] != 0) {
        const struct name *there = &names->list[names->slots[slot] - 1];
        if (there->length == length && memcmp(there->text, text, length) == 0)
            break;
        slot = (slot + 1) & (names->nslots - 1);
    }
    return slot;
}

static bool grow(struct names *names)
{
    const size_t room = names->room == 0 ? 256 : 2 * names->room;
    struct name *list = realloc(names->list, room * sizeof *list);
    if (list == NULL)
        return false;
    names->list = list;
    size_t *slots = calloc(4 * room, sizeof *slots);
    if (slots == NULL)
        return false;
    free(names->slots);
    names->slots = slots;
    names->nslots = 4 * room;
    names->room = room;
    for (size_t i = 0; i < names->count; i++)
        slots[slot_of(names, list[i].text, list[i].length)] = i + 1;
    return true;
}

/* The name's number, given at its first appearance. */
static bool number_of(struct names *names, const unsigned char *text, size_t length, size_t *number)
{
    if (names->count == names->room && !grow(names))
        return false;
    const size_t slot = slot_of(names, text, length);
    if (names->slots[slot] == 0) {
        names->list[names->count++] = (struct name){text, length};
        names->slots[slot] = names->count;
    }
    *number = names->slots[slot] - 1;
    return true;
}

static bool starts(const unsigned char *at, const unsigned char *end, const char *word)
{
    const size_t length = strlen(word);
    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* How long the introduction of a name at `at` is, and what ends the name. 0: none there. */
static size_t introduction(const unsigned char *at, const unsigned char *end, unsigned char *closes)
{
    *closes = '"';
    if (starts(at, end, " id=\""))
        return 5;
    if (starts(at, end, "\"#"))
        return 2;
    *closes = ')';
    return starts(at, end, "url(#") ? 5 : 0;
}

bool peri_svg_renumber(const unsigned char *svg, size_t length, unsigned char **out,
                       size_t *out_length)
{
    struct names names = {0};
    const unsigned char *end = svg + length;
    /* A new name is at most 21 bytes where the introduction and the old one were 3 or more. */
    size_t room = length + 1;
    for (const unsigned char *at = svg; at < end; at++) {
        unsigned char closes;
        room += introduction(at, end, &closes) ? 22 : 0;
    }
    unsigned char *to = malloc(room);
    bool ok = to != NULL;
    size_t o = 0;
    for (const unsigned char *at = svg; at < end && ok;) {
        unsigned char closes;
        const size_t intro = introduction(at, end, &closes);
        const unsigned char *name = at + intro;
        const unsigned char *close = intro == 0 ? NULL : memchr(name, closes, (size_t)(end - name));
        if (close == NULL) {
            to[o++] = *at++;
            continue;
        }
        size_t number;
        ok = number_of(&names, name, (size_t)(close - name), &number);
        memcpy(to + o, at, intro);
        o += intro;
        if (ok)
            o += (size_t)snprintf((char *)to + o, 22, "p%zu", number);
        at = close;
    }
    free(names.list);
    free(names.slots);
    if (!ok) {
        free(to);
        return false;
    }
    *out = to;
    *out_length = o;
    return true;
}
