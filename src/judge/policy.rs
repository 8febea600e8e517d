//! The policy rules: every offset and every chunk as the exact model has it.

use harness::observation::{Observation, Outcome};
use harness::op::Op;

use crate::judge::Judge;
use crate::judge::violation::Violation;
use crate::model::contract::Request;

impl Judge<'_> {
    /// Also lets the exact model take its step, so it is called once an op.
    pub(super) fn broken_policy(
        &mut self,
        op: &Op,
        observation: &Observation,
    ) -> Option<Violation> {
        self.misplaced_by_policy(op, observation.outcome)
            .or_else(|| self.other_table(observation))
    }

    fn misplaced_by_policy(&mut self, op: &Op, outcome: Outcome) -> Option<Violation> {
        let exact = self.exact.as_mut()?;
        let observed = match outcome {
            Outcome::Placed(at) => Some(at),
            Outcome::Null => None,
            Outcome::Done | Outcome::Refused => {
                // A legal free that was refused is a leak; to the policy the block is free.
                match *op {
                    Op::Free { handle } => {
                        let block = self.contract.block(handle);
                        block.into_iter().for_each(|block| exact.free(block.offset));
                    }
                    Op::FreeAll => {
                        let live = self.contract.live();
                        live.iter().for_each(|block| exact.free(block.offset));
                    }
                    _ => {}
                }
                return None;
            }
            Outcome::Capacity(bytes) => {
                exact.try_block(bytes);
                return None;
            }
            Outcome::NotExpressible | Outcome::NoBlock => return None,
        };
        let Request {
            handle,
            size,
            align,
            old,
        } = self.contract.request(op)?;
        let expected = match old {
            None => exact.alloc(size, align),
            Some(old) => exact.realloc(old.offset, size, align),
        };
        let expected = expected.map(u64::cast_signed);
        (observed != expected).then_some(Violation::Placement {
            handle,
            expected,
            observed,
        })
    }

    fn other_table(&self, observation: &Observation) -> Option<Violation> {
        let (walk, chunks) = (observation.walk?, self.exact.as_ref()?.chunks());
        (walk.hash != chunks.hash()).then(|| Violation::Table {
            expected: chunks.into(),
            observed: walk.chunks,
        })
    }
}
