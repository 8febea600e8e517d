//! Regressions and drawn traces in a form that Miri can run: no process, no mapping, and the heap
//! and its side memory are two allocations of their own, of exactly as many bytes as the subject is
//! given.
//!
//! Each trace is run twice. Once it is judged, as anywhere else. Once its calls alone are made,
//! over memory that nobody has written yet: a subject that reads there what it has not put there
//! does what Miri does not let pass, and so does a store one byte past the end, or a pointer out of
//! thin air.
//!
//! `scripts/miri.sh` runs this under Miri; anywhere else it is a test as others are.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use harness::bare::{self, Block};
use harness::entry::Entry;
use harness::execute::{Completion, Sink, execute};
use harness::geometry::Geometry;
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::observation::{Observation, Outcome};
use harness::subject::Region;
use harness::trace::Trace;
use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::fault::Panic;
use kmem_rig::generate::Limits;
use kmem_rig::hunt::draw;
use kmem_rig::judge::Verdict;
use kmem_rig::regression::Regression;
use kmem_rig::rules::Rules;
use kmem_rig::run::{Run, RunEnd, RunOptions};
use subjects::{by_name, ours};
use testkit::regressions;

/// Ops of a drawn trace.
const OPS_MAX: usize = 48;
/// How regressions are checked: each byte of a large block, after each op, takes Miri minutes.
const THOROUGH: RunOptions = match cfg!(miri) {
    true => RunOptions::FAST,
    false => RunOptions::STRICT,
};
/// The largest heap drawn: Miri takes as long for a larger one.
const PAGES_MAX: u64 = 64;

/// Bytes that nobody has written, and nobody else uses.
struct Memory {
    start: *mut u8,
    layout: Layout,
}

impl Memory {
    fn new(bytes: usize, align: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), align).unwrap();
        // SAFETY: the layout's size is not 0.
        let start = unsafe { alloc(layout) };
        assert!(!start.is_null(), "no memory for {layout:?}");
        Self { start, layout }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, with this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// A fresh heap of a geometry, and as much side memory as a subject asks for.
struct Fresh {
    heap: Memory,
    side: Memory,
    geometry: Geometry,
}

impl Fresh {
    fn new(entry: &Entry, geometry: Geometry) -> Self {
        let bytes = geometry.bytes() as usize;
        Self {
            heap: Memory::new(bytes, geometry.region_align() as usize),
            side: Memory::new(entry.side_bytes(bytes, geometry.growth()), 8),
            geometry,
        }
    }

    /// Valid as long as `self`.
    const fn region(&self) -> Region {
        Region {
            start: self.heap.start,
            bytes: self.geometry.bytes() as usize,
            slack: 0,
            growth: self.geometry.growth(),
            side: self.side.start,
        }
    }
}

/// Runs traces in this process, without a net.
struct Plain {
    workspace: Box<Workspace>,
    blocks: Vec<Block>,
    /// Kinds of op, each with how it was answered.
    reached: BTreeSet<(&'static str, &'static str)>,
}

impl Plain {
    fn new() -> Measured<Self> {
        Measured::from(Self {
            workspace: Box::default(),
            blocks: Vec::new(),
            reached: BTreeSet::new(),
        })
    }

    /// Makes the calls of a run alone, and takes note of what it reached.
    fn repeat(&mut self, entry: &Entry, trace: &Trace, run: &Run) {
        for (op, observation) in trace.ops.iter().zip(&run.observations) {
            let answer = answer(observation.outcome);
            self.reached.insert((op.kind().name(), answer));
        }

        if matches!(run.end, RunEnd::Panicked(_)) {
            // The calls alone would end the test in the same way.
            return;
        }
        let fresh = Fresh::new(entry, trace.geometry);
        self.blocks.resize(trace.ops.len(), Block::NONE);
        // SAFETY: the memory lives until the end of this call, and nobody else has it; the subject
        // takes this geometry, or `run` had panicked.
        unsafe { bare::run(entry, &trace.ops, fresh.region(), &mut self.blocks) };
    }
}

/// Runs a trace both ways, and panics unless it ends in agreement.
fn check(
    plain: &mut Measured<Plain>,
    entry: &Entry,
    trace: &Trace,
    options: RunOptions,
    rules: Rules,
) {
    let run = plain.run(entry, trace, options).unwrap();
    let verdict = plain.judge(entry, trace, &run, rules).unwrap();
    let name = entry.name();
    assert!(verdict == Verdict::Agree, "{name} on {trace}\n{verdict:?}");
    plain.repeat(entry, trace, &run);
}

const fn answer(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Placed(_) | Outcome::Done | Outcome::Capacity(_) => "done",
        Outcome::Null => "null",
        Outcome::Refused => "refused",
        Outcome::NotExpressible | Outcome::NoBlock => "not called",
    }
}

