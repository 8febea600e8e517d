//! The machine rules: the subject returns from every op, and leaves a complete record.
//!
//! "Passed" is never read from the absence of a failure: a record that ends too early, or that
//! does not fit its ops, is a `fault` too.

use harness::declaration::Misuse;
use harness::observation::{Observation, Outcome};
use harness::op::{Op, OpKind};

use crate::oracle::judge::{Finding, Judge, Scope};
use crate::oracle::model::contract::{Blocks, Request, is_misuse, writes_beyond};
use crate::oracle::model::exact::Placing;
use crate::oracle::violation::Violation;
use crate::run::RunEnd;
use crate::run::fault::Fault;

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// A store behind the heap's end that no trap caught.
    pub(super) fn stray_store(&self, observation: &Observation) -> Option<Violation> {
        Some(Violation::Fault(Fault::Store {
            offset: observation.contents.stray_store?,
            heap_bytes: self.geometry.bytes(),
        }))
    }

    /// An answer that the harness never gives to such an op: the record is damaged.
    pub(super) fn ill_fitting(
        op: &Op,
        request: Option<&Request>,
        outcome: Outcome,
    ) -> Option<Violation> {
        let fits = match outcome {
            Outcome::NotExpressible | Outcome::NoBlock => true,
            Outcome::Placed(_) | Outcome::Null => request.is_some(),
            Outcome::Capacity(_) => *op == Op::Capacity,
            Outcome::Done | Outcome::Refused => {
                !matches!(op, Op::Alloc { .. } | Op::Realloc { .. } | Op::Capacity)
            }
        };
        match fits {
            true => None,
            false => Some(Violation::Fault(Fault::Answer { outcome })),
        }
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
                .as_ref()
                .is_some_and(|walk| walk.broken_at.is_some())
    }

    /// What is wrong with how the run ended.
    pub(super) fn unfinished(
        &self,
        ops: usize,
        culprit: Option<&Op>,
        end: &RunEnd,
    ) -> Option<Violation> {
        let broken = match end {
            RunEnd::Completed if self.observed >= ops => return None,
            RunEnd::Lost if self.lost => return None,
            RunEnd::Completed | RunEnd::Lost => {
                return Some(Violation::Fault(Fault::Record {
                    observed: self.observed,
                    ops,
                }));
            }
            RunEnd::Panicked(_) if self.excuses_panics() => return None,
            end => Violation::of_end(end)?,
        };
        let is_undefined = culprit.is_some_and(|op| self.is_undefined(op));
        (!self.is_silent() && !is_undefined).then_some(broken)
    }

    /// Whether a panic breaks no rule: a client has written beyond its block, and the subject looks
    /// for that.
    fn excuses_panics(&self) -> bool {
        self.declaration.panics_on_damage && self.scope == Scope::Machine
    }

    /// Whether nothing is promised about the op. It was called, or it could not have ended the run.
    fn is_undefined(&self, op: &Op) -> bool {
        let named = self.contract.named(op);
        self.declaration.misuse == Misuse::Undefined
            && (is_misuse(op, named.as_ref()) || writes_beyond(op, named.as_ref()))
    }
}

/// More observations than ops: the record is not this trace's.
pub(super) fn surplus(ops: &[Op], observed: usize) -> Option<Finding> {
    (observed > ops.len()).then(|| Finding {
        violation: Violation::Fault(Fault::Record {
            observed,
            ops: ops.len(),
        }),
        op: ops.len().saturating_sub(1),
        kind: ops.last().map_or(OpKind::Table, Op::kind),
    })
}
