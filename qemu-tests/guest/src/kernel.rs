//! What the kernels in `bin` have in common: memory for the page allocator, a console, a way out.

use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

use harness::geometry::PAGE_BYTES;
use kmem::global;

/// The heap's 64 pages, the page table's one, and one for the page allocator's descriptors.
const MEMORY_BYTES: usize = 66 * PAGE_BYTES as usize;

#[repr(align(4096))]
struct Memory(UnsafeCell<[u8; MEMORY_BYTES]>);

// SAFETY: `init` alone refers to it, once, and gives it to the page allocator for good.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; MEMORY_BYTES]));

/// Makes the heap. Nothing can be allocated before.
///
/// # Safety
/// Called once, by the only hart, without interrupt handlers.
pub unsafe fn init() {
    // SAFETY: exactly the caller's promise; the memory is nobody else's.
    unsafe {
        global::page::init(MEMORY.0.get().cast(), MEMORY_BYTES);
        global::init();
    }
}

/// The UART of `virt`.
pub struct Console;

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
        let _ = writeln!($crate::kernel::Console, $($message)+);
    };
}
pub(crate) use say;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("kernel: {info}");
    leave(0x3333)
}

/// Ends the machine through `virt`'s test device.
pub fn leave(code: u32) -> ! {
    const TEST_DEVICE: *mut u32 = 0x0010_0000 as *mut u32;
    // SAFETY: the register is the machine's.
    unsafe { TEST_DEVICE.write_volatile(code) };
    loop {
        riscv::asm::wfi();
    }
}
