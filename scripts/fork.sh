#!/usr/bin/env bash
# Fuzzes one target in libFuzzer's fork mode, which goes on after a crash: its exit status tells
# only how the last job ended, so the log is looked at. Artifacts go to WORK/artifacts, the log to
# WORK/fuzz.log. 0: it ran to its end; 2: there was no fuzzing. Usage: scripts/fork.sh TARGET
# SECONDS JOBS WORK CORPUS...
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'exit 130' INT TERM

target=$1
seconds=$2
jobs=$3
work=$4
shift 4
log=$work/fuzz.log
dictionary=fuzz/$target.dict
[ -f "$dictionary" ] || dictionary=fuzz/kmem.dict

rm -rf "$work"
mkdir -p "$work"/{artifacts,tmp} "$1"

# Built first and in the open: a compiler's error belongs on the screen, and building is not
# fuzzing. -O leaves out the debug assertions: the subject is compiled as a kernel ships it.
cargo +nightly fuzz build -O "$target" || exit 2

echo "fuzzing $target for $seconds s, log in $log"
fuzz=(
    -fork="$jobs"
    -ignore_crashes=1
    -ignore_timeouts=1
    -ignore_ooms=1
    -timeout=10
    -reduce_inputs=0
    -max_total_time="$seconds"
    -dict="$dictionary"
    -artifact_prefix="$work/artifacts/"
)
RUST_BACKTRACE=0 TMPDIR=$PWD/$work/tmp \
    cargo +nightly fuzz run -O "$target" "$@" -- "${fuzz[@]}" >"$log" 2>&1 || true

if ! grep -q '^INFO: exiting' "$log"; then
    tail -n 40 "$log" >&2
    echo "error: libFuzzer did not run to its end; the whole log is $log" >&2
    exit 2
fi
