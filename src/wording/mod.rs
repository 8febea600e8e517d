//! Words for what the rig finds: what a rule asks for and what there was instead, a line each.
//! Text, JSON, pages and tests all take them from here; nobody reads them to learn what happened.
//!
//! Offsets are given in the unit of the subject's own table: `0x40`, or `page 3`.

pub mod counted;
mod fault;
pub mod printable;

use std::fmt;

use harness::observation::Outcome;
use harness::op::{Align, Handle};
use serde::Serialize;

use crate::oracle::violation::{
    self, ChangedByte, Chunks, Damage, Leak, Memory, Seen, TableBreak, Violation,
};
use crate::run::RunEnd;
pub(crate) use fault::Signal;
pub use fault::{end, fault, panic};

/// A violation in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// What the rule asks for.
    pub expected: String,
    /// What there was instead.
    pub observed: String,
}

/// Both on one line.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, observed {}", self.expected, self.observed)
    }
}

impl Words {
    /// The words for a violation by a subject with this unit, in bytes.
    #[must_use]
    pub fn of(violation: &Violation, unit: u64) -> Self {
        let (expected, observed) = match violation {
            Violation::ImpossibleSuccess { block, heap_bytes } => (
                format!("null, since the whole heap has {heap_bytes} bytes"),
                placed(unit, block),
            ),
            Violation::OutOfBounds {
                block,
                heap_bytes,
                other_owners,
            } => {
                let others = match other_owners {
                    true => ", outside other owners' pages",
                    false => "",
                };
                let expected = format!("a block inside the heap's {heap_bytes} bytes{others}");
                (expected, placed(unit, block))
            }
            Violation::Overlap { block, other } => (
                "bytes that no live block holds".to_owned(),
                format!("{} over {}", placed(unit, block), placed(unit, other)),
            ),
            Violation::Misaligned { block: at, align } => (
                format!("an offset that is a multiple of {align}"),
                block(unit, at.handle, at.offset),
            ),
            Violation::Corrupted {
                handle,
                offset: at,
                byte,
            } => {
                let at = at.map(|at| format!(" at {}", offset(unit, at.cast_signed())));
                let at = at.unwrap_or_default();
                let expected = format!("{handle}{at} as its client left it");
                (expected, changed(*handle, *byte))
            }
            Violation::NotZeroed { handle, size, byte } => (
                format!("{} of 0", bytes(*size)),
                format!("byte {byte} of {handle} is not 0"),
            ),
            Violation::ReallocLostContents {
                handle,
                carried,
                byte,
            } => (
                match carried {
                    1 => format!("the first byte of {handle} carried over"),
                    _ => format!("the first {carried} bytes of {handle} carried over"),
                },
                format!("byte {byte} differs"),
            ),
            Violation::SpuriousOom {
                size,
                align,
                fits_at,
            } => (owed(unit, *size, *align, *fits_at), "null".to_owned()),
            Violation::Leak(leak) => of_leak(unit, leak),
            Violation::BrokenTable(at) => of_table_break(unit, at),
            Violation::Unmerged { offset: at } => (
                "no free chunk behind a free one".to_owned(),
                format!(
                    "one behind the free chunk at {}",
                    offset(unit, at.cast_signed())
                ),
            ),
            Violation::Placement {
                handle,
                expected,
                observed,
            } => {
                let at = |at: Option<i64>| match at {
                    Some(at) => block(unit, *handle, at),
                    None => "null".to_owned(),
                };
                (at(*expected), at(*observed))
            }
            Violation::Table { expected, observed } => (
                chunks(unit, expected),
                match observed {
                    1 => "1 chunk, another".to_owned(),
                    count => format!("{count} chunks, not these"),
                },
            ),
            Violation::MisuseAccepted => (
                "a refusal, since no live block starts there".to_owned(),
                "done".to_owned(),
            ),
            Violation::MisuseDamage(damage) => of_damage(damage),
            Violation::Panic(what) => ("no panic".to_owned(), panic(what)),
            Violation::Fault(what) => fault::of(unit, what),
            Violation::Hang => ("an answer".to_owned(), "none in time".to_owned()),
            Violation::HostGuest { host, guest } => (
                format!("as on the host: {}", seen(host)),
                format!("in the guest: {}", seen(guest)),
            ),
        };
        Self { expected, observed }
    }
}

