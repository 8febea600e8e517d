//! One figure of a bench: a line of JSON, and what it is held to.

use std::fmt;

use serde::Serialize;

use super::median;

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

    /// How many times too large, or too small, the value is: at most 1 if the goal is met.
    #[must_use]
    pub fn missed_by(self, value: f64) -> f64 {
        match self {
            Self::AtMost(most) => value / most,
            Self::AtLeast(least) => least / value,
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

    /// A value measured round by round, and a ratio of two that were measured in turn in each: the
    /// median of either.
    #[must_use]
    pub fn of_rounds(
        figure: impl Into<String>,
        unit: &'static str,
        values: &[f64],
        (first, second): (&[f64], &[f64]),
    ) -> Self {
        let ratios: Vec<_> = first.iter().zip(second).map(|(a, b)| a / b).collect();
        Self {
            ratio: middle(&ratios),
            ..Self::new(figure.into(), middle(values).unwrap_or(0.0), unit)
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

/// The median of some measurements.
#[must_use]
pub fn middle(values: &[f64]) -> Option<f64> {
    // Numbers are ordered by their bits, once the sign is dealt with: none here is negative.
    median(values.iter().map(|value| value.to_bits())).map(f64::from_bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_to_its_ratio() {
        let (x, y) = ([30.0, 10.0, 20.0], [3.0, 5.0, 4.0]);
        let figure = Figure::of_rounds("x : y", "ops/s", &x, (&x, &y));
        assert_eq!((figure.value, figure.ratio), (20.0, Some(5.0)));
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
    }

    #[test]
    fn a_goal_says_by_how_much_it_is_missed() {
        assert!((Goal::AtMost(2.0).missed_by(3.0) - 1.5).abs() < 1e-9);
        assert_eq!(Goal::AtLeast(1.0 / 3.0).to_string(), ">= 0.333");
        assert!((Goal::AtLeast(30.0).missed_by(60.0) - 0.5).abs() < 1e-9);
    }
}
