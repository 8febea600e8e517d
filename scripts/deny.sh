#!/usr/bin/env bash
# Checks the dependencies of every workspace against deny.toml.
# Usage: scripts/deny.sh CHECK...: `licenses`, `bans`, `sources`, or `advisories`, which downloads
set -euo pipefail
cd "$(dirname "$0")/.."

# The fuzz targets' manifest names a nightly feature of Cargo.
export RUSTC_BOOTSTRAP=1
check() { # WORKSPACE CHECK...
    # One list for all: not each of them has each exception.
    cargo deny --log-level error --config deny.toml --manifest-path "$1/Cargo.toml" \
        check --hide-inclusion-graph -A unmatched-skip -A unnecessary-skip "${@:2}"
}
for workspace in . qemu-tests/guest kmem/interleavings fuzz; do
    # It downloads what no build needs here, and that times out now and then: one retry.
    check "$workspace" "$@" || check "$workspace" "$@"
done
