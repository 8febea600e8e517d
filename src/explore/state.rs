//! What a state is: everything that a later call can depend on, as one number.
//!
//! For a subject whose table is its state ([`harness::subject::Subject::TABLE_IS_STATE`]) that is
//! - the size and the taken bit of each chunk, in order;
//! - of each taken chunk's block the alignment, which a `realloc` that moves it keeps.
//!
//! What does *not* matter, and why, for `kmem`:
//! - the bytes of free chunks behind their headers, and of payloads: no call reads them but to copy
//!   a client's block. That the copy is right is checked at every try;
//! - which handle names a block: it is passed to no call;
//! - how much of a chunk was asked for, and how much was absorbed. Only `realloc` is told it, and
//!   copies that much at most. The largest size is tried first (see [`super::menu`]), so a block
//!   counts as asked for to its chunk's last byte: wherever a smaller size absorbs the rest of a
//!   chunk, the size that needs all of it goes into the same chunk.
//!
//! - the side memory: what calls rely on in it follows from the chunks, which is asked in each
//!   state ([`harness::subject::Subject::audit`]). A state in which it does not is not expanded.
//!
//! A subject without a policy is judged by what its blocks *may* have absorbed, so that there the
//! amount is part of the state.
//!
//! ```text
//! units of 8 bytes   | header payload payload | free free | header payload |
//! digits               taken  0       0         1    0      taken  0
//! ```
//! The digits, of as many bits as the alignments need, are the number.

use anyhow::{Result, ensure};
use harness::declaration::{Declaration, Overhead};
use harness::geometry::Geometry;
use harness::subject::Chunk;

use crate::oracle::model::contract::Block;

/// A state. Two states of one search are equal iff they are the same number.
pub type State = u128;

const CONTINUED: u8 = 0;
const FREE: u8 = 1;
/// Taken, and no live block's.
const OWNERLESS: u8 = 2;
/// From here on: a live block's, told by its alignment and, where it counts, by what was absorbed.
const OWNED: u8 = 3;
/// The most digits of a number: of 2 bits, the least that four of them need.
const UNITS_MAX: usize = State::BITS as usize / 2;
const _: () = assert!(CONTINUED == 0, "continued units are shifted in");

/// How states are told in one search.
#[derive(Clone, Debug)]
pub struct Form {
    overhead: Overhead,
    aligns: Vec<u64>,
    /// How many absorbed amounts are told apart: 1 where they do not matter.
    amounts: u64,
    digit_bits: u32,
    /// log2 of a unit's bytes: divisions would take most of the time.
    unit_bits: u32,
}

impl Form {
    /// For a heap of this geometry whose blocks have these alignments, in bytes.
    ///
    /// # Errors
    /// When a state of such a heap is no number.
    pub fn new(
        declaration: &Declaration,
        overhead: Overhead,
        geometry: Geometry,
        aligns: &[u64],
    ) -> Result<Self> {
        let amounts = match declaration.policy {
            Some(_) => 1,
            None => overhead.absorb_max / overhead.granularity + 1,
        };
        let unit = overhead.granularity;
        ensure!(
            unit.is_power_of_two(),
            "chunks are multiples of {unit} bytes, no power of two"
        );
        let digits = u64::from(OWNED) + amounts * aligns.len() as u64;
        let digit_bits = digits.next_power_of_two().ilog2();
        let units_max = u64::from(State::BITS / digit_bits);
        ensure!(
            geometry.bytes() / unit <= units_max,
            "a heap of {geometry} has too many states to tell apart: with these alignments, explore \
             heaps of at most {} bytes",
            units_max * unit,
        );
        Ok(Self {
            overhead,
            aligns: aligns.to_vec(),
            amounts,
            digit_bits,
            unit_bits: unit.ilog2(),
        })
    }

    /// The state of a heap with these chunks, in address order, and live blocks; `None` if they do
    /// not fit together, which some rule forbids.
    #[must_use]
    pub fn state(&self, chunks: &[Chunk], live: &[Block]) -> Option<State> {
        let unit = self.overhead.granularity;
        let units_of = |bytes: u64| bytes >> self.unit_bits;
        let start = chunks.first()?.offset;
        let mut owners = [OWNERLESS; UNITS_MAX];
        for block in live {
            let header = block.offset.checked_sub(self.overhead.header)?;
            let owner = owners.get_mut(units_of(header.checked_sub(start)?) as usize)?;
            *owner = OWNED + self.aligns.iter().position(|&align| align == block.align)? as u8;
        }
        let mut state: State = 0;
        let mut owned = 0;
        for chunk in chunks {
            let at = units_of(chunk.offset - start) as usize;
            let units = units_of(chunk.size) as u32;
            if units == 0 || chunk.size & (unit - 1) != 0 || at + units as usize > UNITS_MAX {
                return None;
            }
            let digit = match (chunk.taken, owners[at]) {
                (false, _) => FREE,
                (true, OWNERLESS) => OWNERLESS,
                (true, owner) => {
                    owned += 1;
                    self.with_absorbed(owner, chunk, live)?
                }
            };
            state =
                (state << self.digit_bits | State::from(digit)) << (self.digit_bits * (units - 1));
        }
        (owned == live.len()).then_some(state)
    }

