//! One find, as the page shows it: what was asked, what each side did, and the evidence.

use anyhow::{Context, Result};
use harness::entry::Entry;
use harness::text::write_op;
use harness::trace::Trace;
use serde::Serialize;

use super::tables::{self, Table};
use super::timeline::Timeline;
use crate::oracle::judge::Finding;
use crate::regression::Regression;
use crate::regression::replay::{Judged, Sides};
use crate::report::listing;
use crate::wording::Words;
use crate::wording::counted;

/// The ops shown before the broken one: a longer trace is worth minimising first.
const BEFORE_MAX: usize = 60;
/// The ops shown behind it.
const BEHIND_MAX: usize = 10;

/// A find with all that is shown of it.
#[derive(Serialize)]
pub(super) struct Find {
    number: usize,
    trace: String,
    title: String,
    subject: &'static str,
    heap: String,
    verdicts: Vec<Told>,
    /// The op that the first finding names.
    op: usize,
    /// Ops of the trace, also those that are not shown.
    ops: usize,
    steps: Vec<Step>,
    /// The sides that took part, in the order of each step's outcomes.
    sides: Vec<&'static str>,
    tables: Vec<Table>,
    timeline: Timeline,
}

/// A side's finding in words.
#[derive(Serialize)]
struct Told {
    on: &'static str,
    verdict: &'static str,
    rule: &'static str,
    op: usize,
    kind: &'static str,
    words: Words,
}

/// One op of the trace.
#[derive(Serialize)]
struct Step {
    number: usize,
    text: String,
    /// What it did on each side; `None` where the run had ended.
    did: Vec<Option<String>>,
}

impl Find {
    /// Puts together what is known of a find.
    ///
    /// # Errors
    /// When there is none, or the rig cannot run the trace again for its tables.
    pub(super) fn new(
        number: usize,
        regression: &Regression,
        entry: &Entry,
        judged: &[Judged],
        sides: &mut Sides<'_>,
    ) -> Result<Self> {
        let trace = &regression.trace;
        let finding = first(judged).context("no side found anything")?;
        let shown =
            finding.op.saturating_sub(BEFORE_MAX)..trace.ops.len().min(finding.op + 1 + BEHIND_MAX);
        let told = judged.iter().filter_map(|judged| {
            let finding = judged.verdict.finding()?;
            Some(Told {
                on: judged.on.name(),
                verdict: judged.verdict.name(),
                rule: finding.rule().name(),
                op: finding.op,
                kind: finding.kind.name(),
                words: Words::of(&finding.violation, entry.declaration.unit),
            })
        });
        Ok(Self {
            number,
            trace: regression.name.clone(),
            title: regression.title.clone(),
            subject: entry.declaration.name,
            heap: counted::heap(trace.geometry),
            verdicts: told.collect(),
            op: finding.op,
            ops: trace.ops.len(),
            sides: judged.iter().map(|judged| judged.on.name()).collect(),
            tables: tables::around(entry, trace, finding.op, judged, sides)?,
            timeline: Timeline::new(&entry.declaration, trace, judged, finding.op, shown.clone()),
            steps: steps(trace, judged)
                .skip(shown.start)
                .take(shown.len())
                .collect(),
        })
    }
}

/// The finding that the page is about: the host's, else the guest's.
fn first(judged: &[Judged]) -> Option<&Finding> {
    judged.iter().find_map(|judged| judged.verdict.finding())
}

fn steps<'a>(trace: &'a Trace, judged: &'a [Judged]) -> impl Iterator<Item = Step> + 'a {
    let mut issued = 0;
    trace.ops.iter().enumerate().map(move |(number, op)| {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write_op(&mut text, op, &mut issued);
        let did = |judged: &Judged| listing::did(&judged.run, number);
        Step {
            number,
            text,
            did: judged.iter().map(did).collect(),
        }
    })
}
