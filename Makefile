# Perigee. A new module is files in src/, lua/perigee/ and tests/ and a row in src/perigee.c;
# nothing here names one.
#
#   make            build/perigee, build/libperigee.a, build/libperigee.so, build/perigee.so
#   make run        what this machine lacks, then all experiments -> out/index.html
#   make test       what this machine lacks, then the tests
#   make help       the other targets

B       ?= build
PREFIX  ?= /usr/local
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
OPT     ?= -O2
VERSION := 0.1.0

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
HARD := -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
PACK := $(shell pkg-config --cflags openblas lapacke stb zlib libpng libjpeg minizip 2>/dev/null)
LUAI := $(shell pkg-config --cflags lua5.4 2>/dev/null)
DRAW := $(shell pkg-config --cflags cairo freetype2 2>/dev/null)

CFLAGS_ALL := -std=c11 -D_GNU_SOURCE $(OPT) -g -fPIC -fvisibility=hidden -ffp-contract=off \
              -fno-math-errno -fno-trapping-math -pthread \
              $(WARN) $(HARD) $(SANITIZE) -Isrc -MMD -MP $(PACK) $(CFLAGS)
LDFLAGS_ALL := -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)

# The program carries Lua, OpenBLAS and LAPACKE in itself; the shared objects do not.
BLAS   := $(shell pkg-config --variable=libdir openblas 2>/dev/null)
SYSTEM := -lpng16 -ljpeg -lminizip -lz -lm -ldl
STATIC := -Wl,-Bstatic -llua5.4 $(if $(BLAS),-L$(BLAS)) -llapacke -lopenblas -Wl,-Bdynamic $(SYSTEM)
SHARED := $(if $(BLAS),-L$(BLAS)) -lopenblas -llapacke $(SYSTEM)

pure  := $(wildcard src/kernel/*.c src/format/*.c)
draw  := $(wildcard src/draw/*.c)
bound := src/perigee.c $(wildcard src/bind/*.c) $(filter-out src/host/main.c,$(wildcard src/host/*.c))
luas  := $(sort $(wildcard lua/perigee/*.lua))
obj    = $(patsubst %.c,$B/obj/%.o,$(1))
lib   := $(call obj,$(pure) $(draw) $(bound) vendor/stb.c) $B/obj/embedded.o

.PHONY: all run test check bench clean help install fuzz coverage threats lua-suite docs
.DELETE_ON_ERROR:
.SECONDARY:

all: $B/perigee $B/libperigee.a $B/libperigee.so $B/perigee.so

# The pure rooms see no Lua header.
$(call obj,$(bound) src/host/main.c): INCLUDE := $(LUAI)
$(call obj,$(draw)): INCLUDE := $(DRAW)
$B/obj/vendor/%.o: CFLAGS_ALL += -w

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(INCLUDE) -DPERI_VERSION='"$(VERSION)"' -c $< -o $@

$B/gen/embedded.c: $(luas) src/embed.sh
	@mkdir -p $(@D)
	sh src/embed.sh $(luas) > $@

$B/obj/embedded.o: $B/gen/embedded.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c $< -o $@

$B/libperigee.a: $(lib)
	@rm -f $@
	ar rcs $@ $^

$B/perigee: $B/obj/src/host/main.o $B/libperigee.a
	$(CC) $(LDFLAGS_ALL) -Wl,-E -o $@ $< -Wl,--whole-archive $B/libperigee.a -Wl,--no-whole-archive $(STATIC)

$B/libperigee.so: $(lib)
	$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libperigee.so.0 -o $@ $^ $(SHARED)

$B/perigee.so: $(lib)
	$(CC) $(LDFLAGS_ALL) -shared -o $@ $^ $(SHARED)

# ---- tests ---------------------------------------------------------------------------------

ctests := $(patsubst tests/kernel/%.c,$B/test/%,$(wildcard tests/kernel/test_*.c))

$B/test/%: tests/kernel/%.c $B/libperigee.a
	@mkdir -p $(@D)
	$(CC) $(filter-out -fvisibility=hidden,$(CFLAGS_ALL)) -Wno-missing-prototypes $(LDFLAGS_ALL) \
	    -o $@ $< $B/libperigee.a -lcmocka $(filter-out -llua5.4,$(STATIC))

.PHONY: build-tests
build-tests: all $(ctests)

test:
	@vendor/install.sh test
	@$(MAKE) --no-print-directory build-tests
	@B=$B tests/run.sh

run:
	@vendor/install.sh run
	@$(MAKE) --no-print-directory all
	@B=$B experiments/run.sh

clean:
	rm -rf $B out

-include $(shell find $B/obj $B/test -name '*.d' 2>/dev/null)
