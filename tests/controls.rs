//! The controls: allocators that kernels use, under every rule, from fixed seeds. The rig is silent
//! on all of them, on the host and in the guest, or it cries wolf. One of them, made to lose
//! memory, shows that it is not silent for want of hearing.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::slice;

use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use kmem_rig::guest::{Guest, find_image};
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings, Summary};
use kmem_rig::rules::{Rule, Rules};

use subjects::controls::{CONTROLS, LinkedList};

/// Ops judged of each control on the host, and the cases that come to as many.
const HOST_OPS: u64 = 2_000_000;
const HOST_EXECS: u64 = 60_000;
/// The same for the guest, where an op takes longer.
const GUEST_OPS: u64 = 50_000;
const GUEST_EXECS: u64 = 1_500;

/// Hunts on every control of a share, and finds nothing.
fn silent<'a>(
    controls: impl Iterator<Item = &'a Entry>,
    (ops, execs): (u64, u64),
    mut hunt: impl FnMut(&Settings<'_>, &mut dyn FnMut(&Find)) -> Summary,
) {
    for entry in controls {
        let settings = Settings {
            entry,
            rules: Rules::ALL,
            seed: 1,
            bound: Bound::Execs(execs),
            until: None,
            ops_max: 64,
            misuse: false,
            grow: false,
        };
        let name = entry.name();
        let summary = hunt(&settings, &mut |find| panic!("{name}: {find:?}"));
        assert_eq!((summary.findings, summary.unconfirmed), (0, 0), "{name}");
        assert!(summary.ops >= ops, "{name}: {} ops", summary.ops);
    }
}

fn silent_on_the_host<'a>(controls: impl Iterator<Item = &'a Entry>) {
    let mut host = Host::new().unwrap();
    silent(controls, (HOST_OPS, HOST_EXECS), |settings, report| {
        hunt::on_host(settings, &mut host, report).unwrap()
    });
}

// Two tests, so that two cores share the work.

#[test]
fn one_half_is_silent_on_the_host() {
    silent_on_the_host(CONTROLS.iter().step_by(2));
}

#[test]
fn the_other_half_is_silent_on_the_host() {
    silent_on_the_host(CONTROLS.iter().skip(1).step_by(2));
}

#[test]
fn all_are_silent_in_the_guest() {
    let mut guest = Guest::start(&find_image(None).unwrap()).unwrap();
    silent(
        CONTROLS.iter(),
        (GUEST_OPS, GUEST_EXECS),
        |settings, report| hunt::on_guests(settings, slice::from_mut(&mut guest), report).unwrap(),
    );
    assert_eq!(guest.boots(), 1);
}

/// A control that forgets every sixteenth free.
struct Forgetful {
    heap: LinkedList,
    frees: u32,
}

/// One that also panics where a fresh heap is asked for more than it has: so it does when it is
/// measured.
struct Brittle {
    forgetful: Forgetful,
    fresh_bytes: Option<usize>,
}

impl Subject for Forgetful {
    const DECLARATION: Declaration =
        Declaration::new("forgetful").region_at_least(LinkedList::DECLARATION.region.bytes_min);

    unsafe fn new(region: Region) -> Self {
        Self {
            // SAFETY: exactly the caller's promise.
            heap: unsafe { LinkedList::new(region) },
            frees: 0,
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        self.frees += 1;
        if !self.frees.is_multiple_of(16) {
            // SAFETY: exactly the caller's promise.
            return unsafe { self.heap.free(block, layout) };
        }
        Freed::Done
    }
}

impl Subject for Brittle {
    const DECLARATION: Declaration =
        Declaration::new("brittle").region_at_least(LinkedList::DECLARATION.region.bytes_min);

    unsafe fn new(region: Region) -> Self {
        Self {
            fresh_bytes: Some(region.bytes),
            // SAFETY: exactly the caller's promise.
            forgetful: unsafe { Forgetful::new(region) },
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let fresh_bytes = self.fresh_bytes.take();
        assert!(fresh_bytes.is_none_or(|bytes| layout.size() < bytes));
        // SAFETY: exactly the caller's promise.
        unsafe { self.forgetful.alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.forgetful.free(block, layout) }
    }
}

/// What a hunt on a subject finds, after it has run all its cases.
fn found_in<S: Subject>() -> Vec<Rule> {
    let entry = Entry::of::<S>();
    let settings = Settings {
        entry: &entry,
        rules: Rules::ALL,
        seed: 1,
        bound: Bound::Execs(2_000),
        until: None,
        ops_max: 64,
        misuse: false,
        grow: false,
    };
    let mut found = Vec::new();
    let mut report = |find: &Find| {
        assert!(find.sighted <= find.elapsed, "{find:?}");
        found.push(find.finding.rule());
    };
    let summary = hunt::on_host(&settings, &mut Host::new().unwrap(), &mut report).unwrap();
    assert_eq!(summary.execs, 2_000);
    found
}

#[test]
fn a_control_that_loses_memory_is_found() {
    let found = found_in::<Forgetful>();
    for rule in [Rule::SpuriousOom, Rule::Leak] {
        assert!(found.contains(&rule), "{rule} is not among {found:?}");
    }
}

/// A heap of which nothing is known, since measuring it ends in a panic, hides no other.
#[test]
fn a_control_that_panics_when_it_is_measured_is_hunted_all_the_same() {
    let found = found_in::<Brittle>();
    for rule in [Rule::Panic, Rule::Leak] {
        assert!(found.contains(&rule), "{rule} is not among {found:?}");
    }
}
