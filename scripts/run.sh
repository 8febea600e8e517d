#!/usr/bin/env bash
# The main job after the build: fuzz the 2019 heap, then hand what libFuzzer found to
# `kmem-rig triage`, whose exit status is ours: 0 if every find is a known regression, 1 if one is
# new. 2 means that there was no fuzzing.
# Usage: scripts/run.sh SECONDS FINDS
set -euo pipefail
cd "$(dirname "$0")/.."
trap 'exit 130' INT TERM

work=target/run

# The corpus starts empty, and nothing is passed over: what is found is found from nothing.
KMEM_RIG_KNOWN=report scripts/fork.sh kmem_2019 "$1" 1 "$work" "$work/corpus"

target/release/kmem-rig triage "$work/artifacts" --bytes --subject kmem-2019 --out "$2" \
    --found "make run, libFuzzer from an empty corpus"
