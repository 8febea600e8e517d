//! The guest's RAM, as far as the rig touches it: the mailbox, and the coverage counters.

#![allow(unsafe_code, reason = "it looks at memory that the guest shares")]

use std::slice;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result};
use harness::mailbox::{MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS, RAM_BYTES};
use qemu_exec::SharedMemory;

const _: () = assert!(RAM_ADDRESS == qemu_exec::RAM_BASE);
const OUTSIDE: &str = "the machine was started with RAM_BYTES of ram, which hold all of it";
const _: () = assert!(MAILBOX_ADDRESS + (size_of::<Mailbox>() as u64) < RAM_ADDRESS + RAM_BYTES);

/// The mailbox, in a machine of [`RAM_BYTES`].
pub fn mailbox(memory: &SharedMemory) -> &Mailbox {
    let mailbox = memory
        .at(MAILBOX_ADDRESS, size_of::<Mailbox>())
        .expect(OUTSIDE)
        .cast();
    // SAFETY: `at` vouches for the bytes, which stay mapped as long as `memory` is borrowed; the
    // mapping is page-aligned and so is the address. A mailbox is atomics throughout: all bit
    // patterns are valid, and the guest may write at any time.
    unsafe { mailbox.as_ref() }
}

/// The coverage counters of the guest, in words; none if its image is not instrumented.
///
/// # Errors
/// When they lie elsewhere than counters can.
pub fn counters(memory: &SharedMemory) -> Result<&[AtomicU64]> {
    let (start, bytes) = mailbox(memory).counters();
    let words = bytes as usize / size_of::<AtomicU64>();
    let memory = memory
        .at(start, words * size_of::<AtomicU64>())
        .filter(|_| start.is_multiple_of(align_of::<AtomicU64>() as u64))
        .context("the guest image's coverage counters lie outside its memory")?;
    // SAFETY: `at` vouches for the bytes, which stay mapped as long as `memory` is borrowed; the
    // address is aligned by the check above, as the mapping is to pages. All bit patterns are valid
    // atomics, which the guest may change at any time.
    Ok(unsafe { slice::from_raw_parts(memory.as_ptr().cast(), words) })
}
