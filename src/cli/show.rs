//! `kmem-rig show`: what is in an artifact, a corpus entry or a trace.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::options::{Named, RuleOptions};
use crate::executor::Executor;
use crate::host::Host;
use crate::regression::Regression;
use crate::run::RunOptions;
use crate::{listing, registry, report};

/// Print an artifact, a corpus entry or a trace as text, ops numbered
///
/// What is printed is itself a trace: everything added is a comment.
///
/// Example: kmem-rig show fuzz/artifacts/kmem/crash-1f2e --tables
#[derive(Args)]
pub(super) struct Arguments {
    /// The file to show
    input: PathBuf,
    /// Run it on the host and print the table after each op, and the verdict
    #[arg(long)]
    tables: bool,
    /// The subject to run it on [default: the first one the trace expects something of, or kmem]
    #[arg(long, value_name = "S", requires = "tables")]
    subject: Option<Named>,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let regression = Regression::load(&self.input)?;
        let trace = &regression.trace;
        let mut out = std::io::stdout().lock();
        if !self.tables {
            out.write_all(listing::of_trace(trace).as_bytes())?;
            return Ok(Outcome::AsExpected);
        }
        let expected = regression.expectations.first().map(|e| e.subject.as_str());
        let entry = match self.subject {
            Some(Named(entry)) => entry,
            None => registry::by_name(expected.unwrap_or("kmem"))?,
        };
        let mut host = Host::new()?;
        let run = host.run(
            entry,
            trace,
            RunOptions {
                tables: true,
                ..RunOptions::STRICT
            },
        )?;
        let rules = self.rules.rules.unwrap_or(regression.rules);
        let verdict = host.judge(entry, trace, &run, rules)?;
        out.write_all(listing::of_run(trace, &run).as_bytes())?;
        writeln!(out, "# {}", report::one_line(entry.name(), &verdict))?;
        Ok(Outcome::AsExpected)
    }
}
