//! Long random runs of a heap that grows, against a list of who owns each page and of the live
//! chunks.

use std::collections::BTreeMap;
use std::ops::Range;

use kmem::PAGE_SIZE;

use super::Fixture;
use crate::fixture::in_order;
use crate::xorshift::Random;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Heap,
    Nobody,
    Others,
}

/// Who owns each page, and the live chunks: header offset -> chunk size.
#[derive(Clone)]
struct Model {
    owners: Vec<Owner>,
    live: BTreeMap<usize, usize>,
}

impl Model {
    /// Longest runs of pages of an owner.
    fn runs(&self, owner: Owner) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for page in (0..self.owners.len()).filter(|&page| self.owners[page] == owner) {
            match runs.last_mut() {
                Some(run) if run.end == page => run.end += 1,
                _ => runs.push(page..page + 1),
            }
        }
        runs
    }

    /// Free chunks in address order.
    fn gaps(&self) -> Vec<Range<usize>> {
        let mut gaps = Vec::new();
        for region in self.runs(Owner::Heap) {
            let (mut from, end) = (region.start * PAGE_SIZE, region.end * PAGE_SIZE);
            for (&at, &size) in self.live.range(from..end) {
                gaps.push(from..at);
                from = at + size;
            }
            gaps.push(from..end);
        }
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    fn list(&self) -> String {
        let live = self
            .live
            .iter()
            .map(|(&at, &size)| (at, format!("T{size}@{at}")));
        let free = self
            .gaps()
            .into_iter()
            .map(|gap| (gap.start, format!("F{}@{}", gap.len(), gap.start)));
        in_order(live.chain(free))
    }

    fn place(&mut self, size: usize, align: usize) -> Option<usize> {
        let need = size.max(1).div_ceil(8) * 8 + 8;
        for gap in self.gaps().into_iter().filter(|gap| gap.len() >= need) {
            for at in gap.clone().step_by(8) {
                let front_fits = at == gap.start || at >= gap.start + 16;
                if front_fits && (at + 8) % align == 0 && at + need <= gap.end {
                    let room = gap.end - at;
                    self.live
                        .insert(at, if room - need < 16 { room } else { need });
                    return Some(at + 8);
                }
            }
        }
        None
    }

    fn alloc(&mut self, size: usize, align: usize) -> Option<usize> {
        let placed = self.place(size, align);
        if placed.is_some() || size > self.owners.len() * PAGE_SIZE {
            return placed;
        }
        let runs = self.runs(Owner::Nobody);
        let is_behind =
            |run: &Range<usize>| run.start > 0 && self.owners[run.start - 1] == Owner::Heap;
        let (behind, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(is_behind);
        for run in behind.into_iter().chain(others) {
            let mut grown = self.clone();
            for page in run {
                grown.owners[page] = Owner::Heap;
                if let Some(placed) = grown.place(size, align) {
                    *self = grown;
                    return Some(placed);
                }
            }
        }
        None
    }

    fn free(&mut self, block: usize) {
        self.live.remove(&(block - 8));
        for region in self.runs(Owner::Heap).into_iter().skip(1) {
            let bytes = region.start * PAGE_SIZE..region.end * PAGE_SIZE;
            if self.live.range(bytes).next().is_none() {
                self.owners[region].fill(Owner::Nobody);
            }
        }
    }
}

/// Runs random ops on a heap and on the model, with other owners that come and go; how many regions
/// there were at most.
fn random_run(seed: u64, pages: usize, reach: usize, ops: usize) -> usize {
    let mut heap = Fixture::new(pages, reach);
    let mut owners = vec![Owner::Nobody; reach];
    owners[..pages].fill(Owner::Heap);
    let mut model = Model {
        owners,
        live: BTreeMap::new(),
    };
    let mut random = Random(seed);
    let mut blocks: Vec<usize> = Vec::new();
    let mut regions_max = 0;
    for _ in 0..ops {
        match random.below(16) {
            0..7 => {
                let bound = [40, 600, 5_000, 14_000][random.below(4)];
                let (size, align) = (
                    1 + random.below(bound),
                    1 << random.below(7).max(random.below(14)),
                );
                let placed = heap.alloc(size, align);
                assert_eq!(
                    placed,
                    model.alloc(size, align),
                    "{size} {align}: {}",
                    heap.list()
                );
                blocks.extend(placed);
            }
            7 | 8 => {
                let page = random.below(reach);
                match model.owners[page] {
                    Owner::Heap => {}
                    Owner::Nobody => {
                        heap.others(page..page + 1, true);
                        model.owners[page] = Owner::Others;
                    }
                    Owner::Others => {
                        heap.others(page..page + 1, false);
                        model.owners[page] = Owner::Nobody;
                    }
                }
            }
            _ if blocks.is_empty() => {}
            _ => {
                let block = blocks.swap_remove(random.below(blocks.len()));
                heap.free(block);
                model.free(block);
            }
        }
        assert_eq!(heap.list(), model.list());
        assert!(heap.heap.audit(), "{}", heap.list());
        let regions = model.runs(Owner::Heap);
        regions_max = regions_max.max(regions.len());
        let count: usize = regions.iter().map(Range::len).sum();
        assert_eq!(heap.heap.get_num_allocations(), count);
    }
    assert!(heap.arena.guards_are_intact());
    regions_max
}

#[test]
fn it_does_what_a_list_of_pages_and_chunks_does() {
    let ops = if cfg!(miri) { 40 } else { 8_000 };
    let regions = (1..=4)
        .map(|seed| random_run(seed, seed as usize, 24, ops))
        .max();
    assert!(cfg!(miri) || regions >= Some(4), "{regions:?}");
}
