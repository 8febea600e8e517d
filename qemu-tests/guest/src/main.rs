//! The guest: runs traces on the real target, thousands in one boot, and tells the host what each
//! op did. It judges nothing; there is no model in it.
//!
//! ```text
//! main -> protection, names, ready -> serve: idle -> request -> execute -> reply -.
//!                                       ^                         |               |
//!                                       |   panic or trap: record it, recover     |
//!                                       `-----------------------------------------'
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`layout`], [`protection`] | where code, data and heap lie, and who may touch them |
//! | [`user`] | the switch to user mode and back, once a trace |
//! | [`serve`], [`idle`] | the requests, and the time between them |
//! | [`counter`] | the instructions retired |
//! | [`coverage`] | the counters of an image that was built to count what it runs |
//! | [`trap`], [`panic`], [`recovery`] | what becomes of a subject that panics or goes astray |
//! | [`memory`], [`checksum`] | the shared mailbox, the buffers, and whether they are still whole |
//! | [`no_memory`] | the allocator that some subjects' crates want named, and the guest lacks |
//!
//! Machine mode, one hart, no interrupts, no allocator, no state that outlives a request except
//! the heap's guard: whatever a subject does, the next trace starts like the first.
#![no_std]
#![no_main]

mod checksum;
mod counter;
mod coverage;
mod idle;
mod layout;
mod memory;
mod no_memory;
mod panic;
mod protection;
mod recovery;
mod serve;
mod trap;
mod user;

#[riscv_rt::entry]
fn main() -> ! {
    protection::protect();
    user::prepare();
    counter::open();
    memory::prepare();
    checksum::take();
    serve::introduce();
    serve::serve()
}
