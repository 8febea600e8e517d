#!/usr/bin/env bash
# Cares for corpora: writes each in the newest byte form, merges it with the committed seeds, and
# keeps the smallest inputs that reach what all of them reached. The corpus before is left in
# target/corpus.
# Usage: scripts/corpus.sh CORPORA, a folder with a corpus for each fuzz target.
set -euo pipefail
cd -P "$(dirname "$0")/.."

corpora=$1
count() { find "$1" -type f | wc -l; }

for corpus in "$corpora"/*/; do
    if [ ! -d "$corpus" ]; then
        echo "no corpus in $corpora: a lost one grows again, from fuzz/seeds"
        break
    fi
    target=$(basename "$corpus")
    case $target in
        plain) continue ;;      # The yardstick's inputs are no traces.
        trace_text) continue ;; # No subject runs: libFuzzer sees nothing to choose by.
    esac
    work=$PWD/target/corpus/$target
    rm -rf "$work"
    mkdir -p "$work"/{renewed,merged,artifacts}
    target/release/kmem-rig encode "$corpus" -o "$work/renewed" >"$work/renewed.log"
    merge=(-merge=1 -timeout=10 -artifact_prefix="$work/artifacts/")
    if ! TMPDIR=$work cargo +nightly fuzz run -O "$target" "$work/merged" "$work/renewed" \
        "fuzz/seeds/$target" -- "${merge[@]}" >"$work/merge.log" 2>&1; then
        tail -n 40 "$work/merge.log" >&2
        echo "error: merging the corpus of $target failed; $corpus is as it was" >&2
        exit 1
    fi
    echo "corpus $target: $(count "$corpus") inputs became $(count "$work/merged")"
    mv -T "$corpus" "$work/before"
    mv -T "$work/merged" "$corpus"
    if [ -n "$(ls "$work/artifacts")" ]; then
        echo "corpus $target: inputs that fail were left out, and are in ${work#"$PWD/"}/artifacts"
    fi
done
