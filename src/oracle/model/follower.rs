//! The exact model over a whole trace: where a policy places each block, op by op, by its own word.

use std::collections::BTreeMap;

use harness::declaration::Policy;
use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::{Handle, Op};

use crate::oracle::model::chunk_list::ChunkList;
use crate::oracle::model::contract::{Contract, Request};
use crate::oracle::model::exact::{Exact, Placing};

/// Follows a trace as the policy has it. What was called at all is taken from the observations;
/// where blocks lie is the model's word alone, so that it goes on where a subject has parted from
/// it.
pub struct Follower {
    exact: Exact,
    contract: Contract,
    placed: BTreeMap<Handle, u64>,
}

impl Follower {
    /// Over a fresh heap.
    #[must_use]
    pub fn new(policy: Policy, geometry: Geometry) -> Self {
        Self {
            exact: Exact::new(policy, geometry),
            contract: Contract::new(geometry),
            placed: BTreeMap::new(),
        }
    }

    /// Takes the next op's step, and says what was placed, and where. `outcome` is what was
    /// observed; `None` of the op that a run ended in, which was called and has no outcome.
    pub fn step(&mut self, op: &Op, outcome: Option<Outcome>) -> Option<(Request, u64)> {
        if matches!(outcome, Some(Outcome::NotExpressible | Outcome::NoBlock)) {
            self.contract.apply(op, Outcome::NoBlock);
            return None;
        }
        let request = self.contract.request(op, self.contract.named(op));
        let placed = request.and_then(|request| Some((request, self.place(&request)?)));
        match *op {
            Op::Free { handle } => {
                let at = self.placed.remove(&handle);
                at.into_iter().for_each(|at| self.exact.free(at));
            }
            Op::FreeAll => {
                let all = std::mem::take(&mut self.placed).into_values();
                all.for_each(|at| self.exact.free(at));
            }
            Op::Capacity => {
                if let Some(Outcome::Capacity(bytes)) = outcome {
                    self.exact.try_block(bytes);
                }
            }
            _ => {}
        }
        if let Some(outcome) = outcome {
            self.contract.apply(op, outcome);
        }
        placed
    }

    /// The chunks after the ops so far.
    #[must_use]
    pub const fn chunks(&self) -> &ChunkList {
        self.exact.chunks()
    }

    /// The blocks that clients hold, with their first bytes.
    pub fn live(&self) -> impl Iterator<Item = (Handle, u64)> {
        self.placed.iter().map(|(&handle, &at)| (handle, at))
    }

    fn place(&mut self, request: &Request) -> Option<u64> {
        let at = match (request.old, self.placed.get(&request.handle)) {
            (None, _) => self.exact.alloc(request.size, request.align),
            (Some(_), Some(&old)) => self.exact.realloc(old, request.size, request.align),
            (Some(_), None) => None,
        }?;
        self.placed.insert(request.handle, at);
        Some(at)
    }
}
