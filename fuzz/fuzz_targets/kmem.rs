//! Fuzzes `kmem` against its reference model.
#![no_main]

kmem_rig::fuzz_subject!(subjects::ours::FirstFitHeap, "../qemu-tests/regressions");
