//! The traces whose ops are counted: one for an order of calls and a number of live blocks.
//!
//! Each first fills the heap; what it does then, in rounds that leave as many blocks live as there
//! were, is measured. Drawn from a fixed seed, so every subject is asked for the same.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use harness::geometry::{Geometry, PAGE_BYTES};
use harness::op::{Handle, Op};
use harness::trace::Trace;

/// The heap of all of them: 1,024 pages.
pub const HEAP_PAGES: u64 = 1024;
/// How many blocks are live.
pub const LIVE: [usize; 4] = [10, 100, 1_000, 10_000];
/// Measured rounds of a trace: enough for a median, few beside the calls that fill the heap.
const ROUNDS: usize = 256;
/// Of the mixed trace, in which each block is replaced four times on average.
const ROUNDS_MIXED: usize = 4_000;

/// The size of sequential blocks, and what they are resized to.
const SEQUENTIAL: (u64, u64) = (64, 96);
/// Drawn sizes: twice 10,000 such blocks fit the heap, rounded up to powers of two even.
const DRAWN: RangeInclusive<u64> = 8..=256;
/// Sizes of blocks and holes in a far-up heap, and of what fits none of the holes.
const HOLES: RangeInclusive<u64> = 8..=64;
const FAR: u64 = 512;
/// Sizes of the mixed trace.
const MIXED: RangeInclusive<u64> = 8..=512;

/// In which order blocks are asked for and freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Blocks of one size; the oldest is resized, then freed.
    Sequential,
    /// Sizes are drawn, and the block that is freed or resized too.
    Random,
    /// The same in a heap in which every other block was freed first: as many holes as blocks.
    Fragmented,
    /// As many holes as blocks, and all of them too small: what fits lies behind the last.
    FarUp,
    /// A block is asked for and a drawn one freed, sizes from 8 to 512 bytes.
    Mixed,
    /// A page of zeroes is asked for, and freed.
    Zeroed,
}

impl Order {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Random => "random",
            Self::Fragmented => "fragmented",
            Self::FarUp => "far-up",
            Self::Mixed => "mixed",
            Self::Zeroed => "zeroed",
        }
    }
}

/// A trace, and where its measured part begins.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The order of its calls.
    pub order: Order,
    /// Blocks that are live in each round.
    pub live: usize,
    /// The calls.
    pub trace: Trace,
    /// The first measured op.
    pub measured_from: usize,
}

impl Workload {
    /// The workload of this order and so many live blocks.
    ///
    /// # Panics
    /// If those are too many for a trace or the heap: more than 10,000.
    #[must_use]
    pub fn new(order: Order, live: usize) -> Self {
        let mut draft = Draft::new();
        match order {
            Order::Sequential | Order::Zeroed => (0..live).for_each(|_| draft.alloc(SEQUENTIAL.0)),
            Order::Random => (0..live).for_each(|_| draft.alloc_drawn(DRAWN)),
            Order::Fragmented => draft.fill_and_thin(live, DRAWN),
            Order::FarUp => draft.fill_and_thin(live, HOLES),
            Order::Mixed => (0..live).for_each(|_| draft.alloc_drawn(MIXED)),
        }
        let measured_from = draft.trace.ops.len();
        let rounds = match order {
            Order::Mixed => ROUNDS_MIXED,
            _ => ROUNDS,
        };
        for _ in 0..rounds {
            draft.round(order);
        }
        draft.trace.check_invariants();
        Self {
            order,
            live,
            trace: draft.trace,
            measured_from,
        }
    }

    /// Every workload of a subject's table, for up to so many live blocks.
    #[must_use]
    pub fn all(live_max: usize) -> Vec<Self> {
        let orders = [Order::Sequential, Order::Random, Order::Fragmented];
        let sizes = LIVE.into_iter().filter(|&live| live <= live_max);
        let cells = orders
            .into_iter()
            .flat_map(|order| sizes.clone().map(move |live| (order, live)));
        // A far-up heap of 10,000 chunks, half of them holes.
        let far_up = (Order::FarUp, live_max / 2);
        let mixed = (Order::Mixed, 1_000);
        let zeroed = (Order::Zeroed, LIVE[0]);
        cells
            .chain([far_up, mixed, zeroed])
            .map(|(order, live)| Self::new(order, live))
            .collect()
    }
}

/// A trace under construction.
struct Draft {
    trace: Trace,
    /// Oldest first.
    live: VecDeque<Handle>,
    issued: u32,
    random: fastrand::Rng,
}

impl Draft {
    fn new() -> Self {
        let heap = Geometry::from_pages(HEAP_PAGES).expect("1,024 pages are a heap");
        Self {
            trace: Trace::new(heap),
            live: VecDeque::new(),
            issued: 0,
            random: fastrand::Rng::with_seed(1),
        }
    }

    fn alloc(&mut self, size: u64) {
        self.ask(size, false);
    }

    fn ask(&mut self, size: u64, zeroed: bool) {
        self.trace.ops.push(Op::Alloc {
            size,
            align: None,
            zeroed,
        });
        self.live.push_back(Handle(self.issued));
        self.issued += 1;
    }

    fn alloc_drawn(&mut self, sizes: RangeInclusive<u64>) {
        let size = self.random.u64(sizes);
        self.alloc(size);
    }

    /// Frees the live block of this age.
    fn free(&mut self, age: usize) {
        let handle = self.live.remove(age).expect("as many blocks are live");
        self.trace.ops.push(Op::Free { handle });
    }

    fn realloc(&mut self, age: usize, size: u64) {
        let handle = self.live[age];
        self.trace.ops.push(Op::Realloc { handle, size });
    }

    fn draw(&mut self) -> usize {
        self.random.usize(..self.live.len())
    }

    /// Leaves `live` blocks and as many holes.
    fn fill_and_thin(&mut self, live: usize, sizes: RangeInclusive<u64>) {
        for _ in 0..2 * live {
            self.alloc_drawn(sizes.clone());
        }
        // The first block goes, the second stays and becomes the first.
        for age in 0..live {
            self.free(age);
        }
    }

    fn round(&mut self, order: Order) {
        match order {
            Order::Sequential => {
                self.alloc(SEQUENTIAL.0);
                self.free(0);
                self.realloc(0, SEQUENTIAL.1);
            }
            Order::Random | Order::Fragmented => {
                self.alloc_drawn(DRAWN);
                let freed = self.draw();
                self.free(freed);
                let (resized, size) = (self.draw(), self.random.u64(DRAWN));
                self.realloc(resized, size);
            }
            Order::FarUp => {
                self.alloc(FAR);
                self.free(self.live.len() - 1);
            }
            Order::Mixed => {
                self.alloc_drawn(MIXED);
                let freed = self.draw();
                self.free(freed);
            }
            Order::Zeroed => {
                self.ask(PAGE_BYTES, true);
                self.free(self.live.len() - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use harness::handles::Handles;

    use super::*;

    #[test]
    fn a_workload_keeps_as_many_blocks_live_as_it_says() {
        for workload in Workload::all(100) {
            let mut handles = Handles::default();
            let ops = &workload.trace.ops;
            for (index, op) in ops.iter().enumerate() {
                let measured = index >= workload.measured_from;
                if measured && matches!(op, Op::Alloc { .. }) {
                    assert_eq!(handles.live().len(), workload.live);
                }
                handles.note(op);
            }
            assert_eq!(handles.live().len(), workload.live);
        }
    }

    #[test]
    fn a_workload_is_the_same_each_time() {
        let drawn = || Workload::new(Order::Fragmented, 100).trace;
        assert_eq!(drawn(), drawn());
    }
}
