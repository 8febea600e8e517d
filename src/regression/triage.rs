//! From a fuzzer's artifacts to regressions: decoded, run, sorted into finds, minimised, replayed
//! in the guest, written.
//!
//! Two artifacts show one find if the same subject breaks the same rule; panics and faults, at the
//! same place in the code. Which kind of call breaks it is mostly chance: a block that was asked
//! for zeroed, or moved by a realloc, where any alloc would have done. So artifacts are sorted by
//! kind of call first, the shortest of each kind is made small under the rule alone, where plain
//! calls are preferred, and what is left by then is joined. Kinds that remain, since the same
//! defect is reached by two calls, are named with the find; it is known only if regressions show
//! every one of them. Addresses and sizes are not in the key, as they change with the trace. Two
//! defects that break the same rule are one find until the first of them is fixed.

mod parallel;
mod plain;
mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use harness::entry::Entry;
use harness::op::OpKind;
use harness::trace::Trace;
use serde::Serialize;

use crate::execute::guest::Guest;
use crate::execute::host::Host;
use crate::execute::side::{Side, Sides};
use crate::generate;
use crate::minimize;
use crate::oracle::crash_key::CrashKey;
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::{Rule, Rules};
use crate::oracle::violation::Violation;
use crate::regression::finds::{Finds, Sought};
use crate::run::fault::SourceLine;
use crate::subject::adapter;
use crate::subject::registry;
use crate::trace::input::{self, Reading};
use parallel::on_all_cores;
use plain::plain;
pub use stage::Stage;

/// What triage makes of one find.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    /// The subject's name.
    pub subject: &'static str,
    /// The rule broken.
    pub rule: &'static str,
    /// The kind of op that breaks it.
    pub kind: &'static str,
    /// Every kind of op that was seen to, once it was made small.
    pub kinds: Vec<&'static str>,
    /// The number of the op that breaks it.
    pub op: usize,
    /// How it does.
    pub evidence: Violation,
    /// The minimised trace's ops.
    pub ops: usize,
    /// Artifacts that show the find.
    pub artifacts: usize,
    /// The host's verdict.
    pub host: &'static str,
    /// The guest's verdict.
    pub guest: &'static str,
    /// `reproduces in guest`, `host only` or `guest only`.
    pub label: &'static str,
    /// In how many replays the host broke the rule, of
    /// [`REPLAYS`](crate::regression::confirm::REPLAYS), or of one that hangs.
    pub host_replays: u32,
    /// In how many the guest did.
    pub guest_replays: u32,
    /// How often the sides did, if that is not each time on both.
    #[serde(skip)]
    pub note: Option<String>,
    /// What tells this find from others, in the form that ClusterFuzz compares exactly.
    pub key: String,
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
    /// How artifacts are read.
    pub reading: Reading,
    /// Where finds are written, and which are known.
    pub finds: Finds<'a>,
}

/// An input on a subject.
struct Artifact {
    entry: &'static Entry,
    trace: Trace,
}

/// Artifacts that show one find, as far as is known yet.
struct Group {
    entry: &'static Entry,
    broken: Broken,
    /// The shortest.
    trace: Trace,
    artifacts: usize,
    /// Where they break it: on the host, or in the guest alone.
    side: Side,
}

