//! The memory that host and guest share, and the buffers that requests are run in: every reference
//! to fixed memory that the guest makes is made here.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use harness::geometry::Growth;
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, SIDE_ADDRESS};
use harness::op::Op;
use harness::subject::Region;
use harness::trace::OPS_MAX;

use crate::layout::WRITABLE;

const _: () = assert!(WRITABLE.end() == MAILBOX_ADDRESS as usize);

/// What a request is run with.
pub struct Buffers {
    /// Room for the request's ops.
    pub ops: &'static mut [MaybeUninit<Op>; OPS_MAX],
    /// The harness's own.
    pub workspace: &'static mut Workspace,
    /// The heap's memory.
    pub ground: Ground,
}

/// Memory of the guest's, for whoever can prove that he alone refers to it.
pub struct Static<T>(pub UnsafeCell<T>);

// SAFETY: there is one hart and no interrupt handler, so nothing is ever shared between threads.
unsafe impl<T> Sync for Static<T> {}

/// Neither this nor the next is cleared at boot, which would take longer than all else there; and
/// the image carries neither.
#[unsafe(link_section = ".uninit.ops")]
static OPS: Static<[MaybeUninit<Op>; OPS_MAX]> =
    Static(UnsafeCell::new([const { MaybeUninit::uninit() }; OPS_MAX]));
#[unsafe(link_section = ".uninit.workspace")]
static WORKSPACE: Static<MaybeUninit<Workspace>> = Static(UnsafeCell::new(MaybeUninit::uninit()));

/// A heap of 0 bytes, where every heap starts.
pub const NO_HEAP: Region = Region {
    start: HEAP_ADDRESS as *mut u8,
    bytes: 0,
    slack: 0,
    growth: Growth::NONE,
    side: SIDE_ADDRESS as *mut u8,
};

/// The mailbox.
pub fn mailbox() -> &'static Mailbox {
    // SAFETY: nothing of the guest lies behind `WRITABLE`, which ends where the mailbox starts, and
    // the machine's RAM holds all of it (asserted in `harness::mailbox`). It consists of atomics,
    // for which every bit pattern is valid, so the host may write at any time.
    unsafe { &*(MAILBOX_ADDRESS as *const Mailbox) }
}

/// The buffers, as the last request left them: a request writes whatever it reads. To make them
/// anew would cost a subject that crashes more than its runs do. Of the heap nothing is known.
///
/// # Safety
/// No reference that an earlier call returned is used any more.
pub unsafe fn buffers() -> Buffers {
    // SAFETY: by the caller's promise the references are the only ones. The workspace is one that
    // an earlier request left, or else the zeros that the machine starts with (the mailbox counts
    // on them, too), which is what `Workspace::new` consists of. Nothing else of the guest lies
    // behind the heap's address and the side memory's, of which there is enough for any heap
    // (asserted in `harness::mailbox`), and the host leaves both alone.
    unsafe {
        Buffers {
            ops: &mut *OPS.0.get(),
            workspace: (*WORKSPACE.0.get()).assume_init_mut(),
            ground: Ground::new(NO_HEAP),
        }
    }
}
