//! One figure of a bench: a line of JSON, and what it is held to.

use std::fmt;

use serde::Serialize;

/// A measured value, and what it is held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub figure: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What the figure's name sets against each other with a `:`, the first divided by the second.
    pub ratio: Option<f64>,
    /// What the ratio, or a value without one, should be.
    pub goal: Option<Goal>,
    /// Whether it is.
    pub met: Option<bool>,
}

/// What a ratio, or a value, should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At most this much.
    AtMost(f64),
    /// At least this much.
    AtLeast(f64),
}

impl Goal {
    /// Whether it is met.
    #[must_use]
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self {
            Self::AtMost(most) => ("<=", most),
            Self::AtLeast(least) => (">=", least),
        };
        // A third is told in as many digits as anybody reads.
        write!(f, "{sign} {}", (bound * 1000.0).round() / 1000.0)
    }
}

impl Serialize for Goal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Figure {
    /// A value without a ratio or a goal.
    #[must_use]
    pub const fn new(figure: String, value: f64, unit: &'static str) -> Self {
        Self {
            figure,
            value,
            unit,
            ratio: None,
            goal: None,
            met: None,
        }
    }

    /// The same, set against another value; no ratio to nothing.
    #[must_use]
    pub fn against(mut self, other: f64) -> Self {
        self.ratio = (other != 0.0).then(|| self.value / other);
        self
    }

    /// The same, held to a goal.
    #[must_use]
    pub fn held_to(mut self, goal: Goal) -> Self {
        self.met = Some(goal.is_met(self.ratio.unwrap_or(self.value)));
        self.goal = Some(goal);
        self
    }
}

/// A number in three digits that count, as far as they are behind the point.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

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
    fn a_figure_is_held_to_its_ratio() {
        let figure = Figure::new("x : y".to_owned(), 20.0, "ops/s").against(4.0);
        let figure = figure.held_to(Goal::AtLeast(5.0));
        assert_eq!(figure.met, Some(true));
        assert_eq!(figure.clone().held_to(Goal::AtMost(4.0)).met, Some(false));
        let line = serde_json::to_string(&figure).unwrap();
        assert_eq!(
            line,
            r#"{"figure":"x : y","value":20.0,"unit":"ops/s","ratio":5.0,"goal":">= 5","met":true}"#
        );
        let alone = Figure::new("x".to_owned(), 3.0, "MB").held_to(Goal::AtMost(2.0));
        assert_eq!((alone.ratio, alone.met), (None, Some(false)));
        assert_eq!(Goal::AtLeast(1.0 / 3.0).to_string(), ">= 0.333");
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median([3, 1, 2].into_iter()), Some(2));
        assert_eq!(median([4, 1, 2, 3].into_iter()), Some(2));
        assert_eq!(median(std::iter::empty::<u64>()), None);
    }
}
