//! `kmem-rig-bench known-bugs`: how soon real bugs are found.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use kmem_rig::cli::{Format, Outcome, figures, table};
use kmem_rig::cost::figure::{Figure, median};
use serde::Serialize;

use crate::known_bugs::plain::{self, Crash, Plain};
use crate::known_bugs::{self, Bug, Hit};

/// The seeds of the hunts.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
/// The seeds of the plain target's runs.
const PLAIN_SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// How soon real bugs are found: a hunt of 5 s at most on each of five seeds
///
/// `--long` also has a plain libFuzzer target look for each of them, for 20 s at most on each of
/// three seeds: one that draws allocs, frees and reallocs, fills the blocks and judges nothing,
/// built as cargo-fuzz does by default. A crash counts as the bug if it comes again, and the fixed
/// version passes the same input. That takes a quarter of an hour.
///
/// Exits with 0 only if every bug is found on every seed, and with `--long` met in a tenth of the
/// time that the plain target takes, where that finds it.
#[derive(Args)]
pub struct Arguments {
    /// The folder of bugs
    #[arg(long, value_name = "FOLDER", default_value = "subjects/known-bugs")]
    folder: PathBuf,
    /// Where to build
    #[arg(long, value_name = "FOLDER", default_value = "target/known-bugs")]
    target_dir: PathBuf,
    /// Also hold the hunts against a plain libFuzzer target
    #[arg(long)]
    long: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub fn run(&self) -> Result<Outcome> {
        let bugs = known_bugs::known_bugs(&self.folder)?;
        ensure!(!bugs.is_empty(), "no bugs in {}", self.folder.display());
        let (mut rows, mut compared, mut figures) = (Vec::new(), Vec::new(), Vec::new());
        let mut all_found = true;
        for bug in &bugs {
            let hits = hunts(bug, &self.target_dir)?;
            let row = Row::of(bug, &hits);
            all_found &= row.found == row.seeds;
            match self.format {
                Format::Json => print(&row)?,
                Format::Human => rows.push(row.cells()),
            }
            if self.long {
                let crashes = plain_runs(bug, &self.target_dir)?;
                let figure = plain::figure(bug, &hits, &crashes);
                match self.format {
                    Format::Json => print(&figure)?,
                    Format::Human => compared.push(comparison(&row, &figure, &crashes)),
                }
                figures.push(figure);
            }
        }
        if self.format == Format::Human {
            let heading = [
                "BUG",
                "CRATE",
                "VERSION",
                "RULE",
                "FOUND",
                "EXECS",
                "MET AFTER",
                "SECONDS",
                "AT MOST",
            ];
            std::io::stdout().write_all(table(heading, &rows).as_bytes())?;
            if self.long {
                let heading = [
                    "BUG",
                    "MET AFTER",
                    "MINIMISED",
                    "PLAIN",
                    "RATIO",
                    "GOAL MET",
                    "FIRST CRASH OF PLAIN",
                ];
                writeln!(
                    std::io::stdout(),
                    "\n{}",
                    table(heading, &compared).trim_end()
                )?;
            }
        }
        Ok(if all_found {
            figures::outcome(&figures)
        } else {
            Outcome::Finding
        })
    }
}

/// A hunt for each seed.
fn hunts(bug: &Bug, target: &Path) -> Result<Vec<Option<Hit>>> {
    let binary = bug.build(target)?;
    SEEDS.map(|seed| bug.hunt(&binary, seed)).collect()
}

/// The plain target's run for each seed.
fn plain_runs(bug: &Bug, target: &Path) -> Result<Vec<Option<Crash>>> {
    let plain = Plain::build(bug, target)?;
    PLAIN_SEEDS.map(|seed| plain.run(seed)).collect()
}

fn print(line: &impl Serialize) -> Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(line)?)?;
    Ok(())
}

/// What is printed of a bug and the plain target: when the hunt met it and had it minimised, the
/// plain target's time on each seed, and what its first crash said, whether that was the bug or
/// not.
fn comparison(row: &Row<'_>, figure: &Figure, crashes: &[Option<Crash>]) -> [String; 7] {
    let times = crashes.iter().map(|crash| match crash {
        Some(crash) if crash.is_the_bug => format!("{:.3}", crash.elapsed.as_secs_f64()),
        Some(_) => "another".to_owned(),
        None => "-".to_owned(),
    });
    let said = crashes.iter().flatten().next();
    let or_dash = |text: Option<String>| text.unwrap_or("-".to_owned());
    [
        row.bug.to_owned(),
        or_dash(row.met_median.map(|time| format!("{time:.4}"))),
        or_dash(row.seconds_median.map(|time| format!("{time:.3}"))),
        times.collect::<Vec<_>>().join(" "),
        or_dash(figure.ratio.map(|ratio| format!("{ratio:.4}"))),
        or_dash(
            figure
                .met
                .map(|met| if met { "yes" } else { "no" }.to_owned()),
        ),
        or_dash(said.map(|crash| crash.message.clone())),
    ]
}

/// What is printed of a bug; the figures are those of the hunts that found it.
#[derive(Serialize)]
struct Row<'a> {
    bug: &'a str,
    #[serde(rename = "crate")]
    krate: &'a str,
    version: &'a str,
    rule: &'a str,
    found: usize,
    seeds: usize,
    execs_median: Option<u64>,
    met_median: Option<f64>,
    seconds_median: Option<f64>,
    seconds_max: Option<f64>,
}

impl<'a> Row<'a> {
    fn of(bug: &'a Bug, hits: &[Option<Hit>]) -> Self {
        let found = || hits.iter().flatten();
        let times = || found().map(|hit| hit.elapsed);
        Self {
            bug: &bug.name,
            krate: &bug.facts.krate,
            version: &bug.facts.version,
            rule: &bug.facts.rule,
            found: found().count(),
            seeds: hits.len(),
            execs_median: median(found().map(|hit| hit.execs)),
            met_median: median(found().map(|hit| hit.sighted)).map(|time| time.as_secs_f64()),
            seconds_median: median(times()).map(|time| time.as_secs_f64()),
            seconds_max: times().max().map(|time| time.as_secs_f64()),
        }
    }

    fn cells(&self) -> [String; 9] {
        let seconds = |time: Option<f64>| time.map_or("-".to_owned(), |s| format!("{s:.3}"));
        [
            self.bug.to_owned(),
            self.krate.to_owned(),
            self.version.to_owned(),
            self.rule.to_owned(),
            format!("{} of {}", self.found, self.seeds),
            self.execs_median.map_or("-".to_owned(), |n| n.to_string()),
            self.met_median
                .map_or("-".to_owned(), |s| format!("{s:.4}")),
            seconds(self.seconds_median),
            seconds(self.seconds_max),
        ]
    }
}
