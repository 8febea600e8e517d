//! Room on the disk: how much there is, and whether a failure is for want of it.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result};

/// What is free for this user on a folder's disk, in MiB.
///
/// # Errors
/// When the kernel does not say.
pub fn free_mib(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder).with_context(|| folder.display().to_string())?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

/// Whether something failed for want of room: a full disk, a quota, a limit on files.
#[must_use]
pub fn is_lacking(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| {
        let cause = cause.downcast_ref::<io::Error>()?;
        Some(cause.kind())
    });
    let mut lacking = kinds.filter(|kind| {
        matches!(
            kind,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        )
    });
    lacking.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        use std::io::Write;
        let mut full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let error = full.write_all(b"x").context("writing").unwrap_err();
        assert!(is_lacking(&error), "{error:?}");
        let other = std::fs::read("/nonexistent")
            .context("reading")
            .unwrap_err();
        assert!(!is_lacking(&other));
        assert!(free_mib(Path::new("/dev/shm/..")).is_ok());
        assert!(free_mib(Path::new("/nonexistent")).is_err());
    }
}
