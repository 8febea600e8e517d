//! Where the coverage counters of an instrumented image lie: one byte for each edge of the
//! subjects' code, or one word for each region of source code, counted by what the compiler puts
//! there. They are ordinary memory, which the host maps like all of the guest's, so the host reads
//! and clears them where they are. An image that is not instrumented has none.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

unsafe extern "C" {
    static mut __start_counters: [u64; 0];
    static mut __stop_counters: [u64; 0];
}

/// Their address, and how many bytes there are.
pub fn counters() -> (usize, usize) {
    let start = (&raw const __start_counters).addr();
    (start, (&raw const __stop_counters).addr() - start)
}
