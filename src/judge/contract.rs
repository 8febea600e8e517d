//! The contract rules: what every client of any allocator relies on.

use harness::declaration::Reuse;
use harness::observation::{Contents, Observation, Outcome};
use harness::op::Op;

use crate::judge::Judge;
use crate::judge::violation::{Block, Leak, Violation};
use crate::model::contract::Request;
use crate::model::cycles::FALLS_MIN;

impl Judge<'_> {
    pub(super) fn broken_contract(&self, op: &Op, observation: &Observation) -> Option<Violation> {
        let Observation {
            outcome, contents, ..
        } = observation;
        let request = self.contract.request(op);
        let placed = match (request, *outcome) {
            (Some(request), Outcome::Placed(at)) => self.misplaced(request, at),
            _ => None,
        };
        placed
            .or_else(|| self.lost_contents(op, request, contents))
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

    fn misplaced(&self, request: Request, at: i64) -> Option<Violation> {
        let Request {
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
        (!at.cast_unsigned().is_multiple_of(align))
            .then_some(Violation::Misaligned { block, align })
    }

    fn lost_contents(
        &self,
        op: &Op,
        request: Option<Request>,
        contents: &Contents,
    ) -> Option<Violation> {
        if let Some((handle, byte)) = contents.corrupted {
            return Some(Violation::Corrupted {
                handle,
                offset: self.contract.block(handle).map(|block| block.offset),
                byte,
            });
        }
        let Request { handle, size, .. } = request?;
        if let Some(byte) = contents.not_zeroed {
            return Some(Violation::NotZeroed { handle, size, byte });
        }
        // The harness compares with what it filled in, which the client may have overwritten.
        let byte = contents
            .realloc_lost
            .filter(|&byte| !self.contract.wrote(handle, byte))?;
        let carried = self.contract.request(op)?.old?.size.min(size);
        Some(Violation::ReallocLostContents {
            handle,
            carried,
            byte,
        })
    }

    /// Null although the request must fit. The block a realloc would resize stays live meanwhile:
    /// only success elsewhere is demanded, success in place is a matter of policy.
    fn spurious_null(&self, op: &Op, request: Request) -> Option<Violation> {
        let Request { size, align, .. } = request;
        let fits_at = if let Some(gaps) = &self.gaps {
            Some(gaps.fit(self.contract.live(), size, align)?)
        } else {
            let empty = self.contract.live().is_empty();
            let granted = self.grants.as_ref().filter(|grants| grants.hold(op));
            granted.filter(|_| empty)?;
            None
        };
        Some(Violation::SpuriousOom {
            size,
            align,
            fits_at,
        })
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
