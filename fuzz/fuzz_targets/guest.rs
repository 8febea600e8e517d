//! Fuzzes `kmem` three ways at once: on the host, in a riscv64 guest whose coverage leads the way too,
//! and in the reference model.
#![no_main]

use std::sync::atomic::AtomicU64;

use kmem_rig::fuzz::guest::{COUNTER_WORDS, Counters, check, subject};
use kmem_rig::fuzz::{Input, cross_over, mutate};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

/// libFuzzer clears what lies in this section before each run, and takes it for counters after it.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static COUNTERS: Counters = [const { AtomicU64::new(0) }; COUNTER_WORDS];

fuzz_target!(|input: Input| check(input, &COUNTERS));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&subject(), data, size, max_size, seed)
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    cross_over(&subject(), one, other, out, seed)
});
