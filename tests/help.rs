//! What `--help` prints: at two widths, and where there is no terminal.

use std::process::Command;

use testkit::assert_snapshot;

/// The help of one command on a terminal of so many columns, or on none.
fn help(command: &[&str], columns: Option<usize>) -> String {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_kmem-rig"));
    rig.args(command).arg("--help").env_remove("COLUMNS");
    if let Some(columns) = columns {
        rig.env("COLUMNS", columns.to_string());
    }
    let output = rig.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The help of every command, each under a line that names it.
fn pages(columns: Option<usize>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut waiting = vec![vec![]];
    while let Some(command) = waiting.pop() {
        let names: Vec<_> = command.iter().map(String::as_str).collect();
        let page = help(&names, columns);
        let listed = page.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed
            .map_while(|line| line.strip_prefix("  "))
            .filter(|line| !line.starts_with(' '));
        let inner = listed
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        let inner: Vec<_> = inner
            .map(|name| [command.clone(), vec![name.to_owned()]].concat())
            .collect();
        waiting.extend(inner.into_iter().rev());
        pages.push((command.join(" "), page));
    }
    assert!(pages.len() > 15, "every command is there: {}", pages.len());
    pages
}

#[test]
fn help_fits_80_and_100_columns() {
    for columns in [80, 100] {
        let pages = pages(Some(columns)).into_iter();
        let text: String = pages
            .map(|(name, page)| format!("==== kmem-rig {name}\n{page}\n"))
            .collect();
        for line in text.lines() {
            assert!(line.chars().count() <= columns, "{line}");
        }
        assert_snapshot(&format!("help-{columns}"), &text);
    }
}

#[test]
fn without_a_terminal_help_is_100_columns_wide() {
    assert_eq!(pages(None), pages(Some(100)));
}

#[test]
fn every_command_has_examples_on_lines_of_their_own() {
    for (name, page) in pages(Some(80)) {
        if page.contains("\nCommands:\n") {
            continue;
        }
        let examples: Vec<_> = page
            .lines()
            .skip_while(|line| !line.starts_with("Example"))
            .skip(1)
            .collect();
        assert!(!examples.is_empty(), "{page}");
        for example in examples {
            assert!(example.starts_with(&format!("  kmem-rig {name}")), "{page}");
        }
    }
}
