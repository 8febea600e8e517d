//! Cycles: a heap filled until nothing fits, emptied in some order, and asked for its capacity,
//! over and over. What they are for: memory that goes little by little, and what only a heap that
//! lived long shows.
//!
//! ```text
//! free all, then again and again:
//!   the first request, always the same      it must be granted each time
//!   some of mixed sizes, some freed again   a heap in pieces
//!   halves of halves of the heap            until it is full
//!   frees in some order, free all, capacity
//! ```
//!
//! A cycle has many ops, so they come from a generator of their own with a drawn seed.

use arbitrary::{Result, Unstructured};
use harness::op::{Align, Handle, Op};
use harness::trace::{OPS_MAX, Trace};

use super::Limits;

/// A trace with cycles may have so many times the ops that its limits allow others.
pub(super) const OPS_FACTOR: usize = 16;
/// The most cycles of a trace: three times what a leak of a caching subject needs.
const CYCLES_MAX: usize = 24;

/// Appends cycles to a trace that has used up `issued` handles.
///
/// # Errors
/// `arbitrary`'s.
pub(super) fn append(
    u: &mut Unstructured<'_>,
    limits: &Limits,
    issued: usize,
    trace: &mut Trace,
) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(u.arbitrary()?);
    let ops_max = (limits.ops_max * OPS_FACTOR).min(OPS_MAX);
    let mut cycle = Cycle {
        limits,
        heap: trace.geometry.bytes(),
        issued: issued as u32,
        ops: vec![Op::FreeAll],
        from: 0,
    };
    let first = cycle.request(&mut random);
    for _ in 0..random.usize(2..=CYCLES_MAX) {
        cycle.from = cycle.ops.len();
        cycle.turn(first, &mut random);
        if trace.ops.len() + cycle.ops.len() > ops_max {
            cycle.ops.truncate(cycle.from);
            break;
        }
    }
    trace.ops.append(&mut cycle.ops);
    Ok(())
}

/// The cycles so far.
struct Cycle<'a> {
    limits: &'a Limits,
    heap: u64,
    issued: u32,
    ops: Vec<Op>,
    /// Where the cycle under way starts among the ops.
    from: usize,
}

impl Cycle<'_> {
    fn turn(&mut self, first: Op, random: &mut fastrand::Rng) {
        let from = self.issued;
        self.alloc(first);
        for _ in 0..random.usize(0..=16) {
            let request = self.request(random);
            self.alloc(request);
            if random.u8(..) < 64 {
                let handle = Handle(random.u32(from..self.issued));
                self.free(handle);
            }
        }
        let mut half = self.heap / 2;
        while half >= self.limits.unit.max(16) {
            self.alloc(plain(half));
            half /= 2;
        }
        let mut handles: Vec<_> = (from..self.issued).map(Handle).collect();
        match random.u8(0..4) {
            0 => {}
            1 => handles.reverse(),
            2 => handles.sort_by_key(|handle| handle.0 % 2),
            _ => random.shuffle(&mut handles),
        }
        // The others are left for `free all`, which goes by age.
        handles.truncate(random.usize(0..=handles.len()));
        handles.into_iter().for_each(|handle| self.free(handle));
        self.ops.extend([Op::FreeAll, Op::Capacity]);
    }

    fn alloc(&mut self, request: Op) {
        self.ops.push(request);
        self.issued += 1;
    }

    /// Frees a block of this cycle, unless that was done. Null ones count as blocks.
    fn free(&mut self, handle: Handle) {
        let free = Op::Free { handle };
        if !self.ops[self.from..].contains(&free) {
            self.ops.push(free);
        }
    }

    /// Mostly small, some a fraction of the heap; few aligned.
    fn request(&self, random: &mut fastrand::Rng) -> Op {
        let unit = self.limits.unit;
        let size = match random.u8(0..8) {
            0..5 => unit * random.u64(1..=if unit == 1 { 160 } else { 4 }),
            5 => self.heap / random.u64(4..=16),
            _ => 1 << random.u32(0..=self.heap.ilog2() - 1),
        };
        let exponent_max = self.limits.align_max.min(self.heap).ilog2() as u8;
        let align = match random.u8(0..8) {
            0 => Align::from_exponent(random.u8(0..=exponent_max)),
            _ => None,
        };
        Op::Alloc {
            size: size.max(1),
            align,
            zeroed: random.u8(..) < 32,
        }
    }
}

const fn plain(size: u64) -> Op {
    Op::Alloc {
        size,
        align: None,
        zeroed: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_ends_with_an_empty_heap_and_starts_as_the_one_before() {
        for name in ["kmem", "page"] {
            let limits = Limits::of(&subjects::by_name(name).unwrap().declaration, 64);
            for seed in 0_u64..200 {
                let mut trace = Trace::new(limits.geometries[0]);
                let bytes = seed.to_le_bytes();
                append(&mut Unstructured::new(&bytes), &limits, 0, &mut trace).unwrap();
                trace.check_invariants();
                assert!(trace.ops.len() <= OPS_FACTOR * 64);
                let starts = trace.ops.windows(2).filter(|ops| ops[0] == Op::Capacity);
                let starts: Vec<_> = starts.map(|ops| ops[1]).collect();
                assert!(starts.iter().all(|start| *start == trace.ops[1]));
                assert!(trace.ops.ends_with(&[Op::FreeAll, Op::Capacity]));
            }
        }
    }
}
