//! `kmem-rig show`: what is in an artifact, a corpus entry or a trace.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::options::{GuestOptions, InputOptions, Named, RuleOptions, examples, subject_of};
use super::terminal;
use crate::execute::host::Host;
use crate::regression::Regression;
use crate::report;
use crate::report::{listing, picture, reproducer};
use crate::run::RunOptions;
use crate::wording::counted::counted;
use crate::wording::printable::printable;

/// The last line where nothing was asked for that takes a run.
const NOTHING_RUN: &str = "# nothing was run: --tables runs it, and prints the verdict";

/// Print an artifact, a corpus entry or a trace as text, ops numbered
///
/// What is printed is itself a trace: everything added is a comment. Without --tables, --cost or
/// --rust nothing is run. With --rust it is a Rust test instead, which asserts what the trace shows
/// and needs nothing but the allocator.
#[derive(Args)]
#[command(after_help = examples(&[
    "kmem-rig show fuzz/artifacts/kmem/crash-1f2e --tables",
    "kmem-rig show my.trace --cost --subject kmem",
    "kmem-rig show my.trace --rust > tests/my_heap_leaks.rs",
]))]
pub(super) struct Arguments {
    /// The file to show
    input: PathBuf,
    /// Run it on the host and print a map of the heap and the table after each op, and the verdict.
    /// Where the exact model parts from it, both maps are shown, and the lines that differ
    #[arg(long)]
    tables: bool,
    /// Run it in a guest that counts, and print the instructions each op takes the subject
    #[arg(long, conflicts_with = "tables")]
    cost: bool,
    /// Print a Rust test that fails as long as the subject breaks the rule: for its own test suite
    #[arg(long, conflicts_with_all = ["tables", "cost"])]
    rust: bool,
    /// The subject to run it on [default: the first one the trace expects something of, else the
    /// first of this binary's own, else kmem]
    #[arg(long, value_name = "S")]
    subject: Option<Named>,
    #[command(flatten)]
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let regression = Regression::load_as(&self.input, self.reading.reading())?;
        let trace = &regression.trace;
        let mut out = std::io::stdout().lock();
        if !self.tables && !self.cost && !self.rust {
            let listing = regression.headed(&listing::of_trace(trace));
            out.write_all(printable(&listing).as_bytes())?;
            writeln!(out, "{NOTHING_RUN}")?;
            return Ok(Outcome::AsExpected);
        }
        let entry = subject_of(self.subject, &self.input, &regression)?;
        if self.cost {
            let mut guest = self.guest.start_counted()?;
            let costs = guest.run(entry, trace, RunOptions::STRICT)?;
            let listing = regression.headed(&listing::of_costs(trace, &costs));
            out.write_all(printable(&listing).as_bytes())?;
            let total = counted(costs.total(), "instruction");
            let ops = counted(costs.costs.len(), "op");
            writeln!(out, "# {}: {total} in {ops}", entry.name())?;
            return Ok(Outcome::AsExpected);
        }
        let mut host = Host::new()?;
        let rules = self.rules.rules.unwrap_or(regression.rules);
        if self.rust {
            let test = reproducer::write(&mut host, entry, &regression.name, trace, rules)?;
            out.write_all(test.as_bytes())?;
            return Ok(Outcome::AsExpected);
        }
        let run = host.run(
            entry,
            trace,
            RunOptions {
                tables: true,
                ..RunOptions::STRICT
            },
        )?;
        let verdict = host.judge(entry, trace, &run, rules)?;
        let listing = picture::of_run(entry, trace, &run, terminal::columns());
        out.write_all(regression.headed(&listing).as_bytes())?;
        writeln!(out, "# {}", report::one_line(&entry.declaration, &verdict))?;
        Ok(Outcome::AsExpected)
    }
}
