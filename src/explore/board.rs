//! What the searching process tells its parent, which may outlive it: how far it is, what it has
//! found, and what each of its threads is trying right now, so that a crash has a culprit.

#![allow(unsafe_code, reason = "it is shared memory")]

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::menu::Step;
use crate::execute::host::shared::Shareable;
use crate::oracle::rules::Rule;

/// The most threads of a search.
pub const THREADS_MAX: usize = 64;
/// The most steps of a path; a heap of 64 units is full after as many.
pub const STEPS_MAX: usize = 256;

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum End {
    /// Every state reached was expanded.
    Exhausted = 1,
    /// There was no more memory for states.
    Memory = 2,
    /// A path was too long to be told.
    Steps = 3,
}

/// A sequence of steps in shared memory.
#[repr(C)]
pub struct Lane {
    /// 0 if there is none.
    length: AtomicU32,
    steps: [AtomicU32; STEPS_MAX],
}

impl Lane {
    /// Writes the steps.
    ///
    /// # Panics
    /// If there are more than [`STEPS_MAX`].
    pub fn set(&self, steps: &[Step]) {
        for (cell, step) in self.steps[..steps.len()].iter().zip(steps) {
            cell.store(step.bits(), Relaxed);
        }
        self.length.store(steps.len() as u32, Release);
    }

    /// Writes the step behind the first `before` ones, and ends there.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn set_last(&self, before: usize, step: Step) {
        self.steps[before].store(step.bits(), Relaxed);
        self.length.store(before as u32 + 1, Release);
    }

    /// The steps; `None` if there are none.
    #[must_use]
    pub fn get(&self) -> Option<Vec<Step>> {
        let length = (self.length.load(Acquire) as usize).min(STEPS_MAX);
        let steps = self.steps[..length].iter();
        (length > 0).then(|| {
            steps
                .map(|step| Step::from_bits(step.load(Relaxed)))
                .collect()
        })
    }
}

/// The shared memory of one search.
#[repr(C)]
pub struct Board {
    /// States reached.
    pub states: AtomicU64,
    /// States of which every step was taken.
    pub expanded: AtomicU64,
    /// Steps taken.
    pub transitions: AtomicU64,
    /// 1 iff some of them led to where the subject's side memory contradicts its table.
    pub contradicted: AtomicU32,
    end: AtomicU32,
    /// The shortest path to each rule that was broken.
    finds: [Lane; Rule::ALL.len()],
    /// What each thread is at.
    lanes: [Lane; THREADS_MAX],
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Board {}

impl Board {
    /// Forgets the last search.
    pub fn clear(&self) {
        for count in [&self.states, &self.expanded, &self.transitions] {
            count.store(0, Relaxed);
        }
        self.contradicted.store(0, Relaxed);
        self.end.store(0, Relaxed);
        for lane in self.finds.iter().chain(&self.lanes) {
            lane.set(&[]);
        }
    }

    /// The search has ended.
    pub fn set_end(&self, end: End) {
        self.end.store(end as u32, Release);
    }

    /// How the search ended; `None` if its process did not get so far.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        [End::Exhausted, End::Memory, End::Steps]
            .into_iter()
            .find(|end| *end as u32 == self.end.load(Acquire))
    }

    /// The place for the path to a broken rule.
    ///
    /// # Panics
    /// Never: every rule has one.
    #[must_use]
    pub fn find(&self, rule: Rule) -> &Lane {
        let place = Rule::ALL.iter().position(|&other| other == rule);
        &self.finds[place.expect("every rule is listed")]
    }

    /// The place for what a thread is at.
    #[must_use]
    pub const fn lane(&self, thread: usize) -> &Lane {
        &self.lanes[thread]
    }

    /// What the threads were at last.
    pub fn attempts(&self) -> impl Iterator<Item = Vec<Step>> {
        self.lanes.iter().filter_map(Lane::get)
    }
}
