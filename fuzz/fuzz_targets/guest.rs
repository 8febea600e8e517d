//! Fuzzes `kmem` three ways at once: on the host, in a riscv64 guest whose coverage leads the way
//! too, and in the reference model.
#![no_main]
#![allow(unsafe_code, reason = "it hands counters to libFuzzer")]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

use std::sync::atomic::AtomicU64;

use kmem_rig::fuzz::guest::{COUNTER_WORDS, Counters, target};

/// libFuzzer clears what lies in this section before each run, and takes it for counters after it.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: Counters = [const { AtomicU64::new(0) }; COUNTER_WORDS];

kmem_rig::fuzz_target!(target(), check_in_guest, &COUNTERS);
