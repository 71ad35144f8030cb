#!/bin/sh
# SPDX-License-Identifier: MIT
# headers_test.sh INCLUDE-DIR CC [CXX]
# Every public header compiles by itself, as strict C11 and as C++11; with clang as well
# where it is installed, since clang has its own mind about formats.
set -eu
include=$1 cc=$2 cxx=$3
strict="-pedantic -Wall -Wextra -Wformat=2 -Wcast-qual -Werror -fsyntax-only"

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
    [ "$header" = row.h ] && use='void use(struct sr_row *row, const char *text);
        void use(struct sr_row *row, const char *text) {
            sr_row_format(row, "1,%pJ,%s", sr_json(text), text); }'
    for compiler in "$cc" clang; do
        command -v "$compiler" >/dev/null || continue
        # shellcheck disable=SC2086
        compile "$header" "$compiler" -std=c11 $strict -I"$include" -x c
    done
    for compiler in "$cxx" clang++; do
        command -v "$compiler" >/dev/null || continue
        # shellcheck disable=SC2086
        compile "$header" "$compiler" -std=c++11 $strict -I"$include" -x c++
    done
    echo "ok: $header"
done
