//! One figure of a bench, as a line of JSON.

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
    /// The value divided by what the figure's name sets it against.
    pub ratio: Option<f64>,
    /// What the ratio, or a value without one, should be.
    pub goal: Option<&'static str>,
    /// Whether it is.
    pub met: Option<bool>,
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
}
