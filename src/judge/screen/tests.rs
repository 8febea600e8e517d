//! The screen objects where the judge finds, on right and on wrong allocators.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use harness::entry::Entry;
use harness::transcript::{End, MESSAGE_BYTES, Transcript};

use super::*;
use crate::executor::Executor;
use crate::generate::Limits;
use crate::host::shared::{Shareable, Shared};
use crate::host::watch::Watch;
use crate::host::worker::Worker;
use crate::hunt;
use crate::in_process::InProcess;
use crate::judge::Judge;
use crate::run::RunOptions;

/// Cases of each subject; `make soak` asks for more.
fn cases() -> u64 {
    let cases = std::env::var("KMEM_RIG_CASES").ok();
    cases.map_or(1_000, |cases| cases.parse().expect("a number of cases"))
}

/// Workers that one subject may use up: some crash or hang in every other case.
const WORKERS_MAX: u32 = 4;

/// What a worker that may crash shares with the test.
#[repr(C)]
struct Board {
    case: AtomicU64,
    /// Ops at which both objected.
    objections: AtomicU64,
    /// Ops at which they disagreed. Raised before the worker panics, so that the test fails however much of
    /// the message fits into the transcript.
    disagreements: AtomicU32,
    /// What the worker is doing: [`RIG`], [`SUBJECT`] or [`DONE`].
    stage: AtomicU32,
    progress: AtomicU32,
    transcript: Transcript,
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Board {}

/// Drawing a trace, judging or screening it: the worker must not end here.
const RIG: u32 = 0;
/// Running the subject, which may end the worker.
const SUBJECT: u32 = 1;
/// The worker has run all cases.
const DONE: u32 = 2;

impl Board {
    /// Fails unless the worker ended by itself or the subject ended it.
    fn check(&self, subject: &str) {
        let message: Vec<u8> = self.transcript.message().collect();
        let is_cut = message.len() == MESSAGE_BYTES;
        let message = String::from_utf8_lossy(&message);
        let end = self.transcript.end();
        assert_eq!(self.disagreements.load(Relaxed), 0, "{message}");
        match self.stage.load(Relaxed) {
            DONE => {}
            SUBJECT if matches!(end, End::Faulted | End::Hung) => {}
            SUBJECT if end == End::Panicked => {
                let place = message.rsplit_once(", at ").filter(|_| !is_cut);
                let is_subjects = place.is_some_and(|(_, file)| {
                    !file.starts_with("src/") && !file.starts_with("harness/")
                });
                assert!(is_subjects, "{subject}: a panic of the rig: {message}");
            }
            _ => panic!("{subject}: the rig ended its worker ({end:?}): {message}"),
        }
    }
}

/// Runs the cases that are left; panics where the two disagree.
fn compare(entry: &Entry, limits: &Limits, board: &Board) {
    let (mut heaps, mut screen) = (InProcess::default(), Screen::default());
    while board.case.load(Relaxed) < cases() {
        // Raised first: a case that crashes the worker is left out.
        let case = board.case.fetch_add(1, Relaxed);
        board.progress.fetch_add(1, Relaxed);
        let trace = hunt::draw(1, case, limits);
        assert!(Screen::takes(&entry.declaration, Rules::ALL, &trace));
        let options = if case.is_multiple_of(2) {
            RunOptions::FAST
        } else {
            RunOptions::STRICT
        };
        board.stage.store(SUBJECT, Relaxed);
        let run = heaps.run(entry, &trace, options).expect("memory");
        let fresh = heaps.capacity_for(entry, &trace).expect("memory");
        board.stage.store(RIG, Relaxed);
        let (declaration, geometry) = (&entry.declaration, trace.geometry);
        let mut judge = Judge::new(declaration, geometry, Rules::ALL, fresh);
        screen.reset(declaration, geometry, fresh);
        for (index, (op, observation)) in trace.ops.iter().zip(&run.observations).enumerate() {
            let found = judge.step(op, observation);
            let objects = screen.objects(op, observation);
            if objects != found.is_some() {
                board.disagreements.fetch_add(1, Relaxed);
                let name = entry.name();
                panic!("case {case} of {name}, op {index}: objects: {objects}, {found:?}\n{trace}");
            }
            if objects {
                board.objections.fetch_add(1, Relaxed);
                break;
            }
        }
    }
    board.stage.store(DONE, Relaxed);
}

#[test]
fn the_screen_objects_where_the_judge_finds() {
    let mut objected = 0;
    for entry in &subjects::ALL {
        let limits = Limits::of(&entry.declaration, 64);
        let board = Shared::<Board>::new().expect("memory");
        for _ in 0..WORKERS_MAX {
            board.transcript.clear();
            board.stage.store(RIG, Relaxed);
            let watch = Watch {
                transcript: &board.transcript,
                progress: &board.progress,
                op_limit: Duration::from_millis(200),
                heap_start: 0,
            };
            let worker = Worker::start(&watch, || compare(entry, &limits, &board));
            worker.expect("a process").wait().expect("a child");
            board.check(entry.name());
        }
        let objections = board.objections.load(Relaxed);
        if !entry.declaration.planted && entry.declaration.policy.is_some() {
            assert_eq!(objections, 0, "{}", entry.name());
        }
        objected += u32::from(objections > 0);
    }
    // All but the canaries that only crash or hang, and the few mutants that are rarer.
    assert!(objected > 60, "{objected} subjects were objected to");
}
