//! `kmem-rig replay`: traces on host and guest, verdicts against what is expected.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use super::Outcome;
use super::options::{GuestOptions, InputOptions, Named, On, RuleOptions, check_replayed};
use super::progress::{Bound, Progress};
use super::table::table;
use crate::counted::counted;
use crate::input::Reading;
use crate::printable::printable;
use crate::regression::Regression;
use crate::replay::{self, Row, Sides, Summary, junit, sarif};
use crate::rules::Rule;
use crate::{difference, input, registry};

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
///
/// Example: kmem-rig replay qemu-tests/regressions --on host,qemu
/// Example: kmem-rig replay qemu-tests/regressions --format junit > replay.xml
#[derive(Args)]
pub(super) struct Arguments {
    /// Traces, artifacts, corpus entries, consoles' outputs that hold a trace, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Where to run
    #[arg(long, value_enum, value_delimiter = ',', default_value = "host,qemu")]
    on: Vec<On>,
    /// Run on this subject instead; may be given more than once
    #[arg(long, value_name = "S")]
    subject: Vec<Named>,
    #[command(flatten)]
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let files = input::files(&self.paths)?;
        ensure!(
            !files.is_empty(),
            "no file to replay in {}",
            display(&self.paths)
        );
        let mut started = self.guest.start_sides(&self.on)?;
        let mut sides = started.sides();
        let chosen: Vec<_> = self.subject.iter().map(|named| named.0).collect();
        check_replayed(&files, self.reading.reading(), &chosen)?;
        let mut summary = Summary::default();
        let mut rows = Vec::new();
        let mut differences = Vec::new();
        let mut progress = Progress::new("replaying", Bound::Count(files.len() as u64));
        for (done, path) in (0..).zip(&files) {
            progress.show(done, "traces");
            let known = rows.len();
            let (reading, rules) = (self.reading.reading(), self.rules.rules);
            let mut keep = |row: &Row| rows.push(row.clone());
            replay::replay(
                path,
                reading,
                &chosen,
                rules,
                &mut sides,
                &mut summary,
                &mut keep,
            )?;
            if self.format == Format::Json {
                progress.aside(|| print_json(&rows[known..]))?;
            }
            if self.format == Format::Human {
                for row in &rows[known..] {
                    differences.extend(difference_of(path, reading, row, &mut sides)?);
                }
            }
        }
        drop(progress);
        self.finish(&summary, &rows, &differences.concat())?;
        Ok(if summary.unexpected == 0 {
            Outcome::AsExpected
        } else {
            Outcome::Finding
        })
    }

    fn finish(&self, summary: &Summary, rows: &[Row], differences: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let whole = match self.format {
            Format::Human => return people(&mut out, summary, rows, differences),
            Format::Json => {
                #[derive(serde::Serialize)]
                struct Line<'a> {
                    summary: &'a Summary,
                }
                serde_json::to_string(&Line { summary })? + "\n"
            }
            Format::Junit => junit::document(rows, summary),
            Format::Sarif => sarif::log(rows, self.reading.reading())?,
        };
        out.write_all(whole.as_bytes())?;
        Ok(())
    }
}

fn print_json(rows: &[Row]) -> Result<()> {
    for row in rows {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(row)?)?;
    }
    Ok(())
}

/// How the table differs from the model's in a run that is not as expected: which run, and the lines.
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

fn display(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
