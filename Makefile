# Perigee. A new module is files in src/, lua/perigee/ and tests/, and for its C part a row in
# src/perigee.c; nothing here names one.
#
#   make            build/perigee, build/libperigee.a, build/libperigee.so, build/perigee.so
#   make run        what this machine lacks, then all experiments -> out/index.html
#   make course     the course's homeworks 2 to 4 in full -> out/course/index.html
#   make test       what this machine lacks, then the tests
#   make help       the other targets

B       ?= build
PREFIX  ?= /usr/local
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
OPT     ?= -O2
VERSION := $(shell awk '/^\#define PERI_VERSION_(MAJOR|MINOR|PATCH) /{printf "%s%s", dot, $$3; dot = "."}' src/perigee.h)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
HARD := -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
PACK := $(shell pkg-config --cflags openblas lapacke stb zlib libpng libjpeg 2>/dev/null)
LUAI := $(shell pkg-config --cflags lua5.4 2>/dev/null)
DRAW := $(shell pkg-config --cflags cairo freetype2 2>/dev/null)

CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off \
              -fno-math-errno -fno-trapping-math -pthread \
              $(WARN) $(HARD) $(SANITIZE) -Isrc -MMD -MP $(PACK) $(CFLAGS)
LDFLAGS_ALL := -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
# With -flto the linker compiles, in several processes; what clang leaves for it only its own tools read.
ifneq ($(findstring -flto,$(OPT) $(CFLAGS)),)
LDFLAGS_ALL += -flto=auto $(if $(findstring clang,$(CC)),-fuse-ld=lld)
AR := $(if $(findstring clang,$(CC)),llvm-ar,$(AR))
endif

# The program carries Lua and the packages that compute and read in itself, so that it starts in the
# time of a stock Lua; the shared objects do not. C modules of others find Lua's functions in it.
BLAS   := $(shell pkg-config --variable=libdir openblas 2>/dev/null)
comma := ,
READERS := -ldeflate -lpng16 -ljpeg -lz
SYSTEM := -lm -ldl
STATIC := -Wl,-Bstatic -llua5.4 $(if $(BLAS),-L$(BLAS)) -llapacke -lopenblas $(READERS) -Wl,-Bdynamic $(SYSTEM)
SHARED := $(if $(BLAS),-L$(BLAS)) -lopenblas -llapacke $(READERS) $(SYSTEM)
COMPACT := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),-Wl$(comma)-z$(comma)pack-relative-relocs)
EXPORT := -Wl,--export-dynamic-symbol=lua_*,--export-dynamic-symbol=luaL_*,--export-dynamic-symbol=luaopen_* \
          -Wl,--export-dynamic-symbol=peri_*

