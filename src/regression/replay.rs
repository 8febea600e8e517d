//! Replays traces on the host and in a guest, and compares verdicts with what is expected.

use std::path::Path;

use anyhow::{Context, Result, bail};
use harness::entry::Entry;
use harness::trace::OPS_MAX;
use serde::Serialize;

pub use crate::execute::side::{Side, Sides};
use crate::oracle::differential;
use crate::oracle::judge::Verdict;
use crate::oracle::rules::{Rule, Rules};
use crate::oracle::violation::Violation;
use crate::regression::{Expectation, Regression};
use crate::run::Run;
use crate::subject::registry;
use crate::trace::input::Reading;
use crate::trace::long::LongTrace;
use crate::wording::Words;

/// One run and its verdict. The fields are the interface of `--format json`.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The trace's file.
    pub trace: String,
    /// The subject's name.
    pub subject: &'static str,
    /// Where it ran.
    pub on: Side,
    /// The verdict's name.
    pub verdict: &'static str,
    /// The rule broken.
    pub rule: Option<&'static str>,
    /// The op that broke it.
    pub op: Option<usize>,
    /// What the rule demands.
    pub expected: Option<String>,
    /// What happened.
    pub observed: Option<String>,
    /// The violation as a value.
    pub evidence: Option<Violation>,
    /// Whether the verdict is as the trace expects; `None` where it expects nothing.
    pub as_expected: Option<bool>,
    /// What the trace expects of the subject, in the words of its header.
    #[serde(skip)]
    pub expectation: Option<String>,
}

impl Row {
    /// Whether the verdict is as the trace expects, or a mere `agree` where it expects nothing.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.as_expected.unwrap_or(self.rule.is_none())
    }

    /// What is wanted of the run: what the trace expects, or that it agrees.
    pub(crate) fn wanted(&self) -> &str {
        self.expectation.as_deref().unwrap_or("agree")
    }

    /// The verdict: `agree`, `diverge misaligned at 0`.
    #[must_use]
    pub fn verdict_in_words(&self) -> String {
        match (self.rule, self.op) {
            (Some(rule), Some(op)) => format!("{} {rule} at {op}", self.verdict),
            _ => self.verdict.to_owned(),
        }
    }
}

/// What a replay came to. The fields are the interface of `--format json`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Summary {
    /// Files.
    pub traces: u64,
    /// Rows.
    pub runs: u64,
    /// Rows that are as expected, or a mere `agree` where nothing is expected.
    pub as_expected: u64,
    /// All others.
    pub unexpected: u64,
}

/// What is asked of each file.
#[derive(Debug)]
pub struct Job {
    /// How it is read.
    pub reading: Reading,
    /// The subjects that it runs on. If none are named: those that it expects something of, or else
    /// all that can be given its heap.
    pub subjects: Vec<&'static Entry>,
    /// The rules judged, if not those that it names.
    pub rules: Option<Rules>,
}

/// Replays one file. Each row is reported as soon as it is known.
///
/// A trace of more than [`OPS_MAX`] ops takes part on the host alone: the guest has no room for it.
///
/// # Errors
/// When the file is no trace, or the rig itself cannot do its work; when a long trace is to run in
/// the guest alone.
pub fn replay(
    path: &Path,
    job: &Job,
    sides: &mut Sides<'_>,
    summary: &mut Summary,
    report: &mut dyn FnMut(&Row),
) -> Result<()> {
    let (regression, long) = Regression::open(path, job.reading)?;
    let rules = job.rules.unwrap_or(regression.rules);
    summary.traces += 1;
    for entry in job.subjects_of(path, &regression)? {
        let verdicts = match &long {
            Some(long) => vec![(Side::Host, long_verdict(path, entry, long, rules, sides)?)],
            None => runs(entry, &regression, !job.subjects.is_empty(), rules, sides)?
                .into_iter()
                .map(|judged| (judged.on, judged.verdict))
                .collect(),
        };
        for (side, verdict) in verdicts {
            let row = row(path, entry, side, &verdict, &regression);
            summary.runs += 1;
            match row.passes() {
                true => summary.as_expected += 1,
                false => summary.unexpected += 1,
            }
            report(&row);
        }
    }
    Ok(())
}

