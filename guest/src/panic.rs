//! A panic: its message and its place become the record's.

use core::panic::PanicInfo;

use crate::memory::mailbox;
use crate::{bounds, recovery};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A subject's panic comes here within its bounds, from where the reply is out of reach.
    let own = !bounds::leave_after_panic();
    let transcript = &mailbox().transcript;
    transcript.set_panic(format_args!("{}", info.message()), info.location());
    recovery::recover(own)
}
