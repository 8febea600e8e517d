//! The guest's RAM as the host sees it: one memory file, mapped by both.
//!
//! The file is anonymous (`memfd_create`): it has no name on any disk, so nothing is left over
//! however either side dies. QEMU opens it as `/proc/self/fd/N`, where `N` is the descriptor that
//! the child inherits.
//!
//! It hands out raw pointers only. The guest writes at any moment, behind the compiler's back:
//! no reference into this memory would be sound. Use atomics or volatile accesses.

#![allow(unsafe_code, reason = "it maps memory that a guest shares")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr::{self, NonNull};

/// The physical address where the `virt` machine's RAM starts, and a guest's first instruction.
pub const RAM_BASE: u64 = 0x8000_0000;

/// A guest's whole RAM, mapped readable and writable. It outlives the guest's end, not the
/// [`Guest`](crate::Guest).
#[derive(Debug)]
pub struct SharedMemory {
    /// Start of a mapping of `bytes` bytes that stays until drop.
    base: NonNull<u8>,
    /// Bytes mapped, which is the file's length.
    bytes: usize,
    /// Open at least until QEMU has inherited it.
    file: File,
}

// SAFETY: the mapping belongs to the process, not to a thread; `SharedMemory` gives out pointers
// only, and whoever dereferences them answers for data races, as with any shared memory.
unsafe impl Send for SharedMemory {}
// SAFETY: as above; no method touches the mapped bytes, so `&SharedMemory` shares nothing mutable.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Makes a zeroed memory file of `bytes` bytes and maps it.
    pub(crate) fn create(bytes: u64) -> io::Result<SharedMemory> {
        let len = usize::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: the name is a C string that lives for ever; the call touches nothing else.
        let fd = unsafe { libc::memfd_create(c"guest-ram".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `memfd_create` just returned this descriptor; nothing else owns it.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(bytes)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // No reserve: a guest touches little of its RAM, and the host must not promise the rest.
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        // SAFETY: a new mapping wherever the kernel likes replaces no other; `file` is open and
        // `len` bytes long.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at null"))?;
        Ok(SharedMemory {
            base,
            bytes: len,
            file,
        })
    }

    /// Where the host has the byte at [`RAM_BASE`].
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Bytes of RAM.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a machine without ram does not start"
    )]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Where the host has the `bytes` bytes at `guest_address`, if all of them lie in RAM.
    pub fn at(&self, guest_address: u64, bytes: usize) -> Option<NonNull<u8>> {
        let offset = usize::try_from(guest_address.checked_sub(RAM_BASE)?).ok()?;
        if offset.checked_add(bytes)? > self.bytes {
            return None;
        }
        // SAFETY: the line above established `offset <= self.bytes`, so the result lies in the
        // mapping or one past its end.
        Some(unsafe { self.base.add(offset) })
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: `create` mapped exactly these bytes, nothing else unmaps them, and pointers
        // into them are the caller's to forget before the owner goes.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 64 * 1024;

    #[test]
    fn at_accepts_what_lies_in_ram_and_nothing_else() {
        let memory = SharedMemory::create(BYTES).unwrap();
        let end = RAM_BASE + BYTES;
        assert_eq!(memory.len() as u64, BYTES);
        assert_eq!(memory.at(RAM_BASE, 1).unwrap().as_ptr(), memory.as_ptr());
        assert!(memory.at(RAM_BASE, memory.len()).is_some());
        assert!(memory.at(end - 1, 1).is_some());
        assert!(memory.at(end, 0).is_some());
        assert!(memory.at(end, 1).is_none());
        assert!(memory.at(end - 1, 2).is_none());
        assert!(memory.at(end + 1, 0).is_none());
        assert!(memory.at(RAM_BASE - 1, 1).is_none());
        assert!(memory.at(0, 0).is_none());
        assert!(memory.at(u64::MAX, usize::MAX).is_none());
        assert!(memory.at(RAM_BASE + 8, usize::MAX).is_none());
    }

    #[test]
    fn fresh_memory_is_zero_and_keeps_what_is_written() {
        let memory = SharedMemory::create(BYTES).unwrap();
        let word = memory.at(RAM_BASE + 0x1000, 4).unwrap().cast::<u32>();
        // SAFETY: `at` vouches for four bytes, a page start is aligned, and nobody else maps it.
        unsafe {
            assert_eq!(word.read_volatile(), 0);
            word.write_volatile(0xfeed);
            assert_eq!(word.read_volatile(), 0xfeed);
        }
    }
}
