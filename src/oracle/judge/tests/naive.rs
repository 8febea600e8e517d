//! The judge of searches names the op and the rule that the same judge names by naive models, on
//! right and on wrong allocators: what is kept by address, in place and from run to run changes no
//! verdict.

#![allow(unsafe_code, reason = "it is shared memory")]

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use harness::entry::Entry;
use harness::subject::Chunk;
use harness::trace::Trace;
use harness::transcript::End;

use super::*;
use crate::execute::capacity::Capacities;
use crate::execute::host::Host;
use crate::execute::host::shared::Shareable;
use crate::execute::host::supervised::{Common, Supervised};
use crate::execute::in_process::InProcess;
use crate::generate::Limits;
use crate::hunt;
use crate::oracle::model::by_address::ByAddress;
use crate::oracle::model::contract::{Block, Blocks};
use crate::oracle::model::exact::{Exact, Placing};
use crate::oracle::model::naive::{List, Tiles};
use crate::oracle::rules::RuleSet;
use crate::run::RunOptions;
use crate::run::fault::Panic;

/// Cases of each subject; `make soak` asks for more.
fn cases() -> u64 {
    let cases = std::env::var("KMEM_RIG_CASES").ok();
    cases.map_or(500, |cases| cases.parse().expect("a number of cases"))
}

/// Cases for each worker that a subject may use up: some crash or hang in every other case.
const CASES_PER_WORKER: u64 = 125;

/// What a worker that may crash shares with the test.
#[repr(C)]
struct Board {
    case: AtomicU64,
    /// Runs that both have judged.
    compared: AtomicU64,
    /// Runs of which both named the same op and rule.
    findings: AtomicU64,
    /// Runs of which they did not. Raised before the worker panics, so that the test fails however
    /// much of the message fits into the transcript.
    disagreements: AtomicU32,
    /// What the worker is doing: [`RIG`], [`SUBJECT`] or [`DONE`].
    stage: AtomicU32,
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Board {}

/// Drawing a trace, or judging: the worker must not end here.
const RIG: u32 = 0;
/// Running the subject, which may end the worker.
const SUBJECT: u32 = 1;
/// The worker has run all cases.
const DONE: u32 = 2;

/// Fails unless the worker ended by itself or the subject ended it.
fn check(board: &Common<Board>, subject: &str) {
    let Panic { message, source } = Panic::read(&board.transcript);
    let end = board.transcript.end();
    assert_eq!(board.disagreements.load(Relaxed), 0, "{message}");
    match board.stage.load(Relaxed) {
        DONE => {}
        SUBJECT if matches!(end, End::Faulted | End::Hung) => {}
        SUBJECT if end == End::Panicked => {
            let of_rig = |file: &str| file.starts_with("src/") || file.starts_with("harness/");
            let is_subjects = source.is_some_and(|source| !of_rig(&source.file));
            assert!(is_subjects, "{subject}: a panic of the rig: {message}");
        }
        _ => panic!("{subject}: the rig ended its worker ({end:?}): {message}"),
    }
}

/// What is drawn of a subject: ordinary traces, misuse that it promises something about, heaps that
/// grow.
fn lanes(declaration: &Declaration) -> Vec<Limits> {
    let plain = Limits::of(declaration, 64);
    let misuse = Limits {
        misuse: declaration.misuse != Misuse::Undefined,
        ..plain.clone()
    };
    let growing = Limits {
        misuse: misuse.misuse,
        ..Limits::growing(declaration, 64)
    };
    let mut lanes = vec![plain, misuse, growing];
    lanes.retain(|lane| !lane.geometries.is_empty());
    lanes
}

/// All sets, or now and then one.
fn rules(case: u64) -> Rules {
    match case % 10 {
        7 => Rules::only(RuleSet::Contract),
        8 => Rules::only(RuleSet::Structure),
        9 => Rules::only(RuleSet::Policy),
        _ => Rules::ALL,
    }
}

/// A hunt's case. In some, every other alloc asks for nothing: beside blocks that have bytes, a
/// hunt seldom does.
fn draw(case: u64, lanes: &[Limits]) -> Trace {
    let mut trace = hunt::draw(1, case, &lanes[case as usize % lanes.len()]);
    if case % 5 == 4 {
        let sizes = trace.ops.iter_mut().filter_map(|op| match op {
            Op::Alloc { size, .. } => Some(size),
            _ => None,
        });
        sizes.skip(1).step_by(2).for_each(|size| *size = 0);
    }
    trace
}

/// Runs the cases that are left, and judges each twice; panics where the two disagree.
fn compare<B: Blocks, E: Placing>(
    entry: &Entry,
    lanes: &[Limits],
    capacities: &Capacities,
    board: &Common<Board>,
    cases: u64,
) {
    let mut heaps = InProcess::default();
    let (declaration, geometry) = (&entry.declaration, lanes[0].geometries[0]);
    let mut judge = Judge::<B, E>::by_models(declaration, geometry, Rules::ALL, 0);
    while board.case.load(Relaxed) < cases {
        // Raised first: a case that crashes the worker is left out.
        let case = board.case.fetch_add(1, Relaxed);
        board.progress().fetch_add(1, Relaxed);
        let trace = draw(case, lanes);
        let fresh = capacities.of(entry, &trace);
        let options = match case / 3 % 2 {
            0 => RunOptions::FAST.knowing(fresh),
            _ => RunOptions::STRICT.knowing(fresh),
        };
        board.stage.store(SUBJECT, Relaxed);
        let run = heaps
            .run(entry, &trace, options, board.progress())
            .expect("memory");
        board.stage.store(RIG, Relaxed);
        let (rules, geometry) = (rules(case), trace.geometry);
        let mut naive = Judge::<List, Tiles>::by_models(declaration, geometry, rules, fresh);
        judge.reset(declaration, geometry, rules, fresh);
        let mut steps = trace.ops.iter().zip(&run.observations);
        let found = steps.find_map(|(op, observation)| {
            let both = (judge.step(op, observation), naive.step(op, observation));
            (both != (None, None)).then_some(both)
        });
        let ended = || {
            (
                judge.end(&trace.ops, &run.end),
                naive.end(&trace.ops, &run.end),
            )
        };
        let (found, naively) = found.unwrap_or_else(ended);
        let key = |found: &Option<Finding>| found.as_ref().map(|found| (found.rule(), found.op));
        if key(&found) != key(&naively) {
            board.disagreements.fetch_add(1, Relaxed);
            let name = entry.name();
            panic!("case {case} of {name}: {found:?}, but naively {naively:?}\n{trace}");
        }
        let is_finding = u64::from(found.is_some());
        board.findings.fetch_add(is_finding, Relaxed);
        board.compared.fetch_add(1, Relaxed);
    }
    board.stage.store(DONE, Relaxed);
}

/// Compares in workers until all cases have run, or too many have crashed; `check` sees each end.
fn compare_apart<B: Blocks, E: Placing>(
    entry: &Entry,
    cases: u64,
    check: impl Fn(&Common<Board>),
) -> Supervised<Board> {
    let lanes = lanes(&entry.declaration);
    let mut host = Host::new().expect("memory");
    for &geometry in lanes.iter().flat_map(|lane| &lane.geometries) {
        host.fresh(entry, geometry).expect("a child");
    }
    let mut board = Supervised::<Board>::new().expect("memory");
    for _ in 0..cases.div_ceil(CASES_PER_WORKER) {
        board.stage.store(RIG, Relaxed);
        let started = board.start(Duration::from_millis(200), 0, |board| {
            compare::<B, E>(entry, &lanes, host.capacities(), board, cases);
        });
        started.expect("a process");
        board.wait().expect("a child");
        check(&board);
    }
    board
}

#[test]
fn the_judge_names_what_naive_models_name() {
    let (mut found, mut compared) = (0, 0);
    for entry in &subjects::ALL {
        let check = |board: &Common<Board>| check(board, entry.name());
        let board = compare_apart::<ByAddress, Exact>(entry, cases(), check);
        let findings = board.findings.load(Relaxed);
        if !entry.declaration.planted && entry.declaration.policy.is_some() {
            assert_eq!(findings, 0, "{}", entry.name());
        }
        found += u32::from(findings > 0);
        compared += board.compared.load(Relaxed);
    }
    println!("{compared} runs judged twice");
    // All but the canaries that only crash or hang, and the few mutants that are rarer.
    assert!(found > 60, "something was found of {found} subjects");
}

/// How often a judge by wrong models disagrees on a subject.
fn disagreements<B: Blocks, E: Placing>(subject: &str) -> u32 {
    let entry = subjects::by_name(subject).expect("it is ours");
    let check = |board: &Common<Board>| {
        if board.disagreements.load(Relaxed) == 0 {
            check(board, subject);
        }
    };
    let board = compare_apart::<B, E>(entry, 200, check);
    board.disagreements.load(Relaxed)
}

/// An index in which the bytes of the block freed last stay.
#[derive(Clone, Debug, Default)]
struct Stale(ByAddress, Option<Block>);

impl Blocks for Stale {
    fn all(&self) -> impl Iterator<Item = Block> {
        self.0.all()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, handle: Handle) -> Option<Block> {
        self.0.get(handle)
    }

    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        let shares = |old: &Block| offset < old.offset + old.size && old.offset < offset + size;
        let stale = self.1.filter(shares);
        self.0.overlapped(handle, offset, size).or(stale)
    }

