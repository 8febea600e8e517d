//! Each hart's timer, which goes off at any moment; its handler allocates and frees.

#![allow(unsafe_code, reason = "it handles interrupts")]

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use riscv::interrupt::Interrupt;
use riscv::register::{mie, mstatus};

use crate::client::{Client, HASTY};
use crate::hart;
use crate::heap;
use crate::record::HARTS;

/// Ticks of 100 ns between two interrupts of a hart: from half of these to one and a half.
const TICKS: u64 = 1000;

/// Ticks for which a hart that waits for the lock sleeps.
const NAP_TICKS: u64 = 200;

const COMPARE: usize = 0x0200_4000;
const TIME: *const u64 = 0x0200_bff8 as *const u64;

static HANDLING: [AtomicBool; HARTS] = [const { AtomicBool::new(false) }; HARTS];

/// A handler's side of the heap, by hart.
struct Handlers(UnsafeCell<[Option<Client>; HARTS]>);

// SAFETY: an element is reached by its own hart alone: by `start` before its interrupts are let in,
// by its handler, which nothing interrupts, and by `stop` with interrupts masked for good.
unsafe impl Sync for Handlers {}

static HANDLERS: Handlers = Handlers(UnsafeCell::new([const { None }; HARTS]));

/// Who the caller is: a hart or its handler.
pub fn context() -> usize {
    2 * hart() + usize::from(HANDLING[hart()].load(Relaxed))
}

fn client(hart: usize) -> &'static mut Option<Client> {
    // SAFETY: of its own hart, and one at a time (`Handlers`); the pointer is to one element.
    unsafe { &mut *HANDLERS.0.get().cast::<Option<Client>>().add(hart) }
}

/// Lets this hart's timer interrupts in.
pub fn start(hart: usize) {
    *client(hart) = Some(Client::new(
        heap::chosen(),
        2 * hart + 1 + 2 * HARTS,
        &HASTY,
    ));
    set(hart, TICKS);
    // SAFETY: the handler is there, and saves what it changes.
    unsafe {
        mie::set_mtimer();
        mstatus::set_mie();
    }
}

/// Keeps them out again, and frees what the handler holds.
pub fn stop(hart: usize) {
    // SAFETY: interrupts are masked, nothing else.
    unsafe { mstatus::clear_mie() };
    HANDLING[hart].store(true, Relaxed);
    if let Some(client) = client(hart).take() {
        client.free_all();
    }
    HANDLING[hart].store(false, Relaxed);
}

/// Leaves this hart asleep.
pub fn rest() -> ! {
    // SAFETY: the hart waits for nothing any more; a timer that went off would wake it.
    unsafe { mie::clear_mtimer() };
    loop {
        riscv::asm::wfi();
    }
}

/// Passes a moment in which another hart has the lock. The host may have fewer processors than this
/// machine has harts: one that spun would keep the host from running the one it waits for.
pub fn nap() {
    set(hart(), NAP_TICKS);
    // Wakes by the timer, whether or not its interrupt is masked.
    riscv::asm::wfi();
}

#[riscv_rt::core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    let hart = hart();
    HANDLING[hart].store(true, Relaxed);
    if let Some(client) = client(hart) {
        client.step();
        set(hart, TICKS / 2 + client.draw(TICKS));
    }
    HANDLING[hart].store(false, Relaxed);
}

/// Sets the hart's timer to go off in so many ticks.
fn set(hart: usize, ticks: u64) {
    // SAFETY: the registers are the machine's.
    unsafe {
        let compare = (COMPARE + 8 * hart) as *mut u64;
        compare.write_volatile(TIME.read_volatile() + ticks);
    }
}
