//! `kmem-rig explore`: every reachable state of a small heap.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use clap::Args;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::Align;
use serde::Serialize;

use super::options::{Format, GuestOptions, Named, RuleOptions, examples, named_or_default};
use super::progress;
use super::{Outcome, json};
use crate::execute::host::Host;
use crate::execute::side::Side;
use crate::explore::menu::Sizes;
use crate::explore::{self, Counterexample, Incomplete, Progress, Settings, Summary};
use crate::oracle::rules::Rules;
use crate::regression::finds::{Finds, Kept, Sought};
use crate::report;
use crate::report::difference::{self, Difference};
use crate::subject::adapter;
use crate::wording::counted::counted;

/// MiB of memory that states may take unless told otherwise: some six million states.
const MEMORY_MIB_DEFAULT: u64 = 1024;

/// Reach every state of a small heap and try every call from each
///
/// Ends with "complete", or with the shortest trace that breaks each rule; with --out, each of them
/// becomes a regression. Exits with 1 if a rule was broken, or if the search was not complete:
/// because its memory was used up, or because a request that crashed the subject was not made
/// again.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig explore --subject kmem --heap 160"]))]
pub(super) struct Arguments {
    /// The subject [default: the first of this binary's own, else kmem]
    #[arg(long, value_name = "S")]
    subject: Option<Named>,
    /// The heap's size
    #[arg(long, value_name = "BYTES", value_parser = parse_heap)]
    heap: Geometry,
    /// The alignments asked for, in bytes; 8 is what a request has that names none
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "8",
          value_parser = parse_align)]
    aligns: Vec<Align>,
    /// Ask for every number of bytes, and not for one of each class the subject rounds up to
    #[arg(long)]
    every_size: bool,
    /// How many threads search [default: all cores]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=explore::THREADS_MAX as u64))]
    threads: Option<u64>,
    /// MiB of memory that states may take, each at most 160 bytes
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB_DEFAULT)]
    memory_max: u64,
    /// Where to write the shortest traces as regressions, after ten replays of each on the host,
    /// and in the guest if there is one; one that a regression there shows already, by subject,
    /// rule, kind of op and place in the code, is not written again
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}
const _: () = assert!(explore::STATE_BYTES_MAX == 160);

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let mut aligns = self.aligns.clone();
        aligns.sort_unstable();
        aligns.dedup();
        let entry = named_or_default(self.subject);
        adapter::check_own([entry])?;
        let settings = Settings {
            entry,
            geometry: self.heap,
            aligns,
            sizes: if self.every_size {
                Sizes::Every
            } else {
                Sizes::Classes
            },
            rules: self.judged(),
            threads: self
                .threads
                .map_or(cores, |threads| threads as usize)
                .min(explore::THREADS_MAX),
            memory_max: self.memory_max.saturating_mul(1 << 20),
        };
        let found = self.command(&settings);
        // Before the search: what cannot be read there should not cost one.
        let mut keeper = match &self.out {
            Some(out) => Some((Finds::new(out, out, &found)?, self.guest.start_for_finds()?)),
            None => None,
        };
        let task = format!("exploring {}", settings.entry.name());
        let mut line = progress::Progress::new(&task, progress::Bound::Growing);
        let mut host = Host::new()?;
        let summary = explore::run(&settings, &mut host, &mut |progress| {
            line.show_of(progress.expanded, progress.states, "states");
        })?;
        drop(line);
        let mut out = std::io::stdout().lock();
        for example in &summary.counterexamples {
            let kept = match &mut keeper {
                Some((finds, started)) => {
                    let Counterexample {
                        finding,
                        trace,
                        rules,
                    } = example;
                    let find = Sought {
                        entry: settings.entry,
                        trace,
                        finding,
                        rules: *rules,
                        minimal: true,
                        replay_until: None,
                        side: Side::Host,
                    };
                    Some(finds.keep(&find, &mut started.sides())?)
                }
                None => None,
            };
            writeln!(out, "{}", self.example(example, kept.as_ref()))?;
            if self.format == Format::Human
                && let Some(difference) = difference_of(settings.entry, example, &mut host)?
            {
                writeln!(out, "{}", difference.told())?;
            }
        }
        writeln!(out, "{}", self.summary(&summary))?;
        let proven = summary.incomplete.is_none() && summary.counterexamples.is_empty();
        Ok(Outcome::expected_if(proven))
    }

    /// What a regression says of how it was found: whatever decides what is found.
    fn command(&self, settings: &Settings<'_>) -> String {
        let subject = settings.entry.name();
        let heap = settings.geometry.bytes();
        let aligns: Vec<_> = settings
            .aligns
            .iter()
            .map(|a| a.bytes().to_string())
            .collect();
        let aligns = aligns.join(",");
        let mut command =
            format!("kmem-rig explore --subject {subject} --heap {heap} --aligns {aligns}");
        if self.every_size {
            command += " --every-size";
        }
        if let Some(rules) = self.rules.rules {
            command += &format!(" --rules {rules}");
        }
        command
    }

    fn judged(&self) -> Rules {
        self.rules.rules.unwrap_or(Rules::ALL)
    }

    fn example(&self, example: &Counterexample, kept: Option<&Kept>) -> String {
        let entry = named_or_default(self.subject);
        let Counterexample {
            finding,
            trace,
            rules,
        } = example;
        match self.format {
            Format::Human => {
                let mut text = report::finding(&entry.declaration, trace, finding);
                if *rules != self.judged() {
                    text += &format!("  judged by --rules {rules}\n");
                }
                if let Some(kept) = kept {
                    text += &format!("  {kept}\n");
                }
                text
            }
            Format::Json => {
                let more = ExampleLine {
                    rules: rules.to_string(),
                    written_to: kept.and_then(Kept::written_to),
                };
                json::finding(entry.name(), finding, trace, more)
            }
        }
    }

    fn summary(&self, summary: &Summary) -> String {
        let subject = named_or_default(self.subject).name();
        let Progress {
            states,
            transitions,
            ..
        } = summary.progress;
        let findings = summary.counterexamples.len();
        match self.format {
            Format::Human => {
                let seconds = summary.elapsed.as_secs_f64();
                let (heap, end) = (self.heap, ending(summary));
                format!(
                    "{subject}, heap of {heap}: {}, {}, {end}; {} broken, {seconds:.1} s",
                    counted(states, "state"),
                    counted(transitions, "transition"),
                    counted(findings, "rule"),
                )
            }
            Format::Json => {
                let line = SummaryLine {
                    subject,
                    heap: self.heap.bytes(),
                    states,
                    transitions,
                    complete: summary.incomplete.is_none(),
                    findings,
                    elapsed_ms: summary.elapsed.as_millis() as u64,
                };
                json::tagged("summary", &line)
            }
        }
    }
}

