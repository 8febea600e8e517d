//! Judges what was observed: a pure fold over observations that ends at the first broken rule.
//!
//! ```text
//! op, observation --> contract --> structure --> policy --> misuse --> machine --> finding or none
//!                 |   `- then the contract model takes note of what was observed
//!                 `- the exact model's step
//! ```
//!
//! It touches no heap, so host and guest are judged by the same code, and each rule is tested
//! without an allocator. Each stage is judged only if its set is; the stages come in the order of
//! [`Rule::ALL`](crate::oracle::rules::Rule::ALL), so the first one that objects has the rule to
//! report.
//!
//! Some things end the judging, or most of it, without a finding:
//! - a granted request that was larger than the heap, where the contract is not judged: nothing
//!   that follows means anything;
//! - misuse that was called, of a subject that promises nothing about it: the same;
//! - a client that wrote beyond its own block: no promise covers what then lies in the subject's
//!   headers or in other blocks, so from there on only machine rules are judged.

mod broken;
mod contract;
mod machine;
mod misuse;
mod policy;
mod structure;
#[cfg(test)]
mod tests;
mod verdict;

use harness::declaration::{Declaration, Misuse};
use harness::geometry::Geometry;
use harness::observation::{Observation, Outcome};
use harness::op::{Op, OpKind};
use harness::trace::Trace;

use crate::oracle::model::by_address::ByAddress;
use crate::oracle::model::clone_in_place;
use crate::oracle::model::contract::{Block, Blocks, Contract, is_misuse, writes_beyond};
use crate::oracle::model::cycles::Cycles;
use crate::oracle::model::exact::{Exact, Placing};
use crate::oracle::model::grants::Grants;
use crate::oracle::rules::{RuleSet, Rules};
use crate::oracle::violation::Violation;
use crate::run::{Run, RunEnd};
pub use broken::Broken;
pub use verdict::{Finding, Verdict};

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
    judge.whole(trace, run).into()
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

/// What is kept of a walk.
#[derive(Clone, Copy, Debug)]
struct Walked {
    chunks: u32,
    hash: u64,
}

/// Judges runs op by op, one after the other. `B` and `E` are the models that it asks: a search's,
/// or in tests naive ones.
#[derive(Debug)]
pub struct Judge<B = ByAddress, E = Exact> {
    declaration: Declaration,
    geometry: Geometry,
    rules: Rules,
    fresh_capacity: u64,
    contract: Contract<B>,
    /// What the empty heap granted.
    grants: Grants,
    cycles: Cycles,
    /// Set iff the subject declares a policy and policy is judged.
    exact: Option<E>,
    scope: Scope,
    /// Set once there was a finding: the judge is silent from then on.
    found: bool,
    /// Observations so far.
    observed: usize,
    /// Whether the latest observation explains a run that ends as [`RunEnd::Lost`].
    lost: bool,
    /// The latest walk, unless an op has since had the right to change it.
    walk: Option<Walked>,
    /// Whether a live block's contents were seen to be changed, and nobody judged it.
    corrupted: bool,
}

clone_in_place!(Judge<B, E> {
    declaration,
    geometry,
    rules,
    fresh_capacity,
    contract,
    grants,
    cycles,
    exact,
    scope,
    found,
    observed,
    lost,
    walk,
    corrupted,
} where B: Blocks, E: Placing);

