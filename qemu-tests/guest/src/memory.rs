//! The memory that host and guest share, and the buffers that requests are run in: every reference
//! to fixed memory that the guest makes is made here.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use harness::ground::Ground;
use harness::heap::Workspace;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox};
use harness::op::Op;
use harness::subject::Region;
use harness::trace::OPS_MAX;

use crate::layout::WRITABLE;

const _: () = assert!(WRITABLE.end() == MAILBOX_ADDRESS as usize);

/// What a request is run with.
pub struct Buffers {
    /// The request's ops.
    pub ops: [Op; OPS_MAX],
    /// The harness's own.
    pub workspace: Workspace,
    /// The heap's memory.
    pub ground: Ground,
}

struct Static(UnsafeCell<MaybeUninit<Buffers>>);

// SAFETY: there is one hart and no interrupt handler, so nothing is ever shared between threads.
unsafe impl Sync for Static {}

/// Uninitialised, so that the image does not carry a megabyte of initial bytes.
static BUFFERS: Static = Static(UnsafeCell::new(MaybeUninit::uninit()));

/// The mailbox.
pub fn mailbox() -> &'static Mailbox {
    // SAFETY: nothing of the guest lies behind `WRITABLE`, which ends where the mailbox starts, and
    // the machine's RAM holds all of it (asserted in `harness::mailbox`). It consists of atomics,
    // for which every bit pattern is valid, so the host may write at any time.
    unsafe { &*(MAILBOX_ADDRESS as *const Mailbox) }
}

/// Fresh buffers.
///
/// # Safety
/// No reference that an earlier call returned is used any more.
pub unsafe fn buffers() -> &'static mut Buffers {
    // SAFETY: by the caller's promise the reference is the only one in use.
    let buffers = unsafe { &mut *BUFFERS.0.get() };
    let heap = Region {
        start: HEAP_ADDRESS as *mut u8,
        bytes: 0,
        slack: 0,
    };
    buffers.write(Buffers {
        ops: [Op::FreeNull; OPS_MAX],
        workspace: Workspace::new(),
        // SAFETY: nothing else of the guest lies behind the heap's address, and the host leaves it
        // alone.
        ground: unsafe { Ground::new(heap) },
    })
}
