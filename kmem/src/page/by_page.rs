//! The search of the mutants that slip while they count a run: page by page.

use super::PageRuns;
use crate::defect;

impl<const DEFECT: u8> PageRuns<DEFECT> {
    /// Whether this mutant counts pages wrongly, or takes another run than the lowest.
    pub(super) const fn searches_otherwise() -> bool {
        matches!(
            DEFECT,
            defect::PAGE_RUN_NOT_RESET | defect::PAGE_RUN_END_NOT_TESTED | defect::PAGE_HIGHEST_RUN
        )
    }

    /// First and last page of the run that such a mutant takes.
    pub(super) fn find_otherwise(&self, pages: usize) -> Option<(usize, usize)> {
        let mut run = 0;
        let mut runs = (0..self.count).filter_map(|page| {
            run = match self.is_taken(page) {
                false => run + 1,
                true if Self::has(defect::PAGE_RUN_NOT_RESET) => run,
                true if Self::has(defect::PAGE_RUN_END_NOT_TESTED) && run + 1 == pages => pages,
                true => 0,
            };
            (run >= pages).then(|| (page + 1 - pages, page))
        });
        match DEFECT {
            defect::PAGE_HIGHEST_RUN => runs.last(),
            _ => runs.next(),
        }
    }
}
