//! Runs a trace on a subject and hands each observation to a sink as it happens.
//!
//! It judges nothing: host and guest run this same code, and whoever holds a model reads the
//! observations. It ends early, on both sides alike, once a block has left the heap or the chunk
//! walk has broken, so that it never runs on into a heap that is already lost.

#![allow(
    unsafe_code,
    reason = "it passes on what a subject asks of its callers"
)]

use core::ops::ControlFlow;

use crate::observation::{Contents, Observation, Outcome};
use crate::run::ground::Ground;
use crate::run::heap::{Heap, Meter, Strength, Workspace};
use crate::subject::declaration::TableForm;
use crate::subject::entry::Entry;
use crate::trace::op::Op;

/// In fast strength, the chunks are walked after every so many ops, or all live blocks verified
/// where there is no walk; at the end, both. At the end alone where costs are counted, since
/// thousands of live blocks take longer to verify than the calls do.
const FAST_CHECK_OPS: usize = 16;

/// What to run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The calls.
    pub ops: &'a [Op],
    /// How much to check.
    pub strength: Strength,
    /// Whether to observe the printed table after every op, rather than at `table` ops only.
    pub tables: bool,
    /// The largest request the fresh heap grants; needed by `capacity` alone.
    pub fresh_capacity: u64,
    /// Counts what the subject's calls cost, where there is a counter.
    pub meter: Option<&'a Meter>,
}

/// Takes what happens, as it happens.
pub trait Sink {
    /// The op of this index is about to be called: if nothing follows, it was the last.
    fn begin(&mut self, op: usize);
    /// The table printed at the op that was begun last; in fast strength only of a plan that asks
    /// for tables.
    fn table(&mut self, text: &str);
    /// What the op that was begun last cost, before it is observed; only of a plan with a meter. It
    /// is no part of the observation: two sides may differ in it.
    fn cost(&mut self, _count: u64) {}
    /// What the op that was begun last did. Breaking ends the run.
    fn observe(&mut self, observation: &Observation) -> ControlFlow<()>;
}

/// How a run ended that was not cut short by a panic, a fault or a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// After the last op.
    Completed,
    /// At a block outside the heap or a broken walk.
    Lost,
    /// By the sink.
    Stopped,
}

/// Runs `plan` on a fresh subject over `ground`.
///
/// # Safety
/// The ground's region has a geometry that the entry's declaration accepts.
pub unsafe fn execute<K: Sink>(
    entry: &Entry,
    plan: Plan<'_>,
    ground: &mut Ground,
    workspace: &mut Workspace,
    sink: &mut K,
) -> Completion {
    let mut completion = Completion::Completed;
    let mut work = |mut heap: Heap<'_>| {
        completion = run(&mut heap, plan, sink);
        if completion == Completion::Completed {
            heap.settle();
        }
    };
    // SAFETY: exactly the caller's promise.
    unsafe {
        Heap::with_fresh(
            entry,
            ground,
            workspace,
            plan.strength,
            plan.meter,
            &mut work,
        );
    }
    completion
}

/// Runs `plan` on a subject at work; the last of its ops is checked as a run's last one is.
pub(crate) fn run<K: Sink>(heap: &mut Heap<'_>, plan: Plan<'_>, sink: &mut K) -> Completion {
    let prints = heap.declaration().table != TableForm::Nothing;
    let mut observation = Observation::of(Outcome::Done);
    for (index, op) in plan.ops.iter().enumerate() {
        sink.begin(index);
        (observation.walk, observation.table_line_wrong) = (None, None);
        // Most find nothing; to write it down anew for each costs the guest a call.
        if !observation.contents.held() {
            observation.contents = Contents::HELD;
        }
        observation.outcome = step(heap, op, plan, &mut observation.contents);
        if let Some(meter) = plan.meter {
            sink.cost(meter.take());
        }
        let last = index + 1 == plan.ops.len();
        let thorough = last || plan.strength == Strength::Strict;
        let due = plan.meter.is_none() && index % FAST_CHECK_OPS == FAST_CHECK_OPS - 1;
        let checked = thorough || due;
        if !heap.is_lost() {
            if checked {
                heap.digest(&mut observation.walk);
                let contents = &mut observation.contents;
                if contents.corrupted.is_none() && (thorough || observation.walk.is_none()) {
                    contents.corrupted = heap.verify();
                }
            }
            observation.contents.stray_store = heap.stray_store(thorough);
            if prints && (plan.tables || *op == Op::Table) {
                observation.table_line_wrong = if plan.tables || plan.strength == Strength::Strict {
                    let (text, wrong) = heap.print_table();
                    sink.table(text);
                    wrong
                } else {
                    heap.check_table()
                };
            }
        }
        let broken = observation
            .walk
            .is_some_and(|walk| walk.broken_at.is_some());
        if sink.observe(&observation).is_break() {
            return Completion::Stopped;
        }
        if broken || heap.is_lost() {
            return Completion::Lost;
        }
    }
    Completion::Completed
}

/// Calls the subject as `op` says.
#[inline]
pub(crate) fn step(
    heap: &mut Heap<'_>,
    op: &Op,
    plan: Plan<'_>,
    contents: &mut Contents,
) -> Outcome {
    match *op {
        Op::Alloc {
            size,
            align,
            zeroed,
        } => heap.alloc(size, align, zeroed, contents),
        Op::Free { handle } if heap.is_live(handle) => heap.free(handle, contents),
        Op::Realloc { handle, size } => heap.realloc(handle, size, contents),
        _ => step_seldom(heap, op, plan, contents),
    }
}

/// [`step`] for the ops of which there are few: apart, so that the guest gets to the others without
/// a jump table, which costs QEMU more than some branches.
fn step_seldom(heap: &mut Heap<'_>, op: &Op, plan: Plan<'_>, contents: &mut Contents) -> Outcome {
    match *op {
        Op::Alloc { .. } | Op::Realloc { .. } => unreachable!("not seldom"),
        Op::Free { handle } => heap.free_misused(handle, 0),
        Op::FreeAll => heap.free_all(contents),
        Op::Table => Outcome::Done,
        Op::Capacity => heap.capacity(plan.fresh_capacity),
        Op::FreeInterior { handle, offset } => heap.free_misused(handle, offset),
        Op::FreeWild { offset } => heap.free_wild(offset),
        Op::FreeNull => heap.free_null(),
        Op::Write {
            handle,
            offset,
            length,
        } => heap.write(handle, offset, length),
    }
}
