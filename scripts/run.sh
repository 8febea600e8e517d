#!/usr/bin/env bash
# The main job after the build: fuzz the 2019 heap, then hand what libFuzzer found to
# `kmem-rig triage`, whose exit status is ours: 0 if every find is a known regression, 1 if one is
# new. 2 means that there was no fuzzing.
# Usage: scripts/run.sh SECONDS FINDS
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'exit 130' INT TERM

seconds=$1
finds=$2
work=target/run
log=$work/fuzz.log

rm -rf "$work"
mkdir -p "$work"/{corpus,artifacts,tmp}

# Built first and in the open: a compiler's error belongs on the screen, and building is not
# fuzzing. -O leaves out the debug assertions: the subject is compiled as a kernel ships it.
cargo +nightly fuzz build -O kmem_2019 || exit 2

# Fork mode goes on after a crash, so the exit status tells only how the last job ended. The corpus
# starts empty: what is found is found from nothing.
echo "fuzzing kmem-2019 for $seconds s, log in $log"
fuzz=(
    -fork=1
    -ignore_crashes=1
    -ignore_timeouts=1
    -ignore_ooms=1
    -timeout=10
    -reduce_inputs=0
    -max_total_time="$seconds"
    -dict=fuzz/kmem.dict
    -artifact_prefix="$work/artifacts/"
)
KMEM_RIG_KNOWN=report RUST_BACKTRACE=0 TMPDIR=$PWD/$work/tmp \
    cargo +nightly fuzz run -O kmem_2019 "$work/corpus" -- "${fuzz[@]}" >"$log" 2>&1 || true

if ! grep -q '^INFO: exiting' "$log"; then
    tail -n 40 "$log" >&2
    echo "error: libFuzzer did not run to its end; the whole log is $log" >&2
    exit 2
fi

target/release/kmem-rig triage "$work/artifacts" --subject kmem-2019 --out "$finds" \
    --found "make run, libFuzzer from an empty corpus"
