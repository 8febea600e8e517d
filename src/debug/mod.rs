//! A trace under gdb, stopped right before one of its ops.
//!
//! ```text
//! rig --starts--> QEMU, halted, the request in its mailbox --boots, runs, stops--.
//!  `---starts--> gdb: watches the count of ops begun -----------------------------'
//! ```
//!
//! In the guest nothing is compiled for it: the run stops when the count of begun ops, which each
//! run writes down for the host in any case, becomes the op's. On the host gdb runs the rig itself,
//! which runs the trace in its own process and calls [`inferior`]'s marker before the op.
//!
//! The table shown is the one that the subject printed after the op before, so that it is right for
//! any subject: tables are observed after each op, and after an op `table` put before the first.

mod gdb;
pub mod inferior;

use std::ffi::OsString;
use std::process::ExitStatus;

use anyhow::{Result, anyhow, ensure};
use harness::entry::Entry;
use harness::op::Op;
use harness::text::write_op;
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::guest::{Guest, Halted};
use crate::oracle::rules::Rules;
use crate::run::{RunEnd, RunOptions};
use crate::wording::counted::counted;
use gdb::Gdb;

/// How a debugged trace is run.
const WITH_TABLES: RunOptions = RunOptions {
    tables: true,
    ..RunOptions::STRICT
};

/// What is debugged.
pub struct Session<'a> {
    /// The subject.
    pub entry: &'static Entry,
    /// What it is asked.
    pub trace: &'a Trace,
    /// The op to stop before, counted from 0.
    pub at_op: usize,
    /// Whether gdb prints what there is and ends, rather than waiting for commands.
    pub batch: bool,
}

/// The op to stop before: the one asked for, else the one that breaks a rule.
///
/// # Errors
/// If none is asked for and none breaks a rule; if the trace, or its run, ends before it; if the
/// rig itself cannot do its work.
pub fn stop_at(
    executor: &mut Measured<dyn Executor>,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    asked: Option<usize>,
) -> Result<usize> {
    // With its tables, as it will be debugged.
    let run = executor.run(entry, trace, WITH_TABLES)?;
    let verdict = executor.judge(entry, trace, &run, rules)?;
    let at = asked.or_else(|| verdict.finding().map(|finding| finding.op));
    let at = at.ok_or_else(|| {
        let subject = entry.name();
        anyhow!("{subject} agrees with this trace: name the op to stop before by --at-op")
    })?;
    let ops = trace.ops.len();
    ensure!(
        at < ops,
        "there is no op {at}: the trace has {ops}, counted from 0"
    );
    // An op that ended the run was begun and not observed. Nothing else would ever stop there.
    let begun = match run.end {
        RunEnd::Completed | RunEnd::Lost => run.observations.len(),
        RunEnd::Panicked(_) | RunEnd::Faulted(_) | RunEnd::Hung => run.observations.len() + 1,
    };
    ensure!(
        at < begun,
        "op {at} is never reached: the run ends after {}",
        counted(begun, "op")
    );
    Ok(at)
}

impl Session<'_> {
    /// The op to stop before, as text.
    fn op(&self) -> String {
        let (mut line, mut issued) = (String::new(), 0);
        for op in &self.trace.ops[..=self.at_op] {
            line.clear();
            // Writing to a string cannot fail.
            let _ = write_op(&mut line, op, &mut issued);
        }
        line
    }

    /// The trace with a `table` before its ops, and where the op to stop before is then.
    fn extended(&self) -> (Trace, usize) {
        let mut trace = self.trace.clone();
        trace.ops.insert(0, Op::Table);
        (trace, self.at_op + 1)
    }
}

/// Debugs another guest of this one's image, until gdb ends.
///
/// # Errors
/// If QEMU, the subject or gdb is missing or cannot be started.
pub fn in_guest(mut guest: Guest, session: &Session<'_>) -> Result<ExitStatus> {
    let (trace, at) = session.extended();
    let halted = Halted::start(&mut guest, session.entry, &trace, WITH_TABLES)?;
    let [begun, ..] = halted.places();
    Gdb::new("gdb-multiarch", session, Some(halted.places()))
        .run(&format!("target remote 127.0.0.1:{}", halted.port()))
        .run("set language c")
        .run(&format!(
            "watch *(unsigned *){begun:#x} if *(unsigned *){begun:#x} == {}",
            at + 1
        ))
        .run("set language auto")
        .run("continue")
        .wait(&[halted.image().into()])
}

/// Debugs this very program, called again with these arguments to become [`inferior::run`].
///
/// # Errors
/// If gdb is missing or cannot be started.
pub fn on_host(arguments: &[OsString], session: &Session<'_>) -> Result<ExitStatus> {
    let program = std::env::current_exe()?;
    let words = [&[program.into_os_string()], arguments].concat();
    Gdb::new("gdb", session, None)
        .run("break kmem_rig_before_op")
        .run("run")
        .wait(&words)
}
