#!/usr/bin/env bash
# Writes the seed corpora anew from the regressions: in the byte form for the targets of the
# subjects that a regression expects something of, as text for the parser's target.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf fuzz/seeds
mkdir -p fuzz/seeds/{kmem_2019,kmem,page,trace_text}
ln -s kmem fuzz/seeds/guest # The same subject, three ways at once.
for trace in qemu-tests/regressions/*.trace; do
    name=$(basename "$trace" .trace)
    for subject in $(sed -n 's/^expect \([^ ]*\).*/\1/p' "$trace"); do
        target=fuzz/seeds/${subject//-/_}
        if [ -d "$target" ]; then
            "${RIG:-target/release/kmem-rig}" encode "$trace" -o "$target/$name"
        fi
    done
    cp "$trace" "fuzz/seeds/trace_text/$name"
done
