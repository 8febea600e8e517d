//! Makes a very long trace short enough for the minimiser, in few runs: each takes seconds.
//!
//! First a smaller heap, which is full sooner, so that what takes a full heap shows after fewer
//! ops. Then whole *blocks* go, with all their ops: what is left still frees what it allocates, so
//! that the heap fills no further than it did. All blocks that were gone long before the end come
//! first, since most bugs need the last few; then halves, quarters and so on of the rest.

use harness::geometry::Geometry;
use harness::op::{Handle, Op};

/// Heaps to try, in pages.
const HEAP_PAGES: [u64; 6] = [1, 4, 16, 64, 256, 1024];
/// Short enough: the minimiser's runs take about a millisecond.
const SHORT_OPS: usize = 128;
/// How far before the end a block may have ended to be kept at first.
const NEAR_OPS: usize = 256;
/// How much further it may have, each time that is too near.
const NEAR_FACTOR: usize = 8;
/// How many times as many ops as there are may be run in all; a run of the whole takes seconds.
const RUNS_MAX: usize = 8;
/// But at least so many ops.
const OPS_RUN_MIN: usize = 4_000_000;

/// Fewer ops over a heap as large or smaller, for which `shows` still answers with the op at which
/// they show what `ops` over a heap of `geometry` do at their last.
///
/// # Errors
/// The predicate's.
pub fn narrow<E>(
    geometry: Geometry,
    ops: Vec<Op>,
    shows: impl FnMut(Geometry, &[Op]) -> Result<Option<usize>, E>,
) -> Result<(Geometry, Vec<Op>), E> {
    let mut search = Search {
        geometry,
        ops_left: (ops.len() * RUNS_MAX).max(OPS_RUN_MIN),
        best: ops,
        shows,
    };
    search.shrink_heap()?;
    search.keep_the_last()?;
    search.drop_runs()?;
    Ok((search.geometry, search.best))
}

struct Search<P> {
    geometry: Geometry,
    best: Vec<Op>,
    /// How many may still be run.
    ops_left: usize,
    shows: P,
}

impl<E, P: FnMut(Geometry, &[Op]) -> Result<Option<usize>, E>> Search<P> {
    /// The op at which a candidate shows it.
    fn shows(&mut self, geometry: Geometry, candidate: &[Op]) -> Result<Option<usize>, E> {
        match self.ops_left.checked_sub(candidate.len()) {
            None => Ok(None),
            Some(left) => {
                self.ops_left = left;
                (self.shows)(geometry, candidate)
            }
        }
    }

    /// Takes fewer ops over, up to the one that shows it.
    fn improve(&mut self, mut candidate: Vec<Op>) -> Result<bool, E> {
        if candidate.len() >= self.best.len() {
            return Ok(false);
        }
        let Some(last) = self.shows(self.geometry, &candidate)? else {
            return Ok(false);
        };
        candidate.truncate(last + 1);
        self.best = candidate;
        Ok(true)
    }

    /// Takes the first heap of the list over in which it shows.
    fn shrink_heap(&mut self) -> Result<(), E> {
        let heaps = HEAP_PAGES.into_iter().filter_map(Geometry::from_pages);
        let ops = std::mem::take(&mut self.best);
        for geometry in heaps
            .filter(|heap| *heap < self.geometry)
            .collect::<Vec<_>>()
        {
            if let Some(last) = self.shows(geometry, &ops)? {
                self.geometry = geometry;
                self.best = ops[..=last].to_vec();
                return Ok(());
            }
        }
        self.best = ops;
        Ok(())
    }

    /// Drops the blocks that ended long before the end.
    fn keep_the_last(&mut self) -> Result<(), E> {
        let parts = Parts::of(&self.best);
        let mut near = NEAR_OPS;
        while near < self.best.len() {
            let oldest = self.best.len() - near;
            if self.improve(parts.kept(&self.best, |part| parts.end(part) >= oldest))? {
                break;
            }
            near *= NEAR_FACTOR;
        }
        Ok(())
    }

    /// Drops runs of parts, long ones first, from the end.
    fn drop_runs(&mut self) -> Result<(), E> {
        let mut parts = Parts::of(&self.best);
        let mut run = parts.count().next_power_of_two() / 2;
        while run > 0 && self.best.len() > SHORT_OPS {
            let mut end = parts.count();
            while end > 0 && self.best.len() > SHORT_OPS {
                let start = end.saturating_sub(run);
                if self.improve(parts.kept(&self.best, |part| !(start..end).contains(&part)))? {
                    parts = Parts::of(&self.best);
                }
                end = start.min(parts.count());
            }
            run /= 2;
        }
        Ok(())
    }
}

/// What a trace falls into: each block with all its ops, and each op that names none.
struct Parts {
    /// The part of each op.
    of_op: Vec<usize>,
    /// For each part, the op behind which it is over; `usize::MAX` for a block that is not freed.
    ends: Vec<usize>,
}

