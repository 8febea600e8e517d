//! The misuse rules: what a subject promises about its client's errors, and that `free null`,
//! which is none, does nothing.

use harness::declaration::Misuse;
use harness::observation::{Observation, Outcome};
use harness::op::Op;

use crate::oracle::judge::Judge;
use crate::oracle::model::contract::{Block, Blocks, is_misuse};
use crate::oracle::model::exact::Placing;
use crate::oracle::violation::{ChangedByte, Damage, Violation};

impl<B: Blocks, E: Placing> Judge<B, E> {
    pub(super) fn broken_misuse(
        &self,
        op: &Op,
        named: Option<&Block>,
        observation: &Observation,
    ) -> Option<Violation> {
        let outcome = observation.outcome;
        if !matches!(outcome, Outcome::Done | Outcome::Refused) {
            return None;
        }
        if *op == Op::FreeNull {
            return self.null_free_with_effect(observation);
        }
        if !is_misuse(op, named) {
            return None;
        }
        match self.declaration.misuse {
            Misuse::Refuses if outcome == Outcome::Done => Some(Violation::MisuseAccepted),
            Misuse::Refuses | Misuse::Tolerates => self.damage(observation),
            Misuse::Undefined => None,
        }
    }

    /// Freeing null is legal for every subject, whatever it promises about misuse. Its rule is
    /// `misuse-damage` all the same: it is the only one that says that a free had an effect.
    fn null_free_with_effect(&self, observation: &Observation) -> Option<Violation> {
        if observation.outcome == Outcome::Refused {
            return Some(Violation::MisuseDamage(Damage::Refused));
        }
        self.damage(observation)
    }

    /// What the op changed although it must not have: the walk since the one before it, or a live
    /// block that was whole until then.
    fn damage(&self, observation: &Observation) -> Option<Violation> {
        let damage = match (self.walk, observation.walk, observation.contents.corrupted) {
            (Some(before), Some(after), _) if before.hash != after.hash => Damage::Chunks {
                before: before.chunks,
                after: after.chunks,
            },
            (_, _, Some((handle, byte))) if !self.corrupted => {
                Damage::Contents(ChangedByte { handle, byte })
            }
            _ => return None,
        };
        Some(Violation::MisuseDamage(damage))
    }

    /// Whether a promise-keeping subject may have another chunk list after the op than before it.
    pub(super) fn may_change_walk(op: &Op, named: Option<&Block>, outcome: Outcome) -> bool {
        let called = !matches!(outcome, Outcome::NotExpressible | Outcome::NoBlock);
        let inert = matches!(op, Op::Table | Op::FreeNull | Op::Write { .. });
        called && !inert && !is_misuse(op, named)
    }
}