impl Job {
    /// The subjects that a trace is replayed on.
    pub(crate) fn subjects_of(
        &self,
        path: &Path,
        regression: &Regression,
    ) -> Result<Vec<&'static Entry>> {
        let expectations = &regression.expectations;
        if !self.subjects.is_empty() {
            return Ok(self.subjects.clone());
        }
        if expectations.is_empty() {
            let accepts = |e: &&Entry| e.declaration.accepts(regression.trace.geometry);
            return Ok(registry::sound().filter(accepts).collect());
        }
        let mut names: Vec<&str> = Vec::new();
        for Expectation { subject, .. } in expectations {
            if !names.contains(&subject.as_str()) {
                names.push(subject);
            }
        }
        let named: Result<_> = names.into_iter().map(registry::by_name).collect();
        named.with_context(|| path.display().to_string())
    }
}

/// A run, and what it comes to.
pub(crate) struct Judged {
    /// Where it took place.
    pub on: Side,
    /// What was observed.
    pub run: Run,
    /// The verdict on it.
    pub verdict: Verdict,
}

/// Runs a trace on each side on which it expects anything of the subject; on both if the subject
/// was `chosen`, or it expects nothing of anyone. Where both take part and differ, `host-guest`
/// replaces the guest's verdict, unless another verdict is expected of the guest alone.
pub(crate) fn runs(
    entry: &Entry,
    regression: &Regression,
    chosen: bool,
    rules: Rules,
    sides: &mut Sides<'_>,
) -> Result<Vec<Judged>> {
    let trace = &regression.trace;
    let expected = |side| regression.expected(entry.name(), side);
    let all = chosen || regression.expectations.is_empty();
    let mut runs: Vec<Judged> = Vec::new();
    if let Some(host) = &mut sides.host
        && (all || expected(Side::Host).is_some())
    {
        let (run, verdict) = host.verdict(entry, trace, rules)?;
        let on = Side::Host;
        runs.push(Judged { on, run, verdict });
    }
    if let Some(guest) = &mut sides.guest
        && (all || expected(Side::Qemu).is_some())
    {
        let (run, verdict) = guest.verdict(entry, trace, rules)?;
        let is_compared = expected(Side::Qemu)
            .is_none_or(|alone| alone.on.is_none() || alone.rule == Some(Rule::HostGuest));
        let host = runs.first().filter(|_| is_compared);
        let differs =
            host.and_then(|host| differential::compare(&entry.declaration, trace, &host.run, &run));
        runs.push(Judged {
            on: Side::Qemu,
            run,
            verdict: differs.map_or(verdict, Verdict::Diverge),
        });
    }
    Ok(runs)
}

fn long_verdict(
    path: &Path,
    entry: &Entry,
    trace: &LongTrace,
    rules: Rules,
    sides: &mut Sides<'_>,
) -> Result<Verdict> {
    match &mut sides.host {
        Some(host) => host.stream(entry, trace, rules),
        None => bail!(
            "{}: {} ops, and the guest takes {OPS_MAX}: replay it on the host, or minimise it first",
            path.display(),
            trace.ops()
        ),
    }
}

fn row(path: &Path, entry: &Entry, on: Side, verdict: &Verdict, from: &Regression) -> Row {
    let expectation = from.expected(entry.name(), on);
    let finding = verdict.finding();
    let words = finding.map(|finding| Words::of(&finding.violation, entry.declaration.unit));
    let (expected, observed) = words.map(|words| (words.expected, words.observed)).unzip();
    Row {
        trace: path.display().to_string(),
        subject: entry.declaration.name,
        on,
        verdict: verdict.name(),
        rule: finding.map(|finding| finding.rule().name()),
        op: finding.map(|finding| finding.op),
        expected,
        observed,
        evidence: finding.map(|finding| finding.violation.clone()),
        as_expected: expectation.map(|expectation| expectation.is_met_by(verdict)),
        expectation: expectation.map(ToString::to_string),
    }
}
