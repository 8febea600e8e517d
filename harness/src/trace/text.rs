//! The text form of traces: what people read, review and commit.
//!
//! ```text
//! # kmem-rig trace v1
//! title alignment is ignored
//! expect kmem-2019 diverge misaligned at 0
//! heap 64 pages
//! a0 = alloc 24 align 64
//! free a0                  # comments are kept
//! ```
//!
//! A heap line is `heap 64 pages`, `heap 192 bytes`, or of a heap that grows `heap 64 pages grow
//! 16`, which may take 16 pages more; with `every 4 taken` behind it, each fourth of those is
//! another owner's.
//!
//! A [`Document`] is the whole file, comments included, so that printing one back loses nothing;
//! its [`Trace`] is what is run. What a header line means is the reader's business: here it is a
//! key and a text.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::trace::Trace;
use crate::trace::geometry::Geometry;
use crate::trace::op::Op;

pub use crate::trace::line::{FIRST_LINE, FIRST_LINE_START, write_op};

/// The keys of header lines.
pub const HEADER_KEYS: [&str; 5] = ["title", "found", "date", "rules", "expect"];

/// A trace file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Every line behind the first. Exactly one is a heap, headers stand before it, ops behind it.
    pub lines: Vec<Line>,
}

/// A line of a file; blank if it holds neither part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What the line says.
    pub item: Option<Item>,
    /// The text behind `#`, trimmed.
    pub comment: Option<String>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `title …`, `expect …`: a key of [`HEADER_KEYS`] and the text behind it.
    Header {
        /// The key.
        key: String,
        /// The rest of the line, trimmed.
        value: String,
        /// Where the value starts: columns from 1.
        column: usize,
    },
    /// `heap 64 pages`.
    Heap(Geometry),
    /// An op.
    Op(Op),
}

/// Where a text is not a trace, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Lines count from 1.
    pub line: usize,
    /// Columns count from 1, in characters.
    pub column: usize,
    /// What could stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            expected,
            found,
        } = self;
        write!(f, "{line}:{column}: expected {expected}, found {found}")
    }
}

impl core::error::Error for ParseError {}

impl Document {
    /// A document of a bare trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let heap = Item::Heap(trace.geometry);
        let items = core::iter::once(heap).chain(trace.ops.iter().map(|&op| Item::Op(op)));
        Self {
            lines: items.map(Line::of).collect(),
        }
    }

    /// The heap and the ops, without headers and comments.
    #[must_use]
    pub fn trace(&self) -> Trace {
        let mut trace = Trace::new(Geometry::published());
        for item in self.lines.iter().filter_map(|line| line.item.as_ref()) {
            match item {
                Item::Heap(geometry) => trace.geometry = *geometry,
                Item::Op(op) => trace.ops.push(*op),
                Item::Header { .. } => {}
            }
        }
        trace
    }

    /// The header lines as (line number, column of the value, key, value).
    pub fn headers(&self) -> impl Iterator<Item = (usize, usize, &str, &str)> {
        self.lines
            .iter()
            .zip(2..)
            .filter_map(|(line, number)| match &line.item {
                Some(Item::Header { key, value, column }) => {
                    Some((number, *column, key.as_str(), value.as_str()))
                }
                _ => None,
            })
    }
}

impl Line {
    /// A line that says one thing.
    #[must_use]
    pub const fn of(item: Item) -> Self {
        Self {
            item: Some(item),
            comment: None,
        }
    }

    /// A header line.
    #[must_use]
    pub fn header(key: &str, value: &str) -> Self {
        Self::of(Item::Header {
            key: key.to_string(),
            value: value.to_string(),
            column: key.len() + 2,
        })
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        let mut issued = 0;
        for line in &self.lines {
            match &line.item {
                Some(Item::Header { key, value, .. }) => write!(f, "{key} {value}")?,
                Some(Item::Heap(geometry)) => write!(f, "heap {geometry}")?,
                Some(Item::Op(op)) => write_op(f, op, &mut issued)?,
                None => {}
            }
            match (&line.item, &line.comment) {
                (Some(_), Some(comment)) => writeln!(f, " # {comment}")?,
                (None, Some(comment)) if comment.is_empty() => writeln!(f, "#")?,
                (None, Some(comment)) => writeln!(f, "# {comment}")?,
                (_, None) => writeln!(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Trace {
    /// The canonical text, without headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "heap {}", self.geometry)?;
        let mut issued = 0;
        for op in &self.ops {
            write_op(f, op, &mut issued)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "# kmem-rig trace v1
title every form
# a remark

expect kmem agree
heap 192 bytes # small
a0 = alloc 24
a1 = alloc 40 align 64
a2 = alloc_zeroed 18446744073709551615
realloc a1 300
free a0
table
free all
capacity
free a0 # double
free a2 + 16
free heap + 0x1238
free null
write a2 + 100 8
";

    #[test]
    fn canonical_text_prints_as_it_was_read() {
        let document = Document::parse(FULL).unwrap();
        assert_eq!(document.to_string(), FULL);
        let trace = document.trace();
        trace.check_invariants();
        assert_eq!(Document::parse(&trace.to_string()).unwrap().trace(), trace);
        assert_eq!(Document::of(&trace).to_string(), trace.to_string());
        assert_eq!(
            document.headers().map(|h| h.2).collect::<Vec<_>>(),
            ["title", "expect"]
        );
    }

    #[test]
    fn a_heap_that_grows_prints_as_it_was_read() {
        for heap in ["64 pages grow 16", "1 pages grow 8 every 3 taken"] {
            let text = alloc::format!("{FIRST_LINE}\nheap {heap}\ntable\n");
            let document = Document::parse(&text).unwrap();
            assert_eq!(document.to_string(), text);
            assert!(!document.trace().geometry.growth().is_none());
        }
    }

    #[test]
    fn fmt_tidies_without_losing_a_comment() {
        let loose =
            "# kmem-rig trace v1\r\n  heap  64   pages\n\ta0  =  alloc   0x10   #   why\n#\n";
        let tidy = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 16 # why\n#\n";
        assert_eq!(Document::parse(loose).unwrap().to_string(), tidy);
    }
}
