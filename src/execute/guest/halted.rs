//! A guest that a debugger starts: halted before its first instruction, a request in its mailbox.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use harness::entry::Entry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, Request};
use harness::trace::{OPS_MAX, Trace};
use harness::transcript::Transcript;

use super::{Guest, memory, request};
use crate::run::RunOptions;

/// A QEMU that waits for gdb; killed when dropped.
pub struct Halted {
    _qemu: qemu_exec::Guest,
    image: PathBuf,
    port: u16,
}

impl Halted {
    /// Starts a guest of the same image and configuration that will run this trace as soon as gdb
    /// lets it. `guest` is asked what a request must say, and is then given up.
    ///
    /// # Errors
    /// If QEMU or the image is missing, or the subject is not in it.
    pub fn start(
        guest: &mut Guest,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
    ) -> Result<Self> {
        let options = guest.informed(entry, trace, options)?;
        let request = request(entry, trace, options)?;
        let subject = guest.take_booted()?.subject(entry.name())?;
        let port = free_port().context("looking for a free port")?;
        let qemu = guest
            .configuration
            .machine(&guest.image)
            .arg("-S")
            .arg("-gdb")
            .arg(format!("tcp:127.0.0.1:{port}"))
            .start()?;
        let ram = qemu
            .memory()
            .context("the machine was started with shared ram")?;
        memory::mailbox(ram).post_alone(Request { subject, ..request }, &trace.ops);
        Ok(Self {
            _qemu: qemu,
            image: guest.image.clone(),
            port,
        })
    }

    /// What it boots.
    #[must_use]
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The loopback port at which QEMU waits for gdb.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Addresses of: ops begun, bytes of text, text, heap.
    #[must_use]
    pub fn places(&self) -> [u64; 4] {
        let transcript = MAILBOX_ADDRESS + std::mem::offset_of!(Mailbox, transcript) as u64;
        let [begun, length, text] =
            Transcript::<OPS_MAX>::PLACES.map(|offset| transcript + offset as u64);
        [begun, length, text, HEAP_ADDRESS]
    }
}

/// A port that nobody listens at. If someone takes it before QEMU does, QEMU ends and gdb says so.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
