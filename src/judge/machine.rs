//! The machine rules: the subject returns from every op, and leaves a complete record.
//!
//! "Passed" is never read from the absence of a failure: a record that ends too early, or that
//! does not fit its ops, is a `fault` too.

use harness::declaration::Misuse;
use harness::geometry::Geometry;
use harness::observation::{Observation, Outcome};
use harness::op::{Op, OpKind};

use crate::judge::{Broken, Finding, Judge, evidence};
use crate::model::contract::{Blocks, Request};
use crate::model::exact::Placing;
use crate::rules::Rule;
use crate::run::RunEnd;

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// A store behind the heap's end that no trap caught.
    pub(super) fn stray_store(&self, observation: &Observation) -> Option<Broken> {
        let at = observation.contents.stray_store?;
        let at = evidence::offset(self.declaration.unit, at.cast_signed());
        let bytes = self.geometry.bytes();
        let place = stray_place(self.geometry, observation.contents.stray_store?);
        Some(Broken {
            rule: Rule::Fault,
            expected: format!("stores inside the heap's {bytes} bytes"),
            observed: format!("a store at {at}, {place}"),
        })
    }

    /// An answer that the harness never gives to such an op: the record is damaged.
    pub(super) fn ill_fitting(
        op: &Op,
        request: Option<&Request>,
        outcome: Outcome,
    ) -> Option<Broken> {
        let fits = match outcome {
            Outcome::NotExpressible | Outcome::NoBlock => true,
            Outcome::Placed(_) | Outcome::Null => request.is_some(),
            Outcome::Capacity(_) => *op == Op::Capacity,
            Outcome::Done | Outcome::Refused => {
                !matches!(op, Op::Alloc { .. } | Op::Realloc { .. } | Op::Capacity)
            }
        };
        (!fits).then(|| incomplete("an answer that fits the op", format!("{outcome:?}")))
    }

    /// Whether an observation is one after which the harness gives a heap up.
    pub(super) fn explains_loss(&self, op: &Op, observation: &Observation) -> bool {
        let outside = match (*op, observation.outcome) {
            (Op::Alloc { size, .. } | Op::Realloc { size, .. }, Outcome::Placed(at)) => {
                !self.contract.holds(at, size)
            }
            _ => false,
        };
        outside
            || observation
                .walk
                .is_some_and(|walk| walk.broken_at.is_some())
    }

    /// What is wrong with how the run ended.
    pub(super) fn unfinished(&self, ops: &[Op], end: &RunEnd) -> Option<Broken> {
        let broken = match end {
            RunEnd::Completed if self.observed >= ops.len() => return None,
            RunEnd::Lost if self.lost => return None,
            RunEnd::Completed | RunEnd::Lost => {
                let (observed, all) = (self.observed, ops.len());
                return Some(incomplete(
                    "a complete record",
                    format!("no complete record: {observed} of {all} ops"),
                ));
            }
            RunEnd::Panicked(_) if self.excuses_panics() => return None,
            end => broken_end(end)?,
        };
        let culprit = ops.get(self.observed);
        let answers = culprit.map_or(!self.is_silent(), |op| self.answers_for(op));
        answers.then_some(broken)
    }

    /// Whether nothing is promised about the op. It was called, or it could not have ended the run.
    pub(super) fn is_undefined(&self, op: &Op) -> bool {
        self.declaration.misuse == Misuse::Undefined
            && (self.contract.is_misuse(op) || self.contract.writes_beyond(op))
    }
}

/// Where a store went that no trap caught.
pub(crate) fn stray_place(geometry: Geometry, at: u64) -> &'static str {
    match at < geometry.bytes() {
        true => "in another owner's page",
        false => "behind the heap's end",
    }
}

/// More observations than ops: the record is not this trace's.
pub(super) fn surplus(ops: &[Op], observed: usize) -> Option<Finding> {
    let (op, kind) = last_begun(ops, observed);
    (observed > ops.len()).then(|| Finding {
        rule: Rule::Fault,
        op,
        kind,
        expected: format!("a record of {} ops", ops.len()),
        observed: format!("one of {observed}"),
    })
}

/// The op to which the end of a run is laid: the one behind the last observation, or the last.
/// A trace without ops has none; its end is laid to a `table`, the op that asks for nothing.
pub(super) fn last_begun(ops: &[Op], observed: usize) -> (usize, OpKind) {
    let index = observed.min(ops.len().saturating_sub(1));
    (index, ops.get(index).map_or(OpKind::Table, Op::kind))
}

/// The rule that a run breaks by ending like this; `None` if it ended by itself.
fn broken_end(end: &RunEnd) -> Option<Broken> {
    let (rule, expected, observed) = match end {
        RunEnd::Completed | RunEnd::Lost => return None,
        RunEnd::Panicked(message) => (Rule::Panic, "no panic", one_line(message)),
        RunEnd::Faulted(what) => (Rule::Fault, "no access that traps", one_line(what)),
        RunEnd::Hung => (Rule::Hang, "an answer", "none in time".to_owned()),
    };
    Some(Broken {
        rule,
        expected: expected.to_owned(),
        observed,
    })
}

/// What a run of which nothing else is known breaks by ending in this op.
pub(crate) fn finding_of_end(end: &RunEnd, op: usize, kind: OpKind) -> Option<Finding> {
    broken_end(end).map(|broken| Finding {
        rule: broken.rule,
        op,
        kind,
        expected: broken.expected,
        observed: broken.observed,
    })
}

fn incomplete(expected: &str, observed: String) -> Broken {
    Broken {
        rule: Rule::Fault,
        expected: expected.to_owned(),
        observed,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
