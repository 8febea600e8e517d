//! A subject with its type forgotten: a row of the registry.
//!
//! Everything above runs any subject through [`AnySubject`], so it is compiled once. What is
//! compiled anew for each subject is what stands here, in whichever crate makes the entry: next to
//! nothing but the allocator itself. That keeps a guest of a hundred subjects small, and lets a
//! fuzzer instrument the subject without the rig.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use crate::observation::WalkDigest;
use crate::subject::declaration::Declaration;
use crate::subject::table;
use crate::subject::{Chunk, Freed, Region, Subject};
use crate::trace::geometry::Growth;

/// One request for memory.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Bytes.
    pub size: usize,
    /// `None`: through the native entry.
    pub align: Option<usize>,
    /// Whether the block must come zeroed.
    pub zeroed: bool,
}

/// What an entry does with a subject that it has made.
pub type WithSubject<'a> = &'a mut dyn FnMut(&mut dyn AnySubject);

/// A subject by name: what it declares, and how one is made.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What the subject's users are told.
    pub declaration: Declaration,
    maker: Maker,
    /// Of heaps that grow.
    grower: Option<Maker>,
}

/// What is known of a [`Subject`] by its type, and how one is made.
#[derive(Clone, Copy, Debug)]
struct Maker {
    table_is_state: bool,
    side_bytes: fn(usize) -> usize,
    with_fresh: unsafe fn(Region, WithSubject<'_>),
}

impl Maker {
    const fn of<S: Subject>() -> Self {
        Self {
            table_is_state: S::TABLE_IS_STATE,
            side_bytes: S::side_bytes,
            with_fresh: with_fresh::<S>,
        }
    }
}

impl Entry {
    /// The entry of a subject. One whose declaration contradicts itself does not compile.
    #[must_use]
    pub const fn of<S: Subject>() -> Self {
        const { S::DECLARATION.assert_sound() };
        Self {
            declaration: S::DECLARATION,
            maker: Maker::of::<S>(),
            grower: None,
        }
    }

    /// With another subject under the same name for heaps that grow: the same allocator, which then
    /// takes pages and gives them back. The declaration is the first one's.
    #[must_use]
    pub const fn growing<S: Subject>(mut self) -> Self {
        const { assert!(S::GROWS, "a subject for heaps that grow says so") };
        self.declaration.grows = true;
        self.grower = Some(Maker::of::<S>());
        self
    }

    /// [`Subject::TABLE_IS_STATE`] of the subject that is made for such heaps.
    #[must_use]
    pub fn table_is_state(&self, growth: Growth) -> bool {
        self.maker(growth).table_is_state
    }

    /// [`Subject::side_bytes`] of the subject that is made for such heaps.
    #[must_use]
    pub fn side_bytes(&self, heap_bytes: usize, growth: Growth) -> usize {
        (self.maker(growth).side_bytes)(heap_bytes)
    }

    fn maker(&self, growth: Growth) -> &Maker {
        let grower = self.grower.as_ref().filter(|_| !growth.is_none());
        grower.unwrap_or(&self.maker)
    }

    /// The subject's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.declaration.name
    }

    /// Makes a subject over a fresh region, hands it to `work`, and drops it.
    ///
    /// # Safety
    /// As for [`Subject::new`].
    pub unsafe fn with_fresh(&self, region: Region, work: WithSubject<'_>) {
        let maker = self.maker(region.growth);
        // SAFETY: exactly the caller's promise.
        unsafe { (maker.with_fresh)(region, work) }
    }
}

unsafe fn with_fresh<S: Subject>(region: Region, work: WithSubject<'_>) {
    // SAFETY: exactly the caller's promise.
    let mut subject = unsafe { S::new(region) };
    work(&mut subject);
}

/// The calls of [`Subject`], of any subject.
pub trait AnySubject {
    /// A block, or null, from the entry that the request is for.
    ///
    /// # Safety
    /// The request is within the declaration; one with an alignment is not for 0 bytes.
    unsafe fn alloc(&mut self, request: Request) -> *mut u8;

    /// [`Subject::realloc`].
    ///
    /// # Safety
    /// As there.
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8;

    /// [`Subject::free`].
    ///
    /// # Safety
    /// As there.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed;

    /// [`Subject::walk`].
    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>>;

    /// [`Subject::audit`].
    fn audit(&self) -> bool;

    /// [`table::digest`]: apart from `walk`, so that a chunk does not cost a call; and written to
    /// where it is kept, since to copy what was just written takes as long as some chunks.
    fn digest(&self, digest: &mut Option<WalkDigest>);

    /// [`Subject::print_table`].
    ///
    /// # Errors
    /// Only the writer's.
    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result;
}

impl<S: Subject> AnySubject for S {
    unsafe fn alloc(&mut self, request: Request) -> *mut u8 {
        let Request {
            size,
            align,
            zeroed,
        } = request;
        match align.and_then(|align| Layout::from_size_align(size, align).ok()) {
            // SAFETY: the request is within the declaration; with an alignment its size is not 0.
            Some(layout) if zeroed => unsafe { self.alloc_zeroed(layout) },
            // SAFETY: as above.
            Some(layout) => unsafe { Subject::alloc(self, layout) },
            None => self.alloc_native(size, zeroed),
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { Subject::realloc(self, block, layout, new_size) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { Subject::free(self, block, layout) }
    }

    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        Subject::walk(self, visit)
    }

    fn audit(&self) -> bool {
        Subject::audit(self)
    }

    fn digest(&self, digest: &mut Option<WalkDigest>) {
        *digest = table::digest(|visit| Subject::walk(self, visit), |_| {}, S::GROWS);
    }

    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        Subject::print_table(self, out)
    }
}

/// The entries of some subjects, by type: what a rig's binary, a guest or a test is given.
///
/// ```
/// # use core::alloc::Layout;
/// # use harness::declaration::Declaration;
/// # use harness::subject::{Freed, Region, Subject};
/// # struct MyHeap;
/// # impl Subject for MyHeap {
/// #     const DECLARATION: Declaration = Declaration::new("my-heap");
/// #     unsafe fn new(_: Region) -> Self { Self }
/// #     unsafe fn alloc(&mut self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
/// #     unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed { Freed::Done }
/// # }
/// let entries = harness::subjects![MyHeap];
/// assert_eq!(entries[0].name(), "my-heap");
/// ```
#[macro_export]
macro_rules! subjects {
    ($($subject:ty),+ $(,)?) => {{
        const ENTRIES: &[$crate::entry::Entry] = &[$($crate::entry::Entry::of::<$subject>()),+];
        ENTRIES
    }};
}
