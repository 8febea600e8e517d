//! A small heap in which loom sees every access, audited after each.

#![allow(unsafe_code, reason = "it hands memory to a heap")]

use kmem::{FreeError, Heap, Kmem};
use loom::cell::UnsafeCell;

use crate::hart;

/// Bytes of the heap: two blocks fit easily, a third seldom.
pub const HEAP_BYTES: usize = 96;

/// Aligned as far as any request: else where an aligned block fits would differ from run to run.
#[repr(align(32))]
struct Memory([u8; HEAP_BYTES]);

/// [`Kmem`] over memory of its own.
pub struct Tracked {
    heap: UnsafeCell<Kmem>,
    start: usize,
    /// Never touched again by this type; the heap points into both.
    _memory: Box<Memory>,
    _side: Box<[u64]>,
    /// Blocks that were resized where they were, and requests that were refused.
    pub in_place: u32,
    /// As above.
    pub refused: u32,
}

impl Tracked {
    /// A fresh heap.
    #[must_use]
    pub fn new() -> Self {
        let mut memory = Box::new(Memory([0; HEAP_BYTES]));
        let mut side = vec![0_u64; Kmem::side_bytes(HEAP_BYTES) / 8].into_boxed_slice();
        let (start, beside) = (memory.0.as_mut_ptr(), side.as_mut_ptr());
        // SAFETY: both are multiples of 8, live as long as the value, and are used by nobody else.
        let heap = unsafe { Kmem::new(start, HEAP_BYTES, beside.cast()) };
        Self {
            heap: UnsafeCell::new(heap),
            start: start.addr(),
            _memory: memory,
            _side: side,
            in_place: 0,
            refused: 0,
        }
    }

    /// Asserts that the heap is as it was at first.
    ///
    /// # Panics
    /// If it is not.
    pub fn assert_fresh(&mut self) {
        let chunks = self.step(|heap| {
            let chunks = heap.chunks();
            chunks
                .map(|chunk| (chunk.size, chunk.taken))
                .collect::<Vec<_>>()
        });
        assert_eq!(chunks, [(HEAP_BYTES, false)], "not all of it came back");
    }

    /// A step that needs the heap to itself.
    fn step<R>(&mut self, work: impl FnOnce(&mut Kmem) -> R) -> R {
        hart::point();
        let result = self.heap.with_mut(|heap| {
            // SAFETY: loom ends the run if anybody else is in here.
            let heap = unsafe { &mut *heap };
            let result = work(heap);
            assert!(heap.audit(), "side memory and headers differ");
            result
        });
        hart::point();
        result
    }

    fn assert_inside(&self, block: *mut u8, size: usize, align: usize) {
        let offset = block.addr().wrapping_sub(self.start);
        assert!(
            offset <= HEAP_BYTES && size <= HEAP_BYTES - offset,
            "out of bounds"
        );
        assert!(block.addr().is_multiple_of(align), "misaligned");
    }
}

impl Default for Tracked {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: as for `Kmem`, which does it all.
unsafe impl Heap for Tracked {
    fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = self.step(|heap| Heap::place(heap, size, align));
        match block.is_null() {
            true => self.refused += 1,
            false => self.assert_inside(block, size, align),
        }
        block
    }

    fn resize(&mut self, ptr: *mut u8, new_size: usize) -> Result<bool, FreeError> {
        let done = self.step(|heap| Heap::resize(heap, ptr, new_size))?;
        self.in_place += u32::from(done);
        Ok(done)
    }

    unsafe fn free(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        // SAFETY: the same contract.
        self.step(|heap| unsafe { Heap::free(heap, ptr) })
    }
}
