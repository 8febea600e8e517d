//! An allocator that is a `GlobalAlloc` already, as a subject: all four calls are passed on as they
//! are, so that none can be forgotten.

use core::alloc::{GlobalAlloc, Layout};

use crate::subject::declaration::Declaration;
use crate::subject::{Freed, Region, Subject};

/// An allocator behind `GlobalAlloc`.
///
/// ```
/// use core::alloc::{GlobalAlloc, Layout};
/// use harness::declaration::Declaration;
/// use harness::global::GlobalSubject;
/// use harness::subject::Region;
/// # struct LockedHeap(*mut u8, usize);
/// # impl LockedHeap {
/// #     unsafe fn new(start: *mut u8, bytes: usize) -> Self { Self(start, bytes) }
/// # }
/// # unsafe impl GlobalAlloc for LockedHeap {
/// #     unsafe fn alloc(&self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
/// #     unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
/// # }
///
/// struct MyHeap(LockedHeap);
///
/// impl GlobalSubject for MyHeap {
///     const DECLARATION: Declaration = Declaration::new("my-heap").region_at_least(64);
///
///     unsafe fn new(region: Region) -> Self {
///         // SAFETY: the caller vouches for the region.
///         Self(unsafe { LockedHeap::new(region.start, region.bytes) })
///     }
///
///     fn global(&self) -> &impl GlobalAlloc {
///         &self.0
///     }
/// }
/// # fn is_subject<S: harness::subject::Subject>() {}
/// # is_subject::<MyHeap>();
/// ```
pub trait GlobalSubject: Sized {
    /// What its users are told.
    const DECLARATION: Declaration;

    /// As [`Subject::new`].
    ///
    /// # Safety
    /// As there.
    unsafe fn new(region: Region) -> Self;

    /// The allocator.
    fn global(&self) -> &impl GlobalAlloc;
}

impl<T: GlobalSubject> Subject for T {
    const DECLARATION: Declaration = T::DECLARATION;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: exactly the caller's promise.
        unsafe { T::new(region) }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        unsafe { self.global().alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.global().dealloc(block, layout) };
        Freed::Done
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not 0.
        unsafe { self.global().alloc_zeroed(layout) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.global().realloc(block, layout, new_size) }
    }
}
