//! Tries many ops from one state of a heap, each as if no other had been tried.
//!
//! The state is reached the honest way, by the calls that lead to it on a fresh heap; what is
//! restored between two tries are the bytes of the region and of the side memory. Everything is
//! checked after each try, as in strict strength. Like [`crate::run::execute`] it judges nothing.

#![allow(
    unsafe_code,
    reason = "it passes on what a subject asks of its callers"
)]

use crate::observation::{Observation, Outcome};
use crate::run::execute::{Plan, step};
use crate::run::ground::Ground;
use crate::run::heap::{Heap, Strength, Workspace};
use crate::subject::Chunk;
use crate::subject::entry::Entry;
use crate::subject::table;
use crate::trace::op::Op;

/// Says what to try, and takes what happens.
pub trait Branches {
    /// What the next op of the path did; nothing was checked after it.
    fn pass(&mut self, observation: &Observation);
    /// The next op to try: one that concerns at most one block.
    fn next(&mut self) -> Option<Op>;
    /// A chunk of the subject's walk behind the op under way, in address order.
    fn chunk(&mut self, chunk: Chunk);
    /// What the op under way did, and whether the subject's side memory says the same as its
    /// chunks. The next thing to happen is another try.
    fn observe(&mut self, observation: &Observation, audited: bool);
}

/// Runs the ops of `path` on a fresh subject over `ground`, then tries what `branches` asks for
/// from the state they lead to. `saved` is memory for the bytes of the region, its slack and as
/// much side memory as the subject uses.
///
/// # Safety
/// As for [`crate::run::execute::execute`].
///
/// # Panics
/// If `saved` is too short.
pub unsafe fn branch(
    entry: &Entry,
    path: &[Op],
    fresh_capacity: u64,
    ground: &mut Ground,
    workspace: &mut Workspace,
    saved: &mut [u8],
    branches: &mut dyn Branches,
) {
    let plan = Plan {
        ops: path,
        strength: Strength::Strict,
        tables: false,
        fresh_capacity,
        meter: None,
    };
    let mut work = |heap: Heap<'_>| run(heap, plan, saved, branches);
    // SAFETY: exactly the caller's promise.
    unsafe { Heap::with_fresh(entry, ground, workspace, plan.strength, None, &mut work) };
}

fn run(mut heap: Heap<'_>, plan: Plan<'_>, saved: &mut [u8], branches: &mut dyn Branches) {
    for op in plan.ops {
        let mut observation = Observation::of(Outcome::Done);
        observation.outcome = step(&mut heap, op, plan, &mut observation.contents);
        branches.pass(&observation);
    }
    heap.save(saved);
    while let Some(op) = branches.next() {
        let mark = heap.mark(&op);
        let observation = attempt(&mut heap, &op, plan, branches);
        let audited = !heap.is_lost() && heap.subject().audit();
        branches.observe(&observation, audited);
        heap.rewind(mark, saved);
    }
}

/// One op, and every check behind it.
fn attempt(
    heap: &mut Heap<'_>,
    op: &Op,
    plan: Plan<'_>,
    branches: &mut dyn Branches,
) -> Observation {
    let mut observation = Observation::of(Outcome::Done);
    observation.outcome = step(heap, op, plan, &mut observation.contents);
    if !heap.is_lost() {
        observation.walk = table::digest(
            |visit| heap.subject().walk(visit),
            |chunk| branches.chunk(chunk),
            false,
        );
        let contents = &mut observation.contents;
        contents.corrupted = contents.corrupted.or_else(|| heap.verify());
        contents.stray_store = heap.stray_store(true);
        if *op == Op::Table {
            observation.table_line_wrong = heap.check_table();
        }
    }
    observation
}
