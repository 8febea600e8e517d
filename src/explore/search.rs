//! The search itself: breadth first, with all threads on one batch of states at a time.
//!
//! ```text
//! seen: | expanded ... | batch | reached, not expanded yet ... |
//!                         | threads, in blocks of states
//!                         v
//!         candidates, in the order of the batch --> the new ones, at the end of seen
//! ```
//!
//! What is found depends on the order of states alone, not on threads: candidates and finds are
//! looked at in the order of the batch, so that the path kept to each state and to each broken rule
//! is the first of the shortest.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use super::Task;
use super::board::{Board, End, STEPS_MAX};
use super::expand::{Expanded, Expander};
use super::seen::Seen;
use crate::execute::host::supervised::Common;
use crate::oracle::rules::Rule;

/// States of a batch: enough to keep threads busy, few enough that their candidates, some hundred
/// of 32 bytes each at worst, stay small beside the states.
const BATCH_STATES: usize = 4096;
/// States that a thread takes at a time.
const BLOCK_STATES: usize = 32;
/// Candidates looked at between two signs of life.
const CANDIDATES_PER_SIGN: usize = 1024;

/// Searches until every state reached is expanded, or a bound is hit; tells `board`.
///
/// # Panics
/// When a thread does.
pub fn search(task: &Task<'_>, board: &Common<Board>) {
    let mut seen = Seen::new(Expander::default().fresh(task));
    board.states.store(seen.len() as u64, Relaxed);
    let mut found = Vec::new();
    let mut from = 0;
    let end = loop {
        let to = seen.len().min(from + BATCH_STATES);
        if from == to {
            break End::Exhausted;
        }
        let expanded = expand(task, board, &seen, from..to);
        for block in &expanded {
            tell_finds(task, board, &seen, block, &mut found);
        }
        match add(task, board, &mut seen, &expanded) {
            Ok(()) => from = to,
            Err(end) => break end,
        }
    };
    board.set_end(end);
}

/// Expands a batch; the blocks come back in their order.
fn expand(
    task: &Task<'_>,
    board: &Common<Board>,
    seen: &Seen,
    batch: std::ops::Range<usize>,
) -> Vec<Expanded> {
    let blocks: Vec<_> = batch.clone().step_by(BLOCK_STATES).collect();
    let next = AtomicUsize::new(0);
    let work = |thread: usize| {
        let mut expander = Expander::default();
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(&from) = blocks.get(index) else {
                board.lane(thread).set(&[]);
                return done;
            };
            let mut expanded = Expanded::default();
            let to = batch.end.min(from + BLOCK_STATES);
            for place in from..to {
                expander.expand(task, seen, place as u32, board.lane(thread), &mut expanded);
                board.progress().fetch_add(1, Relaxed);
            }
            board.expanded.fetch_add((to - from) as u64, Relaxed);
            board.transitions.fetch_add(expanded.transitions, Relaxed);
            board
                .contradicted
                .fetch_or(expanded.contradicted.into(), Relaxed);
            done.push((index, expanded));
        }
    };
    let mut done = thread::scope(|scope| {
        let threads = task.threads.min(blocks.len());
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        let mut done = work(0);
        for other in others {
            done.extend(other.join().expect("a thread that panics ends the process"));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, expanded)| expanded).collect()
}

/// Tells the first find of each rule.
fn tell_finds(
    task: &Task<'_>,
    board: &Common<Board>,
    seen: &Seen,
    expanded: &Expanded,
    found: &mut Vec<Rule>,
) {
    let mut path = Vec::new();
    for &(rule, place, step) in &expanded.finds {
        if found.contains(&rule) || task.already_found.contains(&rule) {
            continue;
        }
        seen.path(place, &mut path);
        path.push(step);
        board.find(rule).set(&path);
        found.push(rule);
    }
}

/// Adds the new ones among the candidates.
fn add(
    task: &Task<'_>,
    board: &Common<Board>,
    seen: &mut Seen,
    expanded: &[Expanded],
) -> Result<(), End> {
    let candidates = expanded.iter().flat_map(|block| &block.candidates);
    let mut path = Vec::new();
    for (index, candidate) in candidates.enumerate() {
        if index.is_multiple_of(CANDIDATES_PER_SIGN) {
            board.progress().fetch_add(1, Relaxed);
        }
        if seen.contains(candidate.state) {
            continue;
        }
        if seen.len() as u64 >= task.states_max {
            return Err(End::Memory);
        }
        seen.insert(candidate.state, candidate.parent, candidate.step);
        board.states.store(seen.len() as u64, Relaxed);
    }
    // A path and one step more must fit into a lane; the last state has a longest path.
    seen.path(seen.len() as u32 - 1, &mut path);
    if path.len() < STEPS_MAX {
        Ok(())
    } else {
        Err(End::Steps)
    }
}
