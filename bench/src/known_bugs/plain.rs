//! How soon the yardstick finds a known bug: the plain target of [`crate::fuzzing`], over the
//! version with the bug.
//!
//! The target is a second binary of the version's package, behind the feature `plain`, which leaves
//! the rig out. It is built as cargo-fuzz does by default, and starts from an empty corpus.
//!
//! Any crash ends such a run. One counts as the bug only if it comes again, and the version without
//! the bug passes the very input: an overlap that nobody notices, or a block lost, is not found,
//! and neither is another bug of the same crate, unless it was fixed with this one. The clock
//! starts with the first input, and stops at the crash: nothing is confirmed or minimised, so that
//! a hunt is held against it up to where it met the bug. What was found with the first input counts
//! as a microsecond, which no hunt takes a tenth of.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kmem_rig::cost::figure::{Figure, Goal, median};

use super::{Bug, Hit};
use crate::fuzzing;

/// How long the target may run.
pub const TIME: Duration = Duration::from_secs(20);
const GOAL: Goal = Goal::AtMost(0.1);

/// What the target prints before its first input: where the clock starts.
const FIRST_INPUT: &str = "first input";
/// How a run of the target ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// From the first input on.
    pub elapsed: Duration,
    /// The first that was said of it: by AddressSanitizer, by libFuzzer or by a panic.
    pub message: String,
    /// Whether the input makes it crash again, and does not the version without the bug.
    pub is_the_bug: bool,
}

/// The plain target over the version with a bug, built.
#[derive(Clone, Debug)]
pub struct Plain<'a> {
    bug: &'a Bug,
    /// Of binaries; all bugs share what they can.
    folder: PathBuf,
    binary: PathBuf,
}

impl<'a> Plain<'a> {
    /// Builds it below `target`.
    ///
    /// # Errors
    /// When it does not build; says what the compiler said.
    pub fn build(bug: &'a Bug, target: &Path) -> Result<Self> {
        let folder = target.join("plain");
        let creating = || format!("cannot create {}", folder.display());
        fs::create_dir_all(&folder).with_context(creating)?;
        let folder = folder.canonicalize().with_context(creating)?;
        let binary = build(bug, "buggy", &folder)?;
        Ok(Self {
            bug,
            folder,
            binary,
        })
    }

    /// Runs the target until its first crash, or until [`TIME`] is up.
    ///
    /// # Errors
    /// When the target does not run, or ends in a way that it does not explain.
    pub fn run(&self, seed: u64) -> Result<Option<Crash>> {
        let input = self.folder.join(format!("{}.crash", self.bug.name));
        let mut target = Command::new(&self.binary)
            .arg(format!("-seed={seed}"))
            .arg(format!("-max_total_time={}", TIME.as_secs()))
            .arg(format!("-exact_artifact_path={}", input.display()))
            .arg(self.timeout())
            .env("ASAN_OPTIONS", fuzzing::ASAN_OPTIONS)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let log = BufReader::new(target.stderr.take().context("its log is a pipe")?);
        let lines = log.split(b'\n').map_while(|line| {
            let line = line.ok()?;
            Some((Instant::now(), String::from_utf8_lossy(&line).into_owned()))
        });
        let told = first_crash(lines);
        let status = target.wait().context("cannot wait for the target")?;
        let Some((elapsed, message)) = told else {
            let name = self.binary.display();
            ensure!(
                status.success(),
                "{name} ended with {status} and said nothing"
            );
            return Ok(None);
        };
        Ok(Some(Crash {
            elapsed,
            message,
            is_the_bug: elapsed <= TIME && self.is_the_bugs(&input)?,
        }))
    }

    /// Whether it fails on the input again, and the version without the bug does not: a timeout on
    /// a busy machine is no bug.
    fn is_the_bugs(&self, input: &Path) -> Result<bool> {
        Ok(!self.passes(&self.binary, input)? && {
            let fixed = build(self.bug, "fixed", &self.folder)?;
            self.passes(&fixed, input)?
        })
    }

    /// Whether a version's target runs on an input to its end.
    fn passes(&self, binary: &Path, input: &Path) -> Result<bool> {
        let output = Command::new(binary)
            .arg(input)
            .arg(self.timeout())
            // Where the copy goes that nobody needs.
            .arg(format!("-exact_artifact_path={}", input.display()))
            .env("ASAN_OPTIONS", fuzzing::ASAN_OPTIONS)
            .output()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        Ok(output.status.success())
    }

    /// How long an input may take. Where a hang is looked for, the least that libFuzzer takes;
    /// elsewhere more, since on a busy machine an input that takes a second ends the run for
    /// nothing. Its own 20 minutes would outlast the run.
    fn timeout(&self) -> &'static str {
        match self.bug.facts.rule.as_str() {
            "hang" => "-timeout=1",
            _ => "-timeout=10",
        }
    }
}

/// Builds the target over a version of a bug's crate; returns the binary.
fn build(bug: &Bug, version: &str, folder: &Path) -> Result<PathBuf> {
    let name = format!("{}-{version}-plain", bug.name);
    let flags = ["--no-default-features", "--features", "plain"];
    fuzzing::build_target(&bug.folder.join(version), &name, &flags, folder)
}

