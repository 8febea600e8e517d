//! `kmem-rig minimize`: the smallest trace that breaks the same rule.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use harness::entry::Entry;
use harness::trace::Trace;

use super::Outcome;
use super::options::{InputOptions, Named, RuleOptions, examples};
use super::progress::{Bound, Progress};
use crate::execute::host::Host;
use crate::minimize::{self, Shrinking, streamed};
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::Rules;
use crate::regression::{Regression, write_whole};
use crate::report;
use crate::report::difference;
use crate::subject::{adapter, registry};
use crate::wording::counted::counted;

/// Find the smallest trace that breaks the same rule with the same kind of op
///
/// A panic or a fault stays at its place in the code. The header stays, with the expectations that
/// still hold. One of more than 32,768 ops, such as a recording, is narrowed down first; see
/// docs/recording.md.
#[derive(Args)]
#[command(after_help = examples(&[
    "kmem-rig minimize crash-1f2e --subject kmem-2019 -o small.trace",
]))]
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
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let (regression, long) = Regression::open(&self.input, self.reading.reading())?;
        let trace = &regression.trace;
        let rules = self.rules.rules.unwrap_or(regression.rules);
        let mut host = Host::new()?;
        let tried: Vec<_> = match self.subject {
            Some(Named(entry)) => vec![entry],
            None => {
                let accepts = |e: &&'static Entry| e.declaration.accepts(trace.geometry);
                registry::sound().filter(accepts).collect()
            }
        };
        adapter::check_own(tried.iter().copied())?;
        for entry in tried {
            let small = {
                let task = format!("minimising for {}", entry.name());
                let mut progress = Progress::new(&task, Bound::Unknown);
                let mut watch = |Shrinking { candidates, ops }: Shrinking| {
                    progress.show(
                        candidates,
                        &format!("candidates, down to {}", counted(ops, "op")),
                    );
                };
                match &long {
                    Some(long) => streamed::shrink(&mut host, entry, long, rules, &mut watch)?,
                    None => shrink(&mut host, entry, trace, rules, &mut watch)?,
                }
            };
            if let Some((small, finding)) = small {
                let told = report::finding(&entry.declaration, &small, &finding);
                let (rule, op) = (finding.rule(), finding.op);
                let difference = difference::at(rule, op, entry, &small, &mut host)?;
                let small = regression.made_small(small, entry, finding, rules, &mut host)?;
                write_whole(&self.output, small.document().to_string().as_bytes())?;
                println!("{told}");
                if let Some(difference) = difference {
                    println!("{}", difference.told());
                }
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
    watch: &mut dyn FnMut(Shrinking),
) -> Result<Option<(Trace, Finding)>> {
    let (_, verdict) = host.verdict(entry, trace, rules)?;
    let Some(finding) = verdict.finding() else {
        return Ok(None);
    };
    let broken = Broken::from(finding);
    let small = minimize::shrink_watched(host, entry, trace, rules, &broken, watch)?;
    small
        .context("the finding does not repeat itself")
        .map(Some)
}
