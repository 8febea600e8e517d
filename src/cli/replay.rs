//! `kmem-rig replay`: traces on host and guest, verdicts against what is expected.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::options::{ReplayOptions, examples};
use super::progress::{Bound, Progress};
use super::table::table;
use super::{Outcome, json};
use crate::oracle::rules::Rule;
use crate::regression::Regression;
use crate::regression::replay::{self, Row, Sides, Summary};
use crate::report::difference;
use crate::report::{junit, sarif};
use crate::subject::registry;
use crate::trace::input::Reading;
use crate::wording::counted::counted;
use crate::wording::printable::printable;

/// How a replay is printed; see docs/formats.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
    /// JUnit XML: a suite a trace, a test case a run.
    Junit,
    /// A SARIF 2.1.0 log.
    Sarif,
}

/// Replay traces on host and guest, and compare the verdicts with those the traces expect
///
/// Each trace runs on the subjects it expects something of; one that expects nothing, on all.
/// One of more than 32,768 ops, such as a recording, runs on the host alone, in fast strength: what
/// it finds is broken at the op named or shortly before it; see docs/recording.md.
#[derive(Args)]
#[command(after_help = examples(&[
    "kmem-rig replay qemu-tests/regressions --on host,qemu",
    "kmem-rig replay qemu-tests/regressions --format junit > replay.xml",
]))]
pub(super) struct Arguments {
    #[command(flatten)]
    replay: ReplayOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let (files, mut started, job) = self.replay.start()?;
        let mut sides = started.sides();
        let mut summary = Summary::default();
        let mut rows = Vec::new();
        let mut differences = Vec::new();
        let mut progress = Progress::new("replaying", Bound::Count(files.len() as u64));
        for (done, path) in (0..).zip(&files) {
            progress.show(done, "traces");
            let known = rows.len();
            let mut keep = |row: &Row| rows.push(row.clone());
            replay::replay(path, &job, &mut sides, &mut summary, &mut keep)?;
            if self.format == Format::Json {
                progress.aside(|| print_json(&rows[known..]))?;
            }
            if self.format == Format::Human {
                for row in &rows[known..] {
                    differences.extend(difference_of(path, job.reading, row, &mut sides)?);
                }
            }
        }
        drop(progress);
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Human => people(&mut out, &summary, &rows, &differences.concat())?,
            Format::Json => writeln!(out, "{}", json::tagged("summary", &summary))?,
            Format::Junit => write!(out, "{}", junit::document(&rows, &summary))?,
            Format::Sarif => write!(out, "{}", sarif::log(&rows, job.reading)?)?,
        }
        Ok(Outcome::expected_if(summary.unexpected == 0))
    }
}

fn print_json(rows: &[Row]) -> Result<()> {
    for row in rows {
        writeln!(std::io::stdout(), "{}", json::line(row))?;
    }
    Ok(())
}

/// How the table differs from the model's in a run that is not as expected: which run, and the
/// lines.
fn difference_of(
    path: &Path,
    reading: Reading,
    row: &Row,
    sides: &mut Sides<'_>,
) -> Result<Option<String>> {
    let rule = row.rule.and_then(|rule| rule.parse().ok());
    let (Some(rule @ (Rule::Placement | Rule::Table)), Some(op)) = (rule, row.op) else {
        return Ok(None);
    };
    if row.passes() {
        return Ok(None);
    }
    // A trace too long for memory is minimised first.
    let (Regression { trace, .. }, None) = Regression::open(path, reading)? else {
        return Ok(None);
    };
    let entry = registry::by_name(row.subject)?;
    let difference = difference::at(rule, op, entry, &trace, sides.executor(row.on)?)?;
    Ok(difference.map(|difference| {
        let (name, subject, on) = (stem(&row.trace), row.subject, row.on.name());
        let name = printable(&name);
        format!(
            "{name}, {subject} on {on}, op {op}:\n{}\n",
            difference.told()
        )
    }))
}

fn people(out: &mut impl Write, summary: &Summary, rows: &[Row], differences: &str) -> Result<()> {
    let rows: Vec<_> = rows.iter().map(cells).collect();
    let heading = ["TRACE", "SUBJECT", "ON", "VERDICT", "AS EXPECTED", "WHY"];
    out.write_all(table(heading, &rows).as_bytes())?;
    if !differences.is_empty() {
        write!(out, "\n{differences}")?;
    }
    let Summary {
        traces,
        runs,
        as_expected,
        unexpected,
    } = summary;
    writeln!(
        out,
        "{}, {}: {as_expected} as expected, {unexpected} not",
        counted(*traces, "trace"),
        counted(*runs, "run"),
    )?;
    Ok(())
}

fn cells(row: &Row) -> [String; 6] {
    let as_expected = match row.as_expected {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "-",
    };
    // A verdict that is as expected needs no reason.
    let mut why = Vec::new();
    if row.as_expected != Some(true) {
        if let (Some(expected), Some(observed)) = (&row.expected, &row.observed) {
            why.push(format!("expected {expected}; observed {observed}"));
        }
        let wanted = row.expectation.as_ref();
        why.extend(wanted.map(|wanted| format!("the trace expects: {wanted}")));
    }
    [
        stem(&row.trace),
        row.subject.to_owned(),
        row.on.name().to_owned(),
        row.verdict_in_words(),
        as_expected.to_owned(),
        why.join("; "),
    ]
}

/// A trace's name: its file's without folder and extension.
fn stem(trace: &str) -> String {
    let stem = Path::new(trace).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