/// The median times until a bug was met, the hunt's held against the plain target's. A run that did
/// not find it took longer than any that did.
#[must_use]
pub fn figure(bug: &Bug, hits: &[Option<Hit>], crashes: &[Option<Crash>]) -> Figure {
    let hunt = median_of_found(hits.iter().map(|hit| hit.map(|hit| hit.sighted)));
    let plain = median_of_found(crashes.iter().map(|crash| {
        let found = crash.as_ref().filter(|crash| crash.is_the_bug);
        found.map(|crash| crash.elapsed)
    }));
    let mut name = format!("time to {}, hunt : plain target", bug.name);
    if hunt.is_none() {
        name += &format!(" (hunt: not found in {} s)", super::TIME.as_secs());
    }
    if plain.is_none() {
        name += &format!(" (plain: not found in {} s)", TIME.as_secs());
    }
    let value = hunt.unwrap_or(super::TIME).as_secs_f64();
    let mut figure = Figure::new(name, value, "s");
    if let (Some(_), Some(plain)) = (hunt, plain) {
        // The hunt's times have no finer steps either.
        let plain = plain.max(Duration::from_micros(1));
        return figure.against(plain.as_secs_f64()).held_to(GOAL);
    }
    figure.goal = Some(GOAL);
    figure.met = Some(hunt.is_some());
    figure
}

fn median_of_found(times: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    let times = times.map(|time| time.unwrap_or(Duration::MAX));
    median(times).filter(|time| *time < Duration::MAX)
}

/// When a log tells of a crash first, counted from the first input, and in which words. The whole
/// log is read, or the target would wait for somebody who does.
fn first_crash(log: impl Iterator<Item = (Instant, String)>) -> Option<(Duration, String)> {
    let mut first = None;
    let mut crash: Option<(Duration, String)> = None;
    let mut wants_more = false;
    for (at, line) in log {
        match (&first, &mut crash) {
            (None, _) if line == FIRST_INPUT => first = Some(at),
            (Some(first), None) if line.contains(" panicked at ") || line.contains("ERROR: ") => {
                // What a panic says follows on a line of its own.
                wants_more = line.ends_with(':');
                crash = Some((at - *first, line));
            }
            (_, Some((_, message))) if wants_more => {
                wants_more = false;
                message.push(' ');
                message.push_str(&line);
            }
            _ => {}
        }
    }
    crash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known_bugs::tests::bugs;

    fn crash_of(log: &str) -> Option<(Duration, String)> {
        let start = Instant::now();
        first_crash((0..).zip(log.lines()).map(|(at, line)| {
            let at = start + Duration::from_secs(at);
            (at, line.to_owned())
        }))
    }

    #[test]
    fn the_target_prints_what_starts_the_clock() {
        let target = include_str!("../../../subjects/known-bugs/src/plain.rs");
        assert!(target.contains(&format!("eprintln!(\"{FIRST_INPUT}\")")));
    }

    #[test]
    fn a_crash_is_told_from_the_first_input_on_by_its_first_words() {
        let panic = "INFO: Seed: 1\nfirst input\n#2\tINITED\n\
            thread '<unnamed>' panicked at a.rs:1:2:\nindex out of bounds\n\
            ==7== ERROR: libFuzzer: deadly signal\n";
        let message = "thread '<unnamed>' panicked at a.rs:1:2: index out of bounds";
        let expected = (Duration::from_secs(2), message.to_owned());
        assert_eq!(crash_of(panic), Some(expected));
        let message = "==7==ERROR: AddressSanitizer: SEGV";
        let expected = (Duration::from_secs(1), message.to_owned());
        assert_eq!(
            crash_of(&format!("first input\n{message}\n#0 0x1\n")),
            Some(expected)
        );
        assert_eq!(crash_of("INFO: Seed: 1\nfirst input\nDone 9 runs\n"), None);
    }

    #[test]
    fn what_is_not_found_counts_as_later_than_all_that_is() {
        let bug = &bugs()[0];
        let hit = |ms| {
            Some(Hit {
                execs: 1,
                sighted: Duration::from_millis(ms),
                elapsed: Duration::from_secs(9),
            })
        };
        let crash = |seconds, is_the_bug| {
            Some(Crash {
                elapsed: Duration::from_secs(seconds),
                message: String::new(),
                is_the_bug,
            })
        };
        let hits = [hit(500), hit(400), hit(300)];
        let late = figure(bug, &hits, &[None, crash(8, true), crash(2, true)]);
        assert_eq!((late.value, late.ratio), (0.4, Some(0.05)));
        assert_eq!(late.met, Some(true));
        let never = figure(bug, &hits, &[None, crash(1, false), crash(2, true)]);
        assert_eq!((never.ratio, never.met), (None, Some(true)));
        assert!(never.figure.ends_with("(plain: not found in 20 s)"));
        let ours = figure(bug, &[None, None, hit(1)], &[crash(8, true)]);
        assert_eq!((ours.ratio, ours.met), (None, Some(false)));
    }
}
