#!/bin/sh
# SPDX-License-Identifier: MIT
# readme_test.sh SOURCE
# Types the README's commands of "Install and link", as they stand there, in a copy of the
# source: builds, installs to /usr/local, links an agent by pkg-config, runs it. /usr/local and
# /etc are covered by layers that are gone afterwards. Status 77 if that cannot be.
set -eu
source=$(cd "$1" && pwd)

if [ -z "${README_TEST_INSIDE-}" ]; then
    unshare --mount true 2>/dev/null || {
        echo "mounting takes root"
        exit 77
    }
    README_TEST_INSIDE=yes exec unshare --mount --propagation private sh "$0" "$source"
fi

# The layers are in memory, so that nothing is left but a folder that is empty.
work=$(mktemp -d)
mount -t tmpfs readme-test "$work" || exit 77
trap 'umount -l "$work"; rmdir "$work"' EXIT
trap 'exit 1' HUP INT TERM

# cover FOLDER: what is written there goes to a layer of ours.
cover() {
    layer=$work/layers/$(basename "$1")
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" readme-test "$1"
}

if ! cover /usr/local || ! cover /etc; then
    echo "there is no overlay file system here"
    exit 77
fi

# commands HEADING N: the N-th listing for a shell below a heading of the README.
commands() {
    awk -v heading="## $1" -v wanted="$2" '
        /^## /            { here = $0 == heading }
        here && /^```sh$/ { listing++; next }
        /^```$/           { if (listing == wanted && here) exit }
        here && listing == wanted' "$source/README.md"
}

mkdir "$work/copy"
cd "$source"
git ls-files -z | xargs -0 cp --parents -t "$work/copy"
cd "$work/copy"
commands "Install and link" 1 >install.sh
commands "Install and link" 2 >link.sh
if [ ! -s install.sh ] || [ ! -s link.sh ]; then
    echo "the README has no such listings any more" >&2
    exit 1
fi
sh -eux install.sh
cp tests/install/main.c agent.c
sh -eux link.sh
said=$(./agent)
[ "$said" = "a row: 100,outside" ] || {
    echo "the agent said '$said'" >&2
    exit 1
}
