//! Which crate depends on which, and which room of a crate on which: as ARCHITECTURE.md states it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{assert_none, root, tracked};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The lines of ARCHITECTURE.md between a fence marked with `name` and the next fence.
fn stated(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let fence = format!("```{name}");
    let lines = text.lines().skip_while(|line| *line != fence).skip(1);
    let lines: Vec<_> = lines
        .take_while(|line| *line != "```")
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "ARCHITECTURE.md has no block {fence}");
    lines
}

/// `a, b -> c, d` as a set for each name on the left.
fn parse(lines: &[String]) -> Arrows {
    let names = |text: &str| -> Vec<String> {
        text.split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let mut arrows = Arrows::new();
    for line in lines {
        let (from, to) = line.split_once("->").unwrap_or((line, ""));
        for from in names(from) {
            arrows.entry(from).or_default().extend(names(to));
        }
    }
    arrows
}

/// What the manifests of this repository say, dev-dependencies included: the crates in its folders
/// by package name, without those of examples and of known bugs, which are other people's
/// workspaces.
fn of_manifests() -> Arrows {
    let mut arrows = Arrows::new();
    for manifest in tracked() {
        let is_ours =
            !manifest.starts_with("examples") && !manifest.starts_with("subjects/known-bugs");
        if !manifest.ends_with("Cargo.toml") || !is_ours {
            continue;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ]);
        // The fuzz targets' manifest names a nightly feature of Cargo.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        let output = cargo
            .arg("--manifest-path")
            .arg(root().join(&manifest))
            .output();
        let output = output.expect("Cargo runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {words}", manifest.display());
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("Cargo prints JSON");
        for package in metadata["packages"].as_array().expect("a list of packages") {
            let name = package["name"].as_str().expect("a name");
            let dependencies = package["dependencies"]
                .as_array()
                .expect("a list of dependencies");
            let ours = dependencies.iter().filter(|one| one["path"].is_string());
            let ours = ours
                .filter_map(|one| one["name"].as_str())
                .filter(|other| *other != name);
            arrows
                .entry(name.to_owned())
                .or_default()
                .extend(ours.map(str::to_owned));
        }
    }
    arrows
}

#[test]
fn crates_depend_on_each_other_as_stated() {
    let (stated, are) = (parse(&stated("crates")), of_manifests());
    let mut broken = Vec::new();
    for name in stated.keys().chain(are.keys()).collect::<BTreeSet<_>>() {
        let none = BTreeSet::new();
        let (said, is) = (
            stated.get(name).unwrap_or(&none),
            are.get(name).unwrap_or(&none),
        );
        for other in is.difference(said) {
            broken.push(format!(
                "{name} depends on {other}, which ARCHITECTURE.md does not state"
            ));
        }
        for other in said.difference(is) {
            broken.push(format!(
                "{name} does not depend on {other}, as ARCHITECTURE.md states"
            ));
        }
        if stated.contains_key(name) != are.contains_key(name) {
            broken.push(format!(
                "{name} stands in only one of ARCHITECTURE.md and the manifests"
            ));
        }
    }
    assert_none(&broken);
}

/// The names that a file imports from its crate, with the line each stands in. Tests may use any
/// room, so the item behind a `#[cfg(test)]` is passed over.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            let is_last = |line: &str| {
                line.len() > indent
                    && [" ", "#"]
                        .iter()
                        .all(|start| !line[indent..].starts_with(start))
                    && (line.ends_with(';') || line.ends_with('}'))
            };
            lines.find(|(_, line)| is_last(line));
            continue;
        }
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (at, found) in line.match_indices("crate::") {
            let name = line[at + found.len()..].chars();
            let name = name.take_while(|c| c.is_alphanumeric() || *c == '_');
            let is_path = |c: char| c.is_alphanumeric() || "_$".contains(c);
            if !line[..at].ends_with(is_path) {
                names.push((index + 1, name.collect()));
            }
        }
    }
    names
}

/// Each file of a crate belongs to one of the rooms stated, lowest first, and imports from its own
/// and lower ones only, each by its own name.
fn assert_rooms_point_down(block: &str, source: &Path) {
    let rooms = stated(block).join(" ");
    let rooms: Vec<_> = rooms.split_whitespace().collect();
    let height = |room: &str| rooms.iter().position(|other| *other == room);
    let is_code = |path: &Path| {
        let is_test = path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs" || part == "template");
        path.extension().is_some_and(|ending| ending == "rs") && !is_test
    };
    let mut broken = Vec::new();
    for path in tracked()
        .iter()
        .filter(|path| path.starts_with(source) && is_code(path))
    {
        let below = path.strip_prefix(source).expect("it starts so");
        let first = below
            .iter()
            .next()
            .and_then(|part| part.to_str())
            .expect("a name in UTF-8");
        let room = first.trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let name = path.display();
        let Some(own) = height(room) else {
            broken.push(format!("{name}: ARCHITECTURE.md does not state its room"));
            continue;
        };
        let text = fs::read_to_string(root().join(path)).expect("a source file is UTF-8");
        for (line, import) in imports(&text) {
            match height(&import) {
                Some(other) if other <= own => {}
                Some(_) => broken.push(format!(
                    "{name}:{line}: `{room}` uses `{import}`, a higher room"
                )),
                None => broken.push(format!("{name}:{line}: `crate::{import}` names no room")),
            }
        }
    }
    assert_none(&broken);
}

#[test]
fn rooms_of_the_rig_use_lower_rooms_only() {
    assert_rooms_point_down("rooms-src", Path::new("src"));
}

#[test]
fn rooms_of_the_harness_use_lower_rooms_only() {
    assert_rooms_point_down("rooms-harness", Path::new("harness/src"));
}
