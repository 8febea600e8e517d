//! Judges what was observed: a pure fold over observations that ends at the first broken rule.
//!
//! ```text
//! op, observation --> contract --> structure --> policy --> misuse --> machine --> finding or none
//!                     |                          `- the exact model's step
//!                     `- then the contract model takes note of what was observed
//! ```
//!
//! It touches no heap, so host and guest are judged by the same code, and each rule is tested
//! without an allocator. Each stage is judged only if its set is; the stages come in the order of
//! [`Rule::ALL`], so the first one that objects has the rule to report.
//!
//! Some things end the judging, or most of it, without a finding (DESIGN section 6):
//! - a granted request that was larger than the heap, where the contract is not judged: nothing
//!   that follows means anything;
//! - misuse that was called, of a subject that promises nothing about it: the same;
//! - a client that wrote beyond its own block: no promise covers what then lies in the subject's
//!   headers or in other blocks, so from there on only machine rules are judged.

mod contract;
mod machine;
mod misuse;
mod policy;
pub mod screen;
mod structure;
#[cfg(test)]
mod tests;
pub mod violation;

use harness::declaration::{Declaration, Misuse};
use harness::geometry::Geometry;
use harness::observation::{Observation, Outcome, WalkDigest};
use harness::op::{Op, OpKind};
use harness::trace::Trace;

use crate::model::contract::{Block, Contract};
use crate::model::cycles::Cycles;
use crate::model::exact::Exact;
use crate::model::gaps::Gaps;
use crate::model::grants::Grants;
use crate::rules::{Rule, RuleSet, Rules};
use crate::run::{Run, RunEnd};
use violation::Violation;

/// A rule that an op broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which, with the evidence.
    pub violation: Violation,
    /// The op that broke it, counted from 0.
    pub op: usize,
    /// What sort of call that was.
    pub kind: OpKind,
}

impl Finding {
    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.violation.rule()
    }
}

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No judged rule was broken.
    Agree,
    /// The subject went on, wrongly.
    Diverge(Finding),
    /// The subject panicked or made an access that trapped.
    Crash(Finding),
    /// An op did not return.
    Hang(Finding),
}

impl Verdict {
    /// Every word that [`Self::name`] can be.
    pub const NAMES: [&str; 4] = ["agree", "diverge", "crash", "hang"];

    /// The word people and regressions use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Diverge(_) => "diverge",
            Self::Crash(_) => "crash",
            Self::Hang(_) => "hang",
        }
    }

    /// The broken rule, unless it is [`Verdict::Agree`].
    #[must_use]
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Agree => None,
            Self::Diverge(finding) | Self::Crash(finding) | Self::Hang(finding) => Some(finding),
        }
    }
}

impl From<Option<Finding>> for Verdict {
    fn from(finding: Option<Finding>) -> Self {
        match finding {
            None => Self::Agree,
            Some(finding) => match finding.rule() {
                Rule::Panic | Rule::Fault => Self::Crash(finding),
                Rule::Hang => Self::Hang(finding),
                _ => Self::Diverge(finding),
            },
        }
    }
}

/// Judges a finished run.
#[must_use]
pub fn judge(
    declaration: &Declaration,
    trace: &Trace,
    run: &Run,
    rules: Rules,
    fresh_capacity: u64,
) -> Verdict {
    let mut judge = Judge::new(declaration, trace.geometry, rules, fresh_capacity);
    let mut steps = trace.ops.iter().zip(&run.observations);
    let finding = steps
        .find_map(|(op, observation)| judge.step(op, observation))
        .or_else(|| judge.end(&trace.ops, &run.end))
        .or_else(|| machine::surplus(&trace.ops, run.observations.len()));
    finding.into()
}

/// How much is still judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All sets that are not switched off.
    Everything,
    /// Machine rules alone.
    Machine,
    /// Nothing but that the record is complete.
    Record,
}

/// Judges a run op by op.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    declaration: &'a Declaration,
    geometry: Geometry,
    rules: Rules,
    fresh_capacity: u64,
    contract: Contract,
    /// Set iff the subject declares its overhead.
    gaps: Option<Gaps>,
    /// Set iff the subject is judged by them.
    grants: Option<Grants>,
    cycles: Cycles,
    /// Set iff the subject declares a policy and policy is judged.
    exact: Option<Exact>,
    scope: Scope,
    /// Set once there was a finding: the judge is silent from then on.
    found: bool,
    /// Observations so far.
    observed: usize,
    /// Whether the latest observation explains a run that ends as [`RunEnd::Lost`].
    lost: bool,
    /// The latest walk, unless an op has since had the right to change it.
    walk: Option<WalkDigest>,
    /// Whether a live block's contents were seen to be changed, and nobody judged it.
    corrupted: bool,
}

