//! Text as XML may hold it.

/// Escapes what is markup. Characters that XML 1.0 cannot hold at all, not even escaped, become
/// U+FFFD; line breaks and tabs are escaped, since an attribute would lose them.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_and_line_breaks_are_escaped_and_what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\r\t'd'"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;&#13;&#9;'d'"
        );
        assert_eq!(
            escaped("\0\u{1b}[31m\u{ffff}é"),
            "\u{fffd}\u{fffd}[31m\u{fffd}é"
        );
    }
}
