#!/usr/bin/env bash
# Replays the committed traces as machines that share them do: from nextest's archive, each part in
# a folder with nothing of the repository in it. Together the parts must run every test, and each
# once. Usage: scripts/replay-parts.sh [PARTS]
set -euo pipefail
cd "$(dirname "$0")/.."

parts=${1:-3}
config=$PWD/.config/nextest.toml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KMEM_RIG_GUEST

# All of the workspace is built, as for the other tests, and of that one program is archived.
cargo nextest archive --workspace --locked -E 'binary(replay)' --archive-file "$work/replay.tar.zst" \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

# The tests of an archive, or of a part of it: `list FOLDER`, `run FOLDER --partition hash:1/3`.
nextest() {
    local verb=$1 folder=$2
    shift 2
    # Nextest asks for a workspace to be there, and reads nothing of it.
    mkdir -p "$folder/qemu-tests"
    : >"$folder/Cargo.toml"
    (cd "$folder" && cargo-nextest nextest "$verb" --archive-file "$work/replay.tar.zst" \
        --workspace-remap . --config-file "$config" --profile ci "$@")
}

nextest list "$work/whole" --message-format oneline 2>/dev/null | sed 's/^[^ ]* //' | sort >"$work/all"
[ -s "$work/all" ] || { echo "error: the archive holds no test" >&2; exit 1; }

for part in $(seq "$parts"); do
    folder=$work/part-$part
    nextest run "$folder" --partition "hash:$part/$parts" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
    sed -n 's/.*<testcase name="\([^"]*\)".*/\1/p' "$folder/target/nextest/ci/junit.xml" >"$work/ran"
    echo "replay, part $part of $parts: $(wc -l <"$work/ran") tests passed, from an archive"
    cat "$work/ran" >>"$work/together"
done

# A test that ran twice is a line too many, one that did not run a line too few.
if ! diff "$work/all" <(sort "$work/together") >&2; then
    echo "error: the parts are not the whole: < was not run by any, > was run once too often" >&2
    exit 1
fi
