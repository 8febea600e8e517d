//! `kmem-rig bench known-bugs`: how soon real bugs are found.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::bench::known_bugs::{self, Bug, Hit};
use crate::bench::median;
use crate::cli::Outcome;
use crate::cli::options::Format;
use crate::cli::table::table;

/// The seeds of the hunts.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

/// How soon real bugs are found: a hunt of 5 s at most on each of five seeds
///
/// Exits with 0 only if every bug is found on every seed.
#[derive(Args)]
pub(super) struct Arguments {
    /// The folder of bugs
    #[arg(long, value_name = "FOLDER", default_value = "subjects/known-bugs")]
    folder: PathBuf,
    /// Where to build
    #[arg(long, value_name = "FOLDER", default_value = "target/known-bugs")]
    target_dir: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let bugs = known_bugs::known_bugs(&self.folder)?;
        ensure!(!bugs.is_empty(), "no bugs in {}", self.folder.display());
        let mut rows = Vec::new();
        let mut all_found = true;
        for bug in &bugs {
            let hits = hunts(bug, &self.target_dir)?;
            let row = Row::of(bug, &hits);
            all_found &= row.found == row.seeds;
            match self.format {
                Format::Json => {
                    writeln!(std::io::stdout(), "{}", serde_json::to_string(&row)?)?;
                }
                Format::Human => rows.push(row.cells()),
            }
        }
        if self.format == Format::Human {
            let heading = [
                "BUG", "CRATE", "VERSION", "RULE", "FOUND", "EXECS", "SECONDS", "AT MOST",
            ];
            std::io::stdout().write_all(table(heading, &rows).as_bytes())?;
        }
        Ok(if all_found {
            Outcome::AsExpected
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
            seconds_median: median(times()).map(|time| time.as_secs_f64()),
            seconds_max: times().max().map(|time| time.as_secs_f64()),
        }
    }

    fn cells(&self) -> [String; 8] {
        let seconds = |time: Option<f64>| time.map_or("-".to_owned(), |s| format!("{s:.3}"));
        [
            self.bug.to_owned(),
            self.krate.to_owned(),
            self.version.to_owned(),
            self.rule.to_owned(),
            format!("{} of {}", self.found, self.seeds),
            self.execs_median.map_or("-".to_owned(), |n| n.to_string()),
            seconds(self.seconds_median),
            seconds(self.seconds_max),
        ]
    }
}
