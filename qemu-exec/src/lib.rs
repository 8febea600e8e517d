//! Runs bare-metal riscv64 programs in QEMU's `virt` machine.
//!
//! ```text
//! Machine --start--> Guest ----------------------> Ended
//!  image, RAM,        | memory   RAM, seen by both   Exited(code or signal)
//!  flags              | serial   capped console      DeadlineExceeded
//!                     | cpu_time for hang detection
//! ```
//!
//! - [`Machine`]: what to boot, and the one command line that boots it.
//! - [`Guest`]: a running QEMU. It is killed and reaped when dropped, and it dies with its parent
//!   whatever kills the parent (`SIGKILL` included).
//! - [`SharedMemory`]: the guest's RAM as the host sees it.
//! - [`Serial`], [`Exit`], [`Ended`]: the evidence a run leaves.
//! - [`Error`]: what is wrong with the *rig*.
//!
//! **A bad guest is `Ok`, a bad rig is `Err`.** A guest that dies, floods its console or never
//! answers is a value to be judged by the caller. A missing QEMU or image is an [`Error`] that
//! says what to do about it. The distinction is made where the fault is born.
//!
//! Exit status is weak evidence: see [`Exit`]. Let the guest leave a complete record in
//! [`SharedMemory`] or on its console, and take its absence for failure.
//!
//! Deliberately absent: any knowledge of what the guest does, a protocol, networking, disks,
//! input to the console. Linux only: it relies on memory files and on
//! parent-death signals.
//!
//! ```no_run
//! use std::time::Duration;
//! use qemu_exec::{Ended, Machine};
//!
//! let mut guest = Machine::new("target/kernel.bin").shared(true).start()?;
//! match guest.wait(Duration::from_secs(10))? {
//!     Ended::Exited(exit) => println!("{exit}"),
//!     Ended::DeadlineExceeded => println!("killed"),
//! }
//! print!("{}", guest.serial());
//! # Ok::<(), qemu_exec::Error>(())
//! ```

mod entry;
mod error;
mod exit;
mod guest;
mod machine;
mod memory;
mod orphan;
mod process;
mod serial;
mod spawner;

pub use error::Error;
pub use exit::{Ended, Exit};
pub use guest::Guest;
pub use machine::Machine;
pub use memory::{RAM_BASE, SharedMemory};
pub use orphan::die_with_parent;
pub use serial::Serial;
