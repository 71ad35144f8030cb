#!/bin/sh
# SPDX-License-Identifier: MIT
# lua53_test.sh CC INCLUDE SRC FLAGS...
# The Lua host compiles with Lua 5.3, too; FLAGS are those that find it.
set -eu
cc=$1 include=$2 src=$3
shift 3
for file in "$src"/lua/*.c; do
    case $file in
    *_test.c | */fixture.c) continue ;;
    esac
    $cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
        -I"$include" -I"$src" "$@" "$file" || {
        echo "lua53_test: $file does not compile with Lua 5.3" >&2
        exit 1
    }
done
echo "ok"
