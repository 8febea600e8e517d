//! Figures that are measured round by round.

use kmem_rig::cost::figure::{Figure, median};

/// A value measured round by round, and a ratio of two that were measured in turn in each: the
/// median of either.
pub fn figure(
    name: impl Into<String>,
    unit: &'static str,
    values: &[f64],
    (first, second): (&[f64], &[f64]),
) -> Figure {
    let ratios: Vec<_> = first.iter().zip(second).map(|(a, b)| a / b).collect();
    Figure {
        ratio: middle(&ratios),
        ..Figure::new(name.into(), middle(values).unwrap_or(0.0), unit)
    }
}

/// The median of some measurements.
pub fn middle(values: &[f64]) -> Option<f64> {
    // Numbers are ordered by their bits, once the sign is dealt with: none here is negative.
    median(values.iter().map(|value| value.to_bits())).map(f64::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_and_ratio_are_medians_of_the_rounds() {
        let (x, y) = ([30.0, 10.0, 20.0], [3.0, 5.0, 4.0]);
        let figure = figure("x : y", "ops/s", &x, (&x, &y));
        assert_eq!((figure.value, figure.ratio), (20.0, Some(5.0)));
    }
}