fn owed(unit: u64, size: u64, align: u64, fits_at: Option<u64>) -> String {
    let (fit, size) = (if size == 1 { "fits" } else { "fit" }, bytes(size));
    let aligned = match align == Align::DEFAULT.bytes() {
        true => String::new(),
        false => format!(" aligned to {align}"),
    };
    match fits_at.map(|at| offset(unit, at.cast_signed())) {
        Some(at) => format!("a block, since {size}{aligned} {fit} at {at}"),
        None => format!("a block, since the empty heap granted {size}{aligned} before"),
    }
}

fn of_leak(unit: u64, leak: &Leak) -> (String, String) {
    match leak {
        Leak::Capacity {
            granted,
            fresh,
            falls,
        } => {
            let expected = match falls {
                Some(falls) => format!(
                    "a capacity that does not fall {falls} times in a row, from {fresh} bytes"
                ),
                None => format!("{fresh} bytes, as the fresh heap granted"),
            };
            (expected, format!("{granted} bytes at most"))
        }
        Leak::Refused(Some(kept)) => (
            format!("{} taken back", block(unit, kept.handle, kept.offset)),
            "refused".to_owned(),
        ),
        Leak::Refused(None) => (
            "every live block taken back".to_owned(),
            "a refusal".to_owned(),
        ),
    }
}

fn of_table_break(unit: u64, at: &TableBreak) -> (String, String) {
    match at {
        TableBreak::Walk { offset: at, chunks } => (
            "chunks that end exactly where the next begins, up to the tail".to_owned(),
            format!(
                "the chunk at {} does not ({chunks} walked)",
                offset(unit, at.cast_signed())
            ),
        ),
        TableBreak::Line(line) => (
            "a printed line for each chunk walked".to_owned(),
            other_line(*line),
        ),
    }
}

/// A line as people count them.
fn other_line(index: u32) -> String {
    format!("line {} of the table is another", u64::from(index) + 1)
}

fn of_damage(damage: &Damage) -> (String, String) {
    let untouched = || "no effect on any chunk or live block".to_owned();
    match damage {
        Damage::Refused => (
            "done, since freeing null is legal".to_owned(),
            "a refusal".to_owned(),
        ),
        Damage::Chunks { before, after } => (
            untouched(),
            format!("another chunk list ({before} chunks before, {after} after)"),
        ),
        Damage::Contents(ChangedByte { handle, byte }) => (untouched(), changed(*handle, *byte)),
    }
}

/// How a run ended, without the message.
#[must_use]
pub const fn ended(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Completed => "the end of the trace",
        RunEnd::Lost => "the heap lost",
        RunEnd::Panicked(_) => "panic",
        RunEnd::Faulted(_) => "fault",
        RunEnd::Hung => "hang",
    }
}

/// An outcome in words.
#[must_use]
pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Placed(offset @ ..0) => {
            format!("a block {:#x} before the heap", offset.unsigned_abs())
        }
        Outcome::Placed(offset) => format!("a block at {offset:#x}"),
        Outcome::Null => "null".to_owned(),
        Outcome::Done => "done".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Capacity(bytes) => format!("{bytes} bytes granted"),
        Outcome::NotExpressible => "not expressible".to_owned(),
        Outcome::NoBlock => "no block".to_owned(),
    }
}

