#!/bin/sh
# SPDX-License-Identifier: MIT
# install_test.sh CMAKE BUILD-DIR LIBDIR CC CFLAGS [lua]
# Installs the build into a prefix of its own, and builds and runs an outside program
# against it: shared and static, found by pkg-config and by CMake. With `lua` another one,
# with a plugin.
set -eu
cmake=$1 build=$2 libdir=$3 cc=$4 flags=$5 lua=${6-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
prefix="$work/a prefix" # paths may hold blanks; only pkg-config's output may not

fail() {
    echo "install_test: $*" >&2
    exit 1
}

run() {
    what=$1
    shift
    out=$("$@") || fail "$what: the program failed"
    [ "$out" = "a row: 100,outside" ] || fail "$what: it said '$out'"
    echo "ok: $what"
}

run_lua() {
    what=$1
    shift
    out=$("$@" "$work/plugin.lua") || fail "$what: the program failed: $out"
    [ "$out" = "a plugin: running" ] || fail "$what: it said '$out'"
    echo "ok: $what"
}

is_static() {
    ! readelf -d "$1" | grep -q 'NEEDED.*libsmartrest'
}

$cmake --install "$build" --prefix "$prefix" >/dev/null || fail "installation failed"
ln -s "$prefix" "$work/prefix"
libs="$work/prefix/$libdir"
export PKG_CONFIG_PATH="$libs/pkgconfig"

# shellcheck disable=SC2046,SC2086
$cc $flags -std=c11 "$here/main.c" $(pkg-config --cflags --libs smartrest) \
    -o "$work/pc-shared"
is_static "$work/pc-shared" && fail "pkg-config smartrest linked statically"
run "pkg-config, shared" env LD_LIBRARY_PATH="$libs" "$work/pc-shared"

# shellcheck disable=SC2046,SC2086
$cc $flags -std=c11 "$here/main.c" $(pkg-config --cflags --libs smartrest-static) \
    -o "$work/pc-static"
is_static "$work/pc-static" || fail "pkg-config smartrest-static linked dynamically"
run "pkg-config, static" "$work/pc-static"

readelf -d "$libs/libsmartrest.so" | grep -q 'NEEDED.*lua' &&
    fail "libsmartrest wants Lua"
if [ -n "$lua" ]; then
    echo 'function init() return c8y and 0 end' >"$work/plugin.lua"
    # shellcheck disable=SC2046,SC2086
    $cc $flags -std=c11 "$here/lua_main.c" $(pkg-config --cflags --libs smartrest-lua) \
        -o "$work/pc-lua-shared"
    is_static "$work/pc-lua-shared" && fail "pkg-config smartrest-lua linked statically"
    run_lua "pkg-config, Lua, shared" env LD_LIBRARY_PATH="$libs" "$work/pc-lua-shared"
    # shellcheck disable=SC2046,SC2086
    $cc $flags -std=c11 "$here/lua_main.c" \
        $(pkg-config --cflags --libs smartrest-lua-static) -o "$work/pc-lua-static"
    is_static "$work/pc-lua-static" || fail "pkg-config smartrest-lua-static: dynamically"
    run_lua "pkg-config, Lua, static" "$work/pc-lua-static"
fi

for need in libuv libcurl libmosquitto openssl; do
    pkg-config --print-requires-private smartrest | grep -q "^$need " ||
        fail "smartrest.pc does not name $need"
done

build_outside() {
    $cmake -S "$here/outside" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" -DWITH_LUA="$lua" &&
        $cmake --build "$work/cmake"
}
if ! build_outside >"$work/log" 2>&1; then
    cat "$work/log"
    fail "CMake: the program cannot be built"
fi
is_static "$work/cmake/outside-shared" && fail "smartrest::shared linked statically"
is_static "$work/cmake/outside-static" || fail "smartrest::static linked dynamically"
run "CMake, shared" "$work/cmake/outside-shared"
run "CMake, static" "$work/cmake/outside-static"
if [ -n "$lua" ]; then
    run_lua "CMake, Lua, shared" "$work/cmake/outside-lua-shared"
    run_lua "CMake, Lua, static" "$work/cmake/outside-lua-static"
fi
