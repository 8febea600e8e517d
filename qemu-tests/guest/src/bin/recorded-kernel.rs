//! A kernel that boots with `kmem` as its global allocator, and records what it asks of it: the
//! trace goes over the console, among the kernel's own messages, and is replayed on the host.
//!
//! ```text
//! qemu-exec target/riscv64gc-unknown-none-elf/release/recorded-kernel > console.log
//! kmem-rig replay console.log --subject kmem
//! ```
//!
//! It shares nothing with the guest that runs traces.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "a kernel has an entry point and an allocator")]

extern crate alloc;

#[path = "../kernel.rs"]
mod kernel;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use harness::geometry::Geometry;
use harness::recorder::{Lines, Recorder};
use kernel::virt::{Console, leave, say};
use kmem::global::OsGlobalAlloc;

/// The kernel's allocator: of 64 pages, and recorded. At most 896 blocks are live at a time.
#[global_allocator]
static ALLOCATOR: Recorder<OsGlobalAlloc, Lines<Console>, 1024> =
    Recorder::new(OsGlobalAlloc, Geometry::published(), Lines::marked(Console));

#[riscv_rt::entry]
fn main() -> ! {
    say(format_args!("kernel: booting"));
    // SAFETY: the first call of this hart's, which is the only one; there are no interrupt
    // handlers.
    unsafe { kernel::init() };
    ALLOCATOR.start();
    for round in 0..40 {
        let (names, queue) = work(round);
        say(format_args!(
            "kernel: round {round}: {names} names, {queue} messages"
        ));
    }
    ALLOCATOR.stop();
    say(format_args!("kernel: done"));
    leave(0)
}

/// What kernels do with a heap: tables by name, growing lists, queues, text. Returns what is left
/// of each.
fn work(round: usize) -> (usize, usize) {
    let mut devices: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut messages = VecDeque::new();
    for id in 0..30 {
        let name = format!("device-{}", (id * 7 + round) % 13);
        devices.entry(name).or_default().push(id);
        let mut message = String::new();
        for word in 0..id % 5 {
            message.push_str(["ready", "in", "state", "of ", "waiting"][word]);
        }
        messages.push_back(message);
        if id % 3 == 0 {
            messages.pop_front();
        }
    }
    devices.retain(|_, ids| ids.len() > 1);
    (devices.len(), messages.len())
}
