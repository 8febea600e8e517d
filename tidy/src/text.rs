//! How wide lines are, how long files are, and what must not be left behind.

use std::fs;
use std::path::Path;

use crate::{assert_none, root, tracked};

const COLUMNS_MAX: usize = 100;
const LINES_MAX: usize = 400;

/// Rust files that may be longer than [`LINES_MAX`], each with its reason.
const LONG: [(&str, &str); 0] = [];

/// What marks work that is not finished. Written in two parts, so that this file has none.
const LEFTOVERS: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("<<<<", "<<<"),
    concat!(">>>>", ">>>"),
];

/// The files with one of these endings, with their text.
fn texts(endings: &[&str]) -> Vec<(String, String)> {
    let has = |path: &Path| {
        path.extension()
            .is_some_and(|ending| endings.iter().any(|e| ending == *e))
    };
    let files = tracked().into_iter().filter(|path| has(path));
    files
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).expect("a source file is UTF-8");
            (path.display().to_string(), text)
        })
        .collect()
}

/// Whether a line cannot be broken: a row of a table in a comment, or code with a literal in it.
fn is_unbreakable(line: &str) -> bool {
    let text = line.trim_start();
    match ["//", "/*", "#"]
        .iter()
        .any(|start| text.starts_with(start))
        && !text.starts_with("#[")
    {
        true => text.starts_with("//! |") || text.starts_with("/// |"),
        false => text.contains(['"', '\'']),
    }
}

#[test]
fn no_line_is_wider_than_100_columns() {
    let mut broken = Vec::new();
    for (path, text) in texts(&["rs", "sh", "py", "c", "h"]) {
        for (index, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX && !is_unbreakable(line) {
                broken.push(format!("{path}:{}: {columns} columns", index + 1));
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut broken = Vec::new();
    for (path, text) in texts(&["rs"]) {
        let lines = text.lines().count();
        let may_be = LONG.iter().any(|(long, _)| *long == path);
        if lines > LINES_MAX && !may_be {
            broken.push(format!("{path}: {lines} lines; split it by idea"));
        }
        if lines <= LINES_MAX && may_be {
            broken.push(format!("{path}: {lines} lines; it needs no exception"));
        }
    }
    assert_none(&broken);
}

#[test]
fn nothing_is_left_behind() {
    let mut broken = Vec::new();
    for path in tracked() {
        let name = path.to_string_lossy();
        if [".snap.new", ".pending-snap", ".orig", ".rej", ".bak"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            broken.push(format!("{name}: not to be committed"));
        }
    }
    for (path, text) in texts(&["rs", "sh", "py", "c", "h", "md", "toml", "yml"]) {
        for (index, line) in text.lines().enumerate() {
            if let Some(mark) = LEFTOVERS.iter().find(|mark| line.contains(*mark)) {
                broken.push(format!("{path}:{}: {mark}", index + 1));
            }
        }
    }
    assert_none(&broken);
}
