#!/usr/bin/env bash
# Builds the fuzz targets for ClusterFuzzLite and OSS-Fuzz, which set SRC, WORK and OUT: only what
# lies in OUT is kept, and runs on a machine without QEMU or the sources. `make test-scale` runs
# this script.
set -euo pipefail
cd "$SRC/kmem-rig"

# In a coverage build a wrapper takes these words, and asks Cargo for the folder.
export CARGO_TARGET_DIR=$WORK/target
cargo fuzz build -O

for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    case $target in
        guest) continue ;; # Boots QEMU.
        plain) continue ;; # Judges nothing: the yardstick of `make bench`.
    esac
    dictionary=fuzz/$target.dict
    [ -f "$dictionary" ] || dictionary=fuzz/kmem.dict
    cp "$CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release/$target" "$OUT/$target"
    cp "$dictionary" "$OUT/$target.dict"
    cp .clusterfuzzlite/target.options "$OUT/$target.options"
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip --quiet --junk-paths "$OUT/${target}_seed_corpus.zip" "fuzz/seeds/$target"/*
done

# A target passes over what these show, so that only new finds are filed.
rm -rf "$OUT/regressions"
cp -r qemu-tests/regressions "$OUT/regressions"
