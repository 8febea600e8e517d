//! Running a trace on a subject: its calls, the memory they are given, and what is checked of it.
//!
//! | to | read |
//! |---|---|
//! | run a trace | [`execute`]; one longer than memory, `stream`; the calls alone, [`bare`] |
//! | try many ops from one state | [`branch`] |
//! | touch the subject's memory | [`heap`] |
//! | know what a heap holds before a run, and what a client writes | [`ground`], [`pattern`] |

pub mod bare;
pub mod branch;
pub mod execute;
pub mod ground;
pub mod heap;
pub mod pattern;
#[cfg(feature = "alloc")]
pub mod stream;
