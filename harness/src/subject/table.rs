//! The subject's chunk list, twice: as its bookkeeping is walked, and as it prints it.
//!
//! The walk is folded into a [`WalkDigest`]; the printed text is rewritten from addresses to
//! offsets. Both are bounded, since a subject's bookkeeping may go round in circles. The heap
//! compares the two (`heap/tables.rs`).

pub(crate) mod line;

use core::fmt::{self, Write};
use core::ops::{ControlFlow, Range};

use crate::observation::WalkDigest;
use crate::subject::declaration::TableForm;
use crate::subject::{Chunk, Region};
use crate::trace::geometry::PAGE_BYTES;

use line::Line;

/// The most text one `print_table` may produce; the writer's error ends it there.
pub const TABLE_BYTES_MAX: usize = 64 << 10;

/// Marks a text that was cut at [`TABLE_BYTES_MAX`].
pub const CUT_MARK: &str = "... cut: the table is longer\n";

/// A hash of a chunk list, as the sum of its chunks' own. Host, guest and model compute the same,
/// so a difference in any chunk shows without sending the list; and who knows which chunks a call
/// changed need not go through the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHash(u64);

impl ChunkHash {
    /// The hash of no chunks.
    pub const EMPTY: Self = Self(0);

    /// With one more chunk.
    #[must_use]
    pub const fn with(self, chunk: Chunk) -> Self {
        Self(self.0.wrapping_add(Self::of(chunk)))
    }

    /// With one chunk less.
    #[must_use]
    pub const fn without(self, chunk: Chunk) -> Self {
        Self(self.0.wrapping_sub(Self::of(chunk)))
    }

