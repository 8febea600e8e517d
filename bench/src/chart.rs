//! The figures that have a goal, as a picture: a bar each, by how far it is from its goal.
//!
//! Ratios as different as 3 and 30,000 share one axis because each is divided by its goal: a bar
//! that ends left of the line at 1 has met it. The axis is logarithmic.

use anyhow::{Result, anyhow};
use kmem_rig::cost::figure::{Figure, Goal, short};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 1000;
/// Of a bar with its label above it.
const ROW: u32 = 44;
const MARGIN: i32 = 24;
const HEADING: i32 = 56;
/// The axis: from a hundredth of a goal to ten times it.
const LEAST: f64 = 0.01;
const MOST: f64 = 10.0;
/// Told apart by brightness too, not by colour alone.
const MET: RGBColor = RGBColor(46, 125, 50);
const MISSED: RGBColor = RGBColor(239, 108, 0);
const INK: RGBColor = RGBColor(33, 33, 33);
const FAINT: RGBColor = RGBColor(189, 189, 189);

/// An SVG of the figures that are held to a goal.
///
/// # Errors
/// When the picture cannot be drawn.
pub fn svg(figures: &[Figure]) -> Result<String> {
    let rows: Vec<_> = figures.iter().filter_map(row).collect();
    let height = HEADING as u32 + ROW * rows.len() as u32 + 2 * MARGIN as u32;
    let mut svg = String::new();
    draw(&mut svg, &rows, height).map_err(|error| anyhow!("drawing the chart: {error}"))?;
    Ok(svg)
}

/// Label, distance from the goal, and whether it is met.
type Row = (String, f64, bool);

fn row(figure: &Figure) -> Option<Row> {
    let value = figure.ratio.unwrap_or(figure.value);
    let goal = figure.goal?;
    let label = format!("{}: {} (goal {goal})", figure.figure, short(value));
    Some((label, missed_by(goal, value), figure.met?))
}

fn draw(
    svg: &mut String,
    rows: &[Row],
    height: u32,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let heading = "Distance from the goal: left of the line is met";
    root.draw(&Text::new(heading, (MARGIN, MARGIN / 2), text(18)))?;
    let bottom = HEADING + ROW as i32 * rows.len() as i32;
    for mark in [0.01, 0.1, 1.0, 10.0] {
        let at = place(mark);
        let style = ShapeStyle::from(if mark == 1.0 { &INK } else { &FAINT });
        let line = PathElement::new(vec![(at, HEADING), (at, bottom)], style.stroke_width(1));
        root.draw(&line)?;
        let centred = text(12).pos(Pos::new(HPos::Center, VPos::Top));
        root.draw(&Text::new(format!("{mark}"), (at, bottom + 4), centred))?;
    }
    for (index, (label, distance, met)) in rows.iter().enumerate() {
        let top = HEADING + ROW as i32 * index as i32;
        root.draw(&Text::new(label.as_str(), (MARGIN, top + 4), text(13)))?;
        let colour = if *met { MET } else { MISSED };
        let bar = [(place(LEAST), top + 22), (place(*distance), top + 36)];
        root.draw(&Rectangle::new(bar, colour.filled()))?;
    }
    root.present()?;
    Ok(())
}

/// Where a distance lies on the axis; what is off it lies at its end.
fn place(distance: f64) -> i32 {
    let part = (distance.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10();
    MARGIN + (part * f64::from(WIDTH as i32 - 2 * MARGIN)) as i32
}

/// How many times too large, or too small, a value is: at most 1 if the goal is met.
fn missed_by(goal: Goal, value: f64) -> f64 {
    match goal {
        Goal::AtMost(most) => value / most,
        Goal::AtLeast(least) => least / value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_with_a_goal_is_a_bar_and_its_text_is_escaped() {
        let figure = |value| Figure::new(format!("a < b & {value}"), value, "x");
        let figures = [
            figure(2.0).held_to(Goal::AtMost(3.0)),
            figure(5.0).held_to(Goal::AtMost(3.0)),
            figure(7.0),
        ];
        let svg = svg(&figures).unwrap();
        assert!(
            svg.contains("a &lt; b &amp; 2: 2.00 (goal &lt;= 3)"),
            "{svg}"
        );
        assert!(svg.contains("a &lt; b &amp; 5: 5.00"));
        assert!(!svg.contains("7.00"));
        assert_eq!(svg.matches("#2E7D32").count(), 1);
        assert_eq!(svg.matches("#EF6C00").count(), 1);
    }

    #[test]
    fn a_goal_says_by_how_much_it_is_missed() {
        assert!((missed_by(Goal::AtMost(2.0), 3.0) - 1.5).abs() < 1e-9);
        assert!((missed_by(Goal::AtLeast(30.0), 60.0) - 0.5).abs() < 1e-9);
    }
}
