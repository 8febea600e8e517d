#!/usr/bin/env bash
# A RUSTC_WRAPPER: compiles the subjects' crates, and no other, so that they count what they run: a
# byte for each edge, in the section `__sancov_cntrs`. The crate `subjects` is where their generic
# code is instantiated. What runs a trace is not counted, or it would drown them.
set -euo pipefail

crates=(
    kmem subjects
    ax_allocator ax_slab_allocator buddy_alloc buddy_system_allocator dlmalloc embedded_alloc
    good_memory_allocator linked_list_allocator rlsf slab_allocator_rs stalloc talc
)
# Without constructors: those would tell a run-time library where the counters are, and the guest
# has none; its linker script knows.
counted=(
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=3
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-drop-ctors
)

if [[ " $* " =~ " --crate-name "([a-z0-9_]+)" " && " ${crates[*]} " == *" ${BASH_REMATCH[1]} "* ]]; then
    exec "$@" "${counted[@]}"
fi
exec "$@"
