//! A recording as text, a line at a time.

use core::fmt::{self, Write};

use super::Sink;
use crate::trace::geometry::Geometry;
use crate::trace::line::{END_MARK, FIRST_LINE, MARK, write_op};
use crate::trace::op::Op;

/// Room for the longest line, which is a remark's.
const LINE_BYTES: usize = 128;

/// Writes a recording's text to `W`, each line in one call of `write_str`: what others write to the
/// same console then stands between lines, not in them.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    marked: bool,
    issued: u32,
}

impl<W: Write> Lines<W> {
    /// The bare text: for a place of its own, such as a file.
    pub const fn new(out: W) -> Self {
        Self {
            out,
            marked: false,
            issued: 0,
        }
    }

    /// Each line between marks, [`MARK`] and [`END_MARK`], so that the rig finds them among what
    /// others write to the same console.
    pub const fn marked(out: W) -> Self {
        Self {
            out,
            marked: true,
            issued: 0,
        }
    }

    /// Where the text goes.
    pub const fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Gives back where the text went.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, say: impl FnOnce(&mut Line) -> fmt::Result) -> fmt::Result {
        let mut line = Line::EMPTY;
        if self.marked {
            line.write_str(MARK)?;
        }
        say(&mut line)?;
        line.write_str(if self.marked { END_MARK } else { "" })?;
        line.write_char('\n')?;
        self.out.write_str(line.text()?)
    }
}

impl<W: Write> Sink for Lines<W> {
    fn begin(&mut self, heap: Geometry) -> fmt::Result {
        self.issued = 0;
        self.line(|line| line.write_str(FIRST_LINE))?;
        self.line(|line| write!(line, "heap {heap}"))
    }

    fn op(&mut self, op: &Op) -> fmt::Result {
        let mut issued = self.issued;
        self.line(|line| write_op(line, op, &mut issued))?;
        self.issued = issued;
        Ok(())
    }

    fn remark(&mut self, text: &'static str) -> fmt::Result {
        self.line(|line| write!(line, "# {text}"))
    }
}

/// A line in the making.
struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    const EMPTY: Self = Self {
        bytes: [0; LINE_BYTES],
        length: 0,
    };

    fn text(&self) -> Result<&str, fmt::Error> {
        core::str::from_utf8(&self.bytes[..self.length]).map_err(|_| fmt::Error)
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::remarks;
    use crate::trace::op::{Align, Handle};
    use std::string::String;

    #[test]
    fn the_longest_lines_fit() {
        let longest = Op::Alloc {
            size: u64::MAX,
            align: Align::from_exponent(63),
            zeroed: true,
        };
        let write = Op::Write {
            handle: Handle(u32::MAX),
            offset: u64::MAX,
            length: u16::MAX,
        };
        let mut lines = Lines::marked(String::new());
        lines.issued = u32::MAX - 1;
        lines.op(&longest).unwrap();
        lines.op(&write).unwrap();
        for remark in [
            remarks::STOPPED,
            remarks::BLOCKS_FULL,
            remarks::NUMBERS_USED_UP,
            remarks::UNKNOWN_FREE,
            remarks::UNKNOWN_REALLOC,
        ] {
            lines.remark(remark).unwrap();
        }
        let text = lines.into_inner();
        assert_eq!(text.lines().count(), 7);
        assert!(text.starts_with(
            "trace| a4294967294 = alloc_zeroed 18446744073709551615 align 9223372036854775808 |\n"
        ));
    }

    #[test]
    fn a_line_is_written_at_once() {
        struct Once(String, usize);
        impl Write for Once {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                assert!(
                    text.ends_with('\n') && text.lines().count() == 1,
                    "{text:?}"
                );
                self.0.push_str(text);
                self.1 += 1;
                Ok(())
            }
        }
        let mut lines = Lines::marked(Once(String::new(), 0));
        lines.begin(Geometry::published()).unwrap();
        lines.op(&Op::FreeNull).unwrap();
        lines.remark(remarks::STOPPED).unwrap();
        let Once(text, calls) = lines.into_inner();
        assert_eq!(
            text,
            "trace| # kmem-rig trace v1 |\ntrace| heap 64 pages |\ntrace| free null |\n\
             trace| # the recording was stopped |\n"
        );
        assert_eq!(calls, 4);
    }
}
