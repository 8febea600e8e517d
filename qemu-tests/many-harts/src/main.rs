//! A kernel of four harts. Each hart and each hart's timer interrupt allocates, resizes and frees
//! on one [`SharedHeap`]; every call is recorded with the lock held, and the host judges the
//! records.
//!
//! ```text
//! hart 0..3:  client --GlobalAlloc--> SharedHeap --lock, interrupts masked--> Recorded --> Kmem
//! timer:      client ----^                                                       `-> the context's
//! log
//! ```
//!
//! The host says which kernel it is to be: what is shipped, or one with a planted defect
//! (`qemu-tests/tests/many_harts.rs`).
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "a kernel has an entry point")]

mod client;
mod heap;
mod ipi;
mod masks;
mod record;
mod recorded;
mod timer;
#[path = "../../guest/src/virt.rs"]
mod virt;

use core::alloc::GlobalAlloc;
use core::hint::spin_loop;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use client::{Client, PATIENT};
use record::{HARTS, HEAP_BYTES, MAILBOX, Mailbox};
use virt::{leave, say};

/// Harts that are through with their calls.
static DONE: AtomicUsize = AtomicUsize::new(0);

/// What is shared with the host.
pub fn mailbox() -> &'static Mailbox {
    // SAFETY: the linker's script and the heap leave that memory alone; the host maps it, and
    // either side uses atomics.
    unsafe { &*(MAILBOX as usize as *const Mailbox) }
}

/// This hart's number.
pub fn hart() -> usize {
    riscv::register::mhartid::read()
}

/// The harts but the first wait until that has cleared memory.
#[unsafe(export_name = "_mp_hook")]
fn wait_for_memory(hart: usize) -> bool {
    if hart > 0 {
        ipi::sleep_until_woken(hart);
    }
    hart == 0
}

#[riscv_rt::entry]
fn main(hart: usize) -> ! {
    if hart == 0 {
        while mailbox().go.load(Acquire) == 0 {
            spin_loop();
        }
        masks::check();
        heap::init();
        (1..HARTS).for_each(ipi::wake);
    }
    let heap = heap::chosen();
    timer::start(hart);
    Client::new(heap, hart, &PATIENT).run(mailbox().steps.load(Relaxed));
    timer::stop(hart);
    DONE.fetch_add(1, Release);
    if hart == 0 {
        finish(heap);
    }
    timer::rest()
}

/// All blocks are freed: the heap must hold the largest one that it ever could.
fn finish(heap: &'static dyn GlobalAlloc) -> ! {
    while DONE.load(Acquire) < HARTS {
        timer::nap();
    }
    client::take_all(heap, HEAP_BYTES - 8);
    mailbox().complete.store(1, Release);
    say(format_args!("kernel: done"));
    leave(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("kernel: hart {}: {info}", hart()));
    leave(1)
}

#[unsafe(export_name = "ExceptionHandler")]
fn exception(_: &riscv_rt::TrapFrame) -> ! {
    let (cause, pc) = (
        riscv::register::mcause::read().code(),
        riscv::register::mepc::read(),
    );
    panic!(
        "trap: mcause {cause}, mepc {pc:#x}, mtval {:#x}",
        riscv::register::mtval::read()
    );
}
