//! Memory for one allocator, with guards before and after that show stray stores.

use std::alloc::{Layout, alloc, dealloc};
use std::ops::Range;
use std::slice;

use kmem::PAGE_SIZE;

/// Base alignment: offsets and addresses agree modulo every alignment the tests use.
const ALIGN: usize = 1 << 16;

const GUARD_BYTES: usize = ALIGN;
const GUARD: u8 = 0xa5;

pub struct Arena {
    base: *mut u8,
    layout: Layout,
    bytes: usize,
}

impl Arena {
    /// `bytes` bytes of value `fill` between two guards.
    pub fn new(bytes: usize, fill: u8) -> Self {
        let arena = Self::uninitialised(bytes);
        // SAFETY: the region lies between the guards.
        unsafe { arena.start().write_bytes(fill, bytes) };
        arena
    }

    /// `bytes` bytes between two guards, that nobody may read before they are written: Miri
    /// watches. Elsewhere they are not 0.
    pub fn uninitialised(bytes: usize) -> Self {
        let whole = GUARD_BYTES + bytes.next_multiple_of(PAGE_SIZE) + GUARD_BYTES;
        let layout = Layout::from_size_align(whole, ALIGN).unwrap();
        // SAFETY: the layout's size is not 0.
        let base = unsafe { alloc(layout) };
        assert!(!base.is_null());
        let arena = Self {
            base,
            layout,
            bytes,
        };
        for guard in arena.guards() {
            // SAFETY: the range is inside the allocation, which was just made.
            unsafe { base.add(guard.start).write_bytes(GUARD, guard.len()) };
        }
        if !cfg!(miri) {
            // SAFETY: the region lies between the guards.
            unsafe { arena.start().write_bytes(GUARD, bytes) };
        }
        arena
    }

    pub fn start(&self) -> *mut u8 {
        self.base.wrapping_add(GUARD_BYTES)
    }

    /// The byte at an offset from the region's start; offsets into the guards are allowed.
    pub fn get(&self, offset: usize) -> u8 {
        // SAFETY: `at` returns an address of the allocation.
        unsafe { self.at(offset).read() }
    }

    pub fn set(&self, offset: usize, value: u8) {
        // SAFETY: `at` returns an address of the allocation, which is accessed through raw
        // pointers only.
        unsafe { self.at(offset).write(value) };
    }

    /// Overwrites the 8 bytes at an offset.
    pub fn set_word(&self, offset: usize, word: u64) {
        for (index, byte) in word.to_le_bytes().into_iter().enumerate() {
            self.set(offset + index, byte);
        }
    }

    /// Whether every byte outside the region still has the guards' value.
    pub fn guards_are_intact(&self) -> bool {
        self.guards().into_iter().all(|guard| {
            // SAFETY: the range is inside the allocation, and nothing stores to it meanwhile.
            let found = unsafe { slice::from_raw_parts(self.base.add(guard.start), guard.len()) };
            // Slices, not bytes one by one: Miri compares them at native speed.
            found == &[GUARD; GUARD_BYTES + PAGE_SIZE][..guard.len()]
        })
    }

    /// Where the guards lie in the allocation.
    fn guards(&self) -> [Range<usize>; 2] {
        [0..GUARD_BYTES, GUARD_BYTES + self.bytes..self.layout.size()]
    }

    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.layout.size() - GUARD_BYTES);
        self.start().wrapping_add(offset)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.base, self.layout) };
    }
}
