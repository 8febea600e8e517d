//! A heap as a row of signs: what is taken, by which handle, and what the latest op did to it.
//!
//! ```text
//! 0x0      0x10      0x20                                  0xc0
//! |a0######|a1@@@@@@@|....................................|
//! ```

mod scale;

use std::fmt::Write;
use std::ops::Range;

use console::Style;
use harness::op::Handle;
use harness::subject::Chunk;

pub(crate) use scale::Scale;

/// What the signs mean.
pub(crate) const LEGEND: &str =
    "| a chunk begins, # taken, @ by this op, . free, ~ freed by it, % several";

/// A heap after an op. Chunks lie one behind the other; where none lies, nothing is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) chunks: Vec<Chunk>,
    /// The blocks that clients hold, with their first bytes.
    pub(crate) live: Vec<(Handle, u64)>,
    /// The first byte of the block that the op placed.
    pub(crate) placed: Option<u64>,
    /// What the op freed.
    pub(crate) freed: Vec<Range<u64>>,
}

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Nothing,
    Taken,
    /// Taken by this op.
    Placed,
    Free,
    /// Freed by this op.
    Freed,
    /// More than one of these.
    Mixed,
}

impl Sign {
    const fn letter(self) -> char {
        match self {
            Self::Nothing => ' ',
            Self::Taken => '#',
            Self::Placed => '@',
            Self::Free => '.',
            Self::Freed => '~',
            Self::Mixed => '%',
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Nothing => Style::new(),
            Self::Taken => Style::new().black().on_cyan(),
            Self::Placed => Style::new().black().on_green(),
            Self::Free => Style::new().dim(),
            Self::Freed => Style::new().black().on_yellow(),
            Self::Mixed => Style::new().black().on_magenta(),
        }
    }
}

impl View {
    /// The places at which something begins or ends.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = u64> {
        let chunks = self.chunks.iter();
        let chunks = chunks.flat_map(|chunk| [chunk.offset, chunk.offset + chunk.size]);
        let freed = self.freed.iter().flat_map(|freed| [freed.start, freed.end]);
        chunks.chain(freed)
    }

    /// The row, whose scale has its cuts. In colour if the terminal has it.
    pub(crate) fn row(&self, scale: &Scale) -> String {
        let mut cells = vec![(Sign::Nothing, Sign::Nothing.letter()); scale.width()];
        for chunk in &self.chunks {
            let at = columns(scale, &(chunk.offset..chunk.offset + chunk.size));
            self.draw(chunk, &mut cells[at], scale.is_divided());
        }
        for freed in &self.freed {
            for cell in &mut cells[columns(scale, freed)] {
                if matches!(cell.0, Sign::Free | Sign::Nothing) {
                    let is_border = cell.1 == '|';
                    let letter = if is_border { '|' } else { Sign::Freed.letter() };
                    *cell = (Sign::Freed, letter);
                }
            }
        }
        let mut row = String::new();
        for stretch in cells.chunk_by(|a, b| a.0 == b.0) {
            let letters: String = stretch.iter().map(|(_, letter)| letter).collect();
            // Writing to a string cannot fail.
            let _ = write!(row, "{}", stretch[0].0.style().apply_to(letters));
        }
        row + "|"
    }

    fn draw(&self, chunk: &Chunk, cells: &mut [(Sign, char)], divided: bool) {
        let holds = |at: u64| at >= chunk.offset && at - chunk.offset < chunk.size;
        let sign = match (chunk.taken, self.placed) {
            (false, _) => Sign::Free,
            (true, Some(at)) if holds(at) => Sign::Placed,
            (true, _) => Sign::Taken,
        };
        for (shown, letter) in cells.iter_mut() {
            *shown = match *shown {
                Sign::Nothing => sign,
                same if same == sign => sign,
                _ => Sign::Mixed,
            };
            *letter = shown.letter();
        }
        if !divided {
            return;
        }
        cells[0].1 = '|';
        let block = self.live.iter().find(|(_, at)| holds(*at));
        if let Some((Handle(handle), _)) = block.filter(|_| chunk.taken) {
            let handle = format!("a{handle}");
            if handle.len() < cells.len() {
                for ((_, cell), letter) in cells[1..].iter_mut().zip(handle.chars()) {
                    *cell = letter;
                }
            }
        }
    }
}

/// The columns in which some of these bytes lie.
fn columns(scale: &Scale, bytes: &Range<u64>) -> Range<usize> {
    let (from, to) = (scale.column(bytes.start), scale.column(bytes.end));
    from..to.max(from + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn chunk(offset: u64, size: u64, taken: bool) -> Chunk {
        Chunk {
            offset,
            size,
            taken,
        }
    }

    fn row(view: &View, heap: u64, width: usize) -> String {
        view.row(&Scale::new(heap, &view.cuts().collect(), width))
    }

    #[test]
    fn blocks_have_their_handles_and_chunks_their_borders() {
        let freed = 16..32;
        let view = View {
            chunks: vec![
                chunk(0, 16, true),
                chunk(16, 16, false),
                chunk(32, 16, true),
                chunk(48, 16, false),
            ],
            live: vec![(Handle(0), 8), (Handle(12), 40)],
            placed: Some(40),
            freed: vec![freed],
        };
        assert_eq!(row(&view, 64, 32), "|a0#####|~~~~~~~|a12@@@@|.......|");
        assert_eq!(row(&view, 64, 16), "|a0#|~~~|a12|...|");
        // Of two columns a chunk, one is the border.
        assert_eq!(row(&view, 64, 8), "|#|~|@|.|");
        assert_eq!(row(&view, 64, 4), "#~@.|");
    }

    #[test]
    fn what_shares_a_column_is_mixed() {
        let chunks = (0..8)
            .map(|n| chunk(n * 8, 8, n % 2 == 0 || n > 4))
            .collect();
        let view = View {
            chunks,
            ..View::default()
        };
        assert_eq!(row(&view, 64, 4), "%%##|");
    }

    #[test]
    fn what_no_chunk_holds_is_blank() {
        let view = View {
            chunks: vec![chunk(16, 16, true)],
            ..View::default()
        };
        assert_eq!(row(&view, 64, 16), "    |###        |");
    }
}
