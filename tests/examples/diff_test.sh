#!/bin/sh
# SPDX-License-Identifier: MIT
# diff_test.sh EXAMPLES EXPECTED
# From HTTP to MQTT: 04-operation.c and 07-mqtt.c differ by what the file EXPECTED says and
# by nothing else. It shows the changed lines with two lines around, as the guide does.
# What comes in front of the first #include and the program's name do not count.
set -eu
examples=$1 expected=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "diff_test: $*" >&2
    exit 1
}

# difference HTTP MQTT: without line numbers
difference() {
    sed -n '/^#include/,$ { s/"04-operation: /"/; p; }' "$1" >"$work/http"
    sed -n '/^#include/,$ { s/"07-mqtt: /"/; p; }' "$2" >"$work/mqtt"
    diff -U 2 --label 04-operation.c --label 07-mqtt.c "$work/http" "$work/mqtt" |
        sed 's/^@@.*/@@/'
}

# Lines that may differ at all, whatever EXPECTED says: the reporter's constructor, the
# keep-alive, the push; and how an `if` over them ends.
only_what_may_differ() {
    sed '1,2d' "$expected" | grep '^[-+]' | grep -vE \
        -e '^[-+]    if \(sr_reporter_new_(http|mqtt)\([a-z., &]*\)( \|\||\))$' \
        -e '^\+        sr_reporter_set_keepalive\(reporter, [0-9]+\)\)$' \
        -e '^-    struct sr_push \*push = NULL;$' \
        -e '^-    if \(sr_push_new\(agent, &push\) \|\| sr_push_start\(push\)\)$' \
        -e '^-        return fail\(agent\);$' >"$work/more" || return 0
    cat "$work/more" >&2
    return 1
}

# must_notice WHAT FILE SED-COMMAND: the comparison fails once FILE is changed.
must_notice() {
    cp "$examples/04-operation.c" "$examples/07-mqtt.c" "$work/"
    sed "$3" "$examples/$2" >"$work/$2"
    cmp -s "$examples/$2" "$work/$2" && fail "nothing to change in $2: $1"
    difference "$work/04-operation.c" "$work/07-mqtt.c" >"$work/changed"
    cmp -s "$expected" "$work/changed" && fail "not noticed: $1"
    echo "ok: noticed: $1"
}

difference "$examples/04-operation.c" "$examples/07-mqtt.c" >"$work/found"
diff -u "$expected" "$work/found" >&2 ||
    fail "04 and 07 differ by more or less than $(basename "$expected") says"
only_what_may_differ || fail "an agent has to change more than its reporter"
echo "ok: $(grep -c '^[-+] ' "$work/found") lines differ, and only those that may"

must_notice "another template" 07-mqtt.c 's/^    "11,502,.*/    "11,502,,$.c8y_Restart,$.id\\n";/'
must_notice "another handler" 04-operation.c 's/"EXECUTING"/"FAILED"/'
must_notice "a line more" 07-mqtt.c 's/^    sr_agent_on_message(.*/&\n&/'
must_notice "another include" 07-mqtt.c 's/^#include "cpu.h"/#include "cpu2.h"/'
must_notice "no keep-alive" 07-mqtt.c 's/set_keepalive(reporter, 180)/set_window(reporter, 2)/'
