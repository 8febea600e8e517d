//! A heap over an arena of its own, spoken to in offsets from the heap's start.

use std::alloc::Layout;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kmem::{Chunk, FirstFit, FreeError, Kmem2019, Variant};

use crate::arena::Arena;

/// The interface that both generations have.
pub trait Heap {
    /// Bytes of side memory that a heap of so many bytes wants.
    fn side_bytes(bytes: usize) -> usize;
    /// # Safety
    ///
    /// As for the implementor's `new`.
    unsafe fn over(start: *mut u8, bytes: usize, side: *mut u8) -> Self;
    fn kmalloc(&mut self, size: usize) -> *mut u8;
    fn kzmalloc(&mut self, size: usize) -> *mut u8;
    /// # Safety
    ///
    /// As for `GlobalAlloc`.
    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8;
    /// # Safety
    ///
    /// As for `GlobalAlloc`.
    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8;
    /// # Safety
    ///
    /// As for `GlobalAlloc`.
    unsafe fn realloc(&mut self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8;
    /// # Safety
    ///
    /// As for the implementor's `kfree`.
    unsafe fn kfree(&mut self, ptr: *mut u8);
    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result;
    fn chunks(&self) -> Vec<Chunk>;
}

macro_rules! heap {
    ($heap:ty $(, $variant:ident)?; $($own:item)+) => {
        impl $(<$variant: Variant>)? Heap for $heap {
            $($own)+
            fn kmalloc(&mut self, size: usize) -> *mut u8 {
                self.kmalloc(size)
            }
            fn kzmalloc(&mut self, size: usize) -> *mut u8 {
                self.kzmalloc(size)
            }
            unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
                // SAFETY: the same contract.
                unsafe { self.alloc(layout) }
            }
            unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
                // SAFETY: the same contract.
                unsafe { self.alloc_zeroed(layout) }
            }
            unsafe fn realloc(&mut self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
                // SAFETY: the same contract.
                unsafe { self.realloc(ptr, layout, size) }
            }
            unsafe fn kfree(&mut self, ptr: *mut u8) {
                // SAFETY: the same contract.
                unsafe { self.kfree(ptr) }
            }
            fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                self.print_table(out)
            }
            fn chunks(&self) -> Vec<Chunk> {
                self.chunks().collect()
            }
        }
    };
}
heap! { Kmem2019;
    fn side_bytes(_: usize) -> usize {
        0
    }
    unsafe fn over(start: *mut u8, bytes: usize, _: *mut u8) -> Self {
        // SAFETY: the same contract.
        unsafe { Self::new(start, bytes) }
    }
}
heap! { FirstFit<V>, V;
    fn side_bytes(bytes: usize) -> usize {
        Self::side_bytes(bytes)
    }
    unsafe fn over(start: *mut u8, bytes: usize, side: *mut u8) -> Self {
        // SAFETY: the same contract.
        unsafe { Self::new(start, bytes, side) }
    }
}

/// A heap and its memory. The allocators see every misuse that a test makes; the arena's guards
/// keep it from doing damage.
pub struct Fixture<H> {
    pub heap: H,
    pub arena: Arena,
    /// The side memory.
    side: Arena,
}

impl<H: Heap> Fixture<H> {
    /// A fresh heap over zeroes.
    pub fn new(bytes: usize) -> Self {
        Self::filled(bytes, 0)
    }

    pub fn filled(bytes: usize, fill: u8) -> Self {
        let arena = Arena::new(bytes, fill);
        let side = Arena::uninitialised(H::side_bytes(bytes));
        // SAFETY: the arenas live as long as the heap and are used by nobody else.
        let heap = unsafe { H::over(arena.start(), bytes, side.start()) };
        Self { heap, arena, side }
    }

    /// Whether nothing was stored outside the heap and the side memory.
    pub fn guards_are_intact(&self) -> bool {
        self.arena.guards_are_intact() && self.side.guards_are_intact()
    }

    pub fn kmalloc(&mut self, size: usize) -> Option<usize> {
        let block = self.heap.kmalloc(size);
        self.offset(block)
    }

    pub fn kzmalloc(&mut self, size: usize) -> Option<usize> {
        let block = self.heap.kzmalloc(size);
        self.offset(block)
    }

    pub fn alloc(&mut self, size: usize, align: usize) -> Option<usize> {
        // SAFETY: both generations allow every layout here.
        let block = unsafe { self.heap.alloc(layout(size, align)) };
        self.offset(block)
    }

    pub fn alloc_zeroed(&mut self, size: usize, align: usize) -> Option<usize> {
        // SAFETY: both generations allow every layout here.
        let block = unsafe { self.heap.alloc_zeroed(layout(size, align)) };
        self.offset(block)
    }

    /// Resizes the block at an offset, of `old` = (size, align).
    pub fn realloc(&mut self, at: usize, old: (usize, usize), size: usize) -> Option<usize> {
        let ptr = self.ptr(at);
        // SAFETY: the tests pass live blocks, or what the correct generation refuses.
        let block = unsafe { self.heap.realloc(ptr, layout(old.0, old.1), size) };
        self.offset(block)
    }

    pub fn kfree(&mut self, at: usize) {
        let ptr = self.ptr(at);
        // SAFETY: the tests use no block after this, and contain what is no block.
        unsafe { self.heap.kfree(ptr) };
    }

    pub fn ptr(&self, at: usize) -> *mut u8 {
        self.arena.start().wrapping_add(at)
    }

    /// The chunk list in brief, `T` taken and `F` free: `T32 F160`.
    pub fn list(&self) -> String {
        let brief = |chunk: Chunk| format!("{}{}", if chunk.taken { 'T' } else { 'F' }, chunk.size);
        let list: Vec<String> = self.heap.chunks().into_iter().map(brief).collect();
        list.join(" ")
    }

    /// What `print_table` writes.
    pub fn table(&self) -> String {
        let mut text = String::new();
        self.heap.print_table(&mut text).unwrap();
        text
    }

    fn offset(&self, block: *mut u8) -> Option<usize> {
        (!block.is_null()).then(|| block.addr().wrapping_sub(self.arena.start().addr()))
    }
}

impl<V: Variant> Fixture<FirstFit<V>> {
    pub fn try_kfree(&mut self, at: usize) -> Result<(), FreeError> {
        let ptr = self.ptr(at);
        // SAFETY: the tests use no block after this; what is no block is refused.
        unsafe { self.heap.try_kfree(ptr) }
    }

    /// Resizes the block at an offset, of `old` = (size, align), or says why not.
    pub fn try_realloc(
        &mut self,
        at: usize,
        old: (usize, usize),
        size: usize,
    ) -> Result<Option<usize>, FreeError> {
        let ptr = self.ptr(at);
        // SAFETY: the tests pass live blocks; what is no block is refused.
        let block = unsafe { self.heap.try_realloc(ptr, layout(old.0, old.1), size) };
        block.map(|block| self.offset(block))
    }
}

/// A list of chunks, each with its place, in the order of these.
pub fn in_order(chunks: impl Iterator<Item = (usize, String)>) -> String {
    let mut chunks: Vec<_> = chunks.collect();
    chunks.sort();
    let texts: Vec<_> = chunks.into_iter().map(|(_, text)| text).collect();
    texts.join(" ")
}

/// What a call panics with.
pub fn panic_of(call: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("a panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

pub fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}