pure  := $(wildcard src/kernel/*.c src/format/*.c)
draw  := $(wildcard src/draw/*.c)
bound := src/perigee.c $(wildcard src/bind/*.c src/host/*.c)
command := $(wildcard src/host/command/*.c)
luas  := $(sort $(wildcard lua/perigee/*.lua lua/perigee/private/*.lua lua/perigee/private/launch/*.lua))
obj    = $(patsubst %.c,$B/obj/%.o,$(1))
lib   := $(call obj,$(pure) $(draw) $(bound) vendor/stb.c) $B/obj/embedded.o

# Targets that build as a step of theirs use all processors, unless make was told how many.
ALONG := $(if $(findstring j,$(firstword -$(MAKEFLAGS))),,-j$(shell nproc))

# What src/host/command/recorder.c sees.
RECORDED := -Wl,--wrap=fopen,--wrap=fopen64,--wrap=open,--wrap=open64,--wrap=stat,--wrap=rename

# A build says what it does in short; make V=1 shows the commands.
ifneq ($(V),1)
.SILENT:
endif
say = @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-4s %s\n')

.PHONY: all run course test check bench clean help install uninstall fuzz coverage valgrind \
        threats lua-suite docs compdb arm64 mutants tsan compilers large
.DELETE_ON_ERROR:
.SECONDARY:

all: $B/perigee $B/libperigee.a $B/libperigee.so $B/perigee.so

# The pure rooms see no Lua header.
$(call obj,$(bound) $(command)): INCLUDE := $(LUAI)
$(call obj,$(draw)): INCLUDE := $(DRAW)
# Kernels are loops: -O3 where nothing else was asked for.
$(call obj,$(wildcard src/kernel/*.c)): CFLAGS_ALL += $(if $(filter -O2,$(OPT)),-O3)
$B/obj/vendor/%.o: CFLAGS_ALL += -w
# A kernel's file for one level of instructions (kernel/simd.h) is compiled for it as a whole.
ifneq ($(findstring x86_64,$(shell $(CC) -dumpmachine)),)
%_avx2.o: LEVEL := -mavx2 -mfma
%_avx512.o: LEVEL := -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl
endif

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(CC) $(CFLAGS_ALL) $(LEVEL) $(INCLUDE) -c $< -o $@

helptext := $B/gen/perigee/private/helptext.lua
$B/gen/embedded.c: $(luas) $(helptext) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh $(luas) $(helptext) > $@

# The doc blocks, which the help, the reference and the editors' definitions are made from.
documented := $(sort $(wildcard src/bind/*.c)) src/kernel/ops.h $(luas)
$(helptext): $(documented) src/docs.awk
	@mkdir -p $(@D)
	awk -f src/docs.awk $(documented) > $@

$B/obj/embedded.o: $B/gen/embedded.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c $< -o $@

$B/libperigee.a: $(lib)
	@rm -f $@
	$(say) AR $@
	$(AR) rcs $@ $^

$B/perigee: $(call obj,$(command)) $B/libperigee.a
	$(say) LD $@
	$(CC) $(LDFLAGS_ALL) $(EXPORT) $(COMPACT) $(RECORDED) -o $@ $(call obj,$(command)) -Wl,--whole-archive $B/libperigee.a -Wl,--no-whole-archive $(STATIC)

$B/libperigee.so: $(lib)
	$(say) LD $@
	$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libperigee.so.0 -o $@ $^ $(SHARED)

$B/perigee.so: $(lib)
	$(say) LD $@
	$(CC) $(LDFLAGS_ALL) -shared -o $@ $^ $(SHARED)

# ---- tests ---------------------------------------------------------------------------------

ctests := $(patsubst tests/kernel/%.c,$B/test/%,$(wildcard tests/kernel/test_*.c))

$B/test/%: tests/kernel/%.c $B/libperigee.a
	@mkdir -p $(@D)
	$(CC) $(filter-out -fvisibility=hidden,$(CFLAGS_ALL)) -Wno-missing-prototypes $(LDFLAGS_ALL) \
	    -o $@ $< $B/libperigee.a -lcmocka $(filter-out -llua5.4,$(STATIC)) $B/libperigee.a

.PHONY: build-tests
build-tests: all $(ctests)

test:
	@vendor/install.sh test
	@$(MAKE) --no-print-directory $(ALONG) build-tests
	@B=$B tests/run.sh

# ---- what must hold beside the tests --------------------------------------------------------

ASAN := B=$B/asan CC=clang OPT=-O1 \
        SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"

check:
	@vendor/install.sh check
	@$(MAKE) --no-print-directory $(ALONG) build-tests
	@B=$B tests/check.sh layers format prose luacheck warnings tidy analyzer
	@$(MAKE) --no-print-directory -s $(ALONG) B=$B/clang CC=clang build-tests
	@echo "check: the tests of a build by clang"
	@B=$B/clang tests/run.sh
	@$(MAKE) --no-print-directory -s $(ALONG) $(ASAN) build-tests
	@echo "check: the tests under ASan and UBSan"
	@B=$B/asan SANITIZED=1 tests/run.sh
	@$(MAKE) --no-print-directory fuzz SECONDS=3

# Batches on a real Slurm of two nodes on this machine, which needs root, and both MPIs. Ten minutes.
.PHONY: cluster
cluster:
	@vendor/install.sh run
	@vendor/install.sh cluster
	@$(MAKE) --no-print-directory $(ALONG) all
	@B=$B tests/cluster/mpi_test.sh
	@B=$B tests/cluster/slurm_test.sh

# Half an hour; two matrix tests take most of it.
valgrind:
	@vendor/install.sh check
	@$(MAKE) --no-print-directory $(ALONG) build-tests
	@B=$B tests/check.sh valgrind

bench: all
	@B=$B tests/bench/run.sh

# Each reader over mutated files, and array functions over random programs, for SECONDS. What is found
# is kept in $B/fuzz and belongs into tests/fuzz/seeds, from where tests/kernel/test_faults.c and
# tests/lua/fuzz_spec.lua read it ever after.
SECONDS := 60
fuzzers := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzzed  := $(patsubst %.c,$B/fuzz/obj/%.o,$(wildcard src/format/*.c) src/kernel/stop.c vendor/stb.c)
FUZZ    := clang -g -O1 -std=c11 -D_GNU_SOURCE -Isrc $(PACK) -w -MMD -MP -fno-sanitize-recover=undefined

$B/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(FUZZ) $(LEVEL) -fsanitize=address,undefined,fuzzer-no-link -c $< -o $@

$B/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(fuzzed)
	$(FUZZ) -fsanitize=address,undefined,fuzzer -o $@ $< $(fuzzed) $(READERS) $(SYSTEM)

# This one runs Lua, so it has the whole library in it.
whole := $(patsubst %.c,$B/fuzz/obj/%.o,$(pure) $(draw) $(bound) vendor/stb.c) $B/obj/embedded.o
$B/fuzz/obj/%.o: FUZZ += $(LUAI) $(DRAW)

$B/fuzz/fuzz_lua $B/fuzz/fuzz_functions: $B/fuzz/%: tests/fuzz/%.c $(whole)
	$(FUZZ) $(LUAI) -fsanitize=address,undefined,fuzzer -o $@ $< $(whole) $(STATIC)

fuzz:
	@vendor/install.sh check
	@$(MAKE) --no-print-directory -s $(ALONG) $(fuzzers)
	@B=$B FUZZ_SECONDS=$(SECONDS) tests/fuzz/run.sh $(fuzzers)

# The kernel tests and specs on another machine's instructions, in an emulator.
arm64:
	@B=$B tests/arm64.sh

# Data races, by ThreadSanitizer.
raced := pool random reduce elementwise sort conv
TSAN  := B=$B/tsan CC=clang OPT=-O1 SANITIZE="-fsanitize=thread -fno-omit-frame-pointer"
tsan:
	@vendor/install.sh check
	@$(MAKE) --no-print-directory -s $(ALONG) $(TSAN) $B/tsan/libperigee.a $(raced:%=$B/tsan/test/test_%)
	@B=$B/tsan tests/tsan.sh $(raced)

# Each compiler at each level, and the arrays that an int cannot count.
compilers:
	@vendor/install.sh check
	@vendor/install.sh systems
	@B=$B tests/compilers.sh

large: all
	$B/perigee tests/large.lua

# COUNT random small changes of the sources that match PATTERN, and whether the tests see them.
SEED    := 1
COUNT   := 20
PATTERN :=
mutants:
	@vendor/install.sh test
	@nice -n 15 lua5.4 tests/mutants.lua $B/mutants $(SEED) $(COUNT) "$(PATTERN)"

# The guide and the reference as pages with a search box, and definitions for editors that speak LuaLS (.luarc.json points
# at them). Examples of the guide are run.
docs: all
	@mkdir -p $B/docs
	$B/perigee help --html $B/docs/reference.html
	$B/perigee help --luals $B/docs/perigee.d.lua
	$B/perigee guide/site.lua $B/docs

# compile_commands.json, of what make would run: for clangd and other tools.
compdb:
	@$(MAKE) --no-print-directory -nB V=1 all | awk -v directory="$(CURDIR)" -f src/compdb.awk > compile_commands.json
	@echo "compile_commands.json: $$(grep -c '"file"' compile_commands.json) files"

threats: build-tests
	@B=$B tests/threats.sh

# AVX-512's intrinsics are macros at -O0, whose conversions the compiler then lays at our door.
COVERAGE := B=$B/coverage OPT=-O0 SANITIZE=--coverage CFLAGS=-Wno-sign-conversion

coverage:
	@$(MAKE) --no-print-directory -s $(ALONG) $(COVERAGE) build-tests
	@find $B/coverage -name '*.gcda' -delete
	@$(COVERAGE) tests/run.sh >$B/coverage.log; tail -n 1 $B/coverage.log
	@B=$B/coverage tests/coverage.sh

# Lua's own tests, of the release the program is built with; DIR is the folder with all.lua.
lua-suite: all
	@test -n "$(DIR)" || { echo "make lua-suite DIR=the folder of Lua's tests"; exit 2; }
	cd "$(DIR)" && "$(abspath $B)/perigee" -e "_U = true" all.lua

run:
	@vendor/install.sh run
	@$(MAKE) --no-print-directory $(ALONG) all
	@B=$B experiments/run.sh

course:
	@vendor/install.sh run
	@$(MAKE) --no-print-directory $(ALONG) all
	@B=$B experiments/run.sh course

# ---- installing ------------------------------------------------------------------------------

# LIBDIR is where the libraries go, BINDIR the program. What is installed is stripped; `make install-debug` puts the
# symbols where debuggers look for them, beside each file in a folder .debug. STRIP= leaves them in.
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
STRIP  ?= strip
dest   := $(DESTDIR)$(PREFIX)
libdir := $(DESTDIR)$(LIBDIR)
bindir := $(DESTDIR)$(BINDIR)
luadir := $(libdir)/lua/5.4

# $(call put,file,target): a program or shared library without its symbols, and where they are.
ifeq ($(STRIP),)
put = install -m 755 $(1) $(2)
else
put = install -m 755 $(1) $(2) && objcopy --strip-unneeded --add-gnu-debuglink=$(1).debug $(2)
endif
symbols := $(patsubst %,%.debug,$B/perigee $B/libperigee.so $B/perigee.so)

$B/%.debug: $B/%
	objcopy --only-keep-debug $< $@

install: all $(if $(STRIP),$(symbols))
	install -d $(bindir) $(libdir)/pkgconfig $(dest)/include/perigee/kernel $(luadir) \
	    $(dest)/share/man/man1
	$(call put,$B/perigee,$(bindir)/perigee)
	install -m 644 $B/libperigee.a $(libdir)/libperigee.a
	$(if $(STRIP),strip --strip-debug $(libdir)/libperigee.a)
	$(call put,$B/libperigee.so,$(libdir)/libperigee.so.$(VERSION))
	ln -sf libperigee.so.$(VERSION) $(libdir)/libperigee.so.0
	ln -sf libperigee.so.0 $(libdir)/libperigee.so
	install -m 644 src/perigee.h $(dest)/include/perigee/perigee.h
	install -m 644 src/kernel/dtype.h src/kernel/view.h $(dest)/include/perigee/kernel/
	$(call put,$B/perigee.so,$(luadir)/perigee.so)
	install -d $(dest)/share/perigee/library
	$B/perigee help --luals $(dest)/share/perigee/library/perigee.d.lua
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' src/perigee.pc.in \
	    > $(libdir)/pkgconfig/perigee.pc
	install -m 644 src/perigee.1 $(dest)/share/man/man1/perigee.1
	$B/perigee jupyter install --prefix $(dest) --program $(BINDIR)/perigee

install-debug: $(symbols)
	install -d $(bindir)/.debug $(libdir)/.debug $(luadir)/.debug
	install -m 644 $B/perigee.debug $(bindir)/.debug/perigee.debug
	install -m 644 $B/libperigee.so.debug $(libdir)/.debug/libperigee.so.debug
	install -m 644 $B/perigee.so.debug $(luadir)/.debug/perigee.so.debug

# Each file that install and install-debug put, and the folders that are ours alone; the others stay.
installed := $(bindir)/perigee $(bindir)/.debug/perigee.debug $(libdir)/.debug/libperigee.so.debug \
             $(luadir)/.debug/perigee.so.debug $(luadir)/perigee.so $(libdir)/pkgconfig/perigee.pc \
             $(addprefix $(libdir)/,libperigee.a libperigee.so.$(VERSION) libperigee.so.0 libperigee.so) \
             $(addprefix $(dest)/,include/perigee/perigee.h include/perigee/kernel/dtype.h \
             include/perigee/kernel/view.h share/perigee/library/perigee.d.lua share/man/man1/perigee.1) \
             $(addprefix $(dest)/share/jupyter/kernels/perigee/,kernel.json logo-32x32.png logo-64x64.png)
folders   := $(bindir)/.debug $(libdir)/.debug $(luadir)/.debug $(addprefix $(dest)/,include/perigee/kernel \
             include/perigee share/perigee/library share/perigee share/jupyter/kernels/perigee)

uninstall:
	rm -f $(installed)
	for folder in $(folders); do \
	    [ ! -d $$folder ] || rmdir --ignore-fail-on-non-empty $$folder; done

# ---- packages --------------------------------------------------------------------------------

# The program and the module for stock Lua, into the folders that LuaRocks names (perigee-VERSION-1.rockspec).
install-rock: all
	install -d $(LIBDIR) $(BINDIR)
	install -m 755 $B/perigee.so $(LIBDIR)/perigee.so
	install -m 755 $B/perigee $(BINDIR)/perigee
	strip --strip-unneeded $(LIBDIR)/perigee.so $(BINDIR)/perigee

# The committed sources as an archive that builds without git; the same bytes for the same commit.
dist: $B/dist/perigee-$(VERSION).tar.gz
.PHONY: $B/dist/perigee-$(VERSION).tar.gz
$B/dist/perigee-$(VERSION).tar.gz:
	@mkdir -p $(@D)
	git archive --format=tar --prefix=perigee-$(VERSION)/ HEAD | gzip -9n > $@
	@echo "$@"

# A Debian package of program, libraries, headers and the notebook's kernel, in $B/deb, from the sources as they lie
# here.
deb:
	+@packaging/deb.sh "$B" "$(VERSION)"

help:
	@sed -n 's/^#   make/make/p' Makefile
	@echo "make check      the tests under sanitizers, layers, lint"
	@echo "make cluster    batches on a real Slurm of this machine, ranks under Open MPI and MPICH; needs root"
	@echo "make fuzz       readers over mutated files, arrays over random programs; SECONDS=60 for each"
	@echo "make valgrind   the C tests under valgrind"
	@echo "make tsan       threads under ThreadSanitizer"
	@echo "make arm64      kernel tests and specs of a cross build, in an emulator"
	@echo "make compilers  a build and its tests by each compiler at each level: an hour"
	@echo "make large      arrays beyond 2^31 elements, where 20 GB are free"
	@echo "make mutants    random faults, and how many the tests see; SEED=1 COUNT=20 PATTERN="
	@echo "make coverage   lines of src/ that the tests execute"
	@echo "make threats    which bad inputs have a test, and how many faults were survived"
	@echo "make bench      side by side with NumPy, scikit-learn and PyTorch where they are installed"
	@echo "make docs       the guide and the reference, with search, and definitions for editors, in $B/docs"
	@echo "make compdb     compile_commands.json, for clangd"
	@echo "make install    PREFIX=$(PREFIX) LIBDIR=$(LIBDIR) DESTDIR="
	@echo "make install-debug  the symbols that install takes away"
	@echo "make uninstall  with the same PREFIX and DESTDIR"
	@echo "make dist       the committed sources as an archive, in $B/dist"
	@echo "make deb        a Debian package, in $B/deb"
	@echo "make clean      takes build and out away"

clean:
	rm -rf $B out

-include $(shell find $B/obj $B/test $B/fuzz -name '*.d' 2>/dev/null)
