//! Fuzzes `kmem-2019` against its reference model.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

kmem_rig::fuzz_subject!(subjects::ours::PublishedHeap, "../qemu-tests/regressions");
