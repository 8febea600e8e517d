//! Makes a trace as small as a predicate allows: any predicate, or that it still breaks the same
//! ([`shrink`]).
//!
//! Smaller means, in this order: fewer ops, the published heap, simpler calls (no alignment, no
//! zeroing), round or smaller numbers. Dropping an alloc drops every op on its handle; the handles
//! behind it move up. Each candidate is tried once.

pub mod narrow;
mod shrink;
pub mod streamed;

use std::collections::HashSet;

use harness::geometry::{Geometry, Growth, PAGE_BYTES};
use harness::op::{Align, Handle, Op};
use harness::trace::Trace;

pub(crate) use shrink::shrink_while;
pub use shrink::{Shrinking, shrink, shrink_watched};

/// The most candidates tried: a bound on time, far above what traces of a few hundred ops need.
pub const CANDIDATES_MAX: usize = 20_000;

/// Heaps that a person would choose, the published one first.
const HEAPS: [u64; 8] = [64 * 4096, 4096, 192, 128, 96, 64, 512, 2048];

/// The most pages to take that a simpler heap that grows is tried with, one number after the other.
const GROWTH_PAGES_MAX: u64 = 64;

/// What a block may take of the heap beside its bytes, rounded up to [`GRANULE`].
const OVERHEADS: [u64; 3] = [0, 8, 16];
const GRANULE: u64 = 8;

/// The smallest trace found for which `holds`, which must hold for `trace` itself.
///
/// # Errors
/// The predicate's.
pub fn minimize<E>(
    trace: &Trace,
    holds: impl FnMut(&Trace) -> Result<bool, E>,
) -> Result<Trace, E> {
    let mut search = Search {
        best: trace.clone(),
        tried: HashSet::new(),
        holds,
    };
    loop {
        let before = search.best.clone();
        search.drop_runs()?;
        search.merge_allocs()?;
        search.drop_pairs()?;
        search.fold_reallocs()?;
        search.simplify_heap()?;
        search.simplify_ops()?;
        if search.best == before || search.tried.len() >= CANDIDATES_MAX {
            return Ok(search.best);
        }
    }
}

struct Search<P> {
    best: Trace,
    tried: HashSet<Trace>,
    holds: P,
}

impl<E, P: FnMut(&Trace) -> Result<bool, E>> Search<P> {
    /// Takes a candidate over if the predicate holds for it.
    fn improve(&mut self, candidate: Trace) -> Result<bool, E> {
        let new = candidate != self.best
            && self.tried.len() < CANDIDATES_MAX
            && self.tried.insert(candidate.clone());
        if new && (self.holds)(&candidate)? {
            self.best = candidate;
            return Ok(true);
        }
        Ok(false)
    }

    /// Drops runs of ops, long ones first, from the end.
    fn drop_runs(&mut self) -> Result<(), E> {
        let mut run = self.best.ops.len().next_power_of_two();
        while run > 0 {
            let mut end = self.best.ops.len();
            while end > 0 {
                let start = end.saturating_sub(run);
                self.improve(without(&self.best, |index| (start..end).contains(&index)))?;
                end = start.min(self.best.ops.len());
            }
            run /= 2;
        }
        Ok(())
    }

    /// Lets one block take the place of two whose allocs follow each other: where a heap must be
    /// full, none can be dropped unless another grows.
    fn merge_allocs(&mut self) -> Result<(), E> {
        let mut first = 0;
        while let Some((one, other)) = next_allocs(&self.best, first) {
            let mut merged = false;
            for (kept, dropped) in [(one, other), (other, one)] {
                for overhead in OVERHEADS {
                    merged = merged || self.improve(merge(&self.best, kept, dropped, overhead))?;
                }
            }
            first = if merged { one } else { one + 1 };
        }
        Ok(())
    }

