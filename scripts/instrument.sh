#!/usr/bin/env bash
# A RUSTC_WRAPPER for `make coverage`: compiles the packages whose lines are counted, and those in
# which their generic code is instantiated, with LLVM's counters, and no other.
set -euo pipefail

counted=()
case ${CARGO_PKG_NAME:-} in
    kmem | kmem-rig-harness | kmem-rig-subjects | kmem-rig | kmem-rig-guest | qemu-tests)
        counted=(-Cinstrument-coverage)
        # The guest has no operating system for LLVM's runtime: its host reads the counters. The
        # option that says so is none of the stable compiler's.
        if [[ " $* " == *" riscv64gc-unknown-none-elf "* ]]; then
            counted+=(-Zno-profiler-runtime)
            export RUSTC_BOOTSTRAP=1
        else
            # What a forked worker counts is in the file, even if the worker crashes.
            counted+=(-Cllvm-args=-runtime-counter-relocation)
        fi
        ;;
esac
exec "$@" "${counted[@]}"