impl Parts {
    fn of(ops: &[Op]) -> Self {
        let mut parts = Self {
            of_op: Vec::with_capacity(ops.len()),
            ends: Vec::new(),
        };
        let mut of_handle = Vec::new();
        for (index, op) in ops.iter().enumerate() {
            let part = match op.handle() {
                Some(Handle(handle)) => of_handle[handle as usize],
                None => {
                    let alloc = matches!(op, Op::Alloc { .. });
                    of_handle.extend(alloc.then_some(parts.ends.len()));
                    parts.ends.push(if alloc { usize::MAX } else { index });
                    parts.ends.len() - 1
                }
            };
            if matches!(op, Op::Free { .. }) || parts.ends[part] != usize::MAX {
                parts.ends[part] = index;
            }
            parts.of_op.push(part);
        }
        parts
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    fn end(&self, part: usize) -> usize {
        self.ends[part]
    }

    /// The ops of the parts to be kept, with their handles numbered anew.
    fn kept(&self, ops: &[Op], keeps: impl Fn(usize) -> bool) -> Vec<Op> {
        let mut kept = Vec::new();
        let mut renamed = Vec::new();
        let mut issued = 0;
        for (op, &part) in ops.iter().zip(&self.of_op) {
            let keep = keeps(part);
            if matches!(op, Op::Alloc { .. }) {
                renamed.push(Handle(issued));
                issued += u32::from(keep);
            }
            if keep {
                let handle = op.handle().map(|handle| renamed[handle.0 as usize]);
                kept.push(handle.map_or(*op, |handle| op.with_handle(handle)));
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn alloc(size: u64) -> Op {
        Op::Alloc {
            size,
            align: None,
            zeroed: false,
        }
    }

    const fn free(handle: u32) -> Op {
        Op::Free {
            handle: Handle(handle),
        }
    }

    /// Pairs of an alloc and its free, but for every seventh block, which stays.
    fn busy(blocks: u32) -> Vec<Op> {
        let pair = |handle: u32| {
            let stays = handle.is_multiple_of(7);
            std::iter::once(alloc(u64::from(handle))).chain((!stays).then_some(free(handle)))
        };
        (0..blocks).flat_map(pair).collect()
    }

    /// At which op blocks of these two sizes are live together.
    fn together(ops: &[Op], sizes: [u64; 2]) -> Option<usize> {
        let mut made = Vec::new();
        let mut live = Vec::new();
        ops.iter().position(|op| {
            match op {
                Op::Alloc { size, .. } => {
                    live.push(made.len() as u32);
                    made.push(*size);
                }
                Op::Free { handle } => live.retain(|live| *live != handle.0),
                _ => {}
            }
            let is_live = |size: &u64| live.iter().any(|&block| made[block as usize] == *size);
            sizes.iter().all(is_live)
        })
    }

    #[test]
    fn what_is_shown_is_kept_and_little_else() {
        // 7 was allocated long ago; 4,001 is freed at once.
        let sizes = [7, 4001];
        let mut runs = 0;
        let geometry = Geometry::published();
        let narrowed = narrow(geometry, busy(5000), |geometry, ops| {
            runs += 1;
            let large = geometry.bytes() > 16 * 4096;
            Ok::<_, ()>(together(ops, sizes).filter(|_| large))
        });
        let (heap, narrowed) = narrowed.unwrap();
        assert_eq!(heap, geometry);
        assert_eq!(together(&narrowed, sizes), Some(narrowed.len() - 1));
        assert!(narrowed.len() <= SHORT_OPS, "{}", narrowed.len());
        assert!(runs < 40, "{runs}");
    }

    #[test]
    fn dropping_a_block_drops_all_its_ops_and_moves_the_others_up() {
        let ops = [
            alloc(1),
            alloc(2),
            Op::Table,
            free(0),
            free(1),
            free(1),
            Op::FreeAll,
        ];
        let parts = Parts::of(&ops);
        assert_eq!(parts.count(), 4);
        assert_eq!([0, 1, 2, 3].map(|part| parts.end(part)), [3, 5, 2, 6]);
        assert_eq!(
            parts.kept(&ops, |part| part != 0),
            [alloc(2), Op::Table, free(0), free(0), Op::FreeAll]
        );
        assert_eq!(parts.kept(&ops, |_| true), ops);
    }

    #[test]
    fn what_takes_a_full_heap_shows_sooner_in_a_smaller_one() {
        let geometry = Geometry::from_pages(4096).unwrap();
        let full = |geometry: Geometry, ops: &[Op]| -> Result<Option<usize>, ()> {
            let mut bytes = 0;
            Ok(ops.iter().position(|op| {
                bytes += if let Op::Alloc { size, .. } = op {
                    *size
                } else {
                    0
                };
                bytes > geometry.bytes()
            }))
        };
        let (heap, ops) = narrow(geometry, busy(9000), full).unwrap();
        assert_eq!(heap, Geometry::from_pages(1).unwrap());
        assert!(ops.len() < 200, "{}", ops.len());
    }

    #[test]
    fn a_trace_stays_as_it_is_if_nothing_less_shows_it() {
        let (geometry, ops) = (Geometry::published(), busy(500));
        let mut run = 0;
        let narrowed = narrow(geometry, ops.clone(), |_, candidate| {
            run += candidate.len();
            Ok::<_, ()>(None)
        });
        assert_eq!(narrowed, Ok((geometry, ops)));
        assert!(run > 10_000 && run <= OPS_RUN_MIN, "{run}");
    }
}
