//! How figures are printed, and what they come to.

use std::io::Write;

use anyhow::Result;

use super::Outcome;
use super::options::Format;
use super::table::table;
use crate::cost::figure::{Figure, short};

/// Prints figures: a line of JSON each, or a table.
///
/// # Errors
/// When they cannot be printed.
pub fn print(figures: &[Figure], format: Format) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if format == Format::Json {
        for figure in figures {
            writeln!(out, "{}", serde_json::to_string(figure)?)?;
        }
        return Ok(());
    }
    let heading = ["FIGURE", "VALUE", "UNIT", "RATIO", "GOAL", "MET"];
    let cells: Vec<_> = figures.iter().map(cells).collect();
    out.write_all(table(heading, &cells).as_bytes())?;
    Ok(())
}

/// A goal that is not met is a finding.
#[must_use]
pub fn outcome(figures: &[Figure]) -> Outcome {
    if figures.iter().any(|figure| figure.met == Some(false)) {
        Outcome::Finding
    } else {
        Outcome::AsExpected
    }
}

fn cells(figure: &Figure) -> [String; 6] {
    let text = |text: Option<String>| text.unwrap_or("-".to_owned());
    [
        figure.figure.clone(),
        short(figure.value),
        figure.unit.to_owned(),
        text(figure.ratio.map(short)),
        text(figure.goal.map(|goal| goal.to_string())),
        text(
            figure
                .met
                .map(|met| if met { "yes" } else { "no" }.to_owned()),
        ),
    ]
}
