//! Fuzzes `kmem` over heaps that take pages and give them back, against its reference model. They
//! have a target of their own, since ops on them take twice as long to judge.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

use kmem_rig::harness::entry::Entry;
use subjects::ours::{FirstFitHeap, GrowingHeap};

kmem_rig::fuzz_subject!(
    growing Entry::of::<FirstFitHeap>().growing::<GrowingHeap>(),
    "../qemu-tests/regressions"
);
