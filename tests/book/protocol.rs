//! The page about guests, held to the numbers of the mailbox. Where the fields lie is checked
//! beside them, in `harness`.

use harness::mailbox::{
    HEAP_ADDRESS, MAILBOX_ADDRESS, PROTOCOL, RAM_ADDRESS, SHORT_OPS_MAX, SIDE_ADDRESS, SLOTS,
};

use crate::page;

#[test]
fn the_page_is_about_this_version() {
    let text = page("guest-protocol.md").text;
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    let mut says = vec![
        format!("**protocol version {PROTOCOL}**"),
        format!("Up to {SLOTS} requests"),
        format!("more than {SHORT_OPS_MAX} ops"),
        format!("slot n mod {SLOTS}"),
    ];
    for address in [RAM_ADDRESS, MAILBOX_ADDRESS, HEAP_ADDRESS, SIDE_ADDRESS] {
        says.push(format!("| `{address:#x}` |"));
    }
    for words in says {
        assert!(text.contains(&words), "`{words}`");
    }
}
