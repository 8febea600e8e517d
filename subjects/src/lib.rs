//! The allocators under test, as host and guest know them by name.
//!
//! ```text
//! ours      kmem's allocators and their mutants      `Subject`
//! controls  other people's, behind this feature      `Foreign`, a declaration and five calls
//!     `- harness::entry: an `Entry` each, all of them in `ALL`
//! ```
//!
//! This crate and the allocators below it are what a fuzzer instruments: nothing of the rig is here.
#![no_std]

#[cfg(feature = "controls")]
pub mod controls;
pub mod ours;

use harness::entry::Entry;

#[cfg(feature = "controls")]
const CONTROLS: &[Entry] = &controls::CONTROLS;
#[cfg(not(feature = "controls"))]
const CONTROLS: &[Entry] = &[];

/// Every subject there is: ours with their mutants, then the controls.
pub static ALL: [Entry; ours::ALL.len() + CONTROLS.len()] = {
    let mut all = [ours::ALL[0]; ours::ALL.len() + CONTROLS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = match index.checked_sub(ours::ALL.len()) {
            Some(control) => CONTROLS[control],
            None => ours::ALL[index],
        };
        index += 1;
    }
    all
};
const _: () = assert!(ALL.len() <= harness::mailbox::SUBJECTS_MAX);

/// The subject of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name() == name)
}