/// What breaks the rule in an artifact: the subject, the rule, the place in the code, and the side;
/// and before it was made small, the kind of call.
type Key<Kind> = (&'static str, Rule, Option<SourceLine>, Side, Kind);

/// Is told how far a triage is.
type Watch<'a> = &'a mut dyn FnMut(Stage);

/// Triages artifacts. Each find is reported as soon as it is written; `watch` sees how far it is.
///
/// # Errors
/// When an artifact cannot be read, a trace not be written, or the rig itself not do its work.
pub fn triage(
    paths: &[PathBuf],
    settings: &Settings<'_>,
    host: &mut Host,
    guest: &mut Guest,
    report: &mut dyn FnMut(&Class),
    watch: Watch<'_>,
) -> Result<()> {
    let artifacts = artifacts(paths, settings)?;
    adapter::check_own(artifacts.iter().map(|artifact| artifact.entry))?;
    let groups = sort(&artifacts, settings.rules, guest, watch)?;
    let finds = small(groups, settings.rules, guest, watch)?;
    let mut stage = Stage::of("replaying", "finds", finds.len());
    watch(stage);
    for find in finds.into_values() {
        report(&class(&find, settings, host, guest)?);
        stage.done += 1;
        watch(stage);
    }
    Ok(())
}

/// The traces that the files are, on each subject that they are for.
fn artifacts(paths: &[PathBuf], settings: &Settings<'_>) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for path in input::files(paths)? {
        let input = input::read(&path, settings.reading)?.trace();
        for entry in subjects_of(&path, settings)? {
            let trace = generate::judged_part(entry, input.clone());
            if entry.declaration.accepts(trace.geometry) {
                artifacts.push(Artifact { entry, trace });
            }
        }
    }
    Ok(artifacts)
}

/// Runs artifacts on the host, and those that agree there in the guest; sorts them by what breaks
/// the rule in each.
fn sort(
    artifacts: &[Artifact],
    rules: Rules,
    guest: &mut Guest,
    watch: Watch<'_>,
) -> Result<BTreeMap<Key<OpKind>, Group>> {
    let stage = Stage::of("sorting", "artifacts", artifacts.len());
    watch(stage);
    let work = |host: &mut Host, artifact: &Artifact| {
        host.confirm_hangs(false);
        let (_, verdict) = host.verdict(artifact.entry, &artifact.trace, rules)?;
        Ok(verdict.finding().cloned())
    };
    let findings = on_all_cores(artifacts, work, &mut |done| watch(Stage { done, ..stage }))?;
    let mut groups = BTreeMap::new();
    for (artifact, finding) in artifacts.iter().zip(findings) {
        let Artifact { entry, trace } = artifact;
        let mut found = finding.map(|finding| (finding, Side::Host));
        if found.is_none() {
            let (_, verdict) = guest.verdict(entry, trace, rules)?;
            found = verdict
                .finding()
                .cloned()
                .map(|finding| (finding, Side::Qemu));
        }
        let Some((finding, side)) = found else {
            continue;
        };
        let key = key(entry, &finding, side, finding.kind);
        let group = groups.entry(key).or_insert_with(|| Group {
            entry,
            // Of whatever kind of call.
            broken: Broken {
                kind: None,
                ..Broken::from(&finding)
            },
            trace: trace.clone(),
            artifacts: 0,
            side,
        });
        group.artifacts += 1;
        if trace.ops.len() < group.trace.ops.len() {
            group.trace = trace.clone();
        }
    }
    Ok(groups)
}

/// What a group came to: its find's smallest trace by one kind of call.
struct Small {
    trace: Trace,
    finding: Finding,
}

/// A find: the small traces that break the same rule of the same subject on the same side.
struct Find {
    entry: &'static Entry,
    side: Side,
    artifacts: usize,
    /// The shortest of each kind of call.
    by_kind: BTreeMap<OpKind, Small>,
}

impl Find {
    /// The one to be kept, the shortest of those that no regression shows, or else of all; and the
    /// regression that shows it.
    fn shown<'a>(
        &'a self,
        finds: &'a Finds<'_>,
        sides: &mut Sides<'_>,
    ) -> Result<Option<(&'a Small, Option<&'a Path>)>> {
        let mut all = Vec::new();
        for small in self.by_kind.values() {
            let executor = sides.executor(self.side)?;
            all.push((small, finds.known(self.entry, &small.finding, executor)?));
        }
        let all = all.into_iter();
        Ok(all.min_by_key(|(small, known)| (known.is_some(), small.trace.ops.len())))
    }
}

