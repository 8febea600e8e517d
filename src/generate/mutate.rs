//! Mutates the byte form op by op: what `fuzz_mutator!` calls.
//!
//! It works on records, not on a decoded trace: a record's handle is an index among the blocks
//! live at its place, so records can be dropped, copied and moved and every result still means
//! something. Fresh ops come from the generator.

use arbitrary::{Result, Unstructured};
use harness::bytes::{self, HEADER_BYTES};
use harness::op::Op;
use harness::record::{self, OP_BYTES};
use harness::trace::Trace;

use crate::generate::{Drawer, Limits};

/// Random bytes for one mutation: enough for the longest run of fresh ops.
const RANDOM_BYTES: usize = 512;
/// The most ops one insertion draws.
const INSERTED_MAX: usize = 8;

/// Mutates the first `size` bytes of `data` in place, within `max_size`, and returns the new size.
/// The same `seed` does the same.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, limits: &Limits) -> usize {
    let mut random = [0; RANDOM_BYTES];
    fastrand::Rng::with_seed(seed.into()).fill(&mut random);
    let mut u = Unstructured::new(&random);
    let mut records = Records::read(&data[..size], limits);
    // Only a source without bytes fails, and this one holds some.
    let rounds = 1 + u.choose_index(3).unwrap_or(0);
    for _ in 0..rounds {
        if records.mutate(&mut u, limits).is_err() {
            break;
        }
    }
    records.write(&mut data[..max_size])
}

/// Two inputs joined: a prefix of one, then a suffix of the other. Returns the size written.
pub fn cross_over(
    first: &[u8],
    second: &[u8],
    out: &mut [u8],
    seed: u32,
    limits: &Limits,
) -> usize {
    let mut random = fastrand::Rng::with_seed(seed.into());
    let mut records = Records::read(first, limits);
    let other = Records::read(second, limits).ops;
    records.ops.truncate(random.usize(..=records.ops.len()));
    records
        .ops
        .extend_from_slice(&other[random.usize(..=other.len())..]);
    records.write(out)
}

/// A byte form taken apart.
struct Records {
    header: [u8; HEADER_BYTES],
    ops: Vec<[u8; OP_BYTES]>,
}

impl Records {
    fn read(data: &[u8], limits: &Limits) -> Self {
        let mut header = [0; HEADER_BYTES];
        if let Some(start) = data.first_chunk() {
            header = *start;
        } else {
            let fresh = bytes::encode(&Trace::new(limits.geometries[0]));
            header.copy_from_slice(&fresh);
        }
        let behind = data.get(HEADER_BYTES..).unwrap_or(&[]);
        Self {
            header,
            ops: behind.as_chunks().0.to_vec(),
        }
    }

    fn write(&self, out: &mut [u8]) -> usize {
        let bytes = self.header.iter().chain(self.ops.as_flattened());
        let whole = HEADER_BYTES + out.len().saturating_sub(HEADER_BYTES) / OP_BYTES * OP_BYTES;
        let size = whole
            .min(HEADER_BYTES + self.ops.len() * OP_BYTES)
            .min(out.len());
        out[..size]
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        size
    }

    fn mutate(&mut self, u: &mut Unstructured<'_>, limits: &Limits) -> Result<()> {
        let length = self.ops.len();
        if length == 0 || length < limits.ops_max && u.ratio(3, 10)? {
            let at = u.choose_index(length + 1)?;
            let fresh = self.fresh(u, limits, at)?;
            self.ops.splice(at..at, fresh);
            return Ok(());
        }
        let at = u.choose_index(length)?;
        let end = (at + 1 + u.choose_index(INSERTED_MAX)?).min(length);
        match u.choose_index(8)? {
            0 => drop(self.ops.drain(at..end)),
            1 => drop(self.ops.drain(at..=at)),
            2 => {
                let copied = self.ops[at..end].to_vec();
                let to = u.choose_index(length + 1)?;
                self.ops.splice(to..to, copied);
            }
            3 => self.ops.swap(at, u.choose_index(length)?),
            4 => self.ops[at] = self.fresh(u, limits, at)?[0],
            5 => self.ops[at][4..8].copy_from_slice(&u.arbitrary::<[u8; 4]>()?),
            6 if u.ratio(1, 4)? => {
                let trace = Trace::new(*u.choose(&limits.geometries)?);
                self.header.copy_from_slice(&bytes::encode(&trace));
            }
            _ => self.tweak(u, limits, at)?,
        }
        self.ops.truncate(limits.ops_max);
        Ok(())
    }

