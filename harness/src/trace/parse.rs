//! Reads the text form of traces, and says where and why a text is none.

mod words;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use crate::trace::OPS_MAX;
use crate::trace::geometry::{Geometry, Growth, PAGE_BYTES};
use crate::trace::op::{Align, Handle, Op};
use crate::trace::text::{self, Document, HEADER_KEYS, Item, Line, ParseError};
use words::Words;

impl Document {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The first place at which it is not a trace.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parser = LineParser::new(OPS_MAX);
        let mut lines = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            lines.extend(parser.line(line, number)?);
        }
        parser.end(text.lines().count() + 1)?;
        Ok(Self { lines })
    }
}

/// Reads a trace's text line by line, for whoever does not keep all of it.
#[derive(Clone, Debug)]
pub struct LineParser {
    first_seen: bool,
    heap_seen: bool,
    issued: u32,
    ops: usize,
    ops_max: usize,
}

impl LineParser {
    /// At the start of a trace of at most `ops_max` ops.
    #[must_use]
    pub const fn new(ops_max: usize) -> Self {
        Self {
            first_seen: false,
            heap_seen: false,
            issued: 0,
            ops: 0,
            ops_max,
        }
    }

    /// The next line, without its end; `None` for a trace's first line. `number` is what an error
    /// calls it.
    ///
    /// # Errors
    /// When the line cannot stand there.
    pub fn line(&mut self, line: &str, number: usize) -> Result<Option<Line>, ParseError> {
        if self.first_seen {
            return self.further_line(line, number).map(Some);
        }
        if line.trim_end() != text::FIRST_LINE {
            return Err(first_line(line));
        }
        self.first_seen = true;
        Ok(None)
    }

    /// Behind the last line. `number` is what an error calls the line that is missing.
    ///
    /// # Errors
    /// When the trace lacks its first line or its heap.
    pub fn end(&self, number: usize) -> Result<(), ParseError> {
        if !self.first_seen {
            return Err(first_line(""));
        }
        if !self.heap_seen {
            let end = Words::of("", number);
            return Err(end.error_at(0, "a heap line, such as `heap 64 pages`"));
        }
        Ok(())
    }

    fn further_line(&mut self, line: &str, number: usize) -> Result<Line, ParseError> {
        if let Some(at) = line.chars().position(|c| c.is_control() && c != '\t') {
            let words = Words::of(line, number);
            return Err(ParseError {
                column: at + 1,
                ..words.error_at(0, "printable text, without control characters")
            });
        }
        let first = line.split_whitespace().next().unwrap_or("");
        if HEADER_KEYS.contains(&first) {
            return self.header(first, line, number);
        }
        let (said, comment) = match line.split_once('#') {
            Some((said, comment)) => (said, Some(comment.trim().to_owned())),
            None => (line, None),
        };
        let mut words = Words::of(said, number);
        let item = if words.is_empty() {
            None
        } else {
            Some(self.item(&mut words)?)
        };
        words.end()?;
        Ok(Line { item, comment })
    }

    /// A header's text may hold any character, `#` included.
    fn header(&self, key: &str, line: &str, number: usize) -> Result<Line, ParseError> {
        if self.heap_seen {
            return Err(Words::of(line, number).error_at(0, "an op: headers stand before the heap"));
        }
        let indent = line.len() - line.trim_start().len();
        let value = line[indent + key.len()..].trim();
        if value.is_empty() {
            return Err(Words::of(line, number).error_at(1, &format!("a text behind `{key}`")));
        }
        let before = line.len() - line[indent + key.len()..].trim_start().len();
        let column = line[..before].chars().count() + 1;
        let (key, value) = (key.to_owned(), value.to_owned());
        Ok(Line::of(Item::Header { key, value, column }))
    }

    fn item(&mut self, words: &mut Words<'_>) -> Result<Item, ParseError> {
        if words.peek() == "heap" {
            if self.heap_seen {
                return Err(words.error("an op: a trace has one heap line"));
            }
            self.heap_seen = true;
            return heap(words).map(Item::Heap);
        }
        if !self.heap_seen {
            let keys = HEADER_KEYS.join("`, `");
            return Err(words.error(&format!(
                "`heap` or a header (`{keys}`) before the first op"
            )));
        }
        if self.ops == self.ops_max {
            let most = format!("at most {} ops in a trace", self.ops_max);
            return Err(words.error(&most));
        }
        self.ops += 1;
        self.op(words).map(Item::Op)
    }

    fn op(&mut self, words: &mut Words<'_>) -> Result<Op, ParseError> {
        match words.peek() {
            "realloc" => {
                words.skip();
                let handle = self.handle(words)?;
                Ok(Op::Realloc {
                    handle,
                    size: words.number("a size in bytes")?,
                })
            }
            "free" => {
                words.skip();
                self.free(words)
            }
            "table" => words.only(Op::Table),
            "capacity" => words.only(Op::Capacity),
            "write" => {
                words.skip();
                let handle = self.handle(words)?;
                words.keyword("+")?;
                let offset = words.number("an offset in bytes")?;
                let length = words.number_up_to("a length in bytes", u16::MAX.into())? as u16;
                Ok(Op::Write {
                    handle,
                    offset,
                    length,
                })
            }
            word if parse_handle(word).is_some() => self.alloc(words),
            _ => Err(words.error(&format!(
                "an op: `{} = alloc SIZE`, `realloc`, `free`, `table`, `capacity` or `write`",
                Handle(self.issued)
            ))),
        }
    }

