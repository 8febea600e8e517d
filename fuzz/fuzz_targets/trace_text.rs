//! Fuzzes the parser of traces: it never panics, and what it reads prints and reads back.
#![no_main]

#[cfg(feature = "libafl")]
use libafl_libfuzzer as _;

use kmem_rig::fuzz::check_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| check_text(text));
