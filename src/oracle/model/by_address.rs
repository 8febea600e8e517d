//! Live blocks by handle, and the bytes of each by address: what the judge of a search asks at
//! every op.

use std::cell::Cell;

use harness::op::Handle;

use crate::oracle::model::contract::{Block, Blocks};

/// Dead blocks keep their place until there are more of them than live ones, and more than this.
const DEAD_MIN: usize = 1024;

/// Live blocks, listed twice from the first question about their bytes on.
#[derive(Debug, Default)]
pub struct ByAddress {
    /// Lowest handle first, dead ones too: mostly, a block lies as far from the last as their
    /// handles do.
    slots: Vec<Slot>,
    /// How many of them are live.
    live: usize,
    /// Those that have bytes, by their first one; empty unless `is_indexed`.
    spans: Vec<Span>,
    /// Nobody asks where a policy says where blocks lie, and they lie there.
    is_indexed: bool,
    /// Where the bytes that were asked for last would stand in `spans`: they are added next.
    span_hint: Cell<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    block: Block,
    is_live: bool,
}

/// A block's bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
    handle: Handle,
}

clone_in_place!(ByAddress {
    slots,
    live,
    spans,
    is_indexed,
    span_hint
});

impl ByAddress {
    /// The place of a live block.
    #[inline]
    fn index_of(&self, handle: Handle) -> Option<usize> {
        let last = self.slots.last()?.block.handle;
        let behind = last.0.checked_sub(handle.0)? as usize;
        let guess = (self.slots.len() - 1).wrapping_sub(behind);
        let index = match self.slots.get(guess) {
            Some(slot) if slot.block.handle == handle => guess,
            _ => {
                let handles = self
                    .slots
                    .binary_search_by_key(&handle, |slot| slot.block.handle);
                handles.ok()?
            }
        };
        self.slots[index].is_live.then_some(index)
    }

    /// Adds those that came to nothing since the last one, of which the nearest will do.
    fn push_dead(&mut self, next: Block) {
        // A handle is used once, so it is the highest one.
        let end = next.handle.0;
        let last = self.slots.last().map_or(end, |last| last.block.handle.0);
        let dead = (last + 1).max(end.saturating_sub(DEAD_MIN as u32))..end;
        self.slots.extend(dead.map(|handle| Slot {
            block: Block {
                handle: Handle(handle),
                ..next
            },
            is_live: false,
        }));
    }

    /// Where the bytes of a block stand in `spans`, or would.
    #[inline]
    fn span_index(&self, block: &Block) -> usize {
        let is_before = |span: &Span| span.start < block.offset;
        let (before, hinted) = self
            .spans
            .split_at(self.span_hint.get().min(self.spans.len()));
        if before.last().is_none_or(is_before) && !hinted.first().is_some_and(is_before) {
            return before.len();
        }
        self.spans.partition_point(is_before)
    }

    #[inline]
    fn add_span(&mut self, block: Block) {
        if self.is_indexed && block.size > 0 {
            let span = Span {
                start: block.offset,
                end: block.offset + block.size,
                handle: block.handle,
            };
            self.spans.insert(self.span_index(&block), span);
        }
    }

    #[inline]
    fn remove_span(&mut self, block: Block) {
        if self.is_indexed && block.size > 0 {
            self.spans.remove(self.span_index(&block));
        }
    }
}

impl Blocks for ByAddress {
    fn all(&self) -> impl Iterator<Item = Block> {
        let live = self.slots.iter().filter(|slot| slot.is_live);
        live.map(|slot| slot.block)
    }

    fn is_empty(&self) -> bool {
        self.live == 0
    }

    #[inline]
    fn get(&self, handle: Handle) -> Option<Block> {
        self.index_of(handle).map(|index| self.slots[index].block)
    }

    #[inline]
    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        if size == 0 {
            return None;
        }
        if !self.is_indexed {
            self.is_indexed = true;
            for index in 0..self.slots.len() {
                let Slot { block, is_live } = self.slots[index];
                if is_live {
                    self.add_span(block);
                }
            }
        }
        // Since no two share a byte, the ends are in order too.
        let first = self.spans.partition_point(|span| span.end <= offset);
        self.span_hint.set(first);
        let shares = |span: &&Span| span.start < offset + size;
        let shared = self.spans[first..].iter().take_while(shares);
        let others = shared
            .map(|span| span.handle)
            .filter(|&other| other != handle);
        others.min().and_then(|other| self.get(other))
    }

    #[inline]
    fn insert(&mut self, block: Block) {
        let slot = Slot {
            block,
            is_live: true,
        };
        if let Some(index) = self.index_of(block.handle) {
            let old = std::mem::replace(&mut self.slots[index], slot);
            self.remove_span(old.block);
        } else {
            if self.slots.len() > 2 * self.live + DEAD_MIN {
                self.slots.retain(|slot| slot.is_live);
            }
            self.push_dead(block);
            self.slots.push(slot);
            self.live += 1;
        }
        self.add_span(block);
    }

    #[inline]
    fn remove(&mut self, handle: Handle) {
        if let Some(index) = self.index_of(handle) {
            self.slots[index].is_live = false;
            self.live -= 1;
            self.remove_span(self.slots[index].block);
        }
    }

    fn clear(&mut self) {
        self.slots.clear();
        self.live = 0;
        self.spans.clear();
        self.is_indexed = false;
    }
}
