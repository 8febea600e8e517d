//! Fuzzes `kmem` against its reference model, over heaps that do not grow: `kmem_growing` has those
//! that do.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

kmem_rig::fuzz_subject!(subjects::ours::FirstFitHeap, "../qemu-tests/regressions");
