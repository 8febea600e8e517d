//! `kmem-rig debug`: a trace under gdb.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use super::Outcome;
use super::options::{GuestOptions, InputOptions, Named, On, RuleOptions, examples, subject_of};
use crate::debug::{self, Session, inferior};
use crate::execute::host::Host;
use crate::regression::Regression;

/// Run a trace under gdb, stopped right before one of its ops
///
/// gdb has the commands `kmem where` (the op), `kmem table` (the subject's table before it) and,
/// for kmem and its like, `kmem chunks` (the heap as its headers say at any moment). From there on
/// it is gdb: `step`, `break`, `continue`. When it ends, so does what it debugged.
#[derive(Args)]
#[command(after_help = examples(&[
    "kmem-rig debug qemu-tests/regressions/kmem-2019-unmerged-free.trace",
    "kmem-rig debug my.trace --at-op 4 --subject kmem --on host --batch",
]))]
pub(super) struct Arguments {
    /// The trace
    input: PathBuf,
    /// The op to stop before, counted from 0 [default: the one that breaks a rule]
    #[arg(long, value_name = "K")]
    at_op: Option<usize>,
    /// The subject [default: the first one the trace expects something of, else the first of this
    /// binary's own, else kmem]
    #[arg(long, value_name = "S")]
    subject: Option<Named>,
    /// Where to run
    #[arg(long, value_enum, default_value = "qemu")]
    on: On,
    /// Print the stack, the registers and the table, and end
    #[arg(long)]
    batch: bool,
    #[command(flatten)]
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// Be what gdb debugs on the host; the value is the fresh heap's capacity
    #[arg(long, hide = true, requires = "at_op")]
    inferior: Option<u64>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let regression = Regression::load_as(&self.input, self.reading.reading())?;
        let trace = &regression.trace;
        let entry = subject_of(self.subject, &self.input, &regression)?;
        let session = |at_op| Session {
            entry,
            trace,
            at_op,
            batch: self.batch,
        };
        if let (Some(capacity), Some(at_op)) = (self.inferior, self.at_op) {
            inferior::run(&session(at_op), capacity)?;
            return Ok(Outcome::AsExpected);
        }
        let rules = self.rules.rules.unwrap_or(regression.rules);
        let status = match self.on {
            On::Qemu => {
                let mut guest = self.guest.start()?;
                let at_op = debug::stop_at(&mut guest, entry, trace, rules, self.at_op)?;
                debug::in_guest(guest, &session(at_op))?
            }
            On::Host => {
                let mut host = Host::new()?;
                let at_op = debug::stop_at(&mut host, entry, trace, rules, self.at_op)?;
                let capacity = host.capacity_for(entry, trace)?;
                let (at, capacity) = (at_op.to_string(), capacity.to_string());
                let again = [
                    "--subject",
                    entry.name(),
                    "--at-op",
                    &at,
                    "--inferior",
                    &capacity,
                ];
                let words = ["debug".into(), self.input.clone().into_os_string()].into_iter();
                let words: Vec<_> = words.chain(again.map(Into::into)).collect();
                debug::on_host(&words, &session(at_op))?
            }
        };
        ensure!(status.success(), "gdb ended with {status}");
        Ok(Outcome::AsExpected)
    }
}
