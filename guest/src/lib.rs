//! The guest: runs traces on the real target, thousands in one boot, and tells the host what each
//! op did. It judges nothing; there is no model in it.
//!
//! A program of one's own is one line, [`guest_main!`], and a build script of one line, which gives
//! the linker the script that comes with this crate. It is built for
//! `riscv64gc-unknown-none-elf`, optimised, and with `panic = "abort"`.
//!
//! ```ignore
//! // src/main.rs                                     // build.rs
//! #![no_std]                                         fn main() {
//! #![no_main]                                            println!(
//! kmem_rig_guest::guest_main![my_heap::MyHeap];
//! "cargo::rustc-link-arg-bins=-Tguest.x"
//!                                                        );
//!                                                    }
//! ```
//!
//! ```text
//! start -> main: bounds, names, ready -> serve: idle -> request -> execute -> reply -.
//!                                          ^                         |               |
//!                                          |   panic or trap: record it, recover     |
//!                                          `-----------------------------------------'
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `start`, `privilege` | the first instructions, and the mode they found |
//! | `layout` | where code, data and heap lie |
//! | `bounds` | who may touch them, and within what bounds a trace runs |
//! | `protection`, `user` | the same in machine mode: PMP, and user mode |
//! | `paging`, `reach` | the same in supervisor mode: Sv39, and one bit |
//! | `serve`, `idle`, `sbi` | the requests, and the time between them |
//! | `counter` | the instructions retired |
//! | `coverage` | the counters of an image that was built to count what it runs |
//! | `trap`, `panic`, `recovery` | what becomes of a subject that panics or goes astray |
//! | `memory`, `checksum` | the shared mailbox, the buffers, and whether they are still whole |
//! | `no_memory` | the allocator that some subjects' crates want named, and the guest lacks |
//!
//! The same image boots in machine mode without firmware and in supervisor mode under one that
//! speaks SBI (OpenSBI), and finds out which. One hart, no interrupts, no allocator, no state that
//! outlives a request except the heap's guard: whatever a subject does, the next trace starts like
//! the first.
#![no_std]
#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

mod bounds;
mod checksum;
mod counter;
mod coverage;
mod idle;
mod layout;
mod memory;
mod no_memory;
mod paging;
mod panic;
mod privilege;
mod protection;
mod reach;
mod recovery;
mod sbi;
mod serve;
mod start;
mod trap;
mod user;

pub use harness;

use privilege::Privilege;

/// Goes on from `start`, in machine mode or in supervisor mode.
extern "C" fn main(supervisor: bool) -> ! {
    privilege::settle(match supervisor {
        false => Privilege::Machine,
        true => Privilege::Supervisor,
    });
    bounds::set();
    counter::open();
    checksum::take();
    serve::introduce();
    serve::serve()
}

/// The program of a guest: the subjects that it holds, by type or as `entries:` made elsewhere. At
/// most [`harness::mailbox::SUBJECTS_MAX`].
#[macro_export]
macro_rules! guest_main {
    (entries: $entries:expr) => {
        // SAFETY: this crate alone declares the symbol, as what it is here.
        #[unsafe(export_name = "kmem_rig_guest_subjects")]
        static SUBJECTS: &[$crate::harness::entry::Entry] = {
            let entries: &[$crate::harness::entry::Entry] = $entries;
            assert!(entries.len() <= $crate::harness::mailbox::SUBJECTS_MAX);
            entries
        };
    };
    ($($subject:ty),+ $(,)?) => {
        $crate::guest_main!(entries: $crate::harness::subjects![$($subject),+]);
    };
}
