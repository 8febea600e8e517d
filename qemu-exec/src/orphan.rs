//! No process outlives the one that has started it, however that ends.

#![allow(unsafe_code, reason = "it ties a child to its parent")]

use std::io;

/// Has the kernel kill this process, a child that was just forked, when the thread that forked it
/// ends. `parent` is the process that did.
///
/// It allocates nothing and takes no lock: a child may call it between fork and exec.
///
/// # Errors
/// ESRCH if the parent is gone already: then the signal comes no more, and the child must give up.
/// Else the kernel's.
pub fn die_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: `prctl` with PR_SET_PDEATHSIG takes a signal number and touches no memory.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `getppid` takes nothing and cannot fail.
    match unsafe { libc::getppid() } as u32 == parent {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, ExitStatus};

    use super::*;

    /// Starts a program that does nothing, as a child of whichever process.
    fn start(parent: u32) -> io::Result<ExitStatus> {
        let mut command = Command::new("true");
        // SAFETY: it may be called between fork and exec.
        unsafe { command.pre_exec(move || die_with_parent(parent)) };
        command.status()
    }

    #[test]
    fn a_child_whose_parent_is_another_by_now_does_not_begin() {
        assert!(start(std::process::id()).unwrap().success());
        assert_eq!(start(1).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
