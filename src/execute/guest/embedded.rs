//! The guest's image inside this program, so that it boots QEMU from any folder.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context, Result};
use rustix::fs::{MemfdFlags, memfd_create};

/// Run `make guest` first: the feature `embed-guest` takes the image that it builds.
static IMAGE: &[u8] =
    include_bytes!("../../../target/riscv64gc-unknown-none-elf/release/kmem-rig-guest");

/// The image as a file in memory, which is there as long as this process and has no name on any
/// disk. QEMU and gdb, which read it, run no longer.
///
/// # Errors
/// When the kernel grants no memory.
pub fn path() -> Result<PathBuf> {
    static WRITTEN: Mutex<Option<File>> = Mutex::new(None);
    let mut written = WRITTEN.lock().unwrap_or_else(|broken| broken.into_inner());
    let file = match &mut *written {
        Some(file) => file,
        empty => {
            let write = || {
                let mut file = File::from(memfd_create("kmem-rig-guest", MemfdFlags::CLOEXEC)?);
                file.write_all(IMAGE)?;
                Ok::<_, std::io::Error>(file)
            };
            empty.insert(write().context("writing the guest's image to memory")?)
        }
    };
    let (process, file) = (std::process::id(), file.as_raw_fd());
    Ok(PathBuf::from(format!("/proc/{process}/fd/{file}")))
}