    /// Two multiplications by odd numbers, with the upper half folded into the lower in between:
    /// any two chunks differ, and their sums as good as always.
    const fn of(chunk: Chunk) -> u64 {
        let place = chunk.offset.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = place.wrapping_add(chunk.size << 1 | chunk.taken as u64);
        (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    /// As a number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// What a walk shows its chunks to, until it breaks.
pub type Visit<'a> = &'a mut dyn FnMut(Chunk) -> ControlFlow<()>;

/// Digests a subject's walk, and shows each of its chunks to `visit`; `None` if it lists none. The
/// chunks of one that `grows` may leave out whole pages, which are not the heap's.
#[inline]
pub fn digest(
    walk: impl FnOnce(Visit<'_>) -> Option<Range<u64>>,
    mut visit: impl FnMut(Chunk),
    grows: bool,
) -> Option<WalkDigest> {
    let mut state = Walk {
        grows,
        hash: ChunkHash::EMPTY,
        count: 0,
        first: 0,
        last: 0,
        end: 0,
        free: false,
        unmerged_at: None,
        hole: None,
    };
    let bounds = walk(&mut |chunk| {
        visit(chunk);
        state.step(chunk)
    })?;
    Some(state.finish(bounds))
}

/// Folds chunks as they come; stops at the first one after which nothing can be trusted.
struct Walk {
    grows: bool,
    hash: ChunkHash,
    count: u32,
    /// Where the first chunk starts, the latest one starts, and the next one must.
    first: u64,
    last: u64,
    end: u64,
    /// Whether the latest chunk is free.
    free: bool,
    unmerged_at: Option<u64>,
    /// Where a chunk did not start at the end of the one before, or had no size.
    hole: Option<u64>,
}

impl Walk {
    #[inline]
    fn step(&mut self, chunk: Chunk) -> ControlFlow<()> {
        if self.count == 0 {
            self.first = chunk.offset;
        } else if self.end != chunk.offset {
            if self.leaves_out_pages(chunk) {
                self.free = false;
            } else {
                self.hole = Some(self.last);
                return ControlFlow::Break(());
            }
        }
        if self.free && !chunk.taken && self.unmerged_at.is_none() {
            self.unmerged_at = Some(self.last);
        }
        self.hash = self.hash.with(chunk);
        self.count += 1;
        (self.last, self.free) = (chunk.offset, !chunk.taken);
        let end = chunk.offset.checked_add(chunk.size);
        match end.filter(|&end| end > chunk.offset) {
            Some(end) => self.end = end,
            None => {
                self.hole = Some(chunk.offset);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn leaves_out_pages(&self, next: Chunk) -> bool {
        let is_border = |at: u64| at.is_multiple_of(PAGE_BYTES);
        self.grows && next.offset > self.end && is_border(next.offset) && is_border(self.end)
    }

    fn finish(self, bounds: Range<u64>) -> WalkDigest {
        let broken_at = self.hole.or(match self.count {
            0 => (bounds.start != bounds.end).then_some(bounds.start),
            _ if self.first != bounds.start => Some(self.first),
            _ => (self.end != bounds.end).then_some(self.last),
        });
        WalkDigest {
            broken_at,
            unmerged_at: self.unmerged_at,
            chunks: self.count,
            hash: self.hash.value(),
        }
    }
}

/// A text buffer that fails, rather than grows, when full.
pub struct Text {
    bytes: [u8; TABLE_BYTES_MAX],
    length: usize,
}

impl Text {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; TABLE_BYTES_MAX],
            length: 0,
        }
    }

    /// Starts afresh.
    pub const fn clear(&mut self) {
        self.length = 0;
    }

    fn push(&mut self, byte: u8) -> fmt::Result {
        *self.bytes.get_mut(self.length).ok_or(fmt::Error)? = byte;
        self.length += 1;
        Ok(())
    }

    /// What was written, up to the last whole character.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..self.length];
        match core::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Text {
    /// Byte by byte: in the guest, a call that copies a few bytes takes longer than they do.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|byte| self.push(byte))
    }

    /// A number is filled up with spaces by a call for each.
    fn write_char(&mut self, c: char) -> fmt::Result {
        match c.is_ascii() {
            true => self.push(c as u8),
            false => self.write_str(c.encode_utf8(&mut [0; 4])),
        }
    }
}

/// Rewrites every address in a printed table into its offset from the region's start. Addresses
/// up to one region's length behind its end keep a number (a table may name its end); others
/// become the word `outside`. Text that does not fit is cut, and says so.
pub fn rewrite_addresses(printed: &str, cut: bool, region: Region, out: &mut Text) {
    out.clear();
    let written = rewrite(printed, region, out);
    if cut || written.is_err() {
        let keep = out.as_str().len().min(TABLE_BYTES_MAX - CUT_MARK.len());
        let line_end = out.as_str().as_bytes()[..keep]
            .iter()
            .rposition(|&byte| byte == b'\n');
        out.length = line_end.map_or(0, |end| end + 1);
        // There is room: the text was just shortened by the mark's length.
        let _ = out.write_str(CUT_MARK);
    }
}

fn rewrite(printed: &str, region: Region, out: &mut Text) -> fmt::Result {
    let start = region.start.addr() as u64;
    let mut rest = printed;
    while let Some(at) = rest.find("0x") {
        let digits = &rest[at + 2..];
        let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.write_str(&rest[..at])?;
        match u64::from_str_radix(&digits[..length], 16)
            .ok()
            .and_then(|v| v.checked_sub(start))
        {
            Some(offset) if offset < 2 * region.bytes as u64 => write!(out, "{offset:#x}")?,
            _ => out.write_str("outside")?,
        }
        rest = &digits[length..];
    }
    out.write_str(rest)
}

/// Whether a line of a table is about a chunk.
#[must_use]
pub fn lists_a_chunk(form: TableForm, line: &str) -> bool {
    match form {
        TableForm::Chunks => true,
        TableForm::Pages => line.contains(" => "),
        TableForm::Nothing => false,
    }
}

/// Writes the line that the form prescribes for a chunk, with offsets for addresses and without its
/// end; nothing where the form has no lines.
///
/// # Errors
/// The writer's.
pub fn write_line(out: &mut dyn Write, form: TableForm, chunk: Chunk) -> fmt::Result {
    out.write_str(Line::of(form, chunk).as_str())
}
