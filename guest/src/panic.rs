//! A panic: its message becomes the record's.

use core::fmt::Write;
use core::panic::PanicInfo;

use harness::transcript::{End, MessageWriter};

use crate::memory::mailbox;
use crate::{bounds, recovery};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A subject's panic comes here within its bounds, from where the reply is out of reach.
    let own = !bounds::leave_after_panic();
    let transcript = &mailbox().transcript;
    let mut message = MessageWriter::new(transcript);
    let _ = write!(message, "{}", info.message());
    if let Some(place) = info.location() {
        let _ = write!(
            message,
            ", at {}:{}",
            within_crate(place.file()),
            place.line()
        );
    }
    transcript.set_end(End::Panicked);
    recovery::recover(own)
}

/// A source file's path from its crate's folder on: where that folder lies is the builder's affair.
fn within_crate(file: &str) -> &str {
    let before_crate = |src: usize| file[..src].rfind('/').map_or(0, |slash| slash + 1);
    file.rfind("/src/")
        .map_or(file, |src| &file[before_crate(src)..])
}
