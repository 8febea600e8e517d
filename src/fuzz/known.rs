//! Which finds a target passes over, so that fuzzing goes on to new ones: those that committed regressions show,
//! unless they are to be reported too, and those of a campaign.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness::op::OpKind;

use crate::oracle::rules::Rule;
use crate::regression::Key;
use crate::regression::finds;

/// With the value `report`, has a target report what is known as well.
pub const KNOWN_VARIABLE: &str = "KMEM_RIG_KNOWN";
/// Names the folder of the regressions whose finds are known, in place of the target's own; if empty,
/// none are.
pub const REGRESSIONS_VARIABLE: &str = "KMEM_RIG_REGRESSIONS";
/// Names a folder of finds that are passed over whatever the kind of call, since triage could not tell
/// another defect that breaks the same rule from them. (A committed regression stands for one kind.)
pub const FINDS_VARIABLE: &str = "KMEM_RIG_FINDS";

/// The finds of one subject that are passed over.
pub(super) struct Known {
    finds: BTreeSet<(Rule, OpKind)>,
    /// Rules that the subject is known to break, by whatever call.
    rules: BTreeSet<Rule>,
}

impl Known {
    /// Those of a subject. `regressions` is the folder of the committed ones, unless there is another beside
    /// the program or the environment names one.
    pub(super) fn of(subject: &str, regressions: &str) -> Self {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let of_ours = |find: Key| (find.0 == subject).then_some((find.1, find.2));
        // Where a block outside the heap is written to, it is a fault in a process that nobody
        // watches.
        let as_met = |(rule, kind)| {
            let writes = matches!(kind, OpKind::AllocZeroed | OpKind::Realloc);
            let fault = (rule == Rule::OutOfBounds && writes).then_some((Rule::Fault, kind));
            [(rule, kind)].into_iter().chain(fault)
        };
        let shown_in = |folder: &Path| {
            let finds = known_in(folder).into_iter().filter_map(of_ours);
            finds.flat_map(as_met)
        };
        let committed = match std::env::var_os(KNOWN_VARIABLE) {
            Some(value) if value == "report" => None,
            _ => Some(variable(REGRESSIONS_VARIABLE).unwrap_or_else(|| folder(regressions))),
        };
        let campaigns = variable(FINDS_VARIABLE);
        let of_campaign = campaigns.iter().flat_map(|folder| shown_in(folder));
        Self {
            finds: committed
                .iter()
                .flat_map(|folder| shown_in(folder))
                .collect(),
            rules: of_campaign.map(|(rule, _)| rule).collect(),
        }
    }

    /// Whether the find of a rule that such a call breaks is one of them.
    pub(super) fn holds(&self, rule: Rule, kind: OpKind) -> bool {
        self.rules.contains(&rule) || self.finds.contains(&(rule, kind))
    }

    /// Whether one of them is a crash.
    pub(super) fn has_crash(&self) -> bool {
        let crash = |rule: &Rule| matches!(rule, Rule::Panic | Rule::Fault | Rule::Hang);
        let mut rules = self.finds.iter().map(|(rule, _)| rule).chain(&self.rules);
        rules.any(crash)
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

/// The finds that the regressions of a folder show.
fn known_in(folder: &Path) -> BTreeSet<Key> {
    if !folder.is_dir() {
        let folder = folder.display();
        eprintln!("INFO: no regressions in `{folder}`, so no find is known already");
        return BTreeSet::new();
    }
    let known = finds::known_in(folder).unwrap_or_else(|error| panic!("{error:#}"));
    known.into_keys().collect()
}
