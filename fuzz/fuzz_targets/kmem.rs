//! Fuzzes `kmem` against its reference model.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

kmem_rig::fuzz_subject!(entry subjects::ours::KMEM, "../qemu-tests/regressions");
