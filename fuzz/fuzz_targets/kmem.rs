//! Fuzzes `kmem` against its reference model.
#![no_main]

use kmem_rig::fuzz::{Input, check, cross_over, mutate};
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

fuzz_target!(|input: Input| check("kmem", input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate("kmem", data, size, max_size, seed)
});

fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
    cross_over("kmem", one, other, out, seed)
});