fn seen(seen: &Seen) -> String {
    match seen {
        Seen::Outcome(answer) => outcome(*answer),
        Seen::End(end) => ended(end).to_owned(),
        Seen::Memory(found) => match memory(*found) {
            amiss if amiss.is_empty() => "memory as it should be".to_owned(),
            amiss => amiss.join("; "),
        },
        Seen::Walk(walk) => {
            let broken = walk.broken_at.map(|at| format!(", broken at {at:#x}"));
            let broken = broken.unwrap_or_default();
            format!("{} chunks, hash {:#x}{broken}", walk.chunks, walk.hash)
        }
        Seen::NoWalk => "no chunk walk".to_owned(),
        Seen::TableLine(Some(line)) => other_line(*line),
        Seen::TableLine(None) => "a printed line for each chunk walked".to_owned(),
    }
}

/// What the checks of memory found, a text for each; none if all was well.
#[must_use]
pub fn memory(found: Memory) -> Vec<String> {
    let corrupted = found.corrupted.map(|at| changed(at.handle, at.byte));
    let not_zeroed = found
        .not_zeroed
        .map(|byte| format!("byte {byte} not zeroed"));
    let lost = found.realloc_lost;
    let lost = lost.map(|byte| format!("byte {byte} not carried over"));
    let stray = found.stray_store;
    let stray = stray.map(|offset| format!("stored to heap+{offset:#x}"));
    let all = [corrupted, not_zeroed, lost, stray];
    all.into_iter().flatten().collect()
}

fn changed(handle: Handle, byte: u64) -> String {
    format!("byte {byte} of {handle} changed")
}

/// A chunk list in a line: `2 chunks: 0x0 32 taken, 0x20 160 free`; in units of more than a byte,
/// `2 chunks: page 1 3 taken, page 4 60 free`. Of a long list, the start.
#[must_use]
pub fn chunks(unit: u64, chunks: &Chunks) -> String {
    let chunk = |chunk: &violation::Chunk| {
        let at = offset(unit, chunk.offset.cast_signed());
        let state = if chunk.taken { "taken" } else { "free" };
        format!("{at} {} {state}", chunk.size / unit)
    };
    let mut listed: Vec<_> = chunks.first.iter().map(chunk).collect();
    if chunks.count > listed.len() {
        listed.push("...".to_owned());
    }
    let count = match chunks.count {
        1 => "1 chunk".to_owned(),
        count => format!("{count} chunks"),
    };
    match listed.is_empty() {
        true => count,
        false => format!("{count}: {}", listed.join(", ")),
    }
}

/// An offset: `0x40`, or `page 3` where the unit is more than a byte (`page 3 + 0x10` inside one).
#[must_use]
pub fn offset(unit: u64, bytes: i64) -> String {
    if unit == 1 {
        let sign = if bytes < 0 { "-" } else { "" };
        return format!("{sign}{:#x}", bytes.unsigned_abs());
    }
    let unit = unit.cast_signed();
    let rest = match bytes.rem_euclid(unit) {
        0 => String::new(),
        rest => format!(" + {rest:#x}"),
    };
    format!("page {}{rest}", bytes.div_euclid(unit))
}

/// A block: `a1 at 0x40`.
fn block(unit: u64, handle: Handle, at: i64) -> String {
    format!("{handle} at {}", offset(unit, at))
}

/// A block with its size: `a1 at 0x40, 24 bytes`.
#[must_use]
pub fn sized_block(unit: u64, handle: Handle, at: i64, size: u64) -> String {
    format!("{}, {}", block(unit, handle, at), bytes(size))
}

fn placed(unit: u64, block: &violation::Block) -> String {
    sized_block(unit, block.handle, block.offset, block.size)
}

fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        _ => format!("{count} bytes"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hex_bytes_or_pages() {
        assert_eq!(offset(1, 64), "0x40");
        assert_eq!(offset(1, -8), "-0x8");
        assert_eq!(offset(4096, 3 * 4096), "page 3");
        assert_eq!(offset(4096, 3 * 4096 + 16), "page 3 + 0x10");
        assert_eq!(offset(4096, -16), "page -1 + 0xff0");
        assert_eq!(sized_block(1, Handle(2), 8, 24), "a2 at 0x8, 24 bytes");
    }
}