fn difference_of(
    entry: &Entry,
    example: &Counterexample,
    host: &mut Host,
) -> Result<Option<Difference>> {
    let Counterexample { finding, trace, .. } = example;
    difference::at(finding.rule(), finding.op, entry, trace, host)
}

fn ending(summary: &Summary) -> &'static str {
    match summary.incomplete {
        None => "complete",
        Some(Incomplete::Memory) => "not complete: no more memory for states (--memory-max)",
        Some(Incomplete::Steps) => "not complete: a state is too many calls away",
        Some(Incomplete::Crashes) => "not complete: what crashed it was not asked again",
        Some(Incomplete::Contradicted) => {
            "not complete: side memory and table disagree in some states"
        }
    }
}

/// What a line of JSON says of a counterexample beside the finding.
#[derive(Serialize)]
struct ExampleLine {
    /// What the trace is to be judged by.
    rules: String,
    /// The regression's file, if it was written.
    written_to: Option<String>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    subject: &'a str,
    heap: u64,
    states: u64,
    transitions: u64,
    complete: bool,
    findings: usize,
    elapsed_ms: u64,
}

fn parse_heap(text: &str) -> Result<Geometry> {
    let bytes: u64 = text.parse().context("expected a number of bytes")?;
    let (min, max) = (Geometry::BYTES_MIN, Geometry::BYTES_MAX);
    Geometry::from_bytes(bytes)
        .with_context(|| format!("expected a multiple of 8 from {min} to {max}"))
}

fn parse_align(text: &str) -> Result<Align> {
    let bytes = text.parse().ok().and_then(Align::from_bytes);
    bytes.context("expected powers of two")
}
