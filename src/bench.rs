//! What the rig and the allocators are worth, in figures: a bench measures one question.
//!
//! | bench | asks |
//! |---|---|
//! | [`cost`] | what the calls of an allocator cost, in instructions |
//! | [`fuzzing`] | how fast the fuzz targets are |
//! | [`guest`] | how fast the guest is, against a boot an input and the host alone |
//! | [`known_bugs`] | how soon real bugs are found |
//! | [`throughput`] | what judging adds to the calls themselves |
//!
//! All but `cost` measure this repository, and are built with the feature `bench`.
//!
//! A bench measures, and judges nothing but its own goals. Whatever depends on the machine is told
//! as a ratio of two measurements of one run.

#[cfg(feature = "bench")]
pub mod chart;
#[cfg(feature = "bench")]
mod clock;
pub mod cost;
pub mod figure;
#[cfg(feature = "bench")]
pub mod fuzzing;
#[cfg(feature = "bench")]
pub mod guest;
#[cfg(feature = "bench")]
pub mod known_bugs;
#[cfg(feature = "bench")]
pub mod throughput;

/// The middle one, or of two the lower; `None` if there are none.
pub fn median<T: Copy + Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median([3, 1, 2].into_iter()), Some(2));
        assert_eq!(median([4, 1, 2, 3].into_iter()), Some(2));
        assert_eq!(median(std::iter::empty::<u64>()), None);
    }
}
