//! Fuzzes the parser of traces: it never panics, and what it reads prints and reads back.
#![no_main]

use kmem_rig::fuzz::check_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| check_text(text));
