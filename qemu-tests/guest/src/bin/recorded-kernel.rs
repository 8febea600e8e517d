//! A kernel that boots with `kmem` as its global allocator, and records what it asks of it: the trace
//! goes over the console, among the kernel's own messages, and is replayed on the host.
//!
//! ```text
//! qemu-exec target/riscv64gc-unknown-none-elf/release/recorded-kernel > console.log
//! kmem-rig replay console.log --subject kmem
//! ```
//!
//! It shares nothing with the guest that runs traces.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use harness::geometry::{Geometry, PAGE_BYTES};
use harness::recorder::{Lines, Recorder};
use kmem::global::{self, OsGlobalAlloc};

/// The kernel's allocator: of 64 pages, and recorded. At most 896 blocks are live at a time.
#[global_allocator]
static ALLOCATOR: Recorder<OsGlobalAlloc, Lines<Console>, 1024> =
    Recorder::new(OsGlobalAlloc, Geometry::published(), Lines::marked(Console));

/// The heap's 64 pages, the page table's one, and one for the page allocator's descriptors.
const MEMORY_BYTES: usize = 66 * PAGE_BYTES as usize;

#[repr(align(4096))]
struct Memory(UnsafeCell<[u8; MEMORY_BYTES]>);

// SAFETY: `main` alone refers to it, once, and gives it to the page allocator for good.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; MEMORY_BYTES]));

/// The UART of `virt`.
struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const TRANSMIT: *mut u8 = 0x1000_0000 as *mut u8;
        const STATUS: *const u8 = 0x1000_0005 as *const u8;
        const CAN_TRANSMIT: u8 = 1 << 5;
        for byte in text.bytes() {
            // SAFETY: the registers are the machine's, and there is one hart and no interrupt handler.
            unsafe {
                while STATUS.read_volatile() & CAN_TRANSMIT == 0 {}
                TRANSMIT.write_volatile(byte);
            }
        }
        Ok(())
    }
}

/// A message of the kernel's own. Formatting it allocates nothing.
macro_rules! say {
    ($($message:tt)+) => {
        // The console never fails.
        let _ = writeln!(Console, $($message)+);
    };
}

#[riscv_rt::entry]
fn main() -> ! {
    say!("kernel: booting");
    // SAFETY: one hart, no interrupt handlers, and nothing was allocated yet; the memory is nobody else's.
    unsafe {
        global::page::init(MEMORY.0.get().cast(), MEMORY_BYTES);
        global::init();
    }
    ALLOCATOR.start();
    for round in 0..40 {
        let (names, queue) = work(round);
        say!("kernel: round {round}: {names} names, {queue} messages");
    }
    ALLOCATOR.stop();
    say!("kernel: done");
    leave(0x5555)
}

/// What kernels do with a heap: tables by name, growing lists, queues, text. Returns what is left of
/// each.
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

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("kernel: {info}");
    leave(0x3333)
}

/// Ends the machine through `virt`'s test device.
fn leave(code: u32) -> ! {
    const TEST_DEVICE: *mut u32 = 0x0010_0000 as *mut u32;
    // SAFETY: the register is the machine's.
    unsafe { TEST_DEVICE.write_volatile(code) };
    loop {
        riscv::asm::wfi();
    }
}
