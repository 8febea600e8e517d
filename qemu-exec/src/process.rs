//! The QEMU process: started so that it cannot outlive us, ended so that nothing remains.
//!
//! Invariant: a `Process` that has no `exit` yet is an unreaped child, so its id is its own and no
//! signal can reach a stranger.

#![allow(unsafe_code, reason = "it sets up and signals a child")]

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command};
use std::time::Duration;

use crate::Exit;
use crate::orphan::die_with_parent;
use crate::spawner;

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// The process that may signal and reap the child. A fork of it inherits this value, not the
    /// child.
    owner: u32,
    /// Set iff the child has been reaped.
    exit: Option<Exit>,
    /// The last reading before the child was reaped.
    cpu_time: Duration,
}

impl Process {
    /// Starts `command`, which inherits `descriptor`, in a process group of its own and with the
    /// wish to die when we do. The group lets `kill` reach the children of a wrapper script.
    pub(crate) fn start(mut command: Command, descriptor: Option<RawFd>) -> io::Result<Process> {
        let owner = std::process::id();
        command.process_group(0);
        // SAFETY: it may be called between fork and exec.
        unsafe { command.pre_exec(move || die_with_parent(owner)) };
        if let Some(descriptor) = descriptor {
            inherit(&mut command, descriptor);
        }
        let child = spawner::spawn(command)?;
        Ok(Process {
            child,
            owner,
            exit: None,
            cpu_time: Duration::ZERO,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's ends of its output pipes, once.
    pub(crate) fn streams(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        self.child.stdout.take().zip(self.child.stderr.take())
    }

    /// Reaps the child if it has ended.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            // A zombie still has its clock, a reaped process has none.
            self.cpu_time = read_cpu_time(self.id()).unwrap_or(self.cpu_time);
            self.exit = self.child.try_wait()?.map(Exit::from_status);
        }
        Ok(self.exit)
    }

    /// User and system time of all threads; of a reaped child the last reading.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        match self.exit {
            Some(_) => Ok(self.cpu_time),
            None => read_cpu_time(self.id()),
        }
    }

    /// Kills the child and its group, and reaps the child. Does nothing to one already reaped.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        if self.exit.is_some() || self.owner != std::process::id() {
            return Ok(());
        }
        self.cpu_time = read_cpu_time(self.id()).unwrap_or(self.cpu_time);
        // SAFETY: no memory is involved. The child is not reaped (`exit` is none), so the id is
        // still that of its group and of no other.
        unsafe { libc::kill(-(self.id() as libc::pid_t), libc::SIGKILL) };
        self.child.kill()?;
        self.exit = Some(Exit::from_status(self.child.wait()?));
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Lets the child, and only the child, keep `descriptor` across exec. Every other process that
/// this one spawns meanwhile still closes it.
fn inherit(command: &mut Command, descriptor: RawFd) {
    let keep = move || {
        // SAFETY: F_SETFD takes an integer and touches no memory.
        match unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: one system call, no allocation, no lock. It runs in the
    // child, on the child's copy of the descriptor table.
    unsafe { command.pre_exec(keep) };
}

/// CPU time that the process `id` has used so far.
fn read_cpu_time(id: u32) -> io::Result<Duration> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` is valid for the write of one clock id.
    let error = unsafe { libc::clock_getcpuclockid(id as libc::pid_t, &mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the write of one timespec.
    if unsafe { libc::clock_gettime(clock, &mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // The kernel gives no negative time, and nanoseconds below 10^9.
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_still_tells_its_cpu_time() {
        let mut process = Process::start(Command::new("true"), None).unwrap();
        let stat = format!("/proc/{}/stat", process.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        let zombie = process.cpu_time().unwrap();
        assert!(zombie > Duration::ZERO);
        assert_eq!(process.try_wait().unwrap(), Some(Exit::Code(0)));
        assert_eq!(process.cpu_time().unwrap(), zombie);
    }

    #[test]
    fn kill_is_final_and_may_be_repeated() {
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut process = Process::start(command, None).unwrap();
        assert_eq!(process.try_wait().unwrap(), None);
        process.kill().unwrap();
        process.kill().unwrap();
        assert_eq!(
            process.try_wait().unwrap(),
            Some(Exit::Signal(libc::SIGKILL))
        );
    }
}
