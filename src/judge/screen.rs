//! Judges whether a run is worth judging: fast, without evidence, and without memory of its own.
//!
//! A search runs millions of traces of which next to none breaks a rule. A [`Screen`] objects to
//! the very op at which [`super::Judge`] would find something, and says no more; the run is then
//! made again for the judge. It follows the same contract over other structures:
//!
//! | question | here |
//! |---|---|
//! | does the block lie where the policy says, is the table right | [`GapList`] |
//! | does it overlap a live block (subjects without a policy) | live blocks sorted by address |
//! | did the client's bytes change | as observed |
//!
//! A block that lies where the policy says lies inside the heap, aligned and apart from all others,
//! so subjects with a policy are asked nothing else. That it agrees with the judge is tested on
//! millions of ops of right and of wrong allocators.

use harness::declaration::{Declaration, Misuse, Overhead, Reuse};
use harness::geometry::Geometry;
use harness::observation::{Observation, Outcome};
use harness::op::{Align, Handle, Op};
use harness::subject::Chunk;
use harness::trace::Trace;

use crate::model::contract;
use crate::model::cycles::Cycles;
use crate::model::gap_list::GapList;
use crate::model::gaps::Gaps;
use crate::model::grants::Grants;
use crate::rules::Rules;

/// A block by its handle; dead ones keep their place.
#[derive(Clone, Copy, Debug)]
struct Block {
    offset: u64,
    size: u64,
    align: u64,
    /// What the exact model gave it, of a subject with a policy.
    chunk: Chunk,
    live: bool,
}

/// A handle for which nothing was granted.
const NO_BLOCK: Block = Block {
    offset: 0,
    size: 0,
    align: 1,
    chunk: Chunk {
        offset: 0,
        size: 0,
        taken: true,
    },
    live: false,
};

/// Screens one run after the other.
#[derive(Debug, Default)]
pub struct Screen {
    facts: Option<Facts>,
    overhead: Option<Overhead>,
    fresh_capacity: u64,
    blocks: Vec<Block>,
    live: usize,
    /// Of a subject with a policy.
    gap_list: GapList,
    /// First and last byte of each live block that has any, by address; of one without.
    spans: Vec<(u64, u64)>,
    grants: Grants,
    cycles: Cycles,
    /// The hash of the latest walk, unless an op has since had the right to change it.
    walk: Option<u64>,
    /// Set once something was called about which nothing is promised.
    silent: bool,
}

/// What is known of the subject and its heap: little, since it is copied at each op.
#[derive(Clone, Copy, Debug)]
struct Facts {
    geometry: Geometry,
    heap: u64,
    policy: bool,
    reuse: Reuse,
    refuses: bool,
}

impl Screen {
    /// Whether runs of a trace can be screened: by all rules, without the rarer misuse, and over a heap that
    /// does not grow.
    #[must_use]
    pub fn takes(declaration: &Declaration, rules: Rules, trace: &Trace) -> bool {
        let rare = |op: &Op| {
            matches!(
                op,
                Op::Write { .. } | Op::FreeInterior { .. } | Op::FreeWild { .. }
            )
        };
        let misuse = match declaration.misuse {
            Misuse::Undefined => true,
            Misuse::Refuses => declaration.policy.is_some(),
            Misuse::Tolerates => false,
        };
        let policy = declaration.policy.is_none() || declaration.overhead.is_some();
        let grows = !trace.geometry.growth().is_none();
        rules == Rules::ALL && misuse && policy && !grows && !trace.ops.iter().any(rare)
    }

    /// Starts with a fresh heap.
    pub fn reset(&mut self, declaration: &Declaration, geometry: Geometry, fresh_capacity: u64) {
        let heap = geometry.bytes();
        if let Some((policy, overhead)) = declaration.policy.zip(declaration.overhead) {
            self.gap_list.reset(policy, overhead, heap);
        }
        self.overhead = declaration.overhead;
        self.facts = Some(Facts {
            geometry,
            heap,
            policy: declaration.policy.is_some(),
            reuse: declaration.reuse,
            refuses: declaration.misuse == Misuse::Refuses,
        });
        self.fresh_capacity = fresh_capacity;
        self.blocks.clear();
        self.live = 0;
        self.spans.clear();
        self.grants.reset(fresh_capacity);
        self.cycles = Cycles::new(fresh_capacity);
        self.walk = None;
        self.silent = false;
    }

    /// Whether the next op breaks a rule. After the first that does, nothing more may be asked.
    pub fn objects(&mut self, op: &Op, observation: &Observation) -> bool {
        let Some(facts) = self.facts else {
            return false;
        };
        if self.silent {
            return false;
        }
        let objects = self.broken_call(facts, op, observation);
        if self.silent {
            return false;
        }
        objects || !observation.contents.held() || self.broken_walk(facts, observation)
    }

