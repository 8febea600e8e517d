#!/usr/bin/env bash
# Every test of the workspace, and the snapshots: a test writes what it would propose beside the
# snapshot it differs from (`.snap.new`) and fails; nothing is ever accepted here. A snapshot that
# no test asserted is an error too.
set -euo pipefail
cd -P "$(dirname "$0")/.."

# The files of the work tree with this ending, by absolute path.
files() { find "$PWD" \( -name target -o -name .git \) -prune -o -name "*$1" -print | sort; }

referenced=$(mktemp)
trap 'rm -f "$referenced"' EXIT

export INSTA_UPDATE=new INSTA_FORCE_PASS=0
export INSTA_SNAPSHOT_REFERENCES_FILE=$referenced
status=0
cargo nextest run --workspace --locked || status=$?

pending=$(files .snap.new)
if [ -n "$pending" ]; then
    echo
    echo "snapshots that differ:"
    echo "$pending"
    echo "review them: make review (cargo insta review)"
    exit 1
fi >&2
[ "$status" = 0 ] || exit "$status"

asserted() { xargs --arg-file="$referenced" --delimiter='\n' --no-run-if-empty realpath | sort -u; }
# Those of the examples and of the template of `kmem-rig new` are asserted where tests copy them to.
unreferenced=$(comm -13 <(asserted) <(files .snap | grep "^$PWD/snapshots/"))
if [ -n "$unreferenced" ]; then
    echo
    echo "snapshots that no test asserts, to be deleted:"
    echo "$unreferenced"
    exit 1
fi >&2
