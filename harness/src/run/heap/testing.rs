//! A subject at work over memory of a test's own.

use std::boxed::Box;
use std::vec;

use super::{Heap, Strength, Workspace};
use crate::run::ground::Ground;
use crate::subject::entry::Entry;
use crate::subject::{Region, Subject};
use crate::trace::geometry::Growth;

/// Runs each of `works` on a fresh subject, one after the other over the same page.
pub(super) fn run<S: Subject>(strength: Strength, works: &mut [&mut dyn FnMut(Heap<'_>)]) {
    let mut memory = vec![0_u64; 512];
    let region = Region {
        start: memory.as_mut_ptr().cast(),
        bytes: 4096,
        slack: 0,
        growth: Growth::NONE,
        side: core::ptr::null_mut(),
    };
    // SAFETY: the memory outlives the ground, which alone uses it.
    let mut ground = unsafe { Ground::new(region) };
    let mut workspace = Box::new(Workspace::new());
    let entry = Entry::of::<S>();
    for work in works {
        // SAFETY: the tests' subjects take any geometry.
        unsafe { Heap::with_fresh(&entry, &mut ground, &mut workspace, strength, None, work) };
    }
}
