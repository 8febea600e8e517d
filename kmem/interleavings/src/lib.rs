//! Model checks `kmem`'s heap for many harts: loom runs two harts, and an interrupt, in every order
//! of a few preemptions, relaxed memory included, over the code that is shipped.
//!
//! ```text
//! client: fills and checks blocks     client            device: raises a hart's interrupt
//!   |  alloc, realloc, free             |                  |
//!   v                                   v                  v
//! kmem::SharedHeap over spin's ticket lock  <---  hart: takes it wherever it is not masked
//!   |  one at a time, or loom objects
//!   v
//! heap: kmem::Kmem, audited after each step
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `hart` | a hart whose interrupts come at any moment |
//! | `heap` | a small heap in which loom sees every access |
//! | `client` | what a hart and its interrupt handler ask of the heap |
//! | `model` | harts and devices put together, and what was reached |
//! | `planted` | locks and harts with a defect each, which must be found |
//!
//! The lock is `spin`'s own code over loom's atomics (`loom-atomics`). What loom cannot see are the
//! bytes of blocks; those are checked by value.

pub mod client;
pub mod hart;
pub mod heap;
pub mod model;
pub mod planted;
