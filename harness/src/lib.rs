//! What runs on both sides of the rig: on this machine and in the riscv64 guest.
//!
//! ```text
//! text  <--parse/text-->  Trace  --execute-->  Observation  -->  Sink
//! bytes <-----bytes---->    ops      |                            `- transcript (shared memory)
//!                                    `- heap: the one place that touches the subject's memory
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`op`], [`geometry`], `trace`, `handles` | what is asked: one call, the heap, a sequence of calls, the blocks it names |
//! | `text`, `parse`, [`line`](mod@line), `bytes`, [`record`] | traces for people, for libFuzzer, on the wire |
//! | [`recorder`] | a running program's own calls as a trace |
//! | [`declaration`], [`subject`], [`entry`] | the allocator under test, and a row of a registry |
//! | [`global`] | one that is a `GlobalAlloc` as a subject |
//! | [`execute`], [`heap`], [`ground`], [`pattern`], [`table`] | running a trace and checking memory |
//! | `stream` | running a trace that is longer than memory |
//! | [`bare`] | the calls alone, to measure against |
//! | [`branch`] | trying many ops from one state |
//! | [`observation`], [`observation_record`], [`transcript`], [`mailbox`] | what one op did, and how it reaches the host |
//! | [`source`] | a line of source code, named alike on both sides |
//!
//! Nothing here judges: there is no model in this crate, and no address leaves it.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod observation;
pub mod recorder;
mod run;
pub mod source;
pub mod subject;
pub mod trace;
mod wire;

// The public names of what lies in rooms.
#[cfg(feature = "alloc")]
pub use run::stream;
pub use run::{bare, branch, execute, ground, heap, pattern};
pub use subject::{declaration, entry, global, table};
#[cfg(feature = "alloc")]
pub use trace::{bytes, handles, parse, text};
pub use trace::{geometry, line, op, record};
pub use wire::{mailbox, observation_record, transcript};
