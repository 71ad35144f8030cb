#!/bin/sh
# SPDX-License-Identifier: MIT
# headers_test.sh INCLUDE-DIR CC [CXX]
# Every public header compiles by itself, as strict C11 and as C++11.
set -eu
include=$1 cc=$2 cxx=$3
strict="-pedantic -Wall -Wextra -Werror -fsyntax-only"

compile() {
    header=$1
    shift
    printf '#include <smartrest/%s>\n#include <smartrest/%s>\n%s\n' \
        "$header" "$header" "$use" | "$@" - || {
        echo "headers_test: $header does not compile by itself with $1" >&2
        exit 1
    }
}

for path in "$include"/smartrest/*.h; do
    header=$(basename "$path")
    use="int main(void);"
    # a macro is compiled where it is used
    [ "$header" = log.h ] && use='void use(int n); void use(int n) { sr_notice("%d", n); }'
    # shellcheck disable=SC2086
    compile "$header" "$cc" -std=c11 $strict -I"$include" -x c
    # shellcheck disable=SC2086
    [ -z "$cxx" ] || compile "$header" "$cxx" -std=c++11 $strict -I"$include" -x c++
    echo "ok: $header"
done
