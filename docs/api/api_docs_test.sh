#!/bin/sh
# SPDX-License-Identifier: MIT
# api_docs_test.sh DOXYGEN DOXYFILE HEADERS
# Everything public has a comment that Doxygen understands; and what has none is found.
set -eu
doxygen=$1 doxyfile=$2 headers=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "api_docs_test: $*" >&2
    exit 1
}

# reference FOLDER: of the headers there, into $work/out; what is wrong into $work/log
reference() {
    rm -rf "$work/out"
    mkdir "$work/out"
    {
        cat "$doxyfile"
        echo "INPUT = \"$1\""
        echo "OUTPUT_DIRECTORY = \"$work/out\""
        echo "STRIP_FROM_PATH = \"${1%/*}\""
    } >"$work/Doxyfile"
    "$doxygen" "$work/Doxyfile" >"$work/log" 2>&1 && [ ! -s "$work/log" ]
}

reference "$headers" || {
    cat "$work/log" >&2
    fail "something public has no comment, or one that Doxygen misreads"
}
grep -h '^SR_API' "$headers"/*.h | sed -n 's/.*[ *]\(sr_[a-z0-9_]*\)(.*/\1/p' | sort -u >"$work/names"
[ "$(wc -l <"$work/names")" -gt 20 ] || fail "cannot read the headers"
while read -r name; do
    grep -qrw "$name" "$work"/out/html/globals*.html || fail "$name is not in the reference"
done <"$work/names"
echo "ok: $(wc -l <"$work/names") functions, all with a comment"

# must_find WHAT SED-COMMAND: an error in timer.h once it is changed.
must_find() {
    rm -rf "$work/changed"
    mkdir -p "$work/changed"
    cp -r "$headers" "$work/changed/smartrest"
    sed "$2" "$headers/timer.h" >"$work/changed/smartrest/timer.h"
    cmp -s "$headers/timer.h" "$work/changed/smartrest/timer.h" && fail "nothing to change: $1"
    reference "$work/changed/smartrest" && fail "not found: $1"
    grep -q "timer\.h:[0-9]*:.*$3.*not documented" "$work/log" || {
        cat "$work/log" >&2
        fail "found, and told badly: $1"
    }
    echo "ok: found: $1"
}

must_find "a function without a comment" '/^SR_API int sr_timer_start/i\
\
SR_API int sr_timer_new_one(void);\
' sr_timer_new_one
must_find "a function below one with a comment" '/^SR_API void sr_timer_stop/a\
SR_API int sr_timer_new_one(void);' sr_timer_new_one
must_find "a struct without a comment" '/^struct sr_agent;/a\
struct sr_timer_new_one { int field; /* what it is for */ };' sr_timer_new_one
must_find "a field without a comment" '/^struct sr_agent;/a\
/* A struct. */\
struct sr_timer_new {\
    int new_one;\
};' new_one
must_find "an enum without a comment" '/^struct sr_agent;/a\
enum sr_timer_new_one { SR_TIMER_ONE };' sr_timer_new_one
must_find "a macro without a comment" '/^struct sr_agent;/a\
#define SR_TIMER_NEW_ONE 1' SR_TIMER_NEW_ONE
must_find "a comment lost" '/^\/\* Accepts NULL and stopped timers/d' sr_timer_stop
