#!/usr/bin/env bash
# Builds every fuzz target and runs it for a moment from its committed seeds, always with the same
# random numbers. Nothing of it stays in the work tree. -O as in fork.sh: one build serves both.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=2000
# What the allocators and their adapters have some of; with the rig's crates it would be 90,000, and
# slow.
counters_max=20000
work=target/smoke
rm -rf "$work"

cargo +nightly fuzz build -O
for target in $(cargo +nightly fuzz list); do
    mkdir -p "$work/$target"/{corpus,artifacts}
    log=$work/$target/fuzz.log
    dictionary=fuzz/$target.dict
    [ -f "$dictionary" ] || dictionary=fuzz/kmem.dict
    seeds=fuzz/seeds/$target
    [ -d "$seeds" ] || seeds= # The yardstick starts from nothing.
    fuzz=(
        -runs="$runs"
        -seed=1
        -timeout=10
        -dict="$dictionary"
        -artifact_prefix="$work/$target/artifacts/"
    )
    tally=$work/$target/tally
    if ! KMEM_RIG_TALLY=$tally cargo +nightly fuzz run -O "$target" "$work/$target/corpus" $seeds \
        -- "${fuzz[@]}" >"$log" 2>&1; then
        cat "$log" >&2
        echo "error: the smoke run of fuzz target $target failed, see above" >&2
        exit 1
    fi
    counters=$(sed -n 's/^INFO: Loaded 1 modules *(\([0-9]*\) inline 8-bit counters).*/\1/p' "$log")
    if [ -z "$counters" ] || [ "$counters" -gt "$counters_max" ]; then
        echo "error: fuzz target $target has ${counters:-no} counters, of at most $counters_max: is the rig" \
            "instrumented? See fuzz/Cargo.toml" >&2
        exit 1
    fi
    # Inputs are judged, not passed over.
    if [ "$target" != trace_text ] && ! grep -qs '^0*[1-9]' "$tally"; then
        echo "error: fuzz target $target passed over nearly all inputs" >&2
        exit 1
    fi
    echo "smoke $target: $(grep '^Done' "$log")"
done
