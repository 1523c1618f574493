/* SPDX-License-Identifier: MIT
 *
 * pg.load and pg.save: the table of formats, and the two functions that go through it. */
#include <string.h>
#include <strings.h>

#include "bind/loader.h"
#include "bind/ordered.h"
#include "bind/saver.h"
#include "format/idx.h"

typedef struct {
    const char *name;     /* for {format=} */
    const char *title;    /* in a sentence; NULL where the name of another row stands for it */
    const char *suffixes; /* to load, where content does not tell: ".csv .txt" */
    const char *targets;  /* to save */
    const char *load_options, *save_options; /* beside those of every format */
    bool seeks; /* the source is not read to its end, and what follows is no extra */
    bool (*sniff)(const unsigned char *bytes, size_t count);
    int (*load)(lua_State *L, peri_loader *l);
    void (*save)(lua_State *L, const peri_saving *s);
} file_format;

static bool sniff_npy(const unsigned char *bytes, size_t count)
{
    return count >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
}

/* The layout of before 1.6, which begins with a pickle of this number. The later one is a zip. */
static bool sniff_torch(const unsigned char *bytes, size_t count)
{
    return count >= 14 &&
           memcmp(bytes, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14) == 0;
}

static bool sniff_png(const unsigned char *bytes, size_t count)
{
    return peri_image_sniff(bytes, count) == PERI_IMAGE_PNG;
}

static bool sniff_jpeg(const unsigned char *bytes, size_t count)
{
    return peri_image_sniff(bytes, count) == PERI_IMAGE_JPEG;
}

static bool sniff_pnm(const unsigned char *bytes, size_t count)
{
    return peri_image_sniff(bytes, count) == PERI_IMAGE_PNM;
}

