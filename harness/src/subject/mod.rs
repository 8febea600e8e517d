//! The allocator under test, as the harness sees it.
//!
//! The trait speaks of pointers; only [`crate::run::heap::Heap`] calls it, and nothing above sees
//! one.

#![allow(unsafe_code, reason = "the calls of an allocator are unsafe")]

pub mod declaration;
pub mod entry;
pub mod global;
pub mod table;

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use crate::subject::declaration::Declaration;
use crate::trace::geometry::Growth;

/// Memory for one heap. Whoever makes one vouches that `bytes` from `start`, `slack` bytes behind
/// them, and the side memory are readable, writable and used by nobody else while the region is in
/// use.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First byte; a multiple of the geometry's region alignment.
    pub start: *mut u8,
    /// The heap, in bytes.
    pub bytes: usize,
    /// Bytes behind the heap that are accessible but not the subject's: whatever a no-access page
    /// cannot cover. They are watched for stray stores.
    pub slack: usize,
    /// How the heap may grow: `bytes` is then all that it can reach, and this its end.
    pub growth: Growth,
    /// Side memory: what a subject may use for its own bookkeeping outside the heap, as many bytes
    /// as [`Geometry::side_bytes`](crate::trace::geometry::Geometry::side_bytes). A multiple of 8;
    /// it holds whatever the last run has left there.
    pub side: *mut u8,
}

/// Behind its name, what a subject panics with that declares a native entry and has none.
pub const NO_ALLOC_NATIVE: &str = "is declared `native`, but its adapter has no `alloc_native`";

/// How a subject answered a free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// It took the pointer.
    Done,
    /// It said that the pointer is not one of its live blocks, and wrote nothing.
    Refused,
}

/// A piece of the region as the subject's own bookkeeping has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// First byte, from the region's start; its header's where it has one.
    pub offset: u64,
    /// In bytes, header included.
    pub size: u64,
    /// Whether it is handed out.
    pub taken: bool,
}

/// An allocator over one region: what an adapter of some twenty lines says.
///
/// Four items are asked for: what is declared, how one is made, and two calls. The others stand for
/// what `GlobalAlloc` does where an allocator has no way of its own; one that has it must pass it
/// on here, or it is never tested. An allocator that *is* a `GlobalAlloc` needs three items:
/// [`crate::subject::global::GlobalSubject`].
///
/// From its first call on, an instance stays where it is: it may be moved between [`Self::new`] and
/// the first `alloc`, `realloc` or `free`, and never after. An allocator that keeps pointers into
/// itself is therefore initialised at its first call.
///
/// ```
/// use core::alloc::Layout;
/// use harness::declaration::{Declaration, Reuse};
/// use harness::subject::{Freed, Region, Subject};
///
/// /// Hands out its region from the start to the end, once.
/// struct Bump {
///     next: *mut u8,
///     left: usize,
/// }
///
/// impl Subject for Bump {
///     const DECLARATION: Declaration = Declaration::new("bump").reuse(Reuse::Never);
///
///     unsafe fn new(region: Region) -> Self {
///         Self { next: region.start, left: region.bytes }
///     }
///
///     unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
///         let gap = self.next.align_offset(layout.align());
///         let Some(left) = self.left.checked_sub(gap + layout.size()) else {
///             return core::ptr::null_mut();
///         };
///         let block = self.next.wrapping_add(gap);
///         (self.next, self.left) = (block.wrapping_add(layout.size()), left);
///         block
///     }
///
///     unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
///         Freed::Done
///     }
/// }
/// ```
pub trait Subject: Sized {
    /// What its users are told.
    const DECLARATION: Declaration;

    /// Whether its table is its state: the instance itself never changes, all it knows of its
    /// blocks lies in the region and in [`Self::side_bytes`] of side memory, and what a call does
    /// depends on the call's own arguments and on the chunks that [`Self::walk`] shows, alone. What
    /// `explore` relies on; as far as the side memory goes, it asks [`Self::audit`] in each state.
    const TABLE_IS_STATE: bool = false;

    /// Whether it is one for heaps that grow: its chunks may leave out whole pages behind the first
    /// ones. Another subject of the same name is for heaps that do not
    /// ([`crate::subject::entry::Entry::growing`]).
    const GROWS: bool = false;

    /// How much side memory it uses for a heap of so many bytes: its first bytes, and at most
    /// [`Geometry::side_bytes`](crate::trace::geometry::Geometry::side_bytes).
    #[must_use]
    fn side_bytes(_heap_bytes: usize) -> usize {
        0
    }

    /// An allocator over a fresh region, made as its documentation says.
    ///
    /// # Safety
    /// The region is as [`Region`] says and as the declaration's needs say, and outlives the
    /// subject.
    unsafe fn new(region: Region) -> Self;

    /// A block, or null.
    ///
    /// # Safety
    /// The layout is within the declaration, and its size is not 0.
    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8;

    /// Gives a block back. The misuse lane passes pointers that are no live blocks, and only to
    /// subjects whose source says what happens then.
    ///
    /// # Safety
    /// `block` is live and was granted for `layout`, or the caller wants to see misuse.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed;

    /// A block of zeroes, or null.
    ///
    /// # Safety
    /// As for [`Self::alloc`].
    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block was just granted, with as many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    /// The block resized, perhaps moved; or null, and the block as it was.
    ///
    /// # Safety
    /// `block` is live and was granted for `layout`, `(new_size, layout.align())` is a valid layout
    /// within the declaration, and the new size is not 0.
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that the new size makes a layout with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: it is within the declaration.
        let moved = unsafe { self.alloc(new) };
        if !moved.is_null() {
            // SAFETY: both blocks are live and hold that many bytes, and they do not overlap.
            unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(new_size)) };
            // SAFETY: the caller vouches for the block.
            let _ = unsafe { self.free(block, layout) };
        }
        moved
    }

    /// A block of any size, zeroed or not, or null: the entry that takes no layout (`kmalloc`,
    /// `kzmalloc`), of a subject that declares it.
    fn alloc_native(&mut self, size: usize, zeroed: bool) -> *mut u8 {
        let _ = (size, zeroed);
        panic!("{} {NO_ALLOC_NATIVE}", Self::DECLARATION.name)
    }

    /// Shows each chunk in address order until `visit` breaks, and says which offsets the chunks
    /// should tile; `None` if the subject does not list its chunks. What is shown is what the
    /// bookkeeping says, however broken; the visitor bounds the walk. It writes nothing: blocks
    /// count as unchanged over it.
    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        let _ = visit;
        None
    }

    /// Whether what it relies on in the side memory follows from the chunks that [`Self::walk`]
    /// shows.
    fn audit(&self) -> bool {
        true
    }

    /// The subject's own `print_table`, into a writer whose error must end it.
    ///
    /// # Errors
    /// Only the writer's.
    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let _ = out;
        Ok(())
    }
}
