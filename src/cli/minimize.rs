//! `kmem-rig minimize`: the smallest trace that breaks the same rule.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use harness::entry::Entry;
use harness::text::Document;
use harness::trace::Trace;

use super::Outcome;
use super::options::{Named, RuleOptions};
use crate::executor::Executor;
use crate::host::Host;
use crate::judge::Finding;
use crate::registry;
use crate::regression::{Regression, write_whole};
use crate::rules::Rules;
use crate::{hunt, long, report};

/// Find the smallest trace that breaks the same rule with the same kind of op
///
/// One of more than 32,768 ops, such as a recording, is narrowed down first; see docs/recording.md.
///
/// Example: kmem-rig minimize fuzz/artifacts/kmem_2019/crash-1f2e --subject kmem-2019 -o small.trace
#[derive(Args)]
pub(super) struct Arguments {
    /// An artifact, a corpus entry, a trace, or a console's output that holds one
    input: PathBuf,
    /// Where to write the smallest trace
    #[arg(short, long, value_name = "TRACE")]
    output: PathBuf,
    /// The subject [default: the first one that it breaks a rule of]
    #[arg(long, value_name = "S")]
    subject: Option<Named>,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let (regression, long) = Regression::open(&self.input)?;
        let trace = &regression.trace;
        let rules = self.rules.rules.unwrap_or(regression.rules);
        let mut host = Host::new()?;
        let tried = match self.subject {
            Some(Named(entry)) => vec![entry],
            None => {
                let accepts = |e: &&'static Entry| e.declaration.accepts(trace.geometry);
                registry::sound().filter(accepts).collect()
            }
        };
        for entry in tried {
            let small = match &long {
                Some(long) => long::shrink(&mut host, entry, long, rules)?,
                None => shrink(&mut host, entry, trace, rules)?,
            };
            if let Some((small, finding)) = small {
                write_whole(&self.output, Document::of(&small).to_string().as_bytes())?;
                println!("{}", report::finding(entry.name(), &small, &finding));
                println!("written to {}", self.output.display());
                return Ok(Outcome::AsExpected);
            }
        }
        Err(anyhow!(
            "{}: breaks no rule, so there is nothing to minimise",
            self.input.display()
        ))
    }
}

/// The smallest trace that breaks the same rule, and how it does; `None` if `trace` breaks none.
fn shrink(
    host: &mut Host,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
) -> Result<Option<(Trace, Finding)>> {
    let (_, verdict) = host.verdict(entry, trace, rules)?;
    let Some(finding) = verdict.finding() else {
        return Ok(None);
    };
    let small = hunt::shrink(host, entry, trace, rules, (finding.rule, finding.kind))?;
    small
        .context("the finding does not repeat itself")
        .map(Some)
}
