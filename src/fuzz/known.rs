//! Which finds a target passes over, so that fuzzing goes on to new ones: those that committed
//! regressions show, unless they are to be reported too, and those of a campaign.

use std::path::{Path, PathBuf};

use anyhow::Result;
use harness::entry::Entry;
use harness::op::OpKind;

use crate::execute::host::Host;
use crate::oracle::judge::Broken;
use crate::oracle::rules::Rule;
use crate::regression::Regression;
use crate::regression::finds;

/// With the value `report`, has a target report what is known as well.
pub const KNOWN_VARIABLE: &str = "KMEM_RIG_KNOWN";
/// Names the folder of the regressions whose finds are known, in place of the target's own; if
/// empty, none are.
pub const REGRESSIONS_VARIABLE: &str = "KMEM_RIG_REGRESSIONS";
/// Names a folder of finds that are passed over whatever the kind of call, since triage could not
/// tell another defect that breaks the same rule, at the same place of a panic or fault, from them.
/// (A committed regression stands for one kind.)
pub const FINDS_VARIABLE: &str = "KMEM_RIG_FINDS";

/// The finds of one subject that are passed over.
pub(super) struct Known(Vec<Broken>);

impl Known {
    /// Those of a subject. `regressions` is the folder of the committed ones, unless there is
    /// another beside the program or the environment names one.
    ///
    /// # Panics
    /// When one of them cannot be read or run.
    pub(super) fn of(entry: &Entry, regressions: &str, host: &mut Host) -> Self {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let committed = match std::env::var_os(KNOWN_VARIABLE) {
            Some(value) if value == "report" => None,
            _ => Some(variable(REGRESSIONS_VARIABLE).unwrap_or_else(|| folder(regressions))),
        };
        let mut shown_in = |folder: Option<PathBuf>| {
            let shown = folder.map_or(Ok(Vec::new()), |folder| shown_in(&folder, entry, host));
            shown.unwrap_or_else(|error| panic!("{error:#}"))
        };
        let mut known = shown_in(committed);
        let of_campaign = shown_in(variable(FINDS_VARIABLE)).into_iter();
        known.extend(of_campaign.map(|find| Broken { kind: None, ..find }));
        Self(known)
    }

    /// Whether such a find is one of them, as far as is known.
    pub(super) fn holds(&self, broken: &Broken) -> bool {
        self.0.iter().any(|known| known.may_be(broken))
    }

    /// Whether one of them is a crash.
    pub(super) fn has_crash(&self) -> bool {
        let is_crash =
            |known: &Broken| matches!(known.rule, Rule::Panic | Rule::Fault | Rule::Hang);
        self.0.iter().any(is_crash)
    }
}

/// The folder of regressions: beside the program if there is one, since a program may be run where
/// it was not built.
fn folder(named: &str) -> PathBuf {
    let program = std::env::current_exe().ok();
    let beside = program.and_then(|program| Some(program.parent()?.join("regressions")));
    beside
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(|| named.into())
}

/// The finds of a subject that the regressions of a folder show.
fn shown_in(folder: &Path, entry: &Entry, host: &mut Host) -> Result<Vec<Broken>> {
    if !folder.is_dir() {
        let folder = folder.display();
        eprintln!("INFO: no regressions in `{folder}`, so no find is known already");
        return Ok(Vec::new());
    }
    let mut shown = Vec::new();
    for ((subject, rule, kind), paths) in finds::known_in(folder)? {
        if subject != entry.name() {
            continue;
        }
        for path in paths {
            let source = Regression::load(&path)?.source(entry, rule, host)?;
            let kind = Some(kind);
            shown.push(Broken { rule, kind, source });
        }
        // Where a block outside the heap is written to, it is a fault in a process that nobody
        // watches.
        if rule == Rule::OutOfBounds && matches!(kind, OpKind::AllocZeroed | OpKind::Realloc) {
            shown.push(Broken {
                rule: Rule::Fault,
                kind: Some(kind),
                source: None,
            });
        }
    }
    Ok(shown)
}
