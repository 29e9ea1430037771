#!/usr/bin/env bash
# glibc-tests.sh SOURCES [LIBRARY]: how many of glibc's own tests of malloc a malloc passes; without LIBRARY glibc's own.
# SOURCES is a folder with glibc's sources (2.38 or newer), of which nothing is copied or changed: `support` is compiled as far as
# it goes without a configured tree, and each test is linked with that and run with the library preloaded.
set -euo pipefail

tests=(
    aligned-alloc aligned-alloc-random aligned-alloc-random-thread aligned-alloc-random-thread-cross calloc free-errno
    mallinfo2 malloc malloc-random malloc-stats-cancellation malloc-thread-exit malloc-thread-fail malloc-too-large
    malloc-usable malloc_info mallocalign1 mallocfork mallocfork3 mallopt memalign memalign-2 memalign-3 obstack
    posix_memalign pvalloc realloc reallocarray trim1 valloc
)

sources=$(realpath "$1")
library=${2:+$(realpath "$2")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What a configured tree would say.
cat >"$work/first.h" <<'END'
#define attribute_hidden
#define libc_hidden_proto(name)
#define IS_IN(library) 0
#define TIMEOUTFACTOR 10
#define __attribute_optimization_barrier__ __attribute__ ((noinline, noclone))
#include <limits.h>
END
cat >"$work/paths.c" <<'END'
const char support_srcdir_root[] = "/", support_objdir_root[] = "/", support_objdir_elf_ldso[] = "/",
           support_install_prefix[] = "/", support_libdir_prefix[] = "/", support_bindir_prefix[] = "/",
           support_sbindir_prefix[] = "/", support_install_rootsbindir[] = "/", support_slibdir_prefix[] = "/",
           support_complocaledir_prefix[] = "/", support_tz_prefix[] = "/";
END
mkdir "$work/include" "$work/bin"
touch "$work/include/stackinfo.h"
cp "$sources"/include/{array_length,libc-diag,libc-pointer-arith}.h "$sources"/sysdeps/generic/malloc-{size,alignment}.h "$work/include"
flags=(-w -O1 -std=gnu11 -D_GNU_SOURCE -fno-builtin -pthread -include "$work/first.h" -I"$work/include" -I"$sources/support")
# By links, so that `<support/…>` is found and nothing else of the sources.
mkdir "$work/tree"
ln -s "$sources/support" "$work/tree/support"
flags+=(-I"$work/tree")

for source in "$work/paths.c" "$sources"/support/*.c; do
    name=$(basename "$source" .c)
    gcc "${flags[@]}" -c "$source" -o "$work/$name.o" 2>/dev/null || true
done
rm -f "$work"/{tst-*,*container*,links-dso*,echo-*,true-*,shell-*,test-run-command}.o
ar rc "$work/support.a" "$work"/*.o

passed=0
for test in "${tests[@]}"; do
    if ! gcc "${flags[@]}" "$sources/malloc/tst-$test.c" "$work/support.a" -o "$work/bin/$test" 2>"$work/said"; then
        echo "$test: cannot be built: $(grep -m1 -E 'error|undefined' "$work/said")"
        continue
    fi
    settings=(MALLOC_ARENA_MAX=8)
    # As glibc's makefile runs it.
    [ "$test" != malloc-usable ] || settings+=(MALLOC_CHECK_=3 LD_PRELOAD=libc_malloc_debug.so.0)
    [ -z "$library" ] || settings+=(LD_PRELOAD="$library")
    status=0
    env "${settings[@]}" timeout 300 "$work/bin/$test" --direct >"$work/said" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    else
        echo "$test: status $status: $(grep -m1 . "$work/said")"
    fi
done
echo "$passed of ${#tests[@]}"
