#!/usr/bin/env bash
# Writes the seed corpora anew from the regressions: in the byte form for the targets of the
# subjects that a regression expects something of, as text for the parser's target. Heaps that grow
# have a target of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf fuzz/seeds
mkdir -p fuzz/seeds/{kmem_2019,kmem,kmem_growing,page,trace_text}
ln -s kmem fuzz/seeds/guest # The same subject, three ways at once.
for trace in qemu-tests/regressions/*.trace; do
    name=$(basename "$trace" .trace)
    growing=
    if grep -q '^heap .* grow ' "$trace"; then
        growing=_growing
    fi
    for subject in $(sed -n 's/^expect \([^ ]*\).*/\1/p' "$trace"); do
        target=fuzz/seeds/${subject//-/_}$growing
        if [ -d "$target" ]; then
            "${RIG:-target/release/kmem-rig}" encode "$trace" -o "$target/$name"
        fi
    done
    cp "$trace" "fuzz/seeds/trace_text/$name"
done
