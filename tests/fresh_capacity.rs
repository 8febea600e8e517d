//! What a fresh heap grants is measured before anything is judged by it, in a child: an allocator
//! that does not survive a request on a fresh heap is found by that, and stops nothing else.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::ptr::null_mut;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings, Summary};
use kmem_rig::in_process::InProcess;
use kmem_rig::rules::{Rule, Rules};
use kmem_rig::run::RunOptions;

const LOOPS: u8 = 0;
const PANICS: u8 = 1;
const FAULTS: u8 = 2;
const FORGETS: u8 = 3;

/// Has one block at a time; what it does with a request that its heap does not hold depends on
/// `FULL`.
struct OneBlock<const FULL: u8> {
    region: Region,
    used: bool,
}

impl<const FULL: u8> Subject for OneBlock<FULL> {
    const DECLARATION: Declaration = Declaration::new("one-block").region_at_least(64);

    unsafe fn new(region: Region) -> Self {
        let used = false;
        Self { region, used }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // Half a heap is available from one that forgets the other half at its first grant.
        let room = match FULL {
            FORGETS if !self.used => self.region.bytes,
            _ => self.region.bytes / 2,
        };
        if layout.size() > room {
            match FULL {
                LOOPS => loop {
                    std::hint::spin_loop();
                },
                PANICS => panic!("the heap is full"),
                // SAFETY: it is not; that is what is tried.
                FAULTS => unsafe { self.region.start.wrapping_sub(8).write_volatile(1) },
                _ => return null_mut(),
            }
        }
        self.used = true;
        self.region.start
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        Freed::Done
    }
}

/// What a hunt of two seconds comes to that ends at the first find of a rule.
fn hunted(entry: &Entry, until: Rule) -> (Summary, Vec<Find>) {
    let settings = Settings {
        entry,
        rules: Rules::ALL,
        seed: 0,
        bound: Bound::Time(Duration::from_secs(2)),
        until: Some(until),
        ops_max: 16,
        misuse: false,
        grow: false,
    };
    let mut finds = Vec::new();
    let mut report = |find: &Find| finds.push(find.clone());
    let summary = hunt::on_host(&settings, &mut Host::new().unwrap(), &mut report).unwrap();
    (summary, finds)
}

#[test]
fn a_heap_that_does_not_survive_to_be_full_is_found_and_hunted_on() {
    for (entry, rule) in [
        (Entry::of::<OneBlock<LOOPS>>(), Rule::Hang),
        (Entry::of::<OneBlock<PANICS>>(), Rule::Panic),
        (Entry::of::<OneBlock<FAULTS>>(), Rule::Fault),
    ] {
        let started = Instant::now();
        let (summary, finds) = hunted(&entry, rule);
        assert!(summary.execs > 0, "{rule}: {summary:?}");
        assert!(started.elapsed() < Duration::from_secs(15), "{rule}");
        let find = finds.iter().find(|find| find.finding.rule() == rule);
        let find = find.unwrap_or_else(|| panic!("{rule}: {finds:?}"));
        assert_eq!(find.trace.ops.len(), 1, "{rule}: {}", find.trace);
    }
}

fn trace(ops: &str) -> Trace {
    let text = format!("# kmem-rig trace v1\nheap 192 bytes\n{ops}");
    Document::parse(&text).unwrap().trace()
}

#[test]
fn no_rule_uses_a_capacity_whose_measurement_ended_badly() {
    let entry = Entry::of::<OneBlock<PANICS>>();
    let mut host = Host::new().unwrap();
    let empty = trace("capacity\n");
    assert_eq!(host.fresh(&entry, empty.geometry).unwrap().bytes, 0);
    let (_, verdict) = host.verdict(&entry, &empty, Rules::ALL).unwrap();
    assert_eq!(verdict.finding(), None);
}

/// What the fresh heap granted is owed at the third op, whether or not a fourth one asks for it.
#[test]
fn the_verdict_on_an_op_does_not_depend_on_a_later_op() {
    let entry = Entry::of::<OneBlock<FORGETS>>();
    let ops = "a0 = alloc 17\nfree a0\na1 = alloc 192\n";
    let (mut host, mut here) = (Host::new().unwrap(), InProcess::default());
    let progress = AtomicU32::new(0);
    for tail in ["", "free all\ncapacity\n"] {
        let trace = trace(&format!("{ops}{tail}"));
        let (_, verdict) = host.verdict(&entry, &trace, Rules::ALL).unwrap();
        let options = host.informed(&entry, &trace, RunOptions::FAST).unwrap();
        let stepped = here.judge_as_it_runs(&entry, &trace, Rules::ALL, options, &progress);
        for finding in [verdict.finding(), stepped.unwrap().as_ref()] {
            let finding = finding.map(|finding| (finding.rule(), finding.op));
            assert_eq!(finding, Some((Rule::SpuriousOom, 2)), "{tail}");
        }
    }
}