impl Judge {
    /// A judge of one run. `fresh_capacity` is the largest request that the fresh heap grants, in
    /// bytes; 0 if that was not measured.
    #[must_use]
    pub fn new(
        declaration: &Declaration,
        geometry: Geometry,
        rules: Rules,
        fresh_capacity: u64,
    ) -> Self {
        Self::by_models(declaration, geometry, rules, fresh_capacity)
    }
}

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// As [`Judge::new`], by these models.
    fn by_models(
        declaration: &Declaration,
        geometry: Geometry,
        rules: Rules,
        fresh_capacity: u64,
    ) -> Self {
        let mut judge = Self {
            declaration: *declaration,
            geometry,
            rules,
            fresh_capacity,
            contract: Contract::fresh(geometry),
            grants: Grants::default(),
            cycles: Cycles::default(),
            exact: None,
            scope: Scope::Everything,
            found: false,
            observed: 0,
            lost: false,
            walk: None,
            corrupted: false,
        };
        judge.reset(declaration, geometry, rules, fresh_capacity);
        judge
    }

    /// Makes it a judge of another run, in the memory that it has.
    pub fn reset(
        &mut self,
        declaration: &Declaration,
        geometry: Geometry,
        rules: Rules,
        fresh_capacity: u64,
    ) {
        self.contract.reset(geometry);
        self.grants.reset(fresh_capacity);
        let policy = declaration.policy.filter(|_| rules.judges(RuleSet::Policy));
        match (policy, &mut self.exact) {
            (Some(policy), Some(exact)) => exact.reset(policy, geometry),
            (policy, exact) => *exact = policy.map(|policy| E::new(policy, geometry)),
        }
        self.declaration = *declaration;
        (self.geometry, self.rules) = (geometry, rules);
        self.fresh_capacity = fresh_capacity;
        self.cycles = Cycles::new(fresh_capacity);
        self.scope = Scope::Everything;
        (self.found, self.observed, self.lost) = (false, 0, false);
        (self.walk, self.corrupted) = (None, false);
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
        let named = self.contract.named(op);
        self.narrow(op, named.as_ref(), observation.outcome);
        let broken = match self.scope {
            Scope::Everything => self.check(op, named, observation),
            Scope::Machine => self.stray_store(observation),
            Scope::Record => None,
        };
        self.take_note(op, named.as_ref(), observation);
        broken.map(|violation| self.finding(violation, index, op.kind()))
    }

    /// Whether nothing that follows can break a rule, however the run ends.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.scope == Scope::Record
    }

    /// The blocks that are live after the ops judged so far, lowest handle first.
    pub fn live(&self) -> impl Iterator<Item = Block> {
        self.contract.live()
    }

    /// Judges a finished run from its first op on.
    pub fn whole(&mut self, trace: &Trace, run: &Run) -> Option<Finding> {
        let mut steps = trace.ops.iter().zip(&run.observations);
        steps
            .find_map(|(op, observation)| self.step(op, observation))
            .or_else(|| self.end(&trace.ops, &run.end))
            .or_else(|| machine::surplus(&trace.ops, run.observations.len()))
    }

    /// Judges how the run ended, after the last observation. `ops` are all ops of the trace.
    pub fn end(&mut self, ops: &[Op], end: &RunEnd) -> Option<Finding> {
        self.end_behind(ops.len(), ops.get(self.observed), ops.last(), end)
    }

    /// The same of a trace of so many ops that are not held together: `culprit` is the op in which
    /// the run may have ended, the one behind the last observation, and `last` the one that was
    /// observed last.
    pub fn end_behind(
        &mut self,
        ops: usize,
        culprit: Option<&Op>,
        last: Option<&Op>,
        end: &RunEnd,
    ) -> Option<Finding> {
        if self.found {
            return None;
        }
        let violation = self.unfinished(ops, culprit, end)?;
        let index = match culprit {
            Some(_) => self.observed,
            None => self.observed.min(ops).saturating_sub(1),
        };
        // A trace without ops has none; its end is laid to a `table`, the op that asks for nothing.
        let kind = culprit.or(last).map_or(OpKind::Table, Op::kind);
        Some(self.finding(violation, index, kind))
    }

    /// The first judged rule, by precedence, that the op breaks, which names this live block.
    fn check(
        &mut self,
        op: &Op,
        named: Option<Block>,
        observation: &Observation,
    ) -> Option<Violation> {
        let rules = self.rules;
        let judges = |set| rules.judges(set);
        let outcome = observation.outcome;
        let request = self.contract.request(op, named);
        let request = request.as_ref();
        if let Some(broken) = Self::ill_fitting(op, request, outcome) {
            return Some(broken);
        }
        let expected = self.follow_policy(op, named, request, outcome);
        let lies_as_promised = match (expected, outcome) {
            (Some(Some(expected)), Outcome::Placed(at)) => expected == at,
            _ => false,
        };
        if judges(RuleSet::Contract)
            && let Some(broken) = self.broken_contract(op, request, observation, lies_as_promised)
        {
            return Some(broken);
        }
        if judges(RuleSet::Structure)
            && let Some(broken) = self.broken_structure(observation)
        {
            return Some(broken);
        }
        if judges(RuleSet::Policy)
            && let Some(broken) = self.broken_policy(request, expected, observation)
        {
            return Some(broken);
        }
        if judges(RuleSet::Misuse)
            && let Some(broken) = self.broken_misuse(op, named.as_ref(), observation)
        {
            return Some(broken);
        }
        self.stray_store(observation)
    }

    /// Judges less from this op on, if it is one that nothing is promised about.
    fn narrow(&mut self, op: &Op, named: Option<&Block>, outcome: Outcome) {
        let called = !matches!(outcome, Outcome::NotExpressible | Outcome::NoBlock);
        let beyond = called && writes_beyond(op, named);
        let misuse = beyond || (called && is_misuse(op, named));
        if (misuse && self.declaration.misuse == Misuse::Undefined)
            || (!self.rules.judges(RuleSet::Contract) && self.is_impossible(op, outcome))
        {
            self.scope = Scope::Record;
        } else if beyond && self.scope == Scope::Everything {
            self.scope = Scope::Machine;
        }
    }

    fn take_note(&mut self, op: &Op, named: Option<&Block>, observation: &Observation) {
        if observation.walk.is_some() || Self::may_change_walk(op, named, observation.outcome) {
            // Word by word: the whole digest has only just been written, and takes longer to copy.
            self.walk = observation.walk.as_ref().map(|walk| Walked {
                chunks: walk.chunks,
                hash: walk.hash,
            });
        }
        self.corrupted |= observation.contents.corrupted.is_some();
        match observation.outcome {
            Outcome::Placed(_) if self.asks_grants() => self.grants.note(op),
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
