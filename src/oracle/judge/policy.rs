//! The policy rules: every offset and every chunk as the exact model has it.

use harness::observation::{Observation, Outcome};
use harness::op::Op;

use crate::oracle::judge::Judge;
use crate::oracle::model::contract::{Block, Blocks, Request};
use crate::oracle::model::exact::Placing;
use crate::oracle::violation::Violation;

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// Lets the exact model take the op's step, so it is called once an op. Returns what it answers
    /// to a request: where the block lies, or null.
    pub(super) fn follow_policy(
        &mut self,
        op: &Op,
        named: Option<Block>,
        request: Option<&Request>,
        outcome: Outcome,
    ) -> Option<Option<i64>> {
        let exact = self.exact.as_mut()?;
        match outcome {
            Outcome::Placed(_) | Outcome::Null => {
                let request = request?;
                let &Request { size, align, .. } = request;
                let at = match request.old {
                    None => exact.alloc(size, align),
                    Some(old) => exact.realloc(old.offset, size, align),
                };
                return Some(at.map(u64::cast_signed));
            }
            // A legal free that was refused is a leak; to the policy the block is free.
            Outcome::Done | Outcome::Refused => match *op {
                Op::Free { .. } => named.into_iter().for_each(|block| exact.free(block.offset)),
                Op::FreeAll => {
                    let live = self.contract.live();
                    live.for_each(|block| exact.free(block.offset));
                }
                _ => {}
            },
            Outcome::Capacity(bytes) => exact.try_block(bytes),
            Outcome::NotExpressible | Outcome::NoBlock => {}
        }
        None
    }

    /// `expected` is what [`Self::follow_policy`] said.
    pub(super) fn broken_policy(
        &self,
        request: Option<&Request>,
        expected: Option<Option<i64>>,
        observation: &Observation,
    ) -> Option<Violation> {
        let placed = request.zip(expected);
        placed
            .and_then(|(request, expected)| {
                self.misplaced_by_policy(request, expected, observation)
            })
            .or_else(|| self.other_table(observation))
    }

    fn misplaced_by_policy(
        &self,
        request: &Request,
        expected: Option<i64>,
        observation: &Observation,
    ) -> Option<Violation> {
        let observed = match observation.outcome {
            Outcome::Placed(at) => Some(at),
            _ => None,
        };
        if observed == expected {
            return None;
        }
        Some(Violation::Placement {
            handle: request.handle,
            expected,
            observed,
        })
    }

    fn other_table(&self, observation: &Observation) -> Option<Violation> {
        let (walk, exact) = (observation.walk.as_ref()?, self.exact.as_ref()?);
        (walk.hash != exact.hash()).then(|| Violation::Table {
            expected: exact.table().collect(),
            observed: walk.chunks,
        })
    }
}
