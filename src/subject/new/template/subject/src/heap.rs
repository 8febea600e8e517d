//! A textbook heap to start from: the holes between blocks are a list, lowest address first; a
//! block comes from the first hole that holds it, and a hole that is made merges with its
//! neighbours.

use core::alloc::Layout;
use core::ptr::null_mut;

/// What sizes and addresses are multiples of: a hole fits into every gap.
const GRAIN: usize = size_of::<Hole>();

/// A hole's first bytes.
struct Hole {
    bytes: usize,
    next: *mut Hole,
}

/// A heap over one region.
pub struct Heap {
    first: *mut Hole,
}

impl Heap {
    /// A heap of one hole.
    ///
    /// # Safety
    /// The region is the heap's alone, and aligned to 16 bytes.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let mut heap = Self { first: null_mut() };
        let hole = start.cast::<Hole>();
        // SAFETY: the region holds a hole.
        unsafe { insert(&mut heap.first, hole, bytes / GRAIN * GRAIN) };
        heap
    }

    /// A block, or null.
    pub fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let Some(bytes) = layout.size().checked_next_multiple_of(GRAIN) else {
            return null_mut();
        };
        let mut link: *mut *mut Hole = &mut self.first;
        // SAFETY: links lead from hole to hole, each of them memory that is no block's.
        unsafe {
            while !(*link).is_null() {
                let hole = *link;
                let gap = hole.cast::<u8>().align_offset(layout.align().max(GRAIN));
                let room = (*hole).bytes.saturating_sub(gap);
                if room >= bytes {
                    let block = hole.cast::<u8>().add(gap);
                    *link = (*hole).next;
                    if room > bytes {
                        insert(link, block.add(bytes).cast(), room - bytes);
                    }
                    if gap > 0 {
                        insert(link, hole, gap);
                    }
                    return block;
                }
                link = &raw mut (*hole).next;
            }
        }
        null_mut()
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// The block was granted for this layout, and is given back once.
    pub unsafe fn free(&mut self, block: *mut u8, layout: Layout) {
        let hole = block.cast::<Hole>();
        let mut before: *mut Hole = null_mut();
        let mut link: *mut *mut Hole = &mut self.first;
        // SAFETY: as in `alloc`; the block is the heap's again.
        unsafe {
            while !(*link).is_null() && *link < hole {
                before = *link;
                link = &raw mut (*before).next;
            }
            insert(link, hole, layout.size().next_multiple_of(GRAIN));
            merge(hole);
            if !before.is_null() {
                merge(before);
            }
        }
    }
}

/// Puts a hole into the list where `link` leads.
///
/// # Safety
/// `link` is one of the list, and the hole's memory is no block's.
unsafe fn insert(link: *mut *mut Hole, hole: *mut Hole, bytes: usize) {
    // SAFETY: exactly the caller's promise.
    unsafe {
        hole.write(Hole { bytes, next: *link });
        *link = hole;
    }
}

/// Merges a hole with the next one, if they touch.
///
/// # Safety
/// It is a hole of the list.
unsafe fn merge(hole: *mut Hole) {
    // SAFETY: the next one is a hole as well.
    unsafe {
        let next = (*hole).next;
        if !next.is_null() && hole.byte_add((*hole).bytes) == next {
            (*hole).bytes += (*next).bytes;
            (*hole).next = (*next).next;
        }
    }
}
