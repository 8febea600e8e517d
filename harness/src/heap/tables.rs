//! The subject's printed table, held against its walk.

use super::{Heap, Whole, Workspace};
use crate::table;

impl Heap<'_> {
    /// The subject's printed table in offsets, and the first line that contradicts the walk.
    pub fn print_table(&mut self) -> (&str, Option<u32>) {
        let cut = self.print();
        let Workspace {
            printed, rewritten, ..
        } = &mut *self.workspace;
        table::rewrite_addresses(printed.as_str(), cut, self.region, rewritten);
        let wrong = table::line_wrong(self.subject, self.declaration.table, rewritten.as_str(), 0);
        (rewritten.as_str(), wrong)
    }

    /// The same for whom the text says nothing. Most tables are right as they are printed, and need not be
    /// rewritten, which takes the guest as long as some other ops.
    pub fn check_table(&mut self) -> Option<u32> {
        let cut = self.print();
        let (start, form) = (self.region.start.addr() as u64, self.declaration.table);
        let printed = self.workspace.printed.as_str();
        match cut || table::line_wrong(self.subject, form, printed, start).is_some() {
            true => self.print_table().1,
            false => None,
        }
    }

    /// Has the subject print its table; whether it is longer than may be.
    fn print(&mut self) -> bool {
        self.whole = Whole::Unknown;
        let printed = &mut self.workspace.printed;
        printed.clear();
        self.subject.print_table(printed).is_err()
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use core::fmt;
    use core::ops::{ControlFlow, Range};

    use crate::declaration::{Declaration, TableForm};
    use crate::heap::{Strength, testing};
    use crate::subject::{Chunk, Freed, Region, Subject};

    /// Has one free chunk, whose address it prints in at least so many characters, and as much too long.
    struct Printer<const WIDTH: usize, const WRONG: usize>(Region);

    impl<const WIDTH: usize, const WRONG: usize> Subject for Printer<WIDTH, WRONG> {
        const DECLARATION: Declaration = Declaration::new("printer").table(TableForm::Chunks);

        unsafe fn new(region: Region) -> Self {
            Self(region)
        }

        unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }

        unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
            Freed::Refused
        }

        fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
            let size = self.0.bytes as u64;
            let _ = visit(Chunk {
                offset: 0,
                size,
                taken: false,
            });
            Some(0..size)
        }

        fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
            let (start, size) = (self.0.start.addr(), self.0.bytes + WRONG);
            writeln!(out, "{start:#0WIDTH$x}: Length = {size:<10} Taken = false")
        }
    }

    /// What the two ways to look at a table say of it.
    fn wrong<S: Subject>() -> [Option<u32>; 2] {
        let mut wrong = [None; 2];
        testing::run::<S>(
            Strength::Fast,
            &mut [&mut |mut heap| wrong = [heap.check_table(), heap.print_table().1]],
        );
        wrong
    }

    #[test]
    fn a_table_is_right_or_wrong_however_it_is_looked_at() {
        assert_eq!(wrong::<Printer<0, 0>>(), [None; 2]);
        // An address with leading zeroes is one, too.
        assert_eq!(wrong::<Printer<18, 0>>(), [None; 2]);
        assert_eq!(wrong::<Printer<0, 8>>(), [Some(0); 2]);
    }
}
