//! Fuzzes `kmem-2019` against its reference model.
#![no_main]

kmem_rig::fuzz_subject!(subjects::ours::PublishedHeap, "../qemu-tests/regressions");
