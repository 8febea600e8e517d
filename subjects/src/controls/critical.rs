//! The critical sections that `embedded-alloc` asks for: none are needed.
//!
//! A heap under the rig belongs to one thread on the host, and in the guest there is one hart and
//! no interrupt, so nothing can come in between. The guest runs subjects in user mode, where a
//! section that masks interrupts would trap.

use critical_section::{Impl, RawRestoreState, set_impl};

struct Alone;

set_impl!(Alone);

// SAFETY: each heap is used by one thread alone, as above, and nothing else here asks for a
// section.
unsafe impl Impl for Alone {
    unsafe fn acquire() -> RawRestoreState {}

    unsafe fn release(_: RawRestoreState) {}
}
