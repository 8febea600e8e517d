//! Live blocks by handle, and the bytes of each by address: what the judge of a search asks at every op.

use std::cell::Cell;

use harness::op::Handle;

use crate::model::contract::{Block, Blocks};

/// Live blocks, listed twice from the first question about their bytes on.
#[derive(Debug, Default)]
pub struct ByAddress {
    /// Lowest handle first.
    blocks: Vec<Block>,
    /// Those that have bytes, by their first one, then by handle; empty unless `is_indexed`.
    spans: Vec<Span>,
    /// Nobody asks where a policy says where blocks lie, and they lie there.
    is_indexed: bool,
    /// Where the latest block that was asked for stands in `blocks`: an op asks for one several times.
    hint: Cell<usize>,
    /// Where the bytes that were asked for last would stand in `spans`: they are added next.
    span_hint: Cell<usize>,
}

/// A block's bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
    handle: Handle,
}

clone_in_place!(ByAddress {
    blocks,
    spans,
    is_indexed,
    hint,
    span_hint
});

impl ByAddress {
    fn index_of(&self, handle: Handle) -> Option<usize> {
        let hint = self.hint.get();
        if self.blocks.last().is_none_or(|last| last.handle < handle) {
            return None;
        }
        if self
            .blocks
            .get(hint)
            .is_some_and(|block| block.handle == handle)
        {
            return Some(hint);
        }
        let found = self
            .blocks
            .binary_search_by_key(&handle, |block| block.handle);
        found.ok().inspect(|&index| self.hint.set(index))
    }

    /// Where the bytes of a block stand in `spans`, or would.
    fn span_index(&self, block: &Block) -> usize {
        let key = (block.offset, block.handle);
        let is_before = |span: &Span| (span.start, span.handle) < key;
        let (before, hinted) = self
            .spans
            .split_at(self.span_hint.get().min(self.spans.len()));
        if before.last().is_none_or(is_before) && !hinted.first().is_some_and(is_before) {
            return before.len();
        }
        self.spans.partition_point(is_before)
    }

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

    fn remove_span(&mut self, block: Block) {
        if self.is_indexed && block.size > 0 {
            self.spans.remove(self.span_index(&block));
        }
    }
}

impl Blocks for ByAddress {
    fn all(&self) -> &[Block] {
        &self.blocks
    }

    fn get(&self, handle: Handle) -> Option<Block> {
        self.index_of(handle).map(|index| self.blocks[index])
    }

    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        if size == 0 {
            return None;
        }
        if !self.is_indexed {
            self.is_indexed = true;
            for index in 0..self.blocks.len() {
                self.add_span(self.blocks[index]);
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
        if let Some(index) = self.index_of(block.handle) {
            let old = std::mem::replace(&mut self.blocks[index], block);
            self.remove_span(old);
        } else {
            let index = self
                .blocks
                .partition_point(|other| other.handle < block.handle);
            self.blocks.insert(index, block);
        }
        self.add_span(block);
    }

    #[inline]
    fn remove(&mut self, handle: Handle) {
        if let Some(index) = self.index_of(handle) {
            let block = self.blocks.remove(index);
            self.remove_span(block);
        }
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.spans.clear();
        self.is_indexed = false;
    }
}