impl<'a> Judge<'a> {
    /// A judge of one run. `fresh_capacity` is the largest request that the fresh heap grants, in
    /// bytes; 0 if that was not measured.
    #[must_use]
    pub fn new(
        declaration: &'a Declaration,
        geometry: Geometry,
        rules: Rules,
        fresh_capacity: u64,
    ) -> Self {
        let policy = declaration.policy.filter(|_| rules.judges(RuleSet::Policy));
        Self {
            declaration,
            geometry,
            rules,
            fresh_capacity,
            contract: Contract::new(geometry),
            gaps: declaration
                .overhead
                .map(|overhead| Gaps::new(overhead, geometry)),
            grants: Grants::judge(declaration).then(|| Grants::new(fresh_capacity)),
            cycles: Cycles::new(fresh_capacity),
            exact: policy.map(|policy| Exact::new(policy, geometry)),
            scope: Scope::Everything,
            found: false,
            observed: 0,
            lost: false,
            walk: None,
            corrupted: false,
        }
    }

    /// Judges the next op. After the first finding nothing more is judged.
    ///
    /// # Panics
    /// Never on what the harness records: subject and exact model part only by a finding.
    pub fn step(&mut self, op: &Op, observation: &Observation) -> Option<Finding> {
        let index = self.observed;
        self.observed += 1;
        self.lost = self.explains_loss(op, observation);
        if self.found {
            return None;
        }
        self.narrow(op, observation.outcome);
        let broken = match self.scope {
            Scope::Everything => self.check(op, observation),
            Scope::Machine => self.stray_store(observation),
            Scope::Record => None,
        };
        self.take_note(op, observation);
        broken.map(|violation| self.finding(violation, index, op.kind()))
    }

    /// Whether a run that ends in this op, the next one, breaks a rule by that.
    #[must_use]
    pub fn answers_for(&self, op: &Op) -> bool {
        !self.is_silent() && !self.is_undefined(op)
    }

    /// Whether nothing that follows can break a rule, however the run ends.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.scope == Scope::Record
    }

    /// The blocks that are live after the ops judged so far, lowest handle first.
    #[must_use]
    pub fn live(&self) -> &[Block] {
        self.contract.live()
    }

    /// Whether a panic in what follows breaks no rule: a client has written beyond its block, and the
    /// subject looks for that.
    #[must_use]
    pub fn excuses_panics(&self) -> bool {
        self.declaration.panics_on_damage && self.scope == Scope::Machine
    }

    /// Judges how the run ended, after the last observation. `ops` are all ops of the trace.
    pub fn end(&mut self, ops: &[Op], end: &RunEnd) -> Option<Finding> {
        if self.found {
            return None;
        }
        let violation = self.unfinished(ops, end)?;
        let (index, kind) = machine::last_begun(ops, self.observed);
        Some(self.finding(violation, index, kind))
    }

    /// The first judged rule, by precedence, that the op breaks.
    fn check(&mut self, op: &Op, observation: &Observation) -> Option<Violation> {
        let rules = self.rules;
        let judges = |set| rules.judges(set);
        if let Some(broken) = self.ill_fitting(op, observation.outcome) {
            return Some(broken);
        }
        if judges(RuleSet::Contract)
            && let Some(broken) = self.broken_contract(op, observation)
        {
            return Some(broken);
        }
        if judges(RuleSet::Structure)
            && let Some(broken) = self.broken_structure(observation)
        {
            return Some(broken);
        }
        if judges(RuleSet::Policy)
            && let Some(broken) = self.broken_policy(op, observation)
        {
            return Some(broken);
        }
        if judges(RuleSet::Misuse)
            && let Some(broken) = self.broken_misuse(op, observation)
        {
            return Some(broken);
        }
        self.stray_store(observation)
    }

    /// Judges less from this op on, if it is one that nothing is promised about.
    fn narrow(&mut self, op: &Op, outcome: Outcome) {
        let called = !matches!(outcome, Outcome::NotExpressible | Outcome::NoBlock);
        let beyond = called && self.contract.writes_beyond(op);
        let misuse = beyond || (called && self.contract.is_misuse(op));
        if (misuse && self.declaration.misuse == Misuse::Undefined)
            || (!self.rules.judges(RuleSet::Contract) && self.is_impossible(op, outcome))
        {
            self.scope = Scope::Record;
        } else if beyond && self.scope == Scope::Everything {
            self.scope = Scope::Machine;
        }
    }

    fn take_note(&mut self, op: &Op, observation: &Observation) {
        if observation.walk.is_some() || self.may_change_walk(op, observation.outcome) {
            self.walk = observation.walk;
        }
        self.corrupted |= observation.contents.corrupted.is_some();
        match observation.outcome {
            Outcome::Placed(_) if self.contract.live().is_empty() => {
                self.grants.iter_mut().for_each(|grants| grants.note(op));
            }
            Outcome::Capacity(bytes) => self.cycles = self.cycles.with(bytes),
            _ => {}
        }
        self.contract.apply(op, observation.outcome);
    }

    fn finding(&mut self, violation: Violation, op: usize, kind: OpKind) -> Finding {
        self.found = true;
        Finding {
            violation,
            op,
            kind,
        }
    }
}
