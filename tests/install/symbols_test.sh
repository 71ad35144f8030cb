#!/bin/sh
# SPDX-License-Identifier: MIT
# symbols_test.sh NM LIBRARY.SO LIBRARY.A HEADER...
# The shared library exports what the headers declare, and nothing else; the static one
# takes no global name that does not begin with sr_. (Names that begin with _ are the
# compiler's.)
set -eu
nm=$1 shared=$2 static=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "symbols_test: $1:" >&2
    cat "$2" >&2
    exit 1
}

# nm prints: address type name
names() {
    awk 'NF == 3 && $3 !~ /^_/ { print $3 }' | sort -u
}

grep -hv '^#' "$@" | tr '\n' ' ' | grep -o 'SR_API [^;(]*[(;]' |
    sed 's/[(; ]*$//; s/.*[ *]//' | sort -u >"$work/declared"
[ "$(wc -l <"$work/declared")" -gt 10 ] || fail "cannot read the headers" "$work/declared"

$nm -D --defined-only "$shared" | names >"$work/exported"
comm -13 "$work/declared" "$work/exported" >"$work/extra"
[ ! -s "$work/extra" ] || fail "exported, and in no header" "$work/extra"
comm -23 "$work/declared" "$work/exported" >"$work/missing"
[ ! -s "$work/missing" ] || fail "declared, and not exported" "$work/missing"

$nm -g --defined-only "$static" | names | grep -v '^sr_' >"$work/foreign" || true
[ ! -s "$work/foreign" ] || fail "global names that are not ours to take" "$work/foreign"
echo "ok: $(wc -l <"$work/exported") exported symbols"
