#!/usr/bin/env bash
# A night's work on one fuzz target: fuzz on from the corpus of the nights before, minimise what the
# corpus has become, and hand the finds to triage. 0: nothing that no regression shows; 1: something
# new, as traces and as a page in target/nightly/TARGET; 2: there was no fuzzing. Usage:
# scripts/nightly.sh TARGET SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'exit 130' INT TERM

target=$1
seconds=$2
work=target/nightly/$target
corpus=fuzz/corpus/$target

mkdir -p "$corpus"
echo "from $(find "$corpus" -type f | wc -l) inputs and the seeds:"
scripts/fork.sh "$target" "$seconds" "$(nproc)" "$work" "$corpus" "fuzz/seeds/$target"
mkdir "$work/finds"

# The corpus of the next night. One that could not be minimised is only larger.
cargo +nightly fuzz cmin -O "$target" "$corpus" >"$work/cmin.log" 2>&1 ||
    echo "the corpus was not minimised, see $work/cmin.log"
echo "the corpus has $(find "$corpus" -type f | wc -l) inputs"

[ -n "$(ls -A "$work/artifacts")" ] || { echo "no find"; exit 0; }
case $target in
    guest | kmem_growing) subject=kmem ;;
    trace_text) echo "error: text that does not print as it parses, in $work/artifacts" >&2; exit 1 ;;
    *) subject=${target//_/-} ;;
esac
status=0
target/release/kmem-rig triage "$work/artifacts" --bytes --subject "$subject" --out "$work/finds" \
    --found "make nightly, libFuzzer" || status=$?
[ -z "$(ls -A "$work/finds")" ] ||
    target/release/kmem-rig report "$work/finds" -o "$work/report.html" || [ $? = 1 ]
exit "$status"
