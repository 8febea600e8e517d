//! A printed table, read back: the chunks that it lists, and the same table with others in it.
//!
//! What a subject prints may be anything: what cannot be read is left out, and what is read is cut
//! at the heap's end.

use std::ops::Range;

use harness::declaration::TableForm;
use harness::subject::Chunk;
use harness::table::{lists_a_chunk, write_line};

/// The chunks of a table over a heap of `heap` bytes, in its order. Free runs of pages, which have
/// no line of their own, are those between allocations.
pub(crate) fn chunks(form: TableForm, text: &str, heap: u64) -> Vec<Chunk> {
    let lines = text.lines();
    let mut chunks: Vec<_> = match form {
        TableForm::Chunks => lines.filter_map(chunk).collect(),
        TableForm::Pages => lines.filter_map(allocation).collect(),
        TableForm::Nothing => Vec::new(),
    };
    for chunk in &mut chunks {
        chunk.offset = chunk.offset.min(heap);
        chunk.size = chunk.size.min(heap - chunk.offset);
    }
    chunks.retain(|chunk| chunk.size > 0);
    match form {
        TableForm::Pages => with_gaps(&chunks, &extent(text, heap)),
        _ => chunks,
    }
}

/// A table with the lines of other chunks in the place of its own.
pub(crate) fn with_chunks(
    form: TableForm,
    text: &str,
    others: impl Iterator<Item = Chunk>,
) -> String {
    let lines: Vec<_> = text.lines().collect();
    let is_chunk = |line: &&str| lists_a_chunk(form, line);
    let behind_rule = || lines.iter().position(|line| line.starts_with('~'));
    let at = lines
        .iter()
        .position(is_chunk)
        .or_else(|| behind_rule().map(|rule| rule + 1))
        .unwrap_or(0);
    let listed = |chunk: &Chunk| form != TableForm::Pages || chunk.taken;
    let mut table = String::new();
    let (before, behind) = lines.split_at(at);
    for line in before {
        table += line;
        table.push('\n');
    }
    for chunk in others.filter(listed) {
        // Writing to a string cannot fail.
        let _ = write_line(&mut table, form, chunk);
        table.push('\n');
    }
    for line in behind.iter().filter(|line| !is_chunk(line)) {
        table += line;
        table.push('\n');
    }
    table
}

/// `0x10: Length = 32         Taken = true`
fn chunk(line: &str) -> Option<Chunk> {
    let (offset, rest) = line.split_once(": Length = ")?;
    let (size, taken) = rest.split_once(" Taken = ")?;
    Some(Chunk {
        offset: hex(offset)?,
        size: size.trim_end().parse().ok()?,
        taken: taken.parse().ok()?,
    })
}

/// `0x1000 => 0x2fff:   2 page(s).`
fn allocation(line: &str) -> Option<Chunk> {
    let (first, rest) = line.split_once(" => ")?;
    let (last, _) = rest.split_once(':')?;
    let offset = hex(first)?;
    Some(Chunk {
        offset,
        size: hex(last)?.checked_add(1)?.checked_sub(offset)?,
        taken: true,
    })
}

/// What `PHYS: 0x1000 -> 0x40000` names; the whole heap where there is no such line.
fn extent(text: &str, heap: u64) -> Range<u64> {
    let named = text.lines().find_map(|line| {
        let (start, end) = line.strip_prefix("PHYS: ")?.split_once(" -> ")?;
        Some(hex(start)?..hex(end)?.min(heap))
    });
    named.unwrap_or(0..heap)
}

fn with_gaps(allocations: &[Chunk], extent: &Range<u64>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut end = extent.start;
    let free = |offset: u64, to: u64| {
        let size = to.saturating_sub(offset);
        (size > 0).then_some(Chunk {
            offset,
            size,
            taken: false,
        })
    };
    for &allocation in allocations {
        chunks.extend(free(end, allocation.offset));
        end = end.max(allocation.offset + allocation.size);
        chunks.push(allocation);
    }
    chunks.extend(free(end, extent.end));
    chunks
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: &str = "PAGE ALLOCATION TABLE\nMETA: 0x0 -> 0x4\nPHYS: 0x1000 -> 0x4000\n~~~\n\
                         0x2000 => 0x2fff:   1 page(s).\n~~~\nAllocated:      1 pages\n";

    const fn chunk(offset: u64, size: u64, taken: bool) -> Chunk {
        Chunk {
            offset,
            size,
            taken,
        }
    }

    #[test]
    fn chunks_are_read_as_they_are_printed() {
        let text =
            "0x0: Length = 16         Taken = true\n0x10: Length = 176        Taken = false\n";
        let read = chunks(TableForm::Chunks, text, 192);
        assert_eq!(read, [chunk(0, 16, true), chunk(16, 176, false)]);
        assert_eq!(
            with_chunks(TableForm::Chunks, "", read.into_iter()),
            text,
            "and printed as they are read"
        );
    }

    #[test]
    fn free_pages_are_those_between_allocations() {
        let read = chunks(TableForm::Pages, PAGES, 0x4000);
        let page = |number: u64, taken| chunk(number * 4096, 4096, taken);
        assert_eq!(read, [page(1, false), page(2, true), page(3, false)]);
        let same = with_chunks(TableForm::Pages, PAGES, read.into_iter());
        assert_eq!(same, PAGES);
        let moved = with_chunks(TableForm::Pages, PAGES, [page(1, true)].into_iter());
        assert!(
            moved.contains("~~~\n0x1000 => 0x1fff:   1 page(s).\n~~~\n"),
            "{moved}"
        );
        let none = with_chunks(TableForm::Pages, PAGES, std::iter::empty());
        let back = with_chunks(TableForm::Pages, &none, [page(2, true)].into_iter());
        assert_eq!(back, PAGES);
    }

    #[test]
    fn nonsense_has_no_chunks() {
        let text = "outside: Length = 8 Taken = true\n0xffffffffffffffff: Length = 18446744073709551615 \
                    Taken = true\n0x8: Length = many Taken = true\n0x8 => 0x7: 0 page(s).\n\u{1b}[2J";
        assert_eq!(chunks(TableForm::Chunks, text, 192), []);
        let whole = [chunk(0, 192, false)];
        assert_eq!(chunks(TableForm::Pages, text, 192), whole);
    }
}