    /// Gives one op another size or alignment.
    fn tweak(&mut self, u: &mut Unstructured<'_>, limits: &Limits, at: usize) -> Result<()> {
        let drawer = self.drawer(u, limits, at)?;
        let op = match record::decode_op(&self.ops[at]) {
            Op::Alloc { size, zeroed, .. } if u.ratio(1, 4)? => Op::Alloc {
                size,
                align: drawer.align(u)?,
                zeroed,
            },
            Op::Alloc { align, zeroed, .. } => Op::Alloc {
                size: drawer.size(u)?,
                align,
                zeroed,
            },
            Op::Realloc { handle, .. } => Op::Realloc {
                handle,
                size: drawer.size(u)?,
            },
            other => other,
        };
        self.ops[at] = record::encode_op(&op);
        Ok(())
    }

    /// Draws a few ops that fit behind the first `at`.
    fn fresh(
        &self,
        u: &mut Unstructured<'_>,
        limits: &Limits,
        at: usize,
    ) -> Result<Vec<[u8; OP_BYTES]>> {
        let mut drawer = self.drawer(u, limits, at)?;
        let mut fresh = Vec::new();
        for _ in 0..=u.choose_index(INSERTED_MAX)? {
            let op = drawer.op(u)?;
            drawer.note(&op);
            fresh.push(record::encode_op(&op));
        }
        Ok(fresh)
    }

    fn drawer<'a>(
        &self,
        u: &mut Unstructured<'_>,
        limits: &'a Limits,
        at: usize,
    ) -> Result<Drawer<'a>> {
        let mut prefix = self.header.to_vec();
        prefix.extend_from_slice(self.ops[..at].as_flattened());
        let trace = bytes::decode(&prefix);
        let mut drawer = Drawer::new(u, limits, trace.geometry)?;
        trace.ops.iter().for_each(|op| drawer.note(op));
        Ok(drawer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::of(&subjects::by_name("kmem").unwrap().declaration, 64)
    }

    #[test]
    fn mutants_are_traces_within_bounds() {
        let mut data = [0; 600];
        let mut size = 0;
        let mut longest = 0;
        for seed in 0..5000 {
            let max_size = 300 + seed as usize % 300;
            size = mutate(&mut data, size.min(max_size), max_size, seed, &limits());
            assert!(size <= max_size);
            let trace = bytes::decode(&data[..size]);
            trace.check_invariants();
            longest = longest.max(trace.ops.len());
        }
        assert!(longest > 20, "traces must grow: {longest} ops");
    }

    #[test]
    fn a_seed_repeats_itself() {
        let mutated = |seed| {
            let mut data = [0; 256];
            let size = mutate(&mut data, 0, 256, seed, &limits());
            data[..size].to_vec()
        };
        assert_eq!(mutated(7), mutated(7));
        assert!((0..20).any(|seed| mutated(seed) != mutated(7)));
    }

    #[test]
    fn tiny_outputs_are_written_whole_or_not_at_all() {
        for max_size in 0..40 {
            let size = mutate(&mut [0; 40], 0, max_size, 3, &limits());
            assert!(size <= max_size);
            assert!(
                size < HEADER_BYTES || (size - HEADER_BYTES).is_multiple_of(OP_BYTES),
                "{size}"
            );
        }
    }

    #[test]
    fn crossing_over_takes_from_both() {
        let input = |size| {
            let mut trace = Trace::new(limits().geometries[0]);
            trace.ops = vec![
                Op::Alloc {
                    size,
                    align: None,
                    zeroed: false
                };
                8
            ];
            bytes::encode(&trace)
        };
        let mut both = 0;
        for seed in 0..50 {
            let mut out = [0; 600];
            let size = cross_over(&input(1), &input(2), &mut out, seed, &limits());
            let ops = bytes::decode(&out[..size]).ops;
            let has = |size| {
                ops.contains(&Op::Alloc {
                    size,
                    align: None,
                    zeroed: false,
                })
            };
            both += u32::from(has(1) && has(2));
        }
        assert!(both > 10);
    }
}
