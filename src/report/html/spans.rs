//! Blocks over time: from the op that placed one to the op that took it away.

use std::ops::Range;

use harness::declaration::Policy;
use harness::observation::{Observation, Outcome};
use harness::op::{Handle, Op};
use harness::trace::Trace;

use crate::oracle::model::contract::Contract;
use crate::oracle::model::follower::Follower;

/// A block over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) handle: Handle,
    /// From the heap's start; a wrong allocator places blocks before it too.
    pub(super) offset: i64,
    /// As it was asked for.
    pub(super) size: u64,
    /// From the op that placed it up to, not including, the one that took it away.
    pub(super) ops: Range<usize>,
}

impl Span {
    /// The bytes that are drawn of it: what lies far outside a heap of `heap` bytes is cut, or
    /// nothing else would be seen.
    pub(super) fn drawn(&self, heap: u64) -> Range<i64> {
        let (heap, margin) = (heap.cast_signed(), heap.cast_signed() / 4);
        let cut = |place: i64| place.clamp(-margin, heap + margin);
        cut(self.offset)..cut(self.offset.saturating_add_unsigned(self.size))
    }

    /// Whether it is live during one of these ops.
    pub(super) fn is_within(&self, ops: &Range<usize>) -> bool {
        self.ops.start < ops.end && self.ops.end > ops.start
    }
}

/// The blocks as a side was observed to place them, also those outside the heap.
pub(super) fn observed(trace: &Trace, observations: &[Observation]) -> Vec<Span> {
    let mut contract = Contract::new(trace.geometry);
    let mut spans = Spans::default();
    for (index, (op, observation)) in trace.ops.iter().zip(observations).enumerate() {
        match (op, observation.outcome) {
            (_, Outcome::Placed(at)) => {
                if let Some(request) = contract.request(op, contract.named(op)) {
                    spans.place(request.handle, at, request.size, index);
                }
            }
            (Op::Free { handle }, Outcome::Done | Outcome::Refused) => spans.take(*handle, index),
            (Op::FreeAll, Outcome::Done | Outcome::Refused) => spans.take_all(index),
            _ => {}
        }
        contract.apply(op, observation.outcome);
    }
    spans.end(observations.len())
}

/// The blocks as a policy places them, up to and including op `last`. What was called at all is
/// taken from the observations; where blocks lie is the model's word alone.
pub(super) fn by_policy(
    policy: Policy,
    trace: &Trace,
    observations: &[Observation],
    last: usize,
) -> Vec<Span> {
    let mut follower = Follower::new(policy, trace.geometry);
    let mut spans = Spans::default();
    for (index, op) in trace.ops.iter().enumerate().take(last + 1) {
        // The op that a run ended in was called, and has no outcome.
        let outcome = observations
            .get(index)
            .map(|observation| observation.outcome);
        if let Some((request, at)) = follower.step(op, outcome) {
            spans.place(request.handle, at.cast_signed(), request.size, index);
        }
        match (op, outcome) {
            (_, Some(Outcome::NotExpressible | Outcome::NoBlock)) => {}
            (Op::Free { handle }, _) => spans.take(*handle, index),
            (Op::FreeAll, _) => spans.take_all(index),
            _ => {}
        }
    }
    spans.end(trace.ops.len().min(last + 1))
}

/// Spans under way, and those that ended.
#[derive(Default)]
struct Spans {
    open: Vec<Span>,
    ended: Vec<Span>,
}

impl Spans {
    fn place(&mut self, handle: Handle, offset: i64, size: u64, op: usize) {
        self.take(handle, op);
        let ops = op..op;
        self.open.push(Span {
            handle,
            offset,
            size,
            ops,
        });
    }

    fn take(&mut self, handle: Handle, op: usize) {
        if let Some(index) = self.open.iter().position(|span| span.handle == handle) {
            let mut span = self.open.remove(index);
            span.ops.end = op;
            self.ended.push(span);
        }
    }

    fn take_all(&mut self, op: usize) {
        self.open.iter_mut().for_each(|span| span.ops.end = op);
        self.ended.append(&mut self.open);
    }

    fn end(mut self, op: usize) -> Vec<Span> {
        self.take_all(op);
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::geometry::Geometry;

    const A0: Handle = Handle(0);

    fn trace() -> Trace {
        let alloc = |size| Op::Alloc {
            size,
            align: None,
            zeroed: false,
        };
        Trace {
            geometry: Geometry::from_bytes(192).unwrap(),
            ops: vec![
                alloc(24),
                alloc(8),
                Op::Realloc {
                    handle: A0,
                    size: 40,
                },
                Op::Free { handle: A0 },
                Op::FreeAll,
            ],
        }
    }

    fn span(handle: u32, offset: i64, size: u64, ops: Range<usize>) -> Span {
        Span {
            handle: Handle(handle),
            offset,
            size,
            ops,
        }
    }

    #[test]
    fn a_block_lives_until_it_is_resized_or_freed() {
        let outcomes = [
            Outcome::Placed(8),
            Outcome::Placed(-8),
            Outcome::Placed(56),
            Outcome::Refused,
        ];
        let observations = outcomes.map(Observation::of);
        assert_eq!(
            observed(&trace(), &observations),
            [
                span(0, 8, 24, 0..2),
                span(0, 56, 40, 2..3),
                span(1, -8, 8, 1..4)
            ]
        );
    }

    #[test]
    fn a_policy_goes_by_its_own_word() {
        // What was observed is wrong from the first op on; the run ended in the third.
        let observations = [Outcome::Placed(16), Outcome::Placed(100)].map(Observation::of);
        let spans = by_policy(Policy::FirstFit, &trace(), &observations, 2);
        assert_eq!(
            spans,
            [
                span(0, 8, 24, 0..2),
                span(1, 40, 8, 1..3),
                span(0, 56, 40, 2..3)
            ]
        );
    }
}
