-- SPDX-License-Identifier: MIT
-- What the manual says of matters that are no one function's: `perigee help indexing` and the like. The guide in
-- guide/ says more.

--- indexing
-- How elements, rows and parts of an array are read and written. Places count from 1, both ends of a
-- range belong to it, negative ones count from the end.
--
--     a[i]                   row i, a view; a number where a has one axis
--     a(i, j)  a:get(i, j)   an element: as many places as axes
--     a:slice(i, {j, k}, {}) a part, a view: a number drops its axis, {j, k [, step]} is a range, {k}
--                            keeps the axis with extent 1, {} is all of it
--     a[{i, {j, k}, {}}]     the same, and it can be assigned to: a[{{}, 2}] = 0
--     a:set(i, j, v)         writes an element
--     a:take(places, axis)   rows (or along an axis) by an array or list of places: a copy
--     a:compress(mask)       those where a mask of 0 and 1 is 1: a copy
--     a:nonzero()            the places that are not 0
--
-- A view shares memory: what is written through it is written into the array. `for i, row in ipairs(a)`
-- goes over rows; a place that does not exist raises, but a[#a + 1] is nil.
-- @example pg.range(1, 6):reshape(2, 3):slice({}, {2, 3}) --> 2 3 5 6 [2x2 f64]

--- dtype
-- What an array's elements are. "f64" (double, the default) and "f32" (single) compute; "u8" (0..255) and
-- "bool" (0 and 1) store: arithmetic on them gives f64, or f32 together with f32. f32 with f64 gives f64,
-- and a Lua number changes nothing. `a.dtype` tells it, `a:astype("f32")` converts, constructors take it
-- last: pg.zeros(3, "f32"). A value that does not fit raises. Comparisons give bool arrays, which print
-- 0 and 1, add up and select.
-- @example (pg.ones(2, "f32") * 0.5).dtype --> f32

--- broadcasting
-- How shapes that differ meet, by NumPy's rule: shapes are compared from the last axis; extents are equal,
-- or one of them is 1 (or missing) and is repeated, without being copied. (3, 4) with (4) works on each
-- row, with (3, 1) on each column; (3, 1) with (4) gives (3, 4). `a:expand_dims(axis)` and reshape make axes
-- of extent 1, {keepdims = true} leaves one where a reduction was.
-- @example (pg.range(1, 3):reshape(3, 1) * pg.range(1, 4)).shape --> (3, 4)

--- operators
-- What Lua's operators do with arrays, element by element and by broadcasting:
--
--     + - * / ^     as for numbers          -a          negation
--     //  %         floor division, modulo  "x" .. a    text
--     &  |  ~       and, or, not of 0 and 1 #a          extent of the first axis
--
-- Lua makes one truth value of < <= and ==, so that comparisons are functions: pg.lt le gt ge eq ne, or
-- methods: a:lt(b). a == b is true only for the same array; pg.array_equal(a, b) compares. The matrix
-- product is a:dot(b). Each has a name too, with an output as the last argument: pg.add(a, b, out).
-- @example pg.array{1, 2} * 2 ^ pg.array{1, 3} --> 2 16 [2 f64]

--- options
-- Options are fields of a table, the last argument: a:sum(1, {keepdims = true}). A field that a function
-- does not know is an error that names those it knows; so is an options table where a number was expected.
-- Options of a script are another matter: `pg.experiment{options = {lr = 0.1}}` declares them, and
-- `perigee script.lua --lr 0.01` or `--lr=0.01` sets them; --help lists them.

--- run
-- `perigee run [options] script...` runs scripts as a batch, each with each setting in a process of its own,
-- a few at a time, and writes one report: DIR/index.html, with metrics.csv, summary.json and junit.xml.
--
--     perigee run experiments                    all scripts of a folder
--     perigee run -j 4 --set lr=0.1,0.01 --set seed=1..5 fit.lua      ten jobs
--     perigee run --resume --set lr=0.1,0.01,0.001 fit.lua            only what is new, changed or failed
--     perigee run --timeout 60 --memory 500 --sandbox others/         limits for each
--
-- A job passes, is skipped, or failed, timed_out, killed, out_of_memory, interrupted; the batch goes on, and
-- the exit status is 1 unless all passed. In the report a sweep comes first: charts over what was swept, the
-- least and greatest of each metric, means over seeds, a table that sorts by a click, curves of the runs one
-- chooses. `perigee run --help` lists the options.

--- cluster
-- Many jobs: `perigee run --launcher slurm` has Slurm run the jobs of a batch, in tasks that share them;
-- `--launcher files` leaves it to you to start `perigee run --worker --out DIR`, anywhere that sees the folder.
--
--     perigee run --launcher slurm --workers 10 --slurm partition=long --out DIR ... fit.lua
--     perigee run --detach ...                          submits and leaves
--     perigee run --attach|--collect|--cancel --out DIR waits for it, looks at it, ends it
--
-- One large program: `perigee run --ranks 4 fit.lua` or `mpirun -n 4 perigee fit.lua`, see pg.mpi. What pg.mpi.sum, map
-- and merge give, and fits with {shards=, mpi=true}, has the same bits for any number of ranks.

--- prompt
-- `perigee` without a script. What a line gives is shown, `;` at its end keeps it quiet, `_` is the last
-- value; `local` variables stay for later lines; a statement goes on over lines until it is complete.
--
--     ?name  name?    the manual          Tab             completes
--     :time expr      how long it takes   :load file      runs a script here
--     :mem            memory in use       !command        runs a shell command
--     Ctrl-C          stops what runs     Ctrl-D          leaves
--
-- PERIGEE_HISTORY names the file of earlier lines (~/.perigee_history; empty: none).

--- sandbox
-- `perigee --sandbox --memory MB --timeout S script.lua` runs a script that one did not write: without
-- bytecode, programs, C modules, `debug`, and without files but those of its own folder (to read) and its
-- output folder. Memory is counted over Lua and arrays together and ends in an ordinary error; time ends the
-- run with exit status 124. `perigee run` takes the same options for every job; a C program has
-- `peri_config.sandbox`, `memory_limit`, peri_interrupt and peri_deadline. SECURITY.md says what is promised.

--- jupyter
-- `perigee jupyter install` puts a kernel where Jupyter of this user finds it; --prefix /usr/local for all
-- users. A cell is text of the prompt: the value of its last expression is shown (figures and pictures as
-- such, arrays and tables of rows or columns as tables), `local` variables stay, `name?` opens the manual,
-- Tab completes, the stop button interrupts. pg.notebook.show(value) shows before a cell ends,
-- pg.notebook.clear() takes away what was shown; pg.progress is one line that changes; io.read() asks.
-- The kernel needs libzmq (Debian: libzmq5).

--- randomness
-- Whatever draws takes a generator; there is no hidden one. pg.random.new(seed) gives the very numbers of
-- NumPy's default_rng(seed), pg.random.legacy(seed) those of np.random.seed(seed): random, standard_normal,
-- integers (here with the last one included), permutation and shuffle, in the same order. rng:spawn(k) makes
-- children that do not meet, as SeedSequence does: one for each part of a program, so that a change in one
-- part leaves the others' numbers alone. The same script, seed and thread count give the same bytes on one
-- type of processor.
-- @example pg.random.new(0):integers(1, 6, {5}) --> 6 4 4 2 2 [5 f64]

return {}
