//! From a failure back to the next request.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::arch::asm;

use crate::layout::STACK;
use crate::memory::mailbox;
use crate::{bounds, checksum, serve};

/// Replies to the request under way, whose end is recorded, and serves the next with an empty
/// stack. After a failure of the guest's `own`, or one that changed it, the host is told to boot
/// anew, and no other request is served.
pub fn recover(own: bool) -> ! {
    let spoiled = own || !checksum::holds();
    if spoiled {
        mailbox().set_spoiled();
    }
    bounds::prepare();
    mailbox().set_replied();
    if spoiled {
        loop {
            riscv::asm::wfi();
        }
    }
    // SAFETY: all that lay on the stack belongs to the failed request and is not used again. The
    // stack's end is 16-byte aligned.
    unsafe {
        asm!(
            "li sp, {stack}",
            "j {serve}",
            stack = const STACK.end(),
            serve = sym serve::serve,
            options(noreturn)
        )
    }
}