/// Makes each group's trace small under its rule alone, and joins those that break the same.
fn small(
    groups: BTreeMap<Key<OpKind>, Group>,
    rules: Rules,
    guest: &mut Guest,
    watch: Watch<'_>,
) -> Result<BTreeMap<Key<()>, Find>> {
    let (on_host, in_guest): (Vec<_>, Vec<_>) = groups
        .into_values()
        .partition(|group| group.side == Side::Host);
    let mut stage = Stage::of("minimising", "classes", on_host.len() + in_guest.len());
    watch(stage);
    let work = |host: &mut Host, group: &Group| {
        let plain = plain(&group.trace);
        let (_, verdict) = host.verdict(group.entry, &plain, rules)?;
        let broken = &group.broken;
        let trace = match verdict.finding() {
            Some(finding) if broken.is(finding) => &plain,
            _ => &group.trace,
        };
        minimize::shrink(host, group.entry, trace, rules, broken)
    };
    let mut shrunk = on_all_cores(&on_host, work, &mut |done| watch(Stage { done, ..stage }))?;
    stage.done = on_host.len() as u64;
    for group in &in_guest {
        let small = minimize::shrink(guest, group.entry, &group.trace, rules, &group.broken);
        shrunk.push(small?);
        stage.done += 1;
        watch(stage);
    }
    let mut finds = BTreeMap::new();
    for (group, small) in on_host.into_iter().chain(in_guest).zip(shrunk) {
        // What does not repeat itself, a slow op taken for a hang, is no find.
        let Some((trace, finding)) = small else {
            continue;
        };
        let Group { entry, side, .. } = group;
        let find = finds
            .entry(key(entry, &finding, side, ()))
            .or_insert_with(|| Find {
                entry,
                side,
                artifacts: 0,
                by_kind: BTreeMap::new(),
            });
        find.artifacts += group.artifacts;
        let shorter = |small: &Small| small.trace.ops.len() <= trace.ops.len();
        if !find.by_kind.get(&finding.kind).is_some_and(shorter) {
            find.by_kind.insert(finding.kind, Small { trace, finding });
        }
    }
    Ok(finds)
}

fn key<Kind>(entry: &Entry, finding: &Finding, side: Side, kind: Kind) -> Key<Kind> {
    let source = finding.violation.source().cloned();
    (entry.name(), finding.rule(), source, side, kind)
}

/// Replays a find on both sides, and writes it where no regression shows it.
fn class(
    find: &Find,
    settings: &Settings<'_>,
    host: &mut Host,
    guest: &mut Guest,
) -> Result<Class> {
    let Settings { rules, finds, .. } = settings;
    let entry = find.entry;
    let mut sides = Sides {
        host: Some(host),
        guest: Some(guest),
    };
    let (small, known) = find
        .shown(finds, &mut sides)?
        .context("a find has a trace")?;
    let Small { trace, finding } = small;
    let sought = Sought {
        entry,
        trace,
        finding,
        rules: *rules,
        minimal: true,
        replay_until: None,
        side: find.side,
    };
    let replayed = sought.replay(&mut sides)?;
    let written = match known.filter(|path| finds.holds(path)) {
        Some(path) => path.to_owned(),
        None => finds.write(&sought, &replayed, &mut sides)?,
    };
    let on = |side| replayed.on(side).context("both sides were there");
    let (on_host, in_guest) = (on(Side::Host)?, on(Side::Qemu)?);
    Ok(Class {
        subject: entry.name(),
        rule: finding.rule().name(),
        kind: finding.kind.name(),
        kinds: find.by_kind.keys().map(|kind| kind.name()).collect(),
        op: finding.op,
        evidence: finding.violation.clone(),
        ops: trace.ops.len(),
        artifacts: find.artifacts,
        host: on_host.verdict.name(),
        guest: in_guest.verdict.name(),
        label: match (find.side, in_guest.reproduced) {
            (Side::Qemu, _) => "guest only",
            (Side::Host, 0) => "host only",
            (Side::Host, _) => "reproduces in guest",
        },
        host_replays: on_host.reproduced,
        guest_replays: in_guest.reproduced,
        note: replayed.note(),
        key: CrashKey {
            subject: entry.name(),
            rule: finding.rule(),
            source: finding.violation.source(),
        }
        .to_string(),
        known_as: known.map(|path| path.display().to_string()),
        written: written.display().to_string(),
    })
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