    fn broken_call(&mut self, facts: Facts, op: &Op, observation: &Observation) -> bool {
        let outcome = observation.outcome;
        let inert = matches!(outcome, Outcome::NotExpressible | Outcome::NoBlock);
        let before = self.walk;
        if !matches!(op, Op::Table | Op::FreeNull) && !inert {
            self.walk = None;
        }
        match (*op, outcome) {
            (Op::Alloc { size, align, .. }, _) => {
                let align = align.unwrap_or(Align::DEFAULT).bytes();
                self.blocks.push(Block { align, ..NO_BLOCK });
                match outcome {
                    Outcome::Placed(at) => {
                        self.misplaced(facts, op, self.blocks.len() - 1, size, at)
                    }
                    Outcome::Null => self.wrong_null(facts, op, size, align, None),
                    _ => !inert,
                }
            }
            (Op::Realloc { handle, size }, Outcome::Placed(at)) => {
                self.misplaced(facts, op, handle.0 as usize, size, at)
            }
            (Op::Realloc { handle, size }, Outcome::Null) => {
                let block = self.blocks[handle.0 as usize];
                let chunk = block.live.then_some(block.chunk);
                self.wrong_null(facts, op, size, block.align, chunk)
            }
            (Op::Free { handle }, Outcome::Done | Outcome::Refused) => {
                let refused = outcome == Outcome::Refused;
                if self.blocks[handle.0 as usize].live {
                    self.free(facts, handle.0 as usize);
                    return refused;
                }
                // A double free: the walk stays what it was.
                self.walk = before;
                self.silent = !facts.refuses;
                !refused
            }
            (Op::FreeAll, Outcome::Done) => {
                for index in 0..self.blocks.len() {
                    if self.blocks[index].live {
                        self.free(facts, index);
                    }
                }
                false
            }
            (Op::FreeNull, Outcome::Done) => {
                let after = observation.walk.map(|walk| walk.hash);
                before
                    .zip(after)
                    .is_some_and(|(before, after)| before != after)
            }
            (Op::Table, Outcome::Done) => false,
            (Op::Capacity, Outcome::Capacity(bytes)) => {
                let lack = self.cycles.lack(facts.reuse, self.fresh_capacity, bytes);
                self.cycles = self.cycles.with(bytes);
                lack
            }
            _ => !inert,
        }
    }

    /// Whether a block may not lie where it was placed; takes note of it. The block is changed where it is:
    /// copying it took longer than anything else here.
    fn misplaced(&mut self, facts: Facts, op: &Op, index: usize, size: u64, at: i64) -> bool {
        let Ok(offset) = u64::try_from(at) else {
            return true;
        };
        let block = &mut self.blocks[index];
        let (was_live, align) = (block.live, block.align);
        if facts.policy {
            let expected = match was_live {
                true => self.gap_list.realloc(block.chunk, size, align),
                false => self.gap_list.alloc(size, align),
            };
            match expected {
                Some(expected) if self.gap_list.payload(expected) == offset => {
                    // Its last field is true of both.
                    (block.chunk.offset, block.chunk.size) = (expected.offset, expected.size);
                }
                _ => return true,
            }
        } else {
            if self.live == 0 {
                self.grants.note(op);
            }
            if was_live {
                let old = *block;
                self.forget_span(old);
            }
            let end = offset.checked_add(size);
            if size > facts.heap
                || end.is_none_or(|end| end > facts.heap)
                || offset & (align - 1) != 0
                || !self.note_span(offset, size)
            {
                return true;
            }
        }
        self.live += usize::from(!was_live);
        let block = &mut self.blocks[index];
        (block.offset, block.size, block.live) = (offset, size, true);
        false
    }

    /// Whether null is a wrong answer.
    fn wrong_null(
        &mut self,
        facts: Facts,
        op: &Op,
        size: u64,
        align: u64,
        old: Option<Chunk>,
    ) -> bool {
        if facts.policy {
            let expected = match old {
                Some(old) => self.gap_list.realloc(old, size, align),
                None => self.gap_list.alloc(size, align),
            };
            return expected.is_some();
        }
        if let Some(overhead) = self.overhead {
            // Null is rare, so it may cost more.
            let gaps = Gaps::new(overhead, facts.geometry);
            return gaps.fit(&self.live_blocks(), size, align).is_some();
        }
        facts.reuse == Reuse::Whole && self.live == 0 && self.grants.hold(op)
    }

    fn broken_walk(&mut self, facts: Facts, observation: &Observation) -> bool {
        let Some(walk) = observation.walk else {
            return observation.table_line_wrong.is_some();
        };
        self.walk = Some(walk.hash);
        walk.broken_at.is_some()
            || walk.unmerged_at.is_some()
            || observation.table_line_wrong.is_some()
            || (facts.policy && walk.hash != self.gap_list.hash())
    }

    fn free(&mut self, facts: Facts, index: usize) {
        let block = self.blocks[index];
        self.blocks[index].live = false;
        self.live -= 1;
        match facts.policy {
            true => self.gap_list.free(block.chunk),
            false => self.forget_span(block),
        }
    }

    /// Takes note of a block's bytes; false if a live block has one of them.
    fn note_span(&mut self, offset: u64, size: u64) -> bool {
        let Some(last) = (offset + size).checked_sub(1).filter(|_| size > 0) else {
            return true;
        };
        let index = self.spans.partition_point(|&(_, end)| end < offset);
        if self
            .spans
            .get(index)
            .is_some_and(|&(start, _)| start <= last)
        {
            return false;
        }
        self.spans.insert(index, (offset, last));
        true
    }

    fn forget_span(&mut self, block: Block) {
        if block.size > 0 {
            let index = self
                .spans
                .partition_point(|&(start, _)| start < block.offset);
            self.spans.remove(index);
        }
    }

    fn live_blocks(&self) -> Vec<contract::Block> {
        let blocks = self.blocks.iter().zip(0..);
        let live = blocks.filter(|(block, _)| block.live);
        live.map(|(block, handle)| contract::Block {
            handle: Handle(handle),
            offset: block.offset,
            size: block.size,
            align: block.align,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
