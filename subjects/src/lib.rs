//! The allocators under test, as host and guest know them by name.
//!
//! ```text
//! ours      both generations of kmem's allocators
//! mutants   the same with one fault each (feature)
//! controls  other people's (feature)
//!     `- an implementation of `Subject` and an `Entry` each, all of them in `ALL`
//! ```
//!
//! This crate and the allocators below it are what a fuzzer instruments: nothing of the rig is
//! here.
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(feature = "controls")]
pub mod controls;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod names;
pub mod ours;

use harness::entry::Entry;

#[cfg(feature = "controls")]
const CONTROLS: &[Entry] = &controls::CONTROLS;
#[cfg(not(feature = "controls"))]
const CONTROLS: &[Entry] = &[];

#[cfg(feature = "mutants")]
const MUTANTS: [&[Entry]; 6] = [
    &mutants::CANARIES,
    &mutants::HEAP_MUTANTS,
    &mutants::PAGE_MUTANTS,
    &mutants::SIDE_MUTANTS,
    &mutants::SLOW_MUTANTS,
    &mutants::GROWTH_MUTANTS,
];
#[cfg(not(feature = "mutants"))]
const MUTANTS: [&[Entry]; 6] = [&[]; 6];

const LISTS: [&[Entry]; 8] = [
    &ours::ALL,
    MUTANTS[0],
    MUTANTS[1],
    MUTANTS[2],
    MUTANTS[3],
    MUTANTS[4],
    MUTANTS[5],
    CONTROLS,
];
const COUNT: usize = {
    let (mut count, mut list) = (0, 0);
    while list < LISTS.len() {
        count += LISTS[list].len();
        list += 1;
    }
    count
};

/// Every subject there is: ours, their mutants, then the controls.
pub static ALL: [Entry; COUNT] = {
    let mut all = [ours::ALL[0]; COUNT];
    let (mut filled, mut list) = (0, 0);
    while list < LISTS.len() {
        let mut index = 0;
        while index < LISTS[list].len() {
            all[filled] = LISTS[list][index];
            filled += 1;
            index += 1;
        }
        list += 1;
    }
    all
};
const _: () = assert!(ALL.len() <= harness::mailbox::SUBJECTS_MAX);

/// The subject of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name() == name)
}

/// The names of other people's allocators, built in or not.
pub const CONTROL_NAMES: [&str; 13] = [
    "talc",
    "talc-4",
    "linked-list",
    "buddy-system",
    "rlsf",
    "embedded-llff",
    "embedded-tlsf",
    "dlmalloc",
    "good-memory",
    "buddy-alloc",
    "slab-rs",
    "ax-slab",
    "stalloc",
];

/// The mutants' names, in the order of [`ALL`].
const MUTANT_NAMES: [&[&str]; 6] = [
    &names::CANARIES,
    &names::HEAP_MUTANTS,
    &names::PAGE_MUTANTS,
    &names::SIDE_MUTANTS,
    &names::SLOW_MUTANTS,
    &names::GROWTH_MUTANTS,
];

/// The feature that builds in the subject of a name, whether or not it is on; `None` for ours,
/// which are always there, and for names that are no subject's.
#[must_use]
pub fn feature_of(name: &str) -> Option<&'static str> {
    let mut mutants = MUTANT_NAMES.iter().copied().flatten();
    if CONTROL_NAMES.contains(&name) {
        Some("controls")
    } else if mutants.any(|known| *known == name) {
        Some("mutants")
    } else {
        None
    }
}

#[cfg(all(test, feature = "controls", feature = "mutants"))]
mod tests {
    use super::*;

    #[test]
    fn every_subject_but_ours_is_known_by_its_feature() {
        let features = ALL.iter().map(|entry| feature_of(entry.name()));
        let ours = [None; ours::ALL.len()];
        let mutants = MUTANTS.iter().copied().flatten().map(|_| Some("mutants"));
        let controls = CONTROLS.iter().map(|_| Some("controls"));
        assert!(features.eq(ours.into_iter().chain(mutants).chain(controls)));
        assert_eq!(feature_of("no-such-subject"), None);
    }
}
