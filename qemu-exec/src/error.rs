//! What can be wrong with the rig: never with the guest.

use std::io;
use std::path::PathBuf;

/// A fault of the rig, one variant per operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The guest's image cannot be read.
    #[error(
        "cannot read guest image `{}`: {source}; build it first, or name another path",
        path.display()
    )]
    Image {
        /// The image, as given to `Machine::new`.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// QEMU is not installed.
    #[error(
        "cannot start QEMU: `{}` not found; install it with `apt-get install qemu-system-misc`, \
         or name another program",
        program.display()
    )]
    QemuMissing {
        /// The program that was looked for.
        program: PathBuf,
    },
    /// QEMU is there but could not be started.
    #[error(
        "cannot start QEMU `{}`: {source}; check that it is an executable file, and the limits on \
         processes and memory",
        program.display()
    )]
    Start {
        /// The program that was to run.
        program: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
    /// The memory file for the guest's RAM could not be made or mapped.
    #[error("cannot map {bytes} bytes of shared guest ram: {source}; give the guest less ram")]
    Memory {
        /// Bytes of RAM asked for.
        bytes: u64,
        /// Why there are none.
        source: io::Error,
    },
    /// The QEMU process could not be waited for or killed.
    #[error("cannot wait for QEMU process {id}: {source}; does the program ignore SIGCHLD?")]
    Wait {
        /// QEMU's process id.
        id: u32,
        /// What `wait` said.
        source: io::Error,
    },
    /// The CPU time of the QEMU process could not be read.
    #[error("cannot read the cpu time of QEMU process {id}: {source}; was it reaped elsewhere?")]
    CpuTime {
        /// QEMU's process id.
        id: u32,
        /// What the clock said.
        source: io::Error,
    },
}
