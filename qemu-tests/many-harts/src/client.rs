//! What a context asks of the heap: calls drawn from a seed, on blocks whose bytes it knows.

#![allow(unsafe_code, reason = "it uses blocks of raw memory")]

use core::alloc::{GlobalAlloc, Layout};

use crate::mailbox;
use crate::record::{Event, NONE, Record};
use crate::timer::context;

/// Blocks that a client holds at most.
const BLOCKS_MAX: usize = 24;

/// How a client behaves.
pub struct Manner {
    blocks_max: usize,
    size_max: u64,
}

/// A hart's: sizes and numbers that fill the heap now and then.
pub const PATIENT: Manner = Manner {
    blocks_max: BLOCKS_MAX,
    size_max: 1200,
};

/// An interrupt handler's: few and small.
pub const HASTY: Manner = Manner {
    blocks_max: 4,
    size_max: 64,
};

#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    layout: Layout,
    /// What its first byte holds; each one behind it holds one more.
    first: u8,
}

/// One context's side of the heap.
pub struct Client {
    heap: &'static dyn GlobalAlloc,
    manner: &'static Manner,
    blocks: [Option<Block>; BLOCKS_MAX],
    random: u64,
}

impl Client {
    /// A client without blocks, whose calls follow from the host's seed and its own number.
    pub fn new(heap: &'static dyn GlobalAlloc, number: usize, manner: &'static Manner) -> Self {
        let seed = mailbox().seed.load(core::sync::atomic::Ordering::Relaxed);
        // Not 0, which xorshift would stay at.
        let random = (seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
        Self {
            heap,
            manner,
            blocks: [None; BLOCKS_MAX],
            random,
        }
    }

    /// Makes so many steps, then frees what is left.
    pub fn run(mut self, steps: u64) {
        for _ in 0..steps {
            self.step();
        }
        self.free_all();
    }

    /// Frees all blocks.
    pub fn free_all(mut self) {
        for slot in 0..BLOCKS_MAX {
            self.free(slot);
        }
    }

    /// One call: on a block, or for one.
    pub fn step(&mut self) {
        let slot = self.draw(self.manner.blocks_max as u64) as usize;
        match (self.blocks[slot], self.draw(4)) {
            (None, _) => self.alloc(slot),
            (Some(block), 0) => self.realloc(slot, block),
            (Some(_), _) => self.free(slot),
        }
    }

    /// A number below `bound` (xorshift64).
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % bound
    }

    /// Mostly small.
    fn size(&mut self) -> usize {
        let max = self.manner.size_max >> (2 * self.draw(3));
        1 + self.draw(max) as usize
    }

    fn alloc(&mut self, slot: usize) {
        let align = match self.draw(4) {
            0 => 16 << self.draw(4),
            _ => 8,
        };
        let layout = Layout::from_size_align(self.size(), align).expect("a small layout");
        let zeroed = self.draw(4) == 0;
        // SAFETY: the size is not 0.
        let start = unsafe {
            match zeroed {
                true => self.heap.alloc_zeroed(layout),
                false => self.heap.alloc(layout),
            }
        };
        if start.is_null() {
            return;
        }
        let first = self.draw(256) as u8;
        let block = Block {
            start,
            layout,
            first,
        };
        if zeroed && let Some(byte) = block.find(layout.size(), |_, byte| byte != 0) {
            tell(|at| Event::NotZeroed { at, byte }, start);
        }
        block.fill();
        self.blocks[slot] = Some(block);
    }

    fn realloc(&mut self, slot: usize, block: Block) {
        let size = self.size();
        block.check(block.layout.size());
        // SAFETY: the block is live and of that layout; the size is not 0.
        let start = unsafe { self.heap.realloc(block.start, block.layout, size) };
        if start.is_null() {
            return block.check(block.layout.size());
        }
        let layout = Layout::from_size_align(size, block.layout.align());
        let block = Block {
            start,
            layout: layout.expect("a small layout"),
            ..block
        };
        block.check(size.min(self.blocks[slot].map_or(0, |old| old.layout.size())));
        block.fill();
        self.blocks[slot] = Some(block);
    }

    fn free(&mut self, slot: usize) {
        if let Some(block) = self.blocks[slot].take() {
            block.check(block.layout.size());
            // SAFETY: the block is live, of that layout, and forgotten.
            unsafe { self.heap.dealloc(block.start, block.layout) };
        }
    }
}

impl Block {
    fn byte(&self, index: usize) -> u8 {
        self.first.wrapping_add(index as u8)
    }

    fn fill(&self) {
        for index in 0..self.layout.size() {
            // SAFETY: a byte of the block, which is the client's.
            unsafe { self.start.add(index).write_volatile(self.byte(index)) };
        }
    }

    fn check(&self, bytes: usize) {
        if let Some(byte) = self.find(bytes, |index, byte| byte != self.byte(index)) {
            tell(|at| Event::Changed { at, byte }, self.start);
        }
    }

    fn find(&self, bytes: usize, is_wrong: impl Fn(usize, u8) -> bool) -> Option<u64> {
        let wrong = (0..bytes).find(|&index| {
            // SAFETY: a byte of the block, which is the client's.
            is_wrong(index, unsafe { self.start.add(index).read_volatile() })
        });
        wrong.map(|index| index as u64)
    }
}

/// Records what a client saw of its block.
fn tell(event: impl FnOnce(u64) -> Event, block: *mut u8) {
    let offset = block.addr().wrapping_sub(crate::heap::start());
    let record = Record {
        order: NONE,
        event: event(offset as u64),
    };
    // Interrupts of this hart write to another log.
    assert!(mailbox().logs[context()].push(record), "the log is full");
}

/// Asks for all of an empty heap, and gives it back.
pub fn take_all(heap: &'static dyn GlobalAlloc, bytes: usize) {
    let layout = Layout::from_size_align(bytes, 8).expect("a layout of the heap's size");
    // SAFETY: the size is not 0, and the block is used by nobody.
    unsafe {
        let block = heap.alloc(layout);
        if !block.is_null() {
            heap.dealloc(block, layout);
        }
    }
}