    fn insert(&mut self, block: Block) {
        self.0.insert(block);
    }

    fn remove(&mut self, handle: Handle) {
        self.1 = self.0.get(handle);
        self.0.remove(handle);
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// An index in which a block without bytes has one.
#[derive(Clone, Debug, Default)]
struct Bulky(ByAddress);

impl Blocks for Bulky {
    fn all(&self) -> impl Iterator<Item = Block> {
        self.0.all()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, handle: Handle) -> Option<Block> {
        self.0.get(handle)
    }

    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        self.0.overlapped(handle, offset, size.max(1))
    }

    fn insert(&mut self, block: Block) {
        self.0.insert(block);
    }

    fn remove(&mut self, handle: Handle) {
        self.0.remove(handle);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// A policy by which no block stays where it is: each realloc moves it.
#[derive(Clone, Debug)]
struct Moving(Exact);

impl Placing for Moving {
    fn new(policy: harness::declaration::Policy, geometry: Geometry) -> Self {
        Self(Exact::new(policy, geometry))
    }

    fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        self.0.alloc(size, align)
    }

    fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64> {
        let moved = self.alloc(size, align)?;
        self.free(block);
        Some(moved)
    }

    fn free(&mut self, block: u64) {
        self.0.free(block);
    }

    fn hash(&self) -> u64 {
        self.0.hash()
    }

    fn table(&self) -> impl Iterator<Item = Chunk> {
        self.0.table()
    }
}

#[test]
fn a_wrong_index_is_noticed() {
    assert!(disagreements::<Stale, Exact>("kmem") > 0);
}

#[test]
fn an_index_that_gives_bytes_to_a_block_without_is_noticed() {
    assert!(disagreements::<Bulky, Exact>("taken-reused") > 0);
}

#[test]
fn a_wrong_gap_list_is_noticed() {
    assert!(disagreements::<ByAddress, Moving>("kmem") > 0);
}
