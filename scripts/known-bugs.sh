#!/usr/bin/env bash
# Known bugs: builds each old version and its fix, replays the regressions, hunts in the fixed
# versions, and measures how soon the rig finds the bugs. A fixed version may break the rules that
# bug.json names beside `fixed_shows`: other bugs of the same crate, fixed later or never.
set -euo pipefail
cd "$(dirname "$0")/.."

target=target/known-bugs
status=0
for facts in subjects/known-bugs/*/bug.json; do
    folder=${facts%bug.json}
    bug=$(basename "$folder")
    for version in buggy fixed; do
        subject=$bug-$version
        cargo build --release --locked --quiet --manifest-path "$folder$version/Cargo.toml" \
            --target-dir "$target"
        "$target/release/$subject" replay "$folder$bug.trace" --on host --subject "$subject" \
            --format json >"$target/$subject.json" || { cat "$target/$subject.json"; status=1; }
    done
    found=$("$target/release/$bug-fixed" hunt --subject "$bug-fixed" --seed 1 --execs 20000 \
        --format json || [ $? = 1 ])
    for rule in $(grep -o '"rule":"[a-z-]*"' <<<"$found" | sort -u | cut -d '"' -f 4); do
        if ! grep '"fixed_shows"' "$facts" | grep -q "\"$rule\""; then
            echo "error: $bug-fixed breaks $rule:" >&2
            grep "\"rule\":\"$rule\"" <<<"$found" >&2
            status=1
        fi
    done
done
target/all/release/kmem-rig-bench known-bugs --target-dir "$target" || status=1
exit "$status"
