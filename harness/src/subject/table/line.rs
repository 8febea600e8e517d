//! The line of a table that a form prescribes for a chunk.
//!
//! It is put together by hand: in the guest, what `core::fmt` calls for one takes longer than a
//! trace's other ops do.

use core::str;

use crate::subject::Chunk;
use crate::subject::declaration::TableForm;
use crate::trace::geometry::PAGE_BYTES;

/// More bytes than a line has: two addresses, a decimal number and some words.
const BYTES_MAX: usize = 96;

/// A short text.
pub(crate) struct Line {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl Line {
    /// A chunk's line with offsets for addresses and without its end; empty where the form has no
    /// lines.
    pub(crate) fn of(form: TableForm, chunk: Chunk) -> Self {
        let Chunk {
            offset,
            size,
            taken,
        } = chunk;
        let mut line = Self {
            bytes: [0; BYTES_MAX],
            length: 0,
        };
        match form {
            TableForm::Chunks => {
                line.hexadecimal(offset);
                line.text(": Length = ");
                let digits = line.decimal(size);
                line.spaces(10_usize.saturating_sub(digits));
                line.text(" Taken = ");
                line.text(if taken { "true" } else { "false" });
            }
            TableForm::Pages => {
                let (last, pages) = (offset.wrapping_add(size).wrapping_sub(1), size / PAGE_BYTES);
                line.hexadecimal(offset);
                line.text(" => ");
                line.hexadecimal(last);
                line.text(": ");
                line.spaces(3_usize.saturating_sub(count::<10>(pages)));
                line.decimal(pages);
                line.text(" page(s).");
            }
            TableForm::Nothing => {}
        }
        line
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("ASCII throughout")
    }

    /// As the text's bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn hexadecimal(&mut self, number: u64) {
        self.text("0x");
        self.digits::<16>(number);
    }

    /// Returns how many digits it has.
    fn decimal(&mut self, number: u64) -> usize {
        self.digits::<10>(number)
    }

    fn digits<const BASE: u64>(&mut self, number: u64) -> usize {
        let count = count::<BASE>(number);
        let mut rest = number;
        for place in self.bytes[self.length..][..count].iter_mut().rev() {
            *place = b"0123456789abcdef"[(rest % BASE) as usize];
            rest /= BASE;
        }
        self.length += count;
        count
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
    }

    fn spaces(&mut self, count: usize) {
        (0..count).for_each(|_| self.byte(b' '));
    }

    fn byte(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }
}

/// How many digits a number has.
const fn count<const BASE: u64>(number: u64) -> usize {
    match number.checked_ilog(BASE) {
        None => 1,
        Some(log) => log as usize + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_line_is_what_its_format_says() {
        let numbers = [0, 8, 9, 10, 4096, 999_999_999, 10_000_000_000, u64::MAX];
        for (offset, size) in numbers.iter().flat_map(|&a| numbers.map(|b| (a, b))) {
            for taken in [false, true] {
                let chunk = Chunk {
                    offset,
                    size,
                    taken,
                };
                assert_eq!(
                    Line::of(TableForm::Chunks, chunk).as_str(),
                    format!("{offset:#x}: Length = {size:<10} Taken = {taken}")
                );
                let (last, pages) = (offset.wrapping_add(size).wrapping_sub(1), size / PAGE_BYTES);
                assert_eq!(
                    Line::of(TableForm::Pages, chunk).as_str(),
                    format!("{offset:#x} => {last:#x}: {pages:>3} page(s).")
                );
                assert_eq!(Line::of(TableForm::Nothing, chunk).as_str(), "");
            }
        }
    }
}
