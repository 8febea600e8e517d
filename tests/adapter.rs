//! Adapters that are wrong are told from allocators that are, by name, and never pass.

use std::alloc::Layout;
use std::ptr::null_mut;

use harness::declaration::{Declaration, Overhead, Policy, Reserved, TableForm};
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use kmem_rig::adapter;
use kmem_rig::host::Host;

/// Hands out its region from the start; what a test wants to be wrong is said by constants.
struct Bump<const WRONG: u8>(*mut u8);

const NOTHING: u8 = 0;
const CONSTRUCTOR_PANICS: u8 = 1;
const OTHER_MEMORY: u8 = 2;
const NO_MEMORY: u8 = 3;
const FREE_PANICS: u8 = 4;
const FREE_REFUSES: u8 = 5;
const DECLARED_NATIVE: u8 = 6;
const DECLARED_TABLE: u8 = 7;
const REGION_TOO_SMALL: u8 = 8;
const CONSTRUCTOR_FAULTS: u8 = 9;

impl<const WRONG: u8> Subject for Bump<WRONG> {
    const DECLARATION: Declaration = {
        let declaration = Declaration::new("my-heap").region_at_least(64);
        match WRONG {
            DECLARED_NATIVE => declaration.native(),
            DECLARED_TABLE => declaration
                .overhead(Overhead {
                    header: 8,
                    granularity: 8,
                    chunk_min: 8,
                    absorb_max: 8,
                    reserved: Reserved::Nothing,
                })
                .table(TableForm::Chunks)
                .policy(Policy::FirstFit),
            _ => declaration,
        }
    };

    unsafe fn new(region: Region) -> Self {
        match WRONG {
            CONSTRUCTOR_PANICS => panic!("the lists do not fit"),
            // SAFETY: there is none; that is what is tried.
            CONSTRUCTOR_FAULTS => unsafe { region.start.wrapping_sub(8).write_volatile(1) },
            REGION_TOO_SMALL => assert!(region.bytes >= 4096, "4096 bytes are needed"),
            OTHER_MEMORY => {
                return Self(Box::leak(vec![0; 1 << 20].into_boxed_slice()).as_mut_ptr());
            }
            _ => {}
        }
        Self(region.start)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        if WRONG == NO_MEMORY {
            return null_mut();
        }
        let block = self.0.wrapping_add(self.0.align_offset(layout.align()));
        self.0 = block.wrapping_add(layout.size());
        block
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        assert!(WRONG != FREE_PANICS, "free is not implemented");
        match WRONG {
            FREE_REFUSES => Freed::Refused,
            _ => Freed::Done,
        }
    }
}

fn checked<S: Subject>() -> Result<(), String> {
    let checked = adapter::check(&Entry::of::<S>(), &mut Host::new().unwrap());
    checked.map_err(|error| format!("{error:#}"))
}

#[test]
fn a_wrong_adapter_is_named_with_what_it_did_and_what_to_look_at() {
    assert_eq!(checked::<Bump<NOTHING>>(), Ok(()));
    for (checked, said) in [
        (
            checked::<Bump<CONSTRUCTOR_PANICS>>(),
            "fails in its constructor with a panic (the lists do not fit",
        ),
        (
            checked::<Bump<CONSTRUCTOR_FAULTS>>(),
            "fails in its constructor with a fault (SIGSEGV at heap-0x8",
        ),
        (
            checked::<Bump<REGION_TOO_SMALL>>(),
            "given a fresh heap of 64 bytes, fails in its constructor with a panic (4096 bytes are",
        ),
        (
            checked::<Bump<OTHER_MEMORY>>(),
            "grants a first block that lies outside",
        ),
        (checked::<Bump<NO_MEMORY>>(), "grants no block of 8 bytes"),
        (
            checked::<Bump<FREE_PANICS>>(),
            "ends its first free with a panic (free is not",
        ),
        (
            checked::<Bump<FREE_REFUSES>>(),
            "refuses to free its first block",
        ),
        (
            checked::<Bump<DECLARED_NATIVE>>(),
            "my-heap is declared `native`, but its adapter has no `alloc_native`",
        ),
        (
            checked::<Bump<DECLARED_TABLE>>(),
            "lists no chunks: a `table` is declared, so implement `walk`",
        ),
    ] {
        let error = checked.expect_err(said);
        assert!(error.starts_with("the adapter of `my-heap`"), "{error}");
        assert!(error.contains(said), "{error}, where {said} was expected");
    }
}

#[test]
fn every_sound_subject_of_ours_passes() {
    let mut host = Host::new().unwrap();
    for entry in subjects::ALL.iter().filter(|e| !e.declaration.planted) {
        adapter::check(entry, &mut host).unwrap();
    }
}