    /// Drops pairs of ops that only go together.
    fn drop_pairs(&mut self) -> Result<(), E> {
        let mut first = 0;
        while first < self.best.ops.len() {
            let mut second = first + 1;
            let mut dropped = false;
            while second < self.best.ops.len() && !dropped {
                dropped = self.improve(without(&self.best, |i| i == first || i == second))?;
                second += 1;
            }
            first += usize::from(!dropped);
        }
        Ok(())
    }

    /// Allocates a block at its later size at once, or frees it instead of moving it: dropping
    /// alone finds neither, since later ops rely on what the realloc left.
    fn fold_reallocs(&mut self) -> Result<(), E> {
        let mut index = 0;
        while index < self.best.ops.len() {
            if let Op::Realloc { handle, size } = self.best.ops[index] {
                let mut folded = self.best.clone();
                if let Some(maker) = self.best.maker(handle) {
                    folded.ops[maker] = with_number(&folded.ops[maker], size);
                }
                folded.ops.remove(index);
                let freed = |op: &Op| op.handle().map_or(*op, |handle| Op::Free { handle });
                if self.improve(folded)? || self.replace(index, freed)? {
                    continue;
                }
            }
            index += 1;
        }
        Ok(())
    }

    fn simplify_heap(&mut self) -> Result<(), E> {
        for geometry in HEAPS.into_iter().filter_map(Geometry::from_bytes) {
            // Once at a heap of the list, only an earlier one is better.
            if geometry == self.best.geometry
                || self.improve(Trace {
                    geometry,
                    ..self.best.clone()
                })?
            {
                break;
            }
        }
        for geometry in simpler_growths(self.best.geometry) {
            let candidate = Trace {
                geometry,
                ..self.best.clone()
            };
            if self.improve(candidate)? {
                break;
            }
        }
        Ok(())
    }

