//! Where the bytes of a heap lie on a row of columns.
//!
//! A heap of 64 pages in which three small blocks live would be one column with something in it and
//! 63 without, were it drawn to scale. So what is given columns is the *stretches* between the
//! places where chunks begin or end: to scale where each then has room for its handle, else wider
//! for more bytes, and several to a column only where there are more stretches than columns.

use std::collections::BTreeSet;

/// Columns of the narrowest stretch that has room for a border, a handle and a sign.
const ROOMY: usize = 4;
/// Columns of the narrowest stretch that has room for a border and a sign.
const DIVIDED: usize = 2;

/// Said of a row on which equally wide is not equally large.
const NOT_TRUE: &str = " not to scale";

/// A row of columns over a heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// The stretches' ends, from 0 to the heap's end.
    cuts: Vec<u64>,
    /// The column that begins at each cut; the last one is the number of columns.
    columns: Vec<usize>,
    /// Whether all columns stand for equally many bytes.
    is_true: bool,
}

impl Scale {
    /// `width` columns or somewhat fewer for a heap of `heap` bytes, cut where `cuts` says.
    pub(crate) fn new(heap: u64, cuts: &BTreeSet<u64>, width: usize) -> Self {
        let inner = cuts.iter().copied().filter(|cut| (1..heap).contains(cut));
        let cuts: Vec<_> = [0].into_iter().chain(inner).chain([heap]).collect();
        let columns = true_columns(&cuts, width);
        let is_true = columns.is_some();
        let columns = columns.unwrap_or_else(|| wide_columns(&cuts, width));
        Self {
            cuts,
            columns,
            is_true,
        }
    }

    /// How many stretches may share a row of `width` columns with so many that must: as many as
    /// have room for their handles, else for their borders, else any number.
    pub(crate) const fn stretches_max(width: usize, needed: usize) -> usize {
        match (width / ROOMY, width / DIVIDED) {
            (roomy, _) if needed <= roomy => roomy,
            (_, divided) if needed <= divided => divided,
            _ => usize::MAX,
        }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.columns[self.columns.len() - 1]
    }

    /// The column at which a byte begins, which must lie at a cut.
    pub(crate) fn column(&self, byte: u64) -> usize {
        self.columns[self.cuts.partition_point(|&cut| cut < byte)]
    }

    /// Whether each stretch has room for a border.
    pub(crate) fn is_divided(&self) -> bool {
        are_at_least(DIVIDED, &self.columns)
    }

    /// The offsets of cuts above their columns, as far as there is room; and whether that is to
    /// scale.
    pub(crate) fn axis(&self) -> String {
        let end = self.cuts.len() - 1;
        let last = format!("{:#x}", self.cuts[end]);
        let last_at = self.width().saturating_sub(last.len());
        let mut axis = String::new();
        for (cut, &column) in self.cuts[..end].iter().zip(&self.columns) {
            let offset = format!("{cut:#x}");
            let room = axis.is_empty() || column > axis.len();
            if room && column + offset.len() < last_at {
                axis = format!("{axis:<column$}{offset}");
            }
        }
        let remark = if self.is_true { "" } else { NOT_TRUE };
        format!("{axis:<last_at$}{last}{remark}")
    }
}

/// Columns of equally many bytes each, if then each stretch is roomy.
fn true_columns(cuts: &[u64], width: usize) -> Option<Vec<usize>> {
    let unit = cuts.iter().copied().fold(0, greatest_common_divisor);
    let units = cuts[cuts.len() - 1].checked_div(unit)?;
    let each = (width as u64).checked_div(units).filter(|&each| each > 0)?;
    let columns = cuts.iter().map(|cut| (cut / unit * each) as usize);
    let columns: Vec<_> = columns.collect();
    are_at_least(ROOMY, &columns).then_some(columns)
}

/// Whether each stretch has so many columns.
fn are_at_least(least: usize, columns: &[usize]) -> bool {
    columns.windows(2).all(|ends| ends[1] - ends[0] >= least)
}

/// As many columns for each stretch as it has room for, and the rest by the number of digits of its
/// size.
fn wide_columns(cuts: &[u64], width: usize) -> Vec<usize> {
    let stretches = cuts.len() - 1;
    let least = (width / stretches).min(ROOMY);
    if least < DIVIDED {
        return (0..=stretches).map(|cut| cut * width / stretches).collect();
    }
    let digits: Vec<_> = cuts
        .windows(2)
        .map(|ends| (ends[1] - ends[0]).ilog2() as usize + 1)
        .collect();
    let (rest, all) = (width - least * stretches, digits.iter().sum::<usize>());
    let mut columns = vec![0];
    let mut before = 0;
    for (index, digits) in digits.iter().enumerate() {
        before += digits;
        columns.push(least * (index + 1) + rest * before / all);
    }
    columns
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(heap: u64, cuts: &[u64], width: usize) -> Scale {
        Scale::new(heap, &cuts.iter().copied().collect(), width)
    }

    #[test]
    fn a_small_heap_is_drawn_to_scale() {
        let scale = scale(192, &[0, 16, 48, 192], 60);
        assert_eq!(scale.columns, [0, 5, 15, 60], "five columns are 16 bytes");
        assert_eq!(
            scale.axis(),
            format!("{:<5}{:<10}{:<41}{}", "0x0", "0x10", "0x30", "0xc0")
        );
    }

    #[test]
    fn a_large_heap_with_few_blocks_has_room_for_each() {
        let scale = scale(262_144, &[16, 32], 64);
        let [0, first, second, 64] = scale.columns[..] else {
            panic!("{scale:?}");
        };
        assert!(first >= ROOMY && second - first >= ROOMY && 64 - second > second);
        assert!(scale.is_divided());
        assert!(scale.axis().ends_with("0x40000 not to scale"));
    }

    #[test]
    fn more_stretches_than_columns_share_them() {
        let cuts: Vec<_> = (0..=1000).map(|n| n * 8).collect();
        let scale = scale(8000, &cuts, 64);
        assert_eq!(scale.width(), 64);
        assert!(!scale.is_divided());
        assert!(scale.columns.is_sorted());
        assert!(scale.axis().len() <= 64 + NOT_TRUE.len());
    }

    #[test]
    fn every_width_and_number_of_cuts_gives_a_row() {
        for width in 16..=64 {
            for cuts in 0..80 {
                let cuts: Vec<_> = (0..cuts).map(|n| n * n * 8).collect();
                let scale = scale(1 << 20, &cuts, width);
                assert_eq!(scale.columns[0], 0);
                assert!(scale.columns.is_sorted() && scale.width() <= width);
                let axis = scale.axis();
                assert!(axis.len() <= width + NOT_TRUE.len(), "{axis}");
                let stretches = scale.columns.len() - 1;
                for least in [ROOMY, DIVIDED] {
                    let fits = stretches * least <= width;
                    assert!(!fits || are_at_least(least, &scale.columns));
                }
            }
        }
    }
}
