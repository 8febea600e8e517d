//! The contract rules: what every client of any allocator relies on.

use harness::declaration::Reuse;
use harness::observation::{Contents, Observation, Outcome};
use harness::op::Op;

use crate::oracle::judge::Judge;
use crate::oracle::model::contract::{Blocks, Request};
use crate::oracle::model::cycles::FALLS_MIN;
use crate::oracle::model::exact::Placing;
use crate::oracle::model::gaps::Gaps;
use crate::oracle::violation::{Block, Leak, Violation};

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// A block that `lies_as_promised`, where the policy says, lies inside the heap, aligned, and
    /// apart from all others.
    pub(super) fn broken_contract(
        &mut self,
        op: &Op,
        request: Option<&Request>,
        observation: &Observation,
        lies_as_promised: bool,
    ) -> Option<Violation> {
        let Observation {
            outcome, contents, ..
        } = observation;
        match (request, *outcome) {
            (Some(request), Outcome::Placed(at)) if !lies_as_promised => {
                self.misplaced(request, at)
            }
            _ => None,
        }
        .or_else(|| match contents.held() {
            true => None,
            false => self.lost_contents(request, contents),
        })
        .or_else(|| match (request, *outcome) {
            (Some(request), Outcome::Null) => self.spurious_null(op, request),
            _ => None,
        })
        .or_else(|| self.leaked(op, *outcome))
    }

    /// Whether a request was granted that is larger than the whole heap.
    pub(super) fn is_impossible(&self, op: &Op, outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Placed(_))
            && matches!(*op, Op::Alloc { size, .. } | Op::Realloc { size, .. }
                if size > self.geometry.bytes())
    }

    fn misplaced(&mut self, request: &Request, at: i64) -> Option<Violation> {
        let &Request {
            handle,
            size,
            align,
            ..
        } = request;
        let heap_bytes = self.geometry.bytes();
        let block = Block {
            handle,
            offset: at,
            size,
        };
        if size > heap_bytes {
            return Some(Violation::ImpossibleSuccess { block, heap_bytes });
        }
        if !self.contract.holds(at, size) {
            return Some(Violation::OutOfBounds {
                block,
                heap_bytes,
                other_owners: self.geometry.growth().taken_every().is_some(),
            });
        }
        if let Some(other) = self.contract.overlapped(handle, at.cast_unsigned(), size) {
            let other = other.into();
            return Some(Violation::Overlap { block, other });
        }
        match at.cast_unsigned().is_multiple_of(align) {
            true => None,
            false => Some(Violation::Misaligned { block, align }),
        }
    }

    fn lost_contents(&self, request: Option<&Request>, contents: &Contents) -> Option<Violation> {
        if let Some((handle, byte)) = contents.corrupted {
            return Some(Violation::Corrupted {
                handle,
                offset: self.contract.block(handle).map(|block| block.offset),
                byte,
            });
        }
        let &Request {
            handle, size, old, ..
        } = request?;
        if let Some(byte) = contents.not_zeroed {
            return Some(Violation::NotZeroed { handle, size, byte });
        }
        // The harness compares with what it filled in, which the client may have overwritten.
        let byte = contents
            .realloc_lost
            .filter(|&byte| !self.contract.wrote(handle, byte))?;
        Some(Violation::ReallocLostContents {
            handle,
            carried: old?.size.min(size),
            byte,
        })
    }

    /// Null although the request must fit. The block a realloc would resize stays live meanwhile:
    /// only success elsewhere is demanded, success in place is a matter of policy.
    fn spurious_null(&self, op: &Op, request: &Request) -> Option<Violation> {
        let &Request { size, align, .. } = request;
        let fits_at = if let Some(overhead) = self.declaration.overhead {
            let gaps = Gaps::new(overhead, self.geometry);
            let live: Vec<_> = self.contract.live().collect();
            Some(gaps.fit(&live, size, align)?)
        } else {
            (self.asks_grants() && self.grants.hold(op)).then_some(())?;
            None
        };
        Some(Violation::SpuriousOom {
            size,
            align,
            fits_at,
        })
    }

    /// Whether null is judged by what the empty heap granted: it is empty, and nothing else is
    /// known of a subject that reuses all memory.
    pub(super) fn asks_grants(&self) -> bool {
        self.declaration.overhead.is_none()
            && self.declaration.reuse == Reuse::Whole
            && self.contract.is_empty()
    }

    /// Memory that does not come back: the empty heap grants less than the fresh one did, or a
    /// live block is not taken back at all.
    fn leaked(&self, op: &Op, outcome: Outcome) -> Option<Violation> {
        let leak = match (op, outcome) {
            (Op::Capacity, Outcome::Capacity(granted)) => {
                let (reuse, fresh) = (self.declaration.reuse, self.fresh_capacity);
                let lacks = self.cycles.lack(reuse, fresh, granted);
                lacks.then_some(Leak::Capacity {
                    granted,
                    fresh,
                    falls: (reuse == Reuse::Cached).then_some(FALLS_MIN),
                })?
            }
            (Op::Free { handle }, Outcome::Refused) => {
                Leak::Refused(Some(self.contract.block(*handle)?.into()))
            }
            (Op::FreeAll, Outcome::Refused) => Leak::Refused(None),
            _ => return None,
        };
        Some(Violation::Leak(leak))
    }
}
