//! Text of others (names, titles, messages, tables), made fit to be shown: what would move the
//! cursor, colour a terminal or turn the direction of a line around is written out instead of
//! obeyed.

use std::borrow::Cow;

/// The text with every character that is an instruction rather than a sign in its escaped form
/// (`\u{1b}`). Line feeds and tabs stay: texts have lines.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(instructs) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        if instructs(sign) {
            shown.extend(sign.escape_unicode());
        } else {
            shown.push(sign);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and the marks that set the direction of what follows them.
fn instructs(sign: char) -> bool {
    let control = sign.is_control() && sign != '\n' && sign != '\t';
    control
        || matches!(sign, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_shown_and_signs_are_kept() {
        for (text, shown) in [
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("a\rb\x08\x7f", "a\\u{d}b\\u{8}\\u{7f}"),
            ("one\u{9b}31m", "one\\u{9b}31m"),
            ("x\u{202e}cod.exe", "x\\u{202e}cod.exe"),
            ("zeile\n\tgrün 中", "zeile\n\tgrün 中"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn what_needs_no_change_is_not_copied() {
        assert!(matches!(printable("plain\n"), Cow::Borrowed("plain\n")));
    }
}