    /// The digit of an owned chunk, told by what it absorbed where that counts.
    fn with_absorbed(&self, owner: u8, chunk: &Chunk, live: &[Block]) -> Option<u8> {
        if self.amounts == 1 {
            return Some(owner);
        }
        let Overhead {
            header,
            granularity,
            ..
        } = self.overhead;
        let block = live
            .iter()
            .find(|block| block.offset == chunk.offset + header)?;
        let asked = block.size.checked_next_multiple_of(granularity)?;
        let absorbed = chunk.size.checked_sub(header)?.checked_sub(asked)? / granularity;
        let amount = u8::try_from(absorbed)
            .ok()
            .filter(|&amount| u64::from(amount) < self.amounts);
        Some(OWNED + (owner - OWNED) * self.amounts as u8 + amount?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::op::Handle;

    fn form(name: &str, aligns: &[u64]) -> Form {
        let declaration = &subjects::by_name(name).unwrap().declaration;
        let geometry = Geometry::from_bytes(64).unwrap();
        Form::new(declaration, declaration.overhead.unwrap(), geometry, aligns).unwrap()
    }

    fn chunks(sizes: &[(u64, bool)]) -> Vec<Chunk> {
        let mut offset = 0;
        let placed = sizes.iter().map(|&(size, taken)| {
            offset += size;
            Chunk {
                offset: offset - size,
                size,
                taken,
            }
        });
        placed.collect()
    }

    fn block(handle: u32, offset: u64, size: u64, align: u64) -> Block {
        Block {
            handle: Handle(handle),
            offset,
            size,
            align,
        }
    }

    #[test]
    fn sizes_taken_bits_and_alignments_tell_states_apart() {
        let form = form("kmem", &[8, 16]);
        let list = chunks(&[(24, true), (16, true), (24, false)]);
        let [first, second] = [block(0, 8, 16, 8), block(1, 32, 8, 8)];
        let state = |chunks: &[Chunk], live: &[Block]| form.state(chunks, live);
        let here = state(&list, &[first, second]).unwrap();
        assert_eq!(state(&list, &[second, first]), Some(here), "handles do not");
        assert_eq!(
            state(&list, &[Block { size: 9, ..first }, second]),
            Some(here),
            "sizes do not"
        );
        let others = [
            state(
                &list,
                &[
                    first,
                    Block {
                        align: 16,
                        ..second
                    },
                ],
            ),
            state(&list, &[Block { align: 16, ..first }, second]),
            state(
                &chunks(&[(16, true), (24, true), (24, false)]),
                &[first, block(1, 24, 8, 8)],
            ),
            state(
                &chunks(&[(24, true), (16, true), (16, false), (8, false)]),
                &[first, second],
            ),
        ];
        for (index, other) in others.iter().enumerate() {
            assert!(other.is_some() && *other != Some(here), "{index}");
            assert!(!others[..index].contains(other), "{index}");
        }
    }

    #[test]
    fn what_was_absorbed_tells_states_of_a_subject_without_a_policy_apart() {
        let list = chunks(&[(32, true), (32, false)]);
        let of = |name, size| form(name, &[8]).state(&list, &[block(0, 8, size, 8)]);
        assert_eq!(of("kmem", 16), of("kmem", 24));
        assert_ne!(of("kmem-2019", 16), of("kmem-2019", 24));
        assert_eq!(of("kmem-2019", 17), of("kmem-2019", 24));
        assert_eq!(of("kmem-2019", 8), None, "it never absorbs 16");
    }

    #[test]
    fn blocks_and_chunks_that_do_not_fit_together_are_no_state() {
        let form = form("kmem", &[8]);
        let list = chunks(&[(16, false), (48, true)]);
        assert!(form.state(&list, &[]).is_some(), "a chunk may be nobody's");
        assert_eq!(form.state(&list, &[block(0, 8, 8, 8)]), None);
        assert_eq!(form.state(&list, &[block(0, 32, 8, 8)]), None);
        assert_eq!(form.state(&list, &[block(0, 24, 8, 32)]), None);
        assert_eq!(form.state(&chunks(&[(12, false)]), &[]), None);
        assert_eq!(form.state(&[], &[]), None);
    }

    #[test]
    fn a_heap_whose_states_are_no_numbers_is_refused() {
        let declaration = &subjects::by_name("kmem").unwrap().declaration;
        let heap = Geometry::from_bytes(1024).unwrap();
        let error = Form::new(declaration, declaration.overhead.unwrap(), heap, &[8]).unwrap_err();
        assert!(error.to_string().contains("at most 512 bytes"), "{error}");
    }
}
