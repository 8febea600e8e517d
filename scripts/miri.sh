#!/usr/bin/env bash
# Runs the allocators under Miri, which ends a program at its first undefined behaviour: the
# regressions and as many drawn traces of each subject as are asked for. `scripts/miri.sh long`
# draws many, and runs kmem's own tests as well.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-short}" in
short) cases=4 own="global:: shared::threads" ;;
long) cases=200 own= ;;
*) echo "usage: scripts/miri.sh [short|long]" >&2 && exit 2 ;;
esac

# Strict provenance: no pointer is made of a number. Tree borrows: references and pointers alias
# only as they may. The regressions are files, so the program may see the machine. Its variables are
# set here, since cargo miri passes on those that it was built with.
miri() {
    local flags="-Zmiri-strict-provenance -Zmiri-tree-borrows -Zmiri-disable-isolation"
    # Panics that tests expect would take minutes to look up where they came from.
    flags+=" -Zmiri-env-set=RUST_BACKTRACE=0"
    MIRIFLAGS="$flags $1" cargo +nightly miri test --locked --quiet "${@:2}"
}

miri "-Zmiri-env-set=KMEM_RIG_CASES=$cases" -p kmem-rig --test undefined
# shellcheck disable=SC2086 # Each word is a filter of its own.
miri "" -p kmem --lib --test it -- $own

# That it can fail: a mutant that stores one word behind its heap is no more than that.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
canary="-Zmiri-env-set=KMEM_RIG_SUBJECT=store-outside -Zmiri-env-set=KMEM_RIG_CASES=4"
if miri "$canary" -p kmem-rig --test undefined drawn >"$log" 2>&1 ||
    ! grep -q "error: Undefined Behavior" "$log"; then
    cat "$log" >&2
    echo "error: Miri let the mutant store-outside pass, see above" >&2
    exit 1
fi
echo "miri: no undefined behaviour, and that of store-outside was seen"
