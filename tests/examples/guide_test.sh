#!/bin/sh
# SPDX-License-Identifier: MIT
# guide_test.sh SOURCE
# What the guide shows of programs is in the programs: every block in C has a mark that says
# where it is from, and scripts/check-docs finds it there. (It checks all other pages, too.)
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "guide_test: $*" >&2
    exit 1
}

command -v perl >/dev/null || {
    echo "perl is not installed"
    exit 77
}

awk '/^<!-- (from|part of) / { marked = 1; next }
     /^```(c|diff)$/ && !marked { print FILENAME ":" FNR ": a listing without a mark"; bad = 1 }
     NF { marked = 0 }
     END { exit bad }' "$source"/docs/guide/*.md >&2 || fail "where are they from?"
echo "ok: all listings are marked"

"$source/scripts/check-docs" || fail "to bring them up to date: scripts/check-docs --fix"

# A listing that is no longer true is found: in a copy of what the guide needs.
mkdir "$work/scripts" "$work/docs"
cp "$source/scripts/check-docs" "$work/scripts/"
cp -r "$source/docs/guide" "$work/docs/"
cp -r "$source/examples" "$work/"
sed 's/"EXECUTING"/"FAILED"/' "$source/examples/04-operation.c" >"$work/examples/04-operation.c"
"$work/scripts/check-docs" >"$work/log" && fail "check-docs misses a changed program"
grep -q '04-operation\.md:[0-9]*: the listing differs' "$work/log" ||
    fail "check-docs tells it badly: $(cat "$work/log")"
echo "ok: a program that has changed is noticed"
