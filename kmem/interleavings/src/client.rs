//! What a hart asks of the heap, and what it holds the heap to: no two blocks overlap, contents
//! stay.

#![allow(unsafe_code, reason = "it uses blocks of raw memory")]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Arc, Mutex};

/// One call. A block is named by its place in the order of a client's own allocs.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// Of so many bytes.
    Alloc(usize),
    /// The same, aligned to 32.
    AllocAligned(usize),
    /// The same, zeroed.
    AllocZeroed(usize),
    /// The block's new size.
    Realloc(usize, usize),
    /// The block.
    Free(usize),
}

/// The ranges of addresses that clients own at the moment. (Not loom's: it must not order harts.)
pub type Owned = Arc<Mutex<Vec<(usize, usize)>>>;

/// A hart's, or a handler's, side of a heap.
pub struct Client<'a> {
    heap: &'a dyn GlobalAlloc,
    owned: Owned,
    /// Tells its blocks' bytes from others'.
    mark: u8,
    /// `None` if it was refused or freed.
    blocks: Vec<Option<(*mut u8, Layout)>>,
}

impl<'a> Client<'a> {
    /// A client without blocks. `mark` is its own, and not 0.
    #[must_use]
    pub fn new(heap: &'a dyn GlobalAlloc, owned: Owned, mark: u8) -> Self {
        Self {
            heap,
            owned,
            mark,
            blocks: Vec::new(),
        }
    }

    /// Makes the calls in order, then frees what is left.
    ///
    /// # Panics
    /// If the heap breaks its contract.
    pub fn run(mut self, calls: &[Call]) {
        for &call in calls {
            self.call(call);
        }
        for block in 0..self.blocks.len() {
            self.call(Call::Free(block));
        }
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Alloc(size) => self.alloc(size, 8, false),
            Call::AllocAligned(size) => self.alloc(size, 32, false),
            Call::AllocZeroed(size) => self.alloc(size, 8, true),
            Call::Realloc(block, size) => {
                if let Some((old, layout)) = self.blocks[block].take() {
                    self.blocks[block] = Some(self.realloc(old, layout, size));
                }
            }
            Call::Free(block) => {
                if let Some((block, layout)) = self.blocks[block].take() {
                    self.check(block, layout.size());
                    self.disown(block);
                    // SAFETY: it is live, of that layout, and forgotten.
                    unsafe { self.heap.dealloc(block, layout) };
                }
            }
        }
    }

    fn alloc(&mut self, size: usize, align: usize, zeroed: bool) {
        let layout = Layout::from_size_align(size, align).expect("a small layout");
        // SAFETY: no call asks for 0 bytes.
        let block = unsafe {
            match zeroed {
                true => self.heap.alloc_zeroed(layout),
                false => self.heap.alloc(layout),
            }
        };
        if block.is_null() {
            self.blocks.push(None);
            return;
        }
        self.own(block, size);
        if zeroed {
            // SAFETY: the block is this client's, and zeroed.
            let bytes = unsafe { std::slice::from_raw_parts(block, size) };
            assert!(bytes.iter().all(|&byte| byte == 0), "not zeroed");
        }
        self.fill(block, size);
        self.blocks.push(Some((block, layout)));
    }

    fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> (*mut u8, Layout) {
        self.check(old, layout.size());
        self.disown(old);
        // SAFETY: the block is live and of that layout; the size is small and not 0.
        let block = unsafe { self.heap.realloc(old, layout, size) };
        if block.is_null() {
            self.own(old, layout.size());
            self.check(old, layout.size());
            return (old, layout);
        }
        self.own(block, size);
        self.check(block, layout.size().min(size));
        self.fill(block, size);
        let layout = Layout::from_size_align(size, layout.align()).expect("a small layout");
        (block, layout)
    }

    fn own(&self, block: *mut u8, size: usize) {
        let (start, end) = (block.addr(), block.addr() + size);
        let mut owned = self.owned.lock().expect("nobody panics with it");
        let overlap = owned
            .iter()
            .find(|other| start < other.1 && other.0 < end)
            .copied();
        owned.push((start, end));
        drop(owned);
        assert!(overlap.is_none(), "overlap");
    }

    fn disown(&self, block: *mut u8) {
        let mut owned = self.owned.lock().expect("nobody panics with it");
        owned.retain(|other| other.0 != block.addr());
    }

    fn fill(&self, block: *mut u8, size: usize) {
        // SAFETY: the block is this client's, and holds that many bytes.
        unsafe { block.write_bytes(self.mark, size) };
    }

    fn check(&self, block: *mut u8, size: usize) {
        // SAFETY: the block is this client's, and was filled.
        let bytes = unsafe { std::slice::from_raw_parts(block, size) };
        assert!(
            bytes.iter().all(|&byte| byte == self.mark),
            "contents changed"
        );
    }
}
