//! From a fuzzer's artifacts to regressions: decoded, deduplicated, minimised, replayed in the
//! guest, written.
//!
//! Two artifacts show one find if the same kind of op of the same subject breaks the same rule.
//! Of each find the shortest artifact is minimised, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use harness::entry::Entry;
use harness::trace::Trace;
use serde::Serialize;

use crate::executor::Executor;
use crate::finds::Finds;
use crate::fuzz;
use crate::guest::Guest;
use crate::host::Host;
use crate::hunt;
use crate::input;
use crate::registry;
use crate::regression::Key;
use crate::rules::Rules;

/// What triage makes of one find.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    /// The subject's name.
    pub subject: &'static str,
    /// The rule broken.
    pub rule: &'static str,
    /// The kind of op that breaks it.
    pub kind: &'static str,
    /// That op's number.
    pub op: usize,
    /// The minimised trace's ops.
    pub ops: usize,
    /// Artifacts that show the find.
    pub artifacts: usize,
    /// The host's verdict.
    pub host: &'static str,
    /// The guest's verdict.
    pub guest: &'static str,
    /// `reproduces in guest` or `host only`.
    pub label: &'static str,
    /// The committed regression that shows the same find, if there is one.
    pub known_as: Option<String>,
    /// The minimised trace's file, or the committed one's where that is where finds are written.
    pub written: String,
}

/// What is triaged, and where finds go.
pub struct Settings<'a> {
    /// The subjects; empty: by the name of each artifact's folder, which a fuzz target gives.
    pub subjects: &'a [&'static Entry],
    /// The rules.
    pub rules: Rules,
    /// Where finds are written, and which are known.
    pub finds: Finds<'a>,
}

/// Triages artifacts. Each find is reported as soon as it is written.
///
/// # Errors
/// When an artifact cannot be read, a trace not be written, or the rig itself not do its work.
pub fn triage(
    paths: &[PathBuf],
    settings: &Settings<'_>,
    host: &mut Host,
    guest: &mut Guest,
    report: &mut dyn FnMut(&Class),
) -> Result<()> {
    for ((_, rule, kind), (entry, trace, artifacts)) in classes(paths, settings, host)? {
        let broken = (rule, kind);
        let shrunk = hunt::shrink(host, entry, &trace, settings.rules, broken)?;
        // What does not repeat itself, a slow op taken for a hang, is no find.
        let Some((trace, finding)) = shrunk else {
            continue;
        };
        let (_, verdict) = host.verdict(entry, &trace, settings.rules)?;
        if verdict.finding().is_none() {
            let name = entry.name();
            bail!("{name} agrees on its minimised trace: not repeatable");
        }
        let (_, in_guest) = guest.verdict(entry, &trace, settings.rules)?;
        let reproduces = in_guest.finding().is_some_and(|found| found.rule == rule);
        let known = settings.finds.known(entry, &finding);
        let written = match settings.finds.committed(entry, &finding) {
            Some(path) => path.to_owned(),
            None => settings
                .finds
                .write(entry, &trace, &finding, settings.rules, host)?,
        };
        report(&Class {
            subject: entry.name(),
            rule: rule.name(),
            kind: kind.name(),
            op: finding.op,
            ops: trace.ops.len(),
            artifacts,
            host: verdict.name(),
            guest: in_guest.name(),
            label: if reproduces {
                "reproduces in guest"
            } else {
                "host only"
            },
            known_as: known.map(|path| path.display().to_string()),
            written: written.display().to_string(),
        });
    }
    Ok(())
}

type Classes = BTreeMap<Key, (&'static Entry, Trace, usize)>;

/// Sorts artifacts into finds; keeps the shortest trace of each.
fn classes(paths: &[PathBuf], settings: &Settings<'_>, host: &mut Host) -> Result<Classes> {
    let mut classes = Classes::new();
    host.confirm_hangs(false);
    for path in input::files(paths)? {
        let input = input::read(&path)?.trace();
        for entry in subjects_of(&path, settings)? {
            let trace = fuzz::judged_part(entry, input.clone());
            if !entry.declaration.accepts(trace.geometry) {
                continue;
            }
            let (_, verdict) = host.verdict(entry, &trace, settings.rules)?;
            let Some(finding) = verdict.finding() else {
                continue;
            };
            let key = (entry.name().to_owned(), finding.rule, finding.kind);
            let class = classes
                .entry(key)
                .or_insert_with(|| (entry, trace.clone(), 0));
            class.2 += 1;
            if trace.ops.len() < class.1.ops.len() {
                class.1 = trace.clone();
            }
        }
    }
    host.confirm_hangs(true);
    Ok(classes)
}

/// The subjects asked for, or the one that the artifact's folder is named after.
fn subjects_of(path: &Path, settings: &Settings<'_>) -> Result<Vec<&'static Entry>> {
    if !settings.subjects.is_empty() {
        return Ok(settings.subjects.to_vec());
    }
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    registry::by_name(&folder.replace('_', "-"))
        .map(|entry| vec![entry])
        .map_err(|_| {
            let path = path.display();
            anyhow::anyhow!("{path}: its folder names no subject; name one with --subject")
        })
}
