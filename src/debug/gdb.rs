//! gdb, as a child of the rig: it has the terminal, and it dies with the rig.

#![allow(unsafe_code, reason = "it starts a child that ends with it")]

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, anyhow};
use harness::declaration::TableForm;
use qemu_exec::die_with_parent;

use super::Session;

/// What gdb reads `kmem.py` from: a temporary file would have to be removed.
const SCRIPT: &str = "KMEM_RIG_GDB";

/// Addresses of: ops begun, bytes of text, text, heap.
pub(super) type Places = [u64; 4];

/// A gdb that was not started yet.
pub(super) struct Gdb {
    command: Command,
    batch: bool,
    /// Whether the subject prints one.
    has_table: bool,
}

impl Gdb {
    /// A gdb that knows the session's run. `places`: unless the debugged process says so itself.
    pub(super) fn new(program: &str, session: &Session<'_>, places: Option<Places>) -> Self {
        let Session {
            entry,
            at_op,
            trace,
            batch,
        } = session;
        let places = places.map_or("None".to_owned(), |places| format!("{places:?}"));
        // Between the regions of a heap that grows, there are no headers.
        let is_one_region = trace.geometry.growth().is_none();
        let headers = if entry.declaration.family == "kernel-heap" && is_one_region {
            "True"
        } else {
            "False"
        };
        let script = format!(
            "AT_OP = {at_op}\nOP = {:?}\nHEAP_BYTES = {}\nHEADERS = {headers}\nPLACES = {places}\n{}",
            session.op(),
            trace.geometry.bytes(),
            include_str!("kmem.py"),
        );
        let mut command = Command::new(program);
        command.arg("-q").env(SCRIPT, script);
        if *batch {
            // Of no user's settings, so that what is printed is always the same.
            command.args(["-nx", "-batch", "-iex", "set auto-load off"]);
        }
        let gdb = Self {
            command,
            batch: *batch,
            has_table: entry.declaration.table != TableForm::Nothing,
        };
        gdb.run("set pagination off")
            .run("set confirm off")
            .run(&format!("python import os; exec(os.environ['{SCRIPT}'])"))
    }

    /// One more command to run at the start.
    pub(super) fn run(mut self, command: &str) -> Self {
        self.command.args(["-ex", command]);
        self
    }

    /// Starts gdb, which runs its commands and is then where the run has stopped, and waits for its
    /// end. `program`: what is debugged, and its arguments.
    pub(super) fn wait(mut self, program: &[OsString]) -> Result<ExitStatus> {
        self = self.run("kmem where");
        if self.batch {
            self = self.run("backtrace").run("info registers");
            if self.has_table {
                self = self.run("kmem table");
            }
        }
        // What follows belongs to the program.
        self.command.arg("--args").args(program);
        let name = self.command.get_program().to_string_lossy().into_owned();
        tie_to_parent(&mut self.command);
        // A Ctrl-C is for gdb, which stops the program by it.
        let before = (!self.batch).then(|| interrupts(libc::SIG_IGN));
        let status = self.command.status();
        before.map(interrupts);
        match status {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(anyhow!("there is no `{name}`: apt-get install {name}"))
            }
            status => status.with_context(|| format!("running {name}")),
        }
    }
}

/// Sets what this process does at an interrupt; returns what it did before.
fn interrupts(action: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: the action is to ignore it, or what was the action before.
    unsafe { libc::signal(libc::SIGINT, action) }
}

/// Has the kernel kill the child when this thread ends, and lets it be interrupted.
fn tie_to_parent(command: &mut Command) {
    let parent = std::process::id();
    let tie = move || {
        die_with_parent(parent)?;
        interrupts(libc::SIG_DFL);
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed: system calls.
    unsafe { command.pre_exec(tie) };
}
