//! From heap offsets to heights on the page.

/// The least height of the smallest piece, as a part of the whole, for which a true scale is kept.
const TRUE_TO_SCALE: f64 = 1.0 / 12.0;

/// Maps offsets to 0.0 (lowest) to 1.0 (highest), by the places where blocks begin and end.
pub(super) struct Scale {
    /// Each place with its height, lowest first.
    places: Vec<(i64, f64)>,
    /// Whether distances are true.
    pub(super) linear: bool,
}

impl Scale {
    /// A scale that shows every one of `places`. Where the smallest piece between two of them would
    /// be too thin to see, pieces are drawn by the logarithm of their sizes instead.
    pub(super) fn new(mut places: Vec<i64>) -> Self {
        places.sort_unstable();
        places.dedup();
        let sizes: Vec<f64> = places
            .windows(2)
            .map(|pair| pair[1].abs_diff(pair[0]) as f64)
            .collect();
        let total: f64 = sizes.iter().sum();
        let linear = sizes.iter().all(|size| *size >= total * TRUE_TO_SCALE);
        let weigh = |size: f64| {
            if linear {
                size
            } else {
                1.0 + (1.0 + size).log2()
            }
        };
        let all: f64 = sizes.iter().copied().map(weigh).sum();
        let mut height = 0.0;
        let mut with_heights = Vec::with_capacity(places.len());
        for (index, place) in places.into_iter().enumerate() {
            if index > 0 {
                height += weigh(sizes[index - 1]) / all;
            }
            with_heights.push((place, height));
        }
        Self {
            places: with_heights,
            linear,
        }
    }

    /// The height of a place that the scale was made for; 0 for any other.
    pub(super) fn height(&self, place: i64) -> f64 {
        self.places
            .binary_search_by_key(&place, |(at, _)| *at)
            .map_or(0.0, |index| self.places[index].1)
    }

    /// The places that are at least `apart` from each other, with their heights.
    pub(super) fn ticks(&self, apart: f64) -> Vec<(i64, f64)> {
        let mut ticks: Vec<(i64, f64)> = Vec::new();
        for &(place, height) in &self.places {
            if ticks.last().is_none_or(|(_, last)| height - last >= apart) {
                ticks.push((place, height));
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_heap_is_drawn_true_to_scale() {
        let scale = Scale::new(vec![192, 0, 48, 96, 48]);
        assert!(scale.linear);
        assert_eq!(
            [0, 48, 96, 192].map(|at| scale.height(at)),
            [0.0, 0.25, 0.5, 1.0]
        );
    }

    #[test]
    fn a_small_block_in_a_large_heap_can_be_seen() {
        let scale = Scale::new(vec![-16, 0, 8, 262_144]);
        assert!(!scale.linear);
        assert_eq!(scale.height(-16), 0.0);
        assert!(scale.height(8) - scale.height(0) > 0.1);
        assert!((scale.height(262_144) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn ticks_keep_their_distance() {
        let scale = Scale::new(vec![0, 10, 100, 200]);
        let at: Vec<_> = scale.ticks(0.3).into_iter().map(|(at, _)| at).collect();
        assert_eq!(at, [0, 100, 200]);
    }
}
