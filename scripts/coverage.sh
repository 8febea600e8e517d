#!/usr/bin/env bash
# Which lines of `kmem` and `harness` the tests reach on this machine, and which the regressions and
# drawn traces reach in the riscv64 guest, side by side in target/coverage/index.html. Fails if that
# is less than .config/coverage-floor, or a line of `kmem` is neither reached nor in
# .config/coverage-unreached.
set -euo pipefail
cd -P "$(dirname "$0")/.."

work=$PWD/target/coverage
riscv=riscv64gc-unknown-none-elf
image=$work/guest/$riscv/release/kmem-rig-guest

# LLVM's tools read what their own compiler writes, and older ones: nightly's will do for both.
for toolchain in "${RUSTUP_TOOLCHAIN:-stable}" nightly; do
    tools=$(dirname "$(compgen -G "$(rustc "+$toolchain" --print sysroot)/lib/rustlib/*/bin/llvm-cov" ||
        echo none/none)")
    [ "$tools" = none ] || break
done
[ "$tools" != none ] || { echo "error: no llvm-tools: rustup component add llvm-tools" >&2; exit 2; }

# Cargo does not know that the wrapper decides what is compiled, nor do counts of old code mean
# anything.
stamp=$(cksum <scripts/instrument.sh)
[ "$(cat "$work/stamp" 2>/dev/null)" = "$stamp" ] || rm -rf "$work"
rm -rf "$work/raw" "$work/else"
mkdir -p "$work/raw"
echo "$stamp" >"$work/stamp"
export RUSTC_WRAPPER=$PWD/scripts/instrument.sh
# What programs count that are no test, and whose counts nobody wants.
export LLVM_PROFILE_FILE=$work/else/%m.profraw

cargo build --release --locked --manifest-path qemu-tests/guest/Cargo.toml \
    --bin kmem-rig-guest --target "$riscv" --target-dir "$work/guest"

# Left out is what needs minutes or another image, and reaches no line of its own. The counters lie
# in a file that is mapped, which processes of one program share, forked workers included.
slow='binary(own_allocator) | binary(report) | binary(debug) | binary(controls) | binary(reproducers)
    | test(naive_models) | test(a_million_recorded) | test(counters_move) | test(tutorial)'
export CARGO_TARGET_DIR=$work/host RUSTFLAGS=-Clink-arg=-Wl,-u,__llvm_profile_runtime
LLVM_PROFILE_FILE=$work/raw/%m%c.profraw \
    cargo nextest run --workspace --locked --status-level fail -E "not ($slow)"
programs=$(cargo nextest list --workspace --locked --list-type binaries-only --message-format json |
    grep -o '"binary-path":"[^"]*"' | cut -d '"' -f 4)

profiles=("$work"/raw/*.profraw)
cargo run --quiet --locked -p qemu-tests --bin guest-lines -- \
    "$image" "${profiles[0]}" "$work/guest.profraw"

lines() { # PROFILE OUT PROGRAM...
    local profile=$1 out=$2 objects=()
    shift 2
    for program in "$@"; do objects+=(-object "$program"); done
    "$tools/llvm-cov" export --format=lcov "${objects[@]}" -instr-profile "$profile" \
        -sources kmem/src harness/src >"$out"
}
"$tools/llvm-profdata" merge -sparse "${profiles[@]}" -o "$work/host.profdata"
"$tools/llvm-profdata" merge -sparse "$work/guest.profraw" -o "$work/guest.profdata"
# shellcheck disable=SC2086 # A path of Cargo's own making a line.
lines "$work/host.profdata" "$work/host.lcov" $programs "$work/host/debug/kmem-rig"
lines "$work/guest.profdata" "$work/guest.lcov" "$image"
cargo run --quiet --locked -p qemu-tests --bin coverage-page -- \
    "$work/host.lcov" "$work/guest.lcov" "$work/index.html"
