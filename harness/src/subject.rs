//! The allocator under test, as the harness sees it.
//!
//! An adapter of some twenty lines puts an allocator behind this trait; `subjects/` has ours.
//! The trait speaks of pointers; only [`crate::heap::Heap`] calls it, and nothing above sees one.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use crate::declaration::Declaration;

/// Memory for one heap. Whoever makes one vouches that `bytes` from `start`, and `slack` bytes
/// behind them, are readable, writable and used by nobody else while the region is in use.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First byte; a multiple of the geometry's region alignment.
    pub start: *mut u8,
    /// The heap, in bytes.
    pub bytes: usize,
    /// Bytes behind the heap that are accessible but not the subject's: whatever a no-access page
    /// cannot cover. They are watched for stray stores.
    pub slack: usize,
}

/// One request for memory.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Bytes.
    pub size: usize,
    /// `None`: through the native entry, where there is one.
    pub align: Option<usize>,
    /// Whether the block must come zeroed.
    pub zeroed: bool,
}

/// How a subject answered a free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freed {
    /// It took the pointer.
    Done,
    /// It said that the pointer is not one of its live blocks.
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

/// An allocator over one region.
///
/// From its first call on, an instance stays where it is: it may be moved between [`Self::new`] and
/// the first `alloc`, `realloc` or `free`, and never after. An allocator that keeps pointers into
/// itself is therefore initialised at its first call.
pub trait Subject: Sized {
    /// What its users are told.
    const DECLARATION: Declaration;

    /// Whether its table is its state: the instance itself never changes, all it knows of its
    /// blocks lies in the region, and what a call does depends on the call's own arguments and on
    /// the chunks that [`Self::walk`] shows, alone. What `explore` relies on.
    const TABLE_IS_STATE: bool = false;

    /// An allocator over a fresh region.
    ///
    /// # Safety
    /// The region is as [`Region`] says and as the declaration's needs say, and outlives the subject.
    unsafe fn new(region: Region) -> Self;

    /// A block, or null.
    ///
    /// # Safety
    /// The request is within the declaration.
    unsafe fn alloc(&mut self, request: Request) -> *mut u8;

    /// The block resized, perhaps moved; or null, and the block as it was.
    ///
    /// # Safety
    /// `block` is live, was granted for `layout`, and `(new_size, layout.align())` is a valid layout.
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8;

    /// Gives a block back. The misuse lane passes pointers that are no live blocks, and only to
    /// subjects whose source says what happens then.
    ///
    /// # Safety
    /// `block` is live and was granted for `layout`, or the caller wants to see misuse.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed;

    /// Shows each chunk in address order until `visit` breaks, and says which offsets the chunks
    /// should tile; `None` if the subject does not list its chunks. What is shown is what the
    /// bookkeeping says, however broken; the visitor bounds the walk.
    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>>;

    /// The subject's own `print_table`, into a writer whose error must end it.
    ///
    /// # Errors
    /// Only the writer's.
    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result;
}
