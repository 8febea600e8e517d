//! The subject's printed table, held against its walk.

use core::ops::ControlFlow;

use super::{Heap, Whole, Workspace};
use crate::subject::declaration::TableForm;
use crate::subject::entry::AnySubject;
use crate::subject::table::line::Line;
use crate::subject::table::{CUT_MARK, lists_a_chunk, rewrite_addresses};
use crate::subject::{Chunk, Region};

impl Heap<'_> {
    /// The subject's printed table in offsets, and the first line that contradicts the walk.
    pub fn print_table(&mut self) -> (&str, Option<u32>) {
        let cut = self.print();
        self.rewritten(cut)
    }

    /// The same verdict for whom the text says nothing. Most tables are right as they are printed,
    /// so that only one that seems wrong is rewritten, which takes the guest as long as several
    /// ops.
    pub fn check_table(&mut self) -> Option<u32> {
        let cut = self.print();
        let (form, printed) = (self.declaration.table, self.workspace.printed.as_str());
        let is_right = || line_wrong(self.subject, form, printed, Some(self.region)).is_none();
        match !cut && is_right() {
            true => None,
            false => self.rewritten(cut).1,
        }
    }

    fn rewritten(&mut self, cut: bool) -> (&str, Option<u32>) {
        let Workspace {
            printed, rewritten, ..
        } = &mut *self.workspace;
        rewrite_addresses(printed.as_str(), cut, self.region, rewritten);
        let (form, text) = (self.declaration.table, rewritten.as_str());
        (text, line_wrong(self.subject, form, text, None))
    }

    /// Has the subject print its table; whether it is longer than may be.
    fn print(&mut self) -> bool {
        self.whole = Whole::Unknown;
        let printed = &mut self.workspace.printed;
        printed.clear();
        self.subject.print_table(printed).is_err()
    }
}

/// The first line of a table that contradicts the walk, counted from 0; a chunk that is missing
/// from the text contradicts at the line behind the last. The text holds the addresses of a region,
/// or is rewritten.
fn line_wrong(
    subject: &dyn AnySubject,
    form: TableForm,
    text: &str,
    region: Option<Region>,
) -> Option<u32> {
    if text.ends_with(CUT_MARK) {
        return None;
    }
    let mut lines = text
        .lines()
        .zip(0_u32..)
        .filter(|(line, _)| lists_a_chunk(form, line));
    let mut wrong = None;
    let listed = subject.walk(&mut |chunk| {
        if form == TableForm::Pages && !chunk.taken {
            return ControlFlow::Continue(());
        }
        let shown = match region {
            Some(region) => by_address(region, chunk),
            None => Some(chunk),
        };
        match lines.next() {
            Some((line, _)) if shown.is_some_and(|shown| matches(form, line, shown)) => {
                ControlFlow::Continue(())
            }
            found => {
                wrong = Some(found.map_or(text.lines().count() as u32, |(_, index)| index));
                ControlFlow::Break(())
            }
        }
    });
    listed?;
    wrong.or_else(|| lines.next().map(|(_, index)| index))
}

/// A chunk with its address for its offset, if it lies in the region: what lies elsewhere is
/// rewritten to a word.
fn by_address(region: Region, chunk: Chunk) -> Option<Chunk> {
    let end = chunk.offset.checked_add(chunk.size)?;
    let offset = region.start.addr() as u64 + chunk.offset;
    (chunk.size > 0 && end <= region.bytes as u64).then_some(Chunk { offset, ..chunk })
}

/// Whether a line is exactly what the form prescribes for a chunk.
fn matches(form: TableForm, line: &str, chunk: Chunk) -> bool {
    equal(Line::of(form, chunk).as_bytes(), line.as_bytes())
}

