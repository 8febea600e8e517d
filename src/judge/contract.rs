//! The contract rules: what every client of any allocator relies on.

use harness::declaration::Reuse;
use harness::observation::{Contents, Observation, Outcome};
use harness::op::Op;

use crate::judge::{Broken, Judge, evidence};
use crate::model::contract::{Blocks, Request};
use crate::model::cycles::FALLS_MIN;
use crate::model::exact::Placing;
use crate::model::gaps::Gaps;
use crate::rules::Rule;

impl<B: Blocks, E: Placing> Judge<B, E> {
    /// A block that `lies_as_promised`, where the policy says, lies inside the heap, aligned, and
    /// apart from all others.
    pub(super) fn broken_contract(
        &mut self,
        op: &Op,
        request: Option<&Request>,
        observation: &Observation,
        lies_as_promised: bool,
    ) -> Option<Broken> {
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

    fn misplaced(&mut self, request: &Request, at: i64) -> Option<Broken> {
        let &Request {
            handle,
            size,
            align,
            ..
        } = request;
        let (unit, bytes) = (self.declaration.unit, self.geometry.bytes());
        let observed = || evidence::sized_block(unit, handle, at, size);
        if size > bytes {
            return Some(Broken {
                rule: Rule::ImpossibleSuccess,
                expected: format!("null, since the whole heap has {bytes} bytes"),
                observed: observed(),
            });
        }
        if !self.contract.holds(at, size) {
            let others = match self.geometry.growth().taken_every() {
                Some(_) => ", outside other owners' pages",
                None => "",
            };
            return Some(Broken {
                rule: Rule::OutOfBounds,
                expected: format!("a block inside the heap's {bytes} bytes{others}"),
                observed: observed(),
            });
        }
        if let Some(other) = self.contract.overlapped(handle, at.cast_unsigned(), size) {
            let (on, from) = (other.handle, other.offset.cast_signed());
            let other = evidence::sized_block(unit, on, from, other.size);
            return Some(Broken {
                rule: Rule::Overlap,
                expected: "bytes that no live block holds".to_owned(),
                observed: format!("{} over {other}", observed()),
            });
        }
        (!at.cast_unsigned().is_multiple_of(align)).then(|| Broken {
            rule: Rule::Misaligned,
            expected: format!("an offset that is a multiple of {align}"),
            observed: evidence::block(unit, handle, at),
        })
    }

    fn lost_contents(&self, request: Option<&Request>, contents: &Contents) -> Option<Broken> {
        if let Some((handle, byte)) = contents.corrupted {
            let block = self.contract.block(handle);
            let at = block.map_or(String::new(), |block| {
                let from = block.offset.cast_signed();
                format!(" at {}", evidence::offset(self.declaration.unit, from))
            });
            return Some(Broken {
                rule: Rule::Corrupted,
                expected: format!("a{}{at} as its client left it", handle.0),
                observed: format!("byte {byte} of a{} changed", handle.0),
            });
        }
        let &Request {
            handle, size, old, ..
        } = request?;
        if let Some(byte) = contents.not_zeroed {
            return Some(Broken {
                rule: Rule::NotZeroed,
                expected: format!("{size} bytes of 0"),
                observed: format!("byte {byte} of a{} is not 0", handle.0),
            });
        }
        // The harness compares with what it filled in, which the client may have overwritten.
        let byte = contents
            .realloc_lost
            .filter(|&byte| !self.contract.wrote(handle, byte))?;
        let carried = old?.size.min(size);
        Some(Broken {
            rule: Rule::ReallocLostContents,
            expected: format!("the first {carried} bytes of a{} carried over", handle.0),
            observed: format!("byte {byte} differs"),
        })
    }

    /// Null although the request must fit. The block a realloc would resize stays live meanwhile:
    /// only success elsewhere is demanded, success in place is a matter of policy.
    fn spurious_null(&self, op: &Op, request: &Request) -> Option<Broken> {
        let &Request { size, align, .. } = request;
        let aligned = match align {
            8 => String::new(),
            _ => format!(" aligned to {align}"),
        };
        let expected = if let Some(overhead) = self.declaration.overhead {
            let gaps = Gaps::new(overhead, self.geometry);
            let live: Vec<_> = self.contract.live().collect();
            let at = gaps.fit(&live, size, align)?;
            let at = evidence::offset(self.declaration.unit, at.cast_signed());
            format!("a block, since {size} bytes{aligned} fit at {at}")
        } else {
            (self.asks_grants() && self.grants.hold(op)).then_some(())?;
            format!("a block, since the empty heap granted {size} bytes{aligned} before")
        };
        Some(Broken {
            rule: Rule::SpuriousOom,
            expected,
            observed: "null".to_owned(),
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
    fn leaked(&self, op: &Op, outcome: Outcome) -> Option<Broken> {
        let (expected, observed) = match (op, outcome) {
            (Op::Capacity, Outcome::Capacity(bytes)) => {
                (self.missing(bytes)?, format!("{bytes} bytes at most"))
            }
            (Op::Free { handle }, Outcome::Refused) => {
                let at = self.contract.block(*handle)?.offset.cast_signed();
                let block = evidence::block(self.declaration.unit, *handle, at);
                (format!("{block} taken back"), "refused".to_owned())
            }
            (Op::FreeAll, Outcome::Refused) => (
                "every live block taken back".to_owned(),
                "a refusal".to_owned(),
            ),
            _ => return None,
        };
        Some(Broken {
            rule: Rule::Leak,
            expected,
            observed,
        })
    }

    /// What an empty heap that grants `capacity` bytes at most owes its client, if it owes more.
    fn missing(&self, capacity: u64) -> Option<String> {
        let (reuse, fresh) = (self.declaration.reuse, self.fresh_capacity);
        self.cycles
            .lack(reuse, fresh, capacity)
            .then(|| match reuse {
                Reuse::Cached => format!(
                    "a capacity that does not fall {FALLS_MIN} times in a row, from {fresh} bytes"
                ),
                _ => format!("{fresh} bytes, as the fresh heap granted"),
            })
    }
}
