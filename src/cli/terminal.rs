//! The terminal, if there is one: how wide it is. Colours are the business of [`console`], which
//! leaves them out of what is piped, and listens to `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE`.

use console::Term;

/// Columns of a line that goes to no terminal, so that it is the same everywhere.
const COLUMNS_PIPED: usize = 80;

/// How many columns a line of the output has.
pub(super) fn columns() -> usize {
    let terminal = Term::stdout();
    let size = terminal.is_term().then(|| terminal.size_checked());
    size.flatten()
        .map_or(COLUMNS_PIPED, |(_, columns)| columns.into())
}