/// Whether they are, with eight bytes compared between two branches: in the guest, branches are
/// what takes time.
fn equal(one: &[u8], other: &[u8]) -> bool {
    fn differences<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> u8 {
        pairs.fold(0, |all, (one, other)| all | one ^ other)
    }
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut chunks = ones.iter().zip(others);
    one.len() == other.len()
        && chunks.all(|(one, other)| differences(one.iter().zip(other)) == 0)
        && differences(one_rest.iter().zip(other_rest)) == 0
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::fmt;
    use core::marker::PhantomData;
    use core::ops::{ControlFlow, Range};

    use crate::run::heap::{Strength, testing};
    use crate::subject::declaration::{Declaration, TableForm};
    use crate::subject::{Chunk, Freed, Region, Subject};

    /// What a subject lists, and what it prints of it.
    trait Listing {
        const FORM: TableForm;
        const CHUNKS: &[Chunk];

        fn print(start: usize, out: &mut dyn fmt::Write) -> fmt::Result;
    }

    struct Lister<L>(Region, PhantomData<L>);

    impl<L: Listing> Subject for Lister<L> {
        const DECLARATION: Declaration = Declaration::new("lister").table(L::FORM);

        unsafe fn new(region: Region) -> Self {
            Self(region, PhantomData)
        }

        unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
            Freed::Refused
        }

        fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
            let _ = L::CHUNKS.iter().try_for_each(|&chunk| visit(chunk));
            Some(0..4096)
        }

        fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
            L::print(self.0.start.addr(), out)
        }
    }

    const fn chunk(offset: u64, size: u64, taken: bool) -> Chunk {
        Chunk {
            offset,
            size,
            taken,
        }
    }

    /// Two chunks, with so many characters an address, the second of which is told as much too
    /// long.
    struct Two<const WIDTH: usize, const WRONG: u64>;

    impl<const WIDTH: usize, const WRONG: u64> Listing for Two<WIDTH, WRONG> {
        const FORM: TableForm = TableForm::Chunks;
        const CHUNKS: &[Chunk] = &[chunk(0, 64, true), chunk(64, 4032, false)];

        fn print(start: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            writeln!(out, "{start:#0WIDTH$x}: Length = 64         Taken = true")?;
            let (second, size) = (start + 64, 4032 + WRONG);
            writeln!(out, "{second:#0WIDTH$x}: Length = {size:<10} Taken = false")
        }
    }

    /// One chunk that lies outside, and is told to.
    struct Outside;

    impl Listing for Outside {
        const FORM: TableForm = TableForm::Chunks;
        const CHUNKS: &[Chunk] = &[chunk(8192, 64, true)];

        fn print(start: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            let at = start + 8192;
            writeln!(out, "{at:#x}: Length = 64         Taken = true")
        }
    }

    /// A page, among other lines; or so many pages more are told of.
    struct Pages<const WRONG: usize>;

    impl<const WRONG: usize> Listing for Pages<WRONG> {
        const FORM: TableForm = TableForm::Pages;
        const CHUNKS: &[Chunk] = &[chunk(0, 4096, true)];

        fn print(start: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            let (last, pages) = (start + 4095, 1 + WRONG);
            writeln!(out, "ALLOCATED")?;
            writeln!(out, "{start:#x} => {last:#x}: {pages:>3} page(s).")
        }
    }

    /// More than may be printed.
    struct Endless;

    impl Listing for Endless {
        const FORM: TableForm = TableForm::Chunks;
        const CHUNKS: &[Chunk] = &[chunk(0, 4096, false)];

        fn print(_: usize, out: &mut dyn fmt::Write) -> fmt::Result {
            loop {
                writeln!(out, "no chunk's line")?;
            }
        }
    }

    /// What the two ways to look at a table say of it.
    fn wrong<L: Listing>() -> [Option<u32>; 2] {
        let mut wrong = [None; 2];
        testing::run::<Lister<L>>(
            Strength::Fast,
            &mut [&mut |mut heap| wrong = [heap.check_table(), heap.print_table().1]],
        );
        wrong
    }

    #[test]
    fn a_table_is_right_or_wrong_however_it_is_looked_at() {
        assert_eq!(wrong::<Two<0, 0>>(), [None; 2]);
        // An address with leading zeroes is one, too.
        assert_eq!(wrong::<Two<18, 0>>(), [None; 2]);
        assert_eq!(wrong::<Two<0, 8>>(), [Some(1); 2]);
        assert_eq!(wrong::<Outside>(), [Some(0); 2]);
        assert_eq!(wrong::<Pages<0>>(), [None; 2]);
        assert_eq!(wrong::<Pages<1>>(), [Some(1); 2]);
        // Of a table that was cut, nobody knows what stood behind.
        assert_eq!(wrong::<Endless>(), [None; 2]);
    }
}