impl Executor for Plain {
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        let Trace { geometry, ref ops } = *trace;
        assert!(
            entry.declaration.accepts(geometry),
            "{} on {geometry}",
            entry.name()
        );
        let plan = options.plan(ops);
        let fresh = Fresh::new(entry, geometry);
        // SAFETY: the memory lives until the end of this call, and nobody else has it.
        let mut ground = Box::new(unsafe { Ground::new(fresh.region()) });
        let mut kept = Kept::default();
        let completion = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the subject takes this geometry.
            unsafe { execute(entry, plan, &mut ground, &mut self.workspace, &mut kept) }
        }));
        let end = match completion {
            Ok(Completion::Completed | Completion::Stopped) => RunEnd::Completed,
            Ok(Completion::Lost) => RunEnd::Lost,
            Err(panic) => {
                let message: Box<String> = panic.downcast().expect("a panic with a message");
                RunEnd::Panicked(Panic::saying(*message))
            }
        };
        Ok(Run {
            observations: kept.observations,
            tables: kept.tables,
            end,
        })
    }

    fn confirm_hangs(&mut self, _: bool) {}
}

/// The sink that keeps everything.
#[derive(Default)]
struct Kept {
    at: usize,
    observations: Vec<Observation>,
    tables: Vec<(usize, String)>,
}

impl Sink for Kept {
    fn begin(&mut self, op: usize) {
        self.at = op;
    }

    fn table(&mut self, text: &str) {
        self.tables.push((self.at, text.to_owned()));
    }

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        self.observations.push(*observation);
        ControlFlow::Continue(())
    }
}

/// The allocators that are meant to be correct; or the one that is named, for whoever wants to see
/// that a wrong one does not get by.
fn subjects() -> Vec<&'static Entry> {
    match std::env::var("KMEM_RIG_SUBJECT") {
        Ok(name) => vec![by_name(&name).expect("a subject of this name")],
        Err(_) => ours::ALL
            .iter()
            .filter(|entry| entry.declaration.policy.is_some())
            // The hardened heap does what either of these does.
            .filter(|entry| !["kmem-sealed", "kmem-poisoned"].contains(&entry.name()))
            .collect(),
    }
}

/// Traces drawn for each subject; `make soak` asks for more.
fn cases() -> u64 {
    let cases = std::env::var("KMEM_RIG_CASES").ok();
    cases.map_or(500, |cases| cases.parse().expect("a number of cases"))
}

#[test]
fn regressions_are_run_without_undefined_behaviour() {
    let mut plain = Plain::new();
    let regressions = regressions(Regression::load);
    for entry in subjects() {
        let mut ran = 0;
        for regression in &regressions {
            let expected = regression
                .expectations
                .iter()
                .find(|expected| expected.subject == entry.name());
            // One that a subject cannot run at all, or is expected to fail, says nothing here.
            if expected.is_some_and(|expected| expected.verdict == "agree") {
                let (trace, rules) = (&regression.trace, regression.rules);
                check(&mut plain, entry, trace, THOROUGH, rules);
                ran += 1;
            }
        }
        assert!(
            ran > 0,
            "no regression expects anything of {}",
            entry.name()
        );
    }
}

#[test]
fn drawn_traces_are_run_without_undefined_behaviour() {
    let mut plain = Plain::new();
    for entry in subjects() {
        let mut limits = Limits::of(&entry.declaration, OPS_MAX);
        limits.misuse = true;
        let largest = Geometry::from_pages(PAGES_MAX).unwrap();
        limits.geometries.retain(|&geometry| geometry <= largest);
        plain.reached.clear();
        for case in 0..cases() {
            let trace = draw(1, case, &limits);
            check(&mut plain, entry, &trace, RunOptions::FAST, Rules::ALL);
        }
        if entry.declaration.grows {
            limits.geometries = Limits::growing(&entry.declaration, OPS_MAX).geometries;
            for case in 0..cases() {
                let trace = draw(2, case, &limits);
                check(&mut plain, entry, &trace, RunOptions::FAST, Rules::ALL);
            }
        }
        for reached in [
            ("alloc", "done"),
            ("alloc", "null"),
            ("alloc_zeroed", "done"),
            ("realloc", "done"),
            ("realloc", "null"),
            ("free", "done"),
            ("free", "refused"),
            ("free-interior", "refused"),
            ("free-wild", "refused"),
            ("capacity", "done"),
        ] {
            let name = entry.name();
            // The traces are the same under Miri, and fewer.
            assert!(
                cfg!(miri) || plain.reached.contains(&reached),
                "{name}: {reached:?}"
            );
        }
    }
}
