//! The misuse rules: what a subject promises about its client's errors, and that `free null`,
//! which is none, does nothing.

use harness::declaration::Misuse;
use harness::observation::{Observation, Outcome};
use harness::op::Op;

use crate::judge::{Broken, Judge};
use crate::model::contract::Blocks;
use crate::model::exact::Placing;
use crate::rules::Rule;

impl<B: Blocks, E: Placing> Judge<B, E> {
    pub(super) fn broken_misuse(&self, op: &Op, observation: &Observation) -> Option<Broken> {
        let outcome = observation.outcome;
        if !matches!(outcome, Outcome::Done | Outcome::Refused) {
            return None;
        }
        if *op == Op::FreeNull {
            return self.null_free_with_effect(observation);
        }
        if !self.contract.is_misuse(op) {
            return None;
        }
        match self.declaration.misuse {
            Misuse::Refuses if outcome == Outcome::Done => Some(Broken {
                rule: Rule::MisuseAccepted,
                expected: "a refusal, since no live block starts there".to_owned(),
                observed: "done".to_owned(),
            }),
            Misuse::Refuses | Misuse::Tolerates => self.damage(observation),
            Misuse::Undefined => None,
        }
    }

    /// Freeing null is legal for every subject, whatever it promises about misuse. Its rule is
    /// `misuse-damage` all the same: it is the only one that says that a free had an effect.
    fn null_free_with_effect(&self, observation: &Observation) -> Option<Broken> {
        if observation.outcome == Outcome::Refused {
            return Some(Broken {
                rule: Rule::MisuseDamage,
                expected: "done, since freeing null is legal".to_owned(),
                observed: "a refusal".to_owned(),
            });
        }
        self.damage(observation)
    }

    /// What the op changed although it must not have: the walk since the one before it, or a live
    /// block that was whole until then.
    fn damage(&self, observation: &Observation) -> Option<Broken> {
        let observed = match (self.walk, observation.walk, observation.contents.corrupted) {
            (Some(before), Some(after), _) if before.hash != after.hash => format!(
                "another chunk list ({} chunks before, {} after)",
                before.chunks, after.chunks
            ),
            (_, _, Some((handle, byte))) if !self.corrupted => {
                format!("byte {byte} of a{} changed", handle.0)
            }
            _ => return None,
        };
        Some(Broken {
            rule: Rule::MisuseDamage,
            expected: "no effect on any chunk or live block".to_owned(),
            observed,
        })
    }

    /// Whether a promise-keeping subject may have another chunk list after the op than before it.
    pub(super) fn may_change_walk(&self, op: &Op, outcome: Outcome) -> bool {
        let called = !matches!(outcome, Outcome::NotExpressible | Outcome::NoBlock);
        let inert = matches!(op, Op::Table | Op::FreeNull | Op::Write { .. });
        called && !inert && !self.contract.is_misuse(op)
    }
}
