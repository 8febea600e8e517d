//! Fuzzes `kmem` against its reference model.
#![no_main]

use kmem_rig::fuzz::{Input, check, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

const SUBJECT: &str = "kmem";

fuzz_target!(|input: Input| check(SUBJECT, input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(SUBJECT, data, size, max_size, seed)
});