    fn alloc(&mut self, words: &mut Words<'_>) -> Result<Op, ParseError> {
        let next = Handle(self.issued);
        if parse_handle(words.peek()) != Some(next) {
            return Err(words.error(&format!("`{next}`: blocks are numbered in order")));
        }
        words.skip();
        words.keyword("=")?;
        let zeroed = match words.peek() {
            "alloc" => false,
            "alloc_zeroed" => true,
            _ => return Err(words.error("`alloc` or `alloc_zeroed`")),
        };
        words.skip();
        let size = words.number("a size in bytes")?;
        let mut align = None;
        if words.peek() == "align" {
            words.skip();
            let at = words.at;
            let bytes = words.number("an alignment in bytes")?;
            let power = Align::from_bytes(bytes);
            align = Some(power.ok_or_else(|| words.error_at(at, "a power of two"))?);
        }
        self.issued += 1;
        Ok(Op::Alloc {
            size,
            align,
            zeroed,
        })
    }

    fn free(&mut self, words: &mut Words<'_>) -> Result<Op, ParseError> {
        match words.peek() {
            "all" => words.only(Op::FreeAll),
            "null" => words.only(Op::FreeNull),
            "heap" => {
                words.skip();
                words.keyword("+")?;
                Ok(Op::FreeWild {
                    offset: words.number("an offset from the heap's start")?,
                })
            }
            _ => {
                let handle = self.handle(words)?;
                if words.peek() != "+" {
                    return Ok(Op::Free { handle });
                }
                words.skip();
                let at = words.at;
                match words.number("an offset in bytes")? {
                    0 => Err(words.error_at(at, "an offset greater than 0")),
                    offset => Ok(Op::FreeInterior { handle, offset }),
                }
            }
        }
    }

    fn handle(&self, words: &mut Words<'_>) -> Result<Handle, ParseError> {
        match parse_handle(words.peek()) {
            Some(handle) if handle.0 < self.issued => {
                words.skip();
                Ok(handle)
            }
            _ if self.issued == 0 => Err(words.error("a block, but none was allocated before")),
            _ => Err(words.error(&format!("a block from a0 to {}", Handle(self.issued - 1)))),
        }
    }
}

fn first_line(found: &str) -> ParseError {
    let error = Words::of(found, 1).error_at(0, &format!("the first line `{}`", text::FIRST_LINE));
    let found = if found.starts_with('\u{feff}') {
        "a byte order mark before it: save the text as UTF-8 without one".to_owned()
    } else if let Some(version) = found.strip_prefix(text::FIRST_LINE_START) {
        let version = version.trim().escape_debug();
        format!("version `{version}`, which this kmem-rig does not know")
    } else {
        error.found
    };
    ParseError { found, ..error }
}

fn heap(words: &mut Words<'_>) -> Result<Geometry, ParseError> {
    words.skip();
    let at = words.at;
    let amount = words.number("the heap's size")?;
    let geometry = match words.peek() {
        "page" | "pages" => Geometry::from_pages(amount),
        "bytes" => Geometry::from_bytes(amount),
        _ => return Err(words.error("`pages` or `bytes`")),
    };
    words.skip();
    let geometry = geometry.ok_or_else(|| {
        let (min, max) = (Geometry::BYTES_MIN, Geometry::BYTES_MAX);
        words.error_at(
            at,
            &format!("a heap of {min} to {max} bytes, a multiple of 8"),
        )
    })?;
    match words.peek() {
        "grow" => grow(words, geometry),
        _ => Ok(geometry),
    }
}

/// `grow 16` or `grow 16 every 4 taken`, behind the pages that a heap has at first.
fn grow(words: &mut Words<'_>, geometry: Geometry) -> Result<Geometry, ParseError> {
    words.skip();
    let at = words.at;
    let pages = words.number("how many pages the heap may take")?;
    let mut taken_every = None;
    if words.peek() == "every" {
        words.skip();
        let at = words.at;
        let every = words.number("each which page is another owner's")?;
        if Growth::new(1, Some(every)).is_none() {
            return Err(words.error_at(at, "a number from 2 to 255"));
        }
        words.keyword("taken")?;
        taken_every = Some(every);
    }
    let growing = Growth::new(pages, taken_every).and_then(|growth| geometry.growing(growth));
    growing.ok_or_else(|| {
        let max = Geometry::BYTES_MAX / PAGE_BYTES;
        words.error_at(
            at,
            &format!("a heap of whole pages, with these at most {max}"),
        )
    })
}

fn parse_handle(word: &str) -> Option<Handle> {
    let digits = word.strip_prefix('a')?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok().map(Handle))?
}

#[cfg(test)]
mod tests;
