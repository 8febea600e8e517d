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
    pub ops: &'static mut [Op; OPS_MAX],
    /// The harness's own.
    pub workspace: &'static mut Workspace,
    /// The heap's memory.
    pub ground: Ground,
}

struct Static<T>(UnsafeCell<T>);

// SAFETY: there is one hart and no interrupt handler, so nothing is ever shared between threads.
unsafe impl<T> Sync for Static<T> {}

/// Uninitialised until [`prepare`], so that the image does not carry a megabyte of initial bytes.
static OPS: Static<[MaybeUninit<Op>; OPS_MAX]> =
    Static(UnsafeCell::new([const { MaybeUninit::uninit() }; OPS_MAX]));
/// All zero at first, for the same reason.
static WORKSPACE: Static<Workspace> = Static(UnsafeCell::new(Workspace::new()));

/// The mailbox.
pub fn mailbox() -> &'static Mailbox {
    // SAFETY: nothing of the guest lies behind `WRITABLE`, which ends where the mailbox starts, and
    // the machine's RAM holds all of it (asserted in `harness::mailbox`). It consists of atomics,
    // for which every bit pattern is valid, so the host may write at any time.
    unsafe { &*(MAILBOX_ADDRESS as *const Mailbox) }
}

/// Gives the buffers their first contents. Called at boot, before anything asks for them.
pub fn prepare() {
    // SAFETY: nothing refers to the ops yet.
    let ops = unsafe { &mut *OPS.0.get() };
    for op in ops {
        op.write(Op::FreeNull);
    }
}

/// The buffers, as the last request left them: a request writes whatever it reads. To make them
/// anew would cost a subject that crashes more than its runs do. Of the heap nothing is known.
///
/// # Safety
/// They were prepared, and no reference that an earlier call returned is used any more.
pub unsafe fn buffers() -> Buffers {
    let heap = Region {
        start: HEAP_ADDRESS as *mut u8,
        bytes: 0,
        slack: 0,
    };
    // SAFETY: by the caller's promise each op was written, and the references are the only ones.
    // Nothing else of the guest lies behind the heap's address, and the host leaves it alone.
    unsafe {
        Buffers {
            ops: &mut *OPS.0.get().cast(),
            workspace: &mut *WORKSPACE.0.get(),
            ground: Ground::new(heap),
        }
    }
}
