//! A plain table: columns as wide as their widest cell. What cells tell may be others' text.

use std::fmt::Write;

use crate::wording::printable::printable;

/// Lays out rows under a heading; a last column is not padded.
#[must_use]
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| shown(cell)))
        .collect();
    let mut widths = heading.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heading = heading.map(str::to_owned);
    for row in std::iter::once(&heading).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A cell as it is printed, on its line.
fn shown(cell: &str) -> String {
    printable(cell).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_neither_moves_the_cursor_nor_ends_its_line() {
        let rows = [["\u{1b}[2Jx\ny".to_owned(), "1".to_owned()]];
        let expected = "A              B\n\\u{1b}[2Jx\\ny  1\n";
        assert_eq!(table(["A", "B"], &rows), expected);
    }
}
