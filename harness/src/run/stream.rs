//! Runs a trace of any length: its ops come one by one, and memory is needed for the live blocks
//! alone.
//!
//! ```text
//! ops --names--> window of renamed ops --execute--> observations --names--> witness
//!        `- handle -> slot, of blocks that may be named again
//! ```
//!
//! The ops are run in windows, each as [`crate::run::execute`] runs a trace, over one heap. Handles
//! are renamed to the heap's slots; once those are used up, the blocks that are still of use move
//! down to the first ones and are filled with the patterns of their new names. Everything was
//! verified just before, at the window's end. Always in fast strength: what is found is then looked
//! at strictly.

#![allow(
    unsafe_code,
    reason = "it passes on what a subject asks of its callers"
)]

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::observation::Observation;
use crate::run::execute::{self, Completion, Plan, Sink};
use crate::run::ground::Ground;
use crate::run::heap::{Heap, Strength, Workspace};
use crate::subject::entry::Entry;
use crate::trace::OPS_MAX;
use crate::trace::op::{Handle, Op};

/// Ops of a window: many, since all live blocks are verified at the end of each.
const WINDOW_OPS: usize = 4096;
/// The most blocks that may be live, or be named again once freed, at a time.
pub const BLOCKS_MAX: usize = OPS_MAX - WINDOW_OPS;

/// Takes what happens, as it happens; in the trace's own handles.
pub trait Witness {
    /// This op is about to be called: if nothing follows, it was the last.
    fn begin(&mut self, op: &Op);
    /// What it did. Breaking ends the run.
    fn observe(&mut self, op: &Op, observation: &Observation) -> ControlFlow<()>;
}

/// Runs `ops` on a fresh subject over `ground`, in fast strength. `named_again` are the handles
/// that the ops name once they have freed them.
///
/// # Panics
/// If more than [`BLOCKS_MAX`] blocks are live or named again at a time, by the ops alone, or an op
/// uses a handle that no alloc before it made.
///
/// # Safety
/// As for [`execute::execute`].
pub unsafe fn stream<W: Witness>(
    entry: &Entry,
    ops: &mut dyn Iterator<Item = Op>,
    named_again: &dyn Fn(Handle) -> bool,
    fresh_capacity: u64,
    ground: &mut Ground,
    workspace: &mut Workspace,
    witness: &mut W,
) -> Completion {
    let mut completion = Completion::Completed;
    let mut work = |mut heap: Heap<'_>| {
        let mut names = Names::new(named_again);
        let mut window = Window::default();
        while completion == Completion::Completed && window.read(ops, &mut names) {
            let plan = Plan {
                ops: &window.renamed,
                strength: Strength::Fast,
                tables: false,
                fresh_capacity,
                meter: None,
            };
            let mut sink = Renaming {
                ops: &window.ops,
                at: 0,
                names: &names.by_slot,
                witness: &mut *witness,
            };
            completion = execute::run(&mut heap, plan, &mut sink);
            if names.by_slot.len() > BLOCKS_MAX {
                heap.renew(&names.renew());
            }
        }
        if completion == Completion::Completed {
            heap.settle();
        }
    };
    // SAFETY: exactly the caller's promise.
    unsafe { Heap::with_fresh(entry, ground, workspace, Strength::Fast, None, &mut work) };
    completion
}

/// The ops under way.
#[derive(Default)]
struct Window {
    ops: Vec<Op>,
    /// The same, with slots for handles.
    renamed: Vec<Op>,
}

impl Window {
    /// Reads the next ops; false if there are none.
    fn read(&mut self, ops: &mut dyn Iterator<Item = Op>, names: &mut Names<'_>) -> bool {
        self.ops.clear();
        self.ops.extend(ops.take(WINDOW_OPS));
        self.renamed.clear();
        self.renamed
            .extend(self.ops.iter().map(|op| names.rename(op)));
        !self.ops.is_empty()
    }
}

/// Which slot a handle names.
struct Names<'a> {
    named_again: &'a dyn Fn(Handle) -> bool,
    /// Of blocks that may be named again.
    slots: BTreeMap<Handle, Handle>,
    /// Of all slots that were issued since they were last named anew.
    by_slot: Vec<Handle>,
    issued: u32,
}

impl<'a> Names<'a> {
    const fn new(named_again: &'a dyn Fn(Handle) -> bool) -> Self {
        Self {
            named_again,
            slots: BTreeMap::new(),
            by_slot: Vec::new(),
            issued: 0,
        }
    }

    fn rename(&mut self, op: &Op) -> Op {
        match op {
            Op::Alloc { .. } => {
                let (handle, slot) = (Handle(self.issued), Handle(self.by_slot.len() as u32));
                self.slots.insert(handle, slot);
                self.by_slot.push(handle);
                self.issued += 1;
                *op
            }
            Op::FreeAll => {
                self.slots.retain(|&handle, _| (self.named_again)(handle));
                *op
            }
            _ => match op.handle() {
                None => *op,
                Some(handle) => {
                    let slot = self.slots[&handle];
                    if matches!(op, Op::Free { .. }) && !(self.named_again)(handle) {
                        self.slots.remove(&handle);
                    }
                    op.with_handle(slot)
                }
            },
        }
    }

    /// Gives the handles that may be named again the first slots, in their order. Returns the slots
    /// that they had.
    fn renew(&mut self) -> Vec<Handle> {
        assert!(self.slots.len() <= BLOCKS_MAX, "too many blocks at a time");
        self.by_slot.clear();
        self.by_slot.extend(self.slots.keys());
        let slots = self.slots.values_mut().zip(0..);
        slots
            .map(|(slot, new)| core::mem::replace(slot, Handle(new)))
            .collect()
    }
}

/// The sink of a window.
struct Renaming<'a, W> {
    ops: &'a [Op],
    at: usize,
    names: &'a [Handle],
    witness: &'a mut W,
}

impl<W: Witness> Sink for Renaming<'_, W> {
    fn begin(&mut self, op: usize) {
        self.at = op;
        self.witness.begin(&self.ops[op]);
    }

    fn table(&mut self, _: &str) {}

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        let mut renamed = *observation;
        if let Some((slot, _)) = &mut renamed.contents.corrupted {
            *slot = self.names[slot.0 as usize];
        }
        self.witness.observe(&self.ops[self.at], &renamed)
    }
}
