//! Fuzzes `kmem` against its reference model, over heaps that do not grow: of those, twice as many ops are
//! judged in a second. The target `guest` has both kinds.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

kmem_rig::fuzz_subject!(subjects::ours::FirstFitHeap, "../qemu-tests/regressions");
