//! The bounds that a subject is kept in, by the means of the mode that the guest runs in.
//!
//! | | machine mode | supervisor mode |
//! |---|---|---|
//! | who may touch what | `protection`: PMP entries, to the byte | `paging`: Sv39 tables, to the page |
//! | within the bounds | `user`: user mode | `reach`: the guest's own pages closed |

use harness::subject::Region;

use crate::privilege::{Privilege, privilege};
use crate::{paging, protection, reach, user};

/// Sets all guards, with a heap of 0 bytes.
pub fn set() {
    match privilege() {
        Privilege::Machine => {
            protection::protect();
            user::prepare();
        }
        Privilege::Supervisor => paging::protect(),
    }
}

/// Whether a heap may end anywhere; else at a page's end.
pub fn end_anywhere() -> bool {
    privilege() == Privilege::Machine
}

/// Lets a subject reach a heap and its slack, and nothing behind it.
pub fn open_heap(heap: Region) {
    match privilege() {
        Privilege::Machine => protection::open_heap(heap),
        Privilege::Supervisor => paging::open_heap(heap),
    }
}

/// Runs `call` within the bounds.
pub fn within<T>(call: impl FnOnce() -> T) -> T {
    match privilege() {
        Privilege::Machine => user::in_user_mode(call),
        Privilege::Supervisor => reach::with_own_pages_closed(call),
    }
}

/// Ends [`within`] where code panicked, wherever that was; whether it was within the bounds.
pub fn leave_after_panic() -> bool {
    match privilege() {
        Privilege::Machine => {
            user::leave();
            !user::trapped_in_machine_mode()
        }
        Privilege::Supervisor => reach::open(),
    }
}

/// Ends [`within`] where code trapped, wherever that was; whether it was within the bounds.
pub fn leave_after_trap() -> bool {
    match privilege() {
        Privilege::Machine => !user::trapped_in_machine_mode(),
        Privilege::Supervisor => reach::open(),
    }
}

/// Makes [`within`] work again after a failure.
pub fn prepare() {
    match privilege() {
        Privilege::Machine => user::prepare(),
        // Nothing but `reach` changes what it needs.
        Privilege::Supervisor => {}
    }
}
