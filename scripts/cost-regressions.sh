#!/usr/bin/env bash
# Measures what calls of the allocators cost in the guest, in instructions, and flags what costs
# more than it did when BEFORE was written. Counts repeat exactly, so a percent is a change of code
# or compiler. Writes the new figures to BEFORE, for the next time. Without that file nothing is
# compared. Usage: scripts/cost-regressions.sh BEFORE
set -euo pipefail
cd "$(dirname "$0")/.."

rig=target/all/release/kmem-rig
before=$1
now=$(mktemp)
trap 'rm -f "$now" "$now.all"' EXIT

# A line a figure, TAB, its value. The bench's own goals are its exit status 1: told, and not ours.
status=0
$rig bench cost --format json >"$now.all" || status=$?
[ "$status" -le 1 ] || exit "$status"
sed -n 's/^{"figure":"\([^"]*\)","value":\([0-9.]*\),.*/\1\t\2/p' "$now.all" | sort >"$now"
[ -s "$now" ] || { echo "error: kmem-rig bench cost printed no figure" >&2; exit 2; }

dearer=
if [ -f "$before" ]; then
    dearer=$(join -t "$(printf '\t')" "$before" "$now" |
        awk -F '\t' '$3 > $2 * 1.01 { printf "%s: %s, was %s\n", $1, $3, $2 }')
else
    echo "nothing to compare with: $before is not there yet"
fi
mkdir -p "$(dirname "$before")"
cp "$now" "$before"
echo "$(wc -l <"$now") figures, $(grep -c . <<<"$dearer" || true) of them dearer by more than 1 %"
if [ -n "$dearer" ]; then
    echo "$dearer" >&2
    exit 1
fi
