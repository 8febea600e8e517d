//! Adapters that are wrong are told from allocators that are, by name, and never pass.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::ptr::null_mut;

use harness::declaration::{Declaration, Overhead, Policy, Reserved, TableForm};
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use harness::trace::Trace;
use kmem_rig::adapter;
use kmem_rig::host::Host;
use kmem_rig::rules::{Rule, Rules};

/// Hands out its region from the start; what a test wants to be wrong is said by constants.
struct Bump<const WRONG: u8> {
    next: *mut u8,
    heap_bytes: usize,
}

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
const LARGE_HEAP_PANICS: u8 = 10;
const LARGE_HEAP_FREE_PANICS: u8 = 11;
const ALLOC_LOOPS: u8 = 12;
const BEHIND_THE_HEAP: u8 = 13;

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
            LARGE_HEAP_PANICS => assert!(region.bytes <= 4096, "too many size classes"),
            _ => {}
        }
        let next = match WRONG {
            OTHER_MEMORY => Box::leak(vec![0; 1 << 20].into_boxed_slice()).as_mut_ptr(),
            BEHIND_THE_HEAP => region.start.wrapping_add(region.bytes),
            _ => region.start,
        };
        let heap_bytes = region.bytes;
        Self { next, heap_bytes }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        match WRONG {
            NO_MEMORY => return null_mut(),
            ALLOC_LOOPS => loop {
                std::hint::spin_loop();
            },
            _ => {}
        }
        let block = self
            .next
            .wrapping_add(self.next.align_offset(layout.align()));
        self.next = block.wrapping_add(layout.size());
        block
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        match WRONG {
            FREE_PANICS => panic!("free is not implemented"),
            LARGE_HEAP_FREE_PANICS if self.heap_bytes > 4096 => panic!("no such size class"),
            FREE_REFUSES => Freed::Refused,
            _ => Freed::Done,
        }
    }
}

/// What is wrong with an adapter, or the traces that its allocator does not survive.
fn checked<S: Subject>() -> Result<Vec<Trace>, String> {
    let checked = adapter::check(&Entry::of::<S>(), &mut Host::new().unwrap());
    checked.map_err(|error| format!("{error:#}"))
}

#[test]
fn a_wrong_adapter_is_named_with_what_it_did_and_what_to_look_at() {
    assert_eq!(checked::<Bump<NOTHING>>(), Ok(vec![]));
    for (checked, said) in [
        (
            checked::<Bump<OTHER_MEMORY>>(),
            "grants a first block that lies outside",
        ),
        (checked::<Bump<NO_MEMORY>>(), "grants no block of 8 bytes"),
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

/// The rule that each failed trace of a subject breaks, and the op.
fn failed<S: Subject>() -> Vec<(Rule, usize)> {
    let (entry, mut host) = (Entry::of::<S>(), Host::new().unwrap());
    let traces = adapter::check(&entry, &mut host).unwrap();
    let mut broken = |trace| {
        let (_, verdict) = host.verdict(&entry, trace, Rules::ALL).unwrap();
        let finding = verdict.finding().expect("it breaks a rule");
        (finding.rule(), finding.op)
    };
    traces.iter().map(&mut broken).collect()
}

#[test]
fn what_may_be_the_allocators_doing_is_a_trace_that_shows_it() {
    assert_eq!(failed::<Bump<CONSTRUCTOR_PANICS>>(), [(Rule::Panic, 0); 2]);
    assert_eq!(failed::<Bump<CONSTRUCTOR_FAULTS>>(), [(Rule::Fault, 0); 2]);
    assert_eq!(failed::<Bump<REGION_TOO_SMALL>>(), [(Rule::Panic, 0)]);
    assert_eq!(failed::<Bump<ALLOC_LOOPS>>(), [(Rule::Hang, 0); 2]);
    assert_eq!(
        failed::<Bump<BEHIND_THE_HEAP>>(),
        [(Rule::OutOfBounds, 0); 2]
    );
    assert_eq!(failed::<Bump<FREE_PANICS>>(), [(Rule::Panic, 1); 2]);
    assert_eq!(failed::<Bump<FREE_REFUSES>>(), [(Rule::Leak, 1); 2]);
    assert_eq!(failed::<Bump<LARGE_HEAP_PANICS>>(), [(Rule::Panic, 0)]);
    assert_eq!(failed::<Bump<LARGE_HEAP_FREE_PANICS>>(), [(Rule::Panic, 1)]);
}

#[test]
fn every_wrong_adapter_is_told_at_once() {
    let entries = [
        Entry::of::<Bump<OTHER_MEMORY>>(),
        Entry::of::<Bump<NOTHING>>(),
        Entry::of::<Bump<NO_MEMORY>>(),
    ];
    let checked = adapter::check_all(&entries, &mut Host::new().unwrap());
    let error = checked.unwrap_err().to_string();
    assert_eq!(
        error.matches("the adapter of `my-heap`").count(),
        2,
        "{error}"
    );
}

#[test]
fn every_sound_subject_of_ours_passes() {
    let mut host = Host::new().unwrap();
    for entry in subjects::ALL.iter().filter(|e| !e.declaration.planted) {
        assert_eq!(adapter::check(entry, &mut host).unwrap(), []);
    }
}
