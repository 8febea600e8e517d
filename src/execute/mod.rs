//! Running traces, on either side. Nothing here says whether what was observed is right.
//!
//! | to | read |
//! |---|---|
//! | run a trace, whichever side does | [`executor`] |
//! | run it on this machine, in a worker | [`host`] |
//! | run it in QEMU | [`guest`] |
//! | run it in this very process | [`in_process`] |
//! | know what a fresh heap grants | [`capacity`] |
//! | name the line of an instruction | `source_lines` |

pub mod capacity;
pub mod executor;
pub mod guest;
pub mod host;
pub mod in_process;
pub(crate) mod outside;
pub mod side;
pub(crate) mod source_lines;