static bool sniff_json(const unsigned char *bytes, size_t count)
{
    size_t i = 0;
    while (i < count && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r')))
        i++;
    return i < count && (bytes[i] == '{' || bytes[i] == '[');
}

#define TABLE "separator skip comment header columns decimal thousands missing text"

/* The first row that a file's content or suffix fits is its format: what no text begins with, then
 * suffixes of text, then what a text may begin with as well. */
static const file_format formats[] = {
    {.name = "npy",
     .title = "npy",
     .targets = ".npy",
     .sniff = sniff_npy,
     .load = peri_load_npy,
     .save = peri_save_npy},
    {.name = "npz",
     .title = "npz",
     .targets = ".npz",
     .load_options = "only",
     .save_options = "compress",
     .seeks = true,
     .sniff = peri_zip_sniff,
     .load = peri_load_npz,
     .save = peri_save_npz},
    {.name = "safetensors",
     .title = "safetensors",
     .suffixes = ".safetensors",
     .targets = ".safetensors",
     .load_options = "only",
     .sniff = peri_safetensors_sniff,
     .load = peri_load_safetensors,
     .save = peri_save_safetensors},
    {.name = "pt",
     .title = "PyTorch",
     .load_options = "only",
     .seeks = true,
     .sniff = sniff_torch,
     .load = peri_load_torch},
    {.name = "png",
     .title = "PNG",
     .targets = ".png",
     .sniff = sniff_png,
     .load = peri_load_png,
     .save = peri_save_png},
    {.name = "jpeg", .title = "JPEG", .sniff = sniff_jpeg, .load = peri_load_jpeg},
    {.name = "idx", .title = "IDX", .sniff = peri_idx_sniff, .load = peri_load_idx},
    {.name = "csv",
     .suffixes = ".csv .txt",
     .targets = ".csv",
     .load_options = TABLE,
     .save_options = "columns",
     .load = peri_load_csv,
     .save = peri_save_csv},
    {.name = "tsv",
     .suffixes = ".tsv",
     .targets = ".tsv .txt",
     .load_options = TABLE,
     .save_options = "columns",
     .load = peri_load_tsv,
     .save = peri_save_tsv},
    {.name = "json",
     .title = "JSON",
     .suffixes = ".json",
     .targets = ".json",
     .load = peri_load_json,
     .save = peri_save_json},
    {.name = "pnm", .title = "PGM, PPM", .sniff = sniff_pnm, .load = peri_load_pnm},
    {.name = "json", .sniff = sniff_json, .load = peri_load_json},
    {.name = "pickle", .title = "pickle", .sniff = peri_pickle_sniff, .load = peri_load_pickle},
};

enum { FORMATS = sizeof formats / sizeof *formats };

/* The next word of a list separated by blanks, from *at on; false at its end. */
static bool next_word(const char **at, const char **word, size_t *length)
{
    if (*at == NULL)
        return false;
    *word = *at + strspn(*at, " ");
    *length = strcspn(*word, " ");
    *at = *word + *length;
    return *length > 0;
}

static bool has_word(const char *list, const char *name)
{
    const char *word;
    size_t n;
    while (next_word(&list, &word, &n))
        if (strlen(name) == n && memcmp(word, name, n) == 0)
            return true;
    return false;
}

/* Whether the first n bytes of the path end in one of the suffixes. */
static bool has_suffix(const char *path, size_t n, const char *suffixes)
{
    const char *suffix;
    size_t m;
    while (next_word(&suffixes, &suffix, &m))
        if (n > m && strncasecmp(path + n - m, suffix, m) == 0)
            return true;
    return false;
}

/* ---- sentences ------------------------------------------------------------------------------ */

/* What a sentence says of a format, or NULL; `option` is one's name where that is asked. */
typedef const char *(*saying)(lua_State *L, const file_format *f, const char *option);

static const char *say_title(lua_State *L, const file_format *f, const char *option)
{
    (void)L;
    (void)option;
    return f->title;
}

static const char *say_target(lua_State *L, const file_format *f, const char *option)
{
    (void)option;
    const char *list = f->targets, *word;
    size_t n;
    return next_word(&list, &word, &n) ? lua_pushlstring(L, word, n) : NULL;
}

static const char *say_loads(lua_State *L, const file_format *f, const char *option)
{
    (void)L;
    return has_word(f->load_options, option) ? f->name : NULL;
}

static const char *say_saves(lua_State *L, const file_format *f, const char *option)
{
    (void)L;
    return has_word(f->save_options, option) ? f->name : NULL;
}

/* What is said of each format, separated by commas. */
static const char *push_all(lua_State *L, saying say, const char *option)
{
    const int top = lua_gettop(L);
    luaL_checkstack(L, 8, "formats");
    lua_pushliteral(L, "");
    for (const file_format *f = formats; f < formats + FORMATS; f++) {
        const char *text = say(L, f, option), *all = lua_tostring(L, top + 1);
        if (text != NULL) {
            lua_pushfstring(L, "%s%s%s", all, all[0] != 0 ? ", " : "", text);
            lua_replace(L, top + 1);
        }
        lua_settop(L, top + 1);
    }
    return lua_tostring(L, top + 1);
}

/* ---- options -------------------------------------------------------------------------------- */

/* The options at arg: those of every format, and of the one that is chosen. A near name is found
 * among all of them; one of another format is refused with the names of those that have it. */
enum { MOST_OPTIONS = 32 };

typedef struct {
    char words[MOST_OPTIONS][16];
    const char *names[MOST_OPTIONS + 1];
    int n;
} option_names;

static void add_options(option_names *all, const char *list)
{
    const char *word;
    size_t length;
    while (next_word(&list, &word, &length)) {
        bool known = false;
        for (int i = 0; i < all->n; i++)
            known = known ||
                    (strlen(all->words[i]) == length && memcmp(all->words[i], word, length) == 0);
        if (known || all->n == MOST_OPTIONS || length >= sizeof all->words[0])
            continue;
        memcpy(all->words[all->n], word, length);
        all->words[all->n][length] = 0;
        all->names[all->n] = all->words[all->n];
        all->names[++all->n] = NULL;
    }
}

static const char *options_of(const file_format *f, bool saving)
{
    return saving ? f->save_options : f->load_options;
}

/* Every option there is must be one of some format. */
static void check_names(lua_State *L, int arg, const char *common, bool saving)
{
    option_names all = {.n = 0};
    add_options(&all, common);
    for (int i = 0; i < FORMATS; i++)
        add_options(&all, options_of(&formats[i], saving));
    peri_options(L, arg, all.names);
}

/* No option of another format may be given. */
static void check_format(lua_State *L, int arg, const file_format *f, bool saving)
{
    for (int i = 0; i < FORMATS; i++) {
        const char *list = options_of(&formats[i], saving), *word;
        size_t length;
        while (next_word(&list, &word, &length)) {
            const char *name = lua_pushlstring(L, word, length);
            if (peri_option_given(L, arg, name) && !has_word(options_of(f, saving), name))
                peri_argerror(L, arg, "%s: an option of %s, and this is %s", name,
                              push_all(L, saving ? say_saves : say_loads, name), f->name);
            lua_pop(L, 1);
        }
    }
}

/* The format that is named, or NULL where none is. */
static const file_format *format_option(lua_State *L, int arg, bool saving)
{
    const char *names[FORMATS + 1];
    const file_format *rows[FORMATS];
    int n = 0;
    for (int i = 0; i < FORMATS; i++) {
        const file_format *f = &formats[i];
        if (saving ? f->save == NULL : f->load == NULL)
            continue;
        bool twice = false;
        for (int k = 0; k < n; k++)
            twice = twice || strcmp(names[k], f->name) == 0;
        if (twice)
            continue;
        names[n] = f->name;
        rows[n++] = f;
    }
    names[n] = NULL;
    const int chosen = peri_option_choice(L, arg, "format", names, -1);
    return chosen >= 0 ? rows[chosen] : NULL;
}

/* ---- loading -------------------------------------------------------------------------------- */

static const file_format *choose(lua_State *L, peri_loader *l)
{
    peri_fault fault;
    const unsigned char *bytes;
    size_t count;
    peri_loader_check(L, l, peri_source_peek(&l->source, 16, &bytes, &count, &fault), &fault);
    size_t n = strlen(l->path);
    if (n > 3 && strcasecmp(l->path + n - 3, ".gz") == 0)
        n -= 3;
    for (const file_format *f = formats; f < formats + FORMATS; f++)
        if ((f->sniff != NULL && f->sniff(bytes, count)) || has_suffix(l->path, n, f->suffixes))
            return f;
    if (count == 0)
        peri_fail(&fault, PERI_IO_BAD, PERI_NO_BYTE, "the file is empty");
    else
        peri_fail_text(&fault, PERI_IO_BAD, 0,
                       lua_pushfstring(L,
                                       "its content is none that load knows (%s; CSV goes by its "
                                       "suffix or {format=\"csv\"}); it begins with",
                                       push_all(L, say_title, NULL)),
                       (const char *)bytes, count < 8 ? count : 8);
    peri_loader_check(L, l, PERI_IO_BAD, &fault);
    return NULL;
}

/*** pg.load(path [, opts]) -> value [, more]
 * Reads a file: .npy, .npz, .safetensors, a checkpoint of PyTorch's (.pt), a Python pickle of data,
 * IDX (MNIST), JSON, PNG, JPEG, PGM or PPM, known by its content; a table as text by the suffix
 * .csv, .tsv or .txt. Each may be gzipped.
 *
 * An array has the dtype f32 where the file holds floats of 2 or 4 bytes, u8 or bool where it holds
 * bytes or truth values, else f64. Images are h x w, h x w x 3 or, with transparency, h x w x 4
 * with values 0..255, u8 unless they have more than 8 bits. From .npz and .safetensors comes a
 * table of arrays by name; what is no array of numbers is left out, and stands with its reason in a
 * second result. A checkpoint gives the tables that were saved, with arrays for tensors. In a
 * pickle or JSON lists and tuples become sequences, dicts tables, None and null pg.none; only
 * numbers, text, containers and arrays are read from a pickle, nothing in it is ever called.
 *
 * Of a table as text the second result are the names of its columns, when it has a header: a first
 * line in which no field is a number, or else the last comment above the rows. A whole number that
 * the dtype cannot hold is refused, as in every format.
 * @param path  string
 * @param opts.dtype  string: "f64", "f32", "u8" or "bool", whatever the file holds
 * @param opts.exact  boolean: true (default) refuses an integer that the dtype cannot hold exactly
 * @param opts.max_bytes  integer: the most that the content and its arrays may take (default: the
 *   state's memory limit, else 4 GiB, and never above half of the machine's memory)
 * @param opts.format  string: "npy", "npz", "safetensors", "pt", "pickle", "idx", "csv", "tsv",
 *   "json", "png", "jpeg" or "pnm", where neither content nor suffix tell
 * @param opts.only  table of strings: of npz, safetensors and pt these alone; in a checkpoint with
 *   points between the keys, "model.0.weight". Nothing else is read
 * @param opts.separator  string: of a table, one character; " " is any run of blanks (default: what
 *   the first line has of , tab ; and |)
 * @param opts.skip  integer: so many lines of a table are passed over first
 * @param opts.comment  string: lines that begin with this character are passed over, and what
 *   follows it in a row; false: none. Default: lines that begin with #, where they look like no row
 * @param opts.header  boolean: whether the first line of a table holds names
 * @param opts.columns  table: the columns to take, by name or by number, in this order
 * @param opts.decimal  string: "," where that is the decimal mark (default ".")
 * @param opts.thousands  string: the mark between three digits (default: none)
 * @param opts.missing  true: empty fields and words such as NA become nan; or a table of the words
 * @param opts.text  boolean: give a table of columns instead, by name (or number): arrays where all
 *   fields are numbers, else tables of strings
 * @return value  array, table, number or string
 * @return more  table: names of a table's columns; or what was left out, with the reasons
 * @error `PATH: reason (byte N)` for anything that cannot be read whole and exactly
 */
static int load(lua_State *L)
{
    const char *path = peri_arg_path(L, 1);
    lua_settop(L, 2);
    check_names(L, 2, "dtype exact max_bytes format", false);
    const int dtype = peri_option_dtype(L, 2, -1, true);
    const bool exact = peri_option_boolean(L, 2, "exact", true);
    const lua_Integer limit = peri_option_integer(
        L, 2, "max_bytes", (lua_Integer)peri_default_limit(L), 1, LUA_MAXINTEGER);
    const file_format *format = format_option(L, 2, false);
    peri_fault fault = {0};
    peri_loader *l = peri_push_loader(L);
    l->path = path;
    l->dtype = dtype;
    l->exact = exact;
    l->limit = l->source.limit = (uint64_t)limit;
    peri_loader_check(L, l, peri_source_open(&l->source, path, &fault), &fault);
    bool gzipped;
    peri_loader_check(L, l, peri_source_gunzip(&l->source, &gzipped, &fault), &fault);
    if (format == NULL)
        format = choose(L, l);
    check_format(L, 2, format, false);
    const int results = format->load(L, l);
    if (!format->seeks)
        peri_loader_finish(L, l);
    return results;
}

/* ---- saving --------------------------------------------------------------------------------- */

static const file_format *target_format(lua_State *L, const char *path)
{
    const file_format *given = format_option(L, 3, true);
    if (given != NULL)
        return given;
    for (const file_format *f = formats; f < formats + FORMATS; f++)
        if (has_suffix(path, strlen(path), f->targets))
            return f;
    peri_argerror(L, 1, "path: expected a name that ends in %s (or {format=}), got %s",
                  push_all(L, say_target, NULL), peri_push_got(L, 1));
}

/*** pg.save(path, value [, opts])
 * Writes a file by its suffix: an array to .npy, .csv (1-d or 2-d) or .png (h x w, h x w x 3 or x
 * 4; values 0..255, rounded and clamped, NaN as 0), a table of arrays by name to .npz or
 * .safetensors, a table to .json (NaN and infinity as NaN and Infinity, which Python reads as
 * well). The file is there whole or not at all: until everything is written an old one stays. By
 * default the call returns when the disk has it, so that a loss of power takes nothing; that takes
 * some milliseconds, which {sync=false} saves where many small files are written.
 * @param path  string
 * @param value  array; for .npz and .safetensors a table of arrays by name; for .json a table,
 * number or string
 * @param opts.format  string: "npy", "npz", "safetensors", "csv", "tsv", "json" or "png", whatever
 *   the suffix
 * @param opts.compress  boolean: deflate the arrays of an .npz (default false)
 * @param opts.columns  table of strings: the header of a CSV
 * @param opts.sync  boolean: wait until the disk has it (default true)
 * @error `PATH: reason`
 */
static int save(lua_State *L)
{
    peri_saving s = {.path = peri_arg_target(L, 1), .memory = peri_state_memory(L)};
    lua_settop(L, 3);
    check_names(L, 3, "format sync", true);
    if (lua_isnil(L, 2))
        peri_argerror(L, 2, "value: expected array, got nil");
    const file_format *format = target_format(L, s.path);
    check_format(L, 3, format, true);
    s.sync = peri_option_boolean(L, 3, "sync", true);
    peri_make_room(L);
    format->save(L, &s);
    return 0;
}

PERI_OPENER(io)
{
    static const luaL_Reg functions[] = {{"load", load}, {"save", save}, {NULL, NULL}};
    peri_functions(L, functions);
    peri_ordered_open(L);
    return 0;
}
