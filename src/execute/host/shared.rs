//! A structure in memory that a forked worker shares with its parent.

use std::io;
use std::ops::Deref;
use std::ptr::{NonNull, null_mut};

/// What may lie in shared memory: structures of atomics alone.
///
/// # Safety
/// All zero bytes are a valid value, every part of it may be changed by another process at any
/// time, and dropping it does nothing.
pub unsafe trait Shareable: Sync {}

// SAFETY: a transcript is atomics throughout, of which zero is a value.
unsafe impl Shareable for harness::transcript::Transcript {}
// SAFETY: an atomic, of which zero is a value.
unsafe impl Shareable for std::sync::atomic::AtomicU64 {}
// SAFETY: it has no parts.
unsafe impl Shareable for () {}

/// One `T`, all zero at first, that this process and the children it forks see alike.
pub struct Shared<T: Shareable> {
    memory: NonNull<T>,
}

// SAFETY: it only ever gives out `&T`, and `T` is `Sync` by the trait's bound.
unsafe impl<T: Shareable> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Shareable> Sync for Shared<T> {}

impl<T: Shareable> Shared<T> {
    /// Maps a new one.
    ///
    /// # Errors
    /// The kernel's, when it grants no memory.
    pub fn new() -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
        let mapped = unsafe { libc::mmap(null_mut(), size_of::<T>(), access, flags, -1, 0) };
        match NonNull::new(mapped.cast()) {
            Some(memory) if mapped != libc::MAP_FAILED => Ok(Self { memory }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl<T: Shareable> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the mapping lives as long as `self`, is page-aligned, and holds a valid `T`
        // from its first, zeroed, state on, by the trait's promise.
        unsafe { self.memory.as_ref() }
    }
}

impl<T: Shareable> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` with this length and is unmapped only here.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), size_of::<T>()) };
    }
}
