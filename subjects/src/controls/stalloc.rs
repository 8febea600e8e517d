//! `stalloc`: first fit over 511 blocks of 8 bytes, with the free list in the free blocks. Three
//! defects are left out (`docs/finds/stalloc.md`): live memory is granted again after an alignment
//! above a block's, and after `realloc` of what is not whole blocks, so it is asked for whole
//! blocks of the least alignment; and it loses free memory, so nothing is expected of memory that
//! was given back.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

use ::stalloc::UnsafeStalloc;
use harness::declaration::{Declaration, Reuse};
use harness::subject::{Freed, Region, Subject};

/// Bytes in the unit it counts in.
const BLOCK_BYTES: usize = 8;

/// The blocks and their list, which come to a page. More region than that stays unused.
type Page = UnsafeStalloc<511, BLOCK_BYTES>;
const _: () = assert!(size_of::<Page>() == 4096);

/// `stalloc` in a page.
pub struct Stalloc(&'static Page);

/// The request for as many whole blocks. Of the least alignment, since every block has its own.
fn whole(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_next_multiple_of(BLOCK_BYTES)?, 1).ok()
}

impl Subject for Stalloc {
    const DECLARATION: Declaration = Declaration::new("stalloc")
        .region_at_least(size_of::<Page>() as u64)
        .align_max(BLOCK_BYTES as u64)
        .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        let page = region.start.cast::<Page>();
        // SAFETY: the caller vouches for the region, which the declaration makes large enough, and
        // for one thread at a time.
        unsafe { page.write(Page::new()) };
        // SAFETY: it was just made, and stays where it is as long as the region does.
        Self(unsafe { &*page })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        whole(layout.size()).map_or(null_mut(), |whole| unsafe { self.0.alloc(whole) })
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(whole) = whole(layout.size()) {
            // SAFETY: exactly the caller's promise; the block was granted for as many whole blocks.
            unsafe { self.0.dealloc(block, whole) };
        }
        Freed::Done
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        whole(layout.size()).map_or(null_mut(), |whole| unsafe { self.0.alloc_zeroed(whole) })
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (Some(old), Some(new)) = (whole(layout.size()), whole(new_size)) else {
            return null_mut();
        };
        // SAFETY: as for `free`, and the new size is not 0.
        unsafe { self.0.realloc(block, old, new.size()) }
    }
}