    fn simplify_ops(&mut self) -> Result<(), E> {
        for index in 0..self.best.ops.len() {
            match self.best.ops[index] {
                Op::Alloc { align, zeroed, .. } => {
                    if zeroed {
                        self.replace(index, |op| with(op, None, align, false))?;
                    }
                    if let Some(align) = align {
                        self.simplify_align(index, align)?;
                    }
                    self.simplify_number(index)?;
                }
                Op::Realloc { .. }
                | Op::FreeInterior { .. }
                | Op::FreeWild { .. }
                | Op::Write { .. } => self.simplify_number(index)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn simplify_align(&mut self, index: usize, align: Align) -> Result<(), E> {
        let zeroed = |op: &Op| matches!(op, Op::Alloc { zeroed: true, .. });
        if self.replace(index, |op| with(op, None, None, zeroed(op)))? {
            return Ok(());
        }
        // 16 is the first alignment that the default does not cover.
        for exponent in 4..align.exponent() {
            let smaller = Align::from_exponent(exponent);
            if self.replace(index, |op| with(op, None, smaller, zeroed(op)))? {
                break;
            }
        }
        Ok(())
    }

    /// Tries the numbers people would choose, then halves the distance to the smallest that holds.
    fn simplify_number(&mut self, index: usize) -> Result<(), E> {
        let number = |trace: &Trace| number_of(&trace.ops[index]);
        for simple in [8, 16, 64] {
            if number(&self.best) == simple || self.replace(index, |op| with_number(op, simple))? {
                return Ok(());
            }
        }
        let mut step = number(&self.best);
        while step > 0 {
            let smaller = number(&self.best).saturating_sub(step);
            if !self.replace(index, |op| with_number(op, smaller))? {
                step /= 2;
            }
        }
        Ok(())
    }

    fn replace(&mut self, index: usize, change: impl Fn(&Op) -> Op) -> Result<bool, E> {
        let mut candidate = self.best.clone();
        candidate.ops[index] = change(&candidate.ops[index]);
        self.improve(candidate)
    }
}

/// Heaps that grow in a simpler way, the simplest first: of one page at first, without pages of
/// others, with fewer pages to take. None for a heap that does not grow.
fn simpler_growths(heap: Geometry) -> impl Iterator<Item = Geometry> {
    let (growth, first) = (heap.growth(), heap.first_bytes());
    let fewer = 1..=growth.pages().min(GROWTH_PAGES_MAX);
    let simpler = [
        (PAGE_BYTES, None),
        (first, None),
        (PAGE_BYTES, growth.taken_every()),
        (first, growth.taken_every()),
    ];
    simpler.into_iter().flat_map(move |(first, every)| {
        let growing = move |pages| Geometry::from_bytes(first)?.growing(Growth::new(pages, every)?);
        // Once at a heap of the list, only an earlier one is better.
        fewer
            .clone()
            .filter_map(growing)
            .take_while(move |simpler| *simpler != heap)
    })
}

/// The trace without the ops that `drops` names, and without all ops on their handles.
fn without(trace: &Trace, drops: impl Fn(usize) -> bool) -> Trace {
    let mut kept = Trace::new(trace.geometry);
    // For each handle of the old trace: its number in the new one, if it still exists.
    let mut renamed: Vec<Option<Handle>> = Vec::new();
    let mut issued = 0;
    for (index, op) in trace.ops.iter().enumerate() {
        let dropped = drops(index);
        if let Op::Alloc { .. } = op {
            renamed.push((!dropped).then_some(Handle(issued)));
            issued += u32::from(!dropped);
        }
        let op = match op.handle() {
            Some(handle) => renamed[handle.0 as usize].map(|new| op.with_handle(new)),
            None => Some(*op),
        };
        kept.ops.extend(op.filter(|_| !dropped));
    }
    kept
}

/// The first alloc at or behind `index`, and the next one behind it.
fn next_allocs(trace: &Trace, index: usize) -> Option<(usize, usize)> {
    let is_alloc = |index: &usize| matches!(trace.ops[*index], Op::Alloc { .. });
    let mut allocs = (index..trace.ops.len()).filter(is_alloc);
    Some((allocs.next()?, allocs.next()?))
}

/// The trace without one alloc, and with the other grown by what that took.
fn merge(trace: &Trace, kept: usize, dropped: usize, overhead: u64) -> Trace {
    let taken = |index: usize| number_of(&trace.ops[index]).checked_next_multiple_of(GRANULE);
    let both = taken(kept).zip(taken(dropped));
    let size = both.and_then(|(one, other)| one.checked_add(other)?.checked_add(overhead));
    let mut merged = trace.clone();
    merged.ops[kept] = with_number(&trace.ops[kept], size.unwrap_or(u64::MAX));
    without(&merged, |index| index == dropped)
}

fn with(op: &Op, size: Option<u64>, align: Option<Align>, zeroed: bool) -> Op {
    match *op {
        Op::Alloc { size: old, .. } => Op::Alloc {
            size: size.unwrap_or(old),
            align,
            zeroed,
        },
        other => other,
    }
}

/// The one number of an op that may shrink.
fn number_of(op: &Op) -> u64 {
    match *op {
        Op::Alloc { size, .. } | Op::Realloc { size, .. } => size,
        Op::FreeInterior { offset, .. } | Op::FreeWild { offset } | Op::Write { offset, .. } => {
            offset
        }
        _ => 0,
    }
}

fn with_number(op: &Op, number: u64) -> Op {
    match *op {
        Op::Alloc { align, zeroed, .. } => with(op, Some(number), align, zeroed),
        Op::Realloc { handle, .. } => Op::Realloc {
            handle,
            size: number,
        },
        Op::FreeInterior { handle, .. } => Op::FreeInterior {
            handle,
            offset: number.max(1),
        },
        Op::FreeWild { .. } => Op::FreeWild { offset: number },
        Op::Write { handle, length, .. } => Op::Write {
            handle,
            offset: number,
            length,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
