//! The plain libFuzzer target over one version of a crate, which the hunts are held against.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;

#[path = "../../../fuzz/plain/actions.rs"]
mod actions;

static FIRST: Once = Once::new();

fuzz_target!(|actions: Vec<actions::Action>| {
    // What measures it starts its clock at this line.
    FIRST.call_once(|| eprintln!("first input"));
    actions::run::<adapter::Allocator>(&actions);
});
