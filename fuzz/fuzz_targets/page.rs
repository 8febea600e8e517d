//! Fuzzes `page` against its reference model.
#![no_main]

kmem_rig::fuzz_subject!(subjects::ours::CompletePages, "../qemu-tests/regressions");
