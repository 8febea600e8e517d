//! One line of a trace, word by word, and what is wrong with it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::trace::op::Op;
use crate::trace::text::ParseError;

/// The words of one line, and where each starts.
pub(super) struct Words<'a> {
    pub(super) words: Vec<(usize, &'a str)>,
    pub(super) at: usize,
    pub(super) line: usize,
    pub(super) end: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str, line: usize) -> Self {
        let mut words = Vec::new();
        let mut rest = text;
        while let Some(word) = rest.split_whitespace().next() {
            let start = text.len() - rest.trim_start().len();
            words.push((text[..start].chars().count() + 1, word));
            rest = &text[start + word.len()..];
        }
        Self {
            words,
            at: 0,
            line,
            end: text.trim_end().chars().count() + 1,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(super) fn peek(&self) -> &'a str {
        self.words.get(self.at).map_or("", |&(_, word)| word)
    }

    pub(super) const fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn only(&mut self, op: Op) -> Result<Op, ParseError> {
        self.skip();
        Ok(op)
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> Result<(), ParseError> {
        if self.peek() != keyword {
            return Err(self.error(&format!("`{keyword}`")));
        }
        self.skip();
        Ok(())
    }

    pub(super) fn number(&mut self, what: &str) -> Result<u64, ParseError> {
        self.number_up_to(what, u64::MAX)
    }

    pub(super) fn number_up_to(&mut self, what: &str, max: u64) -> Result<u64, ParseError> {
        let word = self.peek();
        let number = match word.strip_prefix("0x") {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u64::from_str_radix(digits, 16)
            }
            _ if word.bytes().all(|b| b.is_ascii_digit()) => word.parse(),
            _ => return Err(self.error(what)),
        };
        match number {
            Ok(number) if number <= max => {
                self.skip();
                Ok(number)
            }
            _ if word.is_empty() => Err(self.error(what)),
            _ => Err(self.error(&format!("{what} of at most {max}"))),
        }
    }

    pub(super) fn end(&self) -> Result<(), ParseError> {
        if self.at < self.words.len() {
            Err(self.error("the end of the line"))
        } else {
            Ok(())
        }
    }

    pub(super) fn error(&self, expected: &str) -> ParseError {
        self.error_at(self.at, expected)
    }

    pub(super) fn error_at(&self, at: usize, expected: &str) -> ParseError {
        let (column, found): (usize, String) = match self.words.get(at) {
            Some(&(column, word)) => (column, format!("`{}`", word.escape_debug())),
            None => (self.end, "the end of the line".to_string()),
        };
        ParseError {
            line: self.line,
            column,
            expected: expected.to_owned(),
            found,
        }
    }
}
