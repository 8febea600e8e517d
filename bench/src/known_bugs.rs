//! How soon the rig finds real bugs: published, since fixed, each in a crate of its own.
//!
//! A folder below `subjects/known-bugs` with a `bug.json`, which says what is known of it, is one
//! bug: a minimised regression, and two packages, `buggy` and `fixed`, that put one adapter over
//! the version with the bug and over the one without. Each has a binary over
//! [`kmem_rig::cli::main`], so that a hunt there is `kmem-rig hunt`. The clock is the hunt's own:
//! neither building nor starting a process counts.

pub mod plain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// How long one hunt may last.
pub const TIME: Duration = Duration::from_secs(5);

/// A known bug.
#[derive(Clone, Debug)]
pub struct Bug {
    /// Its name: its folder's.
    pub name: String,
    /// What is known of it.
    pub facts: Facts,
    folder: PathBuf,
}

/// What `bug.json` says.
#[allow(
    dead_code,
    reason = "a file that lacks one of these, or has another, is refused"
)]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The crate's name on the registry.
    #[serde(rename = "crate")]
    pub krate: String,
    /// The version with the bug.
    pub version: String,
    /// The first version without it.
    pub fixed: String,
    /// The rule it breaks.
    pub rule: String,
    /// Where its authors tell of it.
    pub upstream: String,
    /// The allocator's calls in their reproducer, up to the one that shows the bug; `None` where
    /// none was published, or where nobody has counted them.
    pub upstream_ops: Option<usize>,
    /// Which reproducer that is, or why it was not counted.
    pub upstream_reproducer: Option<String>,
    /// What goes wrong, in a sentence.
    pub mechanism: String,
    /// Rules that the version without this bug breaks too.
    pub fixed_shows: Vec<String>,
    /// Which other bugs those are.
    pub fixed_shows_why: Option<String>,
}

/// A hunt that found the bug.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Cases run until then.
    pub execs: u64,
    /// Until it was met.
    pub sighted: Duration,
    /// Until the minimised find was reported.
    pub elapsed: Duration,
}

/// A line of `hunt --format json`, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    finding: Option<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    rule: String,
    execs: u64,
    elapsed_ms: u64,
    sighted_us: u64,
}

/// The bugs in a folder, by name.
///
/// # Errors
/// When the folder or what is known of a bug cannot be read.
pub fn known_bugs(folder: &Path) -> Result<Vec<Bug>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut bugs = Vec::new();
    for entry in entries {
        let folder = entry?.path();
        let path = folder.join("bug.json");
        if !path.is_file() {
            continue;
        }
        let reading = || format!("cannot read {}", path.display());
        let text = fs::read_to_string(&path).with_context(reading)?;
        let facts = serde_json::from_str(&text).with_context(reading)?;
        let name = folder.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        bugs.push(Bug {
            name,
            facts,
            folder,
        });
    }
    bugs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(bugs)
}

impl Bug {
    /// Builds the binary over the version with the bug; returns where it is. All of them share
    /// one target folder, so that the rig is compiled once.
    ///
    /// # Errors
    /// When it does not build; says what the compiler said.
    pub fn build(&self, target: &Path) -> Result<PathBuf> {
        let manifest = self.folder.join("buggy/Cargo.toml");
        let output = Command::new("cargo")
            .args(["build", "--release", "--locked", "--quiet"])
            .arg("--manifest-path")
            .arg(&manifest)
            .arg("--target-dir")
            .arg(target)
            .output()
            .context("cannot start cargo; install it with rustup")?;
        ensure!(
            output.status.success(),
            "cannot build {}:\n{}",
            manifest.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(target.join("release").join(self.subject()))
    }

    /// Hunts from nothing until the bug is found or [`TIME`] is up.
    ///
    /// # Errors
    /// When the binary does not run or prints something else than a hunt does.
    pub fn hunt(&self, binary: &Path, seed: u64) -> Result<Option<Hit>> {
        let output = Command::new(binary)
            .args(["hunt", "--format", "json", "--subject", &self.subject()])
            .args(["--seed", &seed.to_string(), "--until", &self.facts.rule])
            .args(["--time", &format!("{}ms", TIME.as_millis())])
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(
            matches!(output.status.code(), Some(0 | 1)),
            "{} ended with {}",
            binary.display(),
            output.status
        );
        for line in printed.lines() {
            let line: Line = serde_json::from_str(line)
                .with_context(|| format!("{}: `{line}`", binary.display()))?;
            if let Some(finding) = line.finding.filter(|f| f.rule == self.facts.rule) {
                return Ok(Some(Hit {
                    execs: finding.execs,
                    sighted: Duration::from_micros(finding.sighted_us),
                    elapsed: Duration::from_millis(finding.elapsed_ms),
                })
                .filter(|hit| hit.elapsed <= TIME));
            }
        }
        Ok(None)
    }

    fn subject(&self) -> String {
        format!("{}-buggy", self.name)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use harness::op::Op;
    use harness::trace::Trace;
    use kmem_rig::regression::Regression;

    /// The allocator's calls in a trace, counted as in upstream's reproducers: `free all` is one
    /// for each block.
    fn calls(trace: &Trace) -> usize {
        let (mut calls, mut live) = (0, 0);
        for op in &trace.ops {
            calls += match op {
                Op::FreeAll => live,
                _ => 1,
            };
            match op {
                Op::Alloc { .. } => live += 1,
                Op::Free { .. } => live -= 1,
                Op::FreeAll => live = 0,
                _ => {}
            }
        }
        calls
    }

    pub fn bugs() -> Vec<Bug> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        known_bugs(&root.join("subjects/known-bugs")).unwrap()
    }

    #[test]
    fn the_packages_of_a_bug_share_an_adapter_and_pin_the_versions_that_its_facts_name() {
        for bug in bugs() {
            let [buggy, fixed] = ["buggy", "fixed"].map(|version| -> toml::Table {
                let path = bug.folder.join(version).join("Cargo.toml");
                fs::read_to_string(path).unwrap().parse().unwrap()
            });
            for (manifest, version) in [(&buggy, &bug.facts.version), (&fixed, &bug.facts.fixed)] {
                let dependency = &manifest["dependencies"][&bug.facts.krate];
                let pinned = dependency.get("version").unwrap_or(dependency);
                assert_eq!(
                    pinned.as_str(),
                    Some(&*format!("={version}")),
                    "{}",
                    bug.name
                );
            }
            // What `blink-alloc-cursor` needs of another crate has moved between its versions.
            let shared = buggy["lib"] == fixed["lib"];
            assert!(shared || bug.name == "blink-alloc-cursor", "{}", bug.name);
        }
    }

    #[test]
    fn every_bug_has_a_regression_that_breaks_its_rule_in_no_more_calls_than_upstreams() {
        let bugs = bugs();
        assert!(bugs.len() >= 12);
        for bug in bugs {
            let path = bug.folder.join(format!("{}.trace", bug.name));
            let regression = Regression::load(&path).unwrap();
            let [buggy, fixed] = &regression.expectations[..] else {
                panic!("{}: two expectations", bug.name);
            };
            assert_eq!(buggy.subject, bug.subject());
            assert_eq!(buggy.rule.unwrap().name(), bug.facts.rule);
            assert_eq!(fixed.to_string(), format!("{}-fixed agree", bug.name));
            let calls = calls(&regression.trace);
            assert!(
                bug.facts
                    .upstream_ops
                    .is_none_or(|upstream| calls <= upstream),
                "{}: {calls} calls",
                bug.name
            );
        }
    }
}
