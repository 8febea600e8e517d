//! The package of a plain target over one version of a bug's crate, which cargo-fuzz can build.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::plain::FIRST_INPUT;

/// Writes the package of the target over a version: `version` is the folder of its manifest.
pub(super) fn write(version: &Path, package: &Path, name: &str) -> Result<()> {
    let reading = || format!("cannot read {}", version.display());
    let version = version.canonicalize().with_context(reading)?;
    let manifest = fs::read_to_string(version.join("Cargo.toml")).with_context(reading)?;
    let adapter = adapter(&manifest).with_context(|| format!("{name} has no binary"))?;
    let root = version.join("../../../..");
    let writing = || format!("cannot write {}", package.display());
    fs::create_dir_all(package).with_context(writing)?;
    for (file, text) in [
        ("Cargo.toml", target_manifest(&manifest, name, &root)),
        ("main.rs", target_text(&version.join(adapter), &root)),
    ] {
        let path = package.join(file);
        // What is the same is left alone, so that it is not built anew.
        if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            fs::write(path, text).with_context(writing)?;
        }
    }
    let lock = package.join("Cargo.lock");
    if !lock.exists() {
        // The versions that the rig's own binary has; what it has besides is dropped.
        fs::copy(version.join("Cargo.lock"), lock).with_context(writing)?;
    }
    Ok(())
}

/// The adapter's path, as its manifest has it.
fn adapter(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    lines.find_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'))
}

/// The dependencies on other people's crates, as a manifest has them: a line each.
fn dependencies(manifest: &str) -> Vec<&str> {
    let lines = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]");
    let lines = lines.skip(1).take_while(|line| !line.starts_with('['));
    lines
        .filter(|line| line.contains('=') && !line.contains("path = "))
        .collect()
}

fn target_manifest(manifest: &str, name: &str, root: &Path) -> String {
    format!(
        r#"[package]
name = "{name}"
version = "0.0.0"
edition = "2024"
publish = false

[package.metadata]
cargo-fuzz = true

[dependencies]
arbitrary = {{ version = "1", features = ["derive"] }}
harness = {{ package = "kmem-rig-harness", path = {:?} }}
libfuzzer-sys = "0.4"
{}

[workspace]

[[bin]]
name = "{name}"
path = "main.rs"
"#,
        root.join("harness"),
        dependencies(manifest).join("\n")
    )
}

/// The adapter's file is a binary's, whose `main` hands its subject to the rig. Nobody calls it
/// here, and instead of the rig it finds this package under the rig's name.
fn target_text(adapter: &Path, root: &Path) -> String {
    format!(
        r#"#![no_main]

#[path = {:?}]
mod actions;
#[allow(dead_code)]
#[path = {adapter:?}]
mod adapter;

extern crate self as kmem_rig;

pub mod cli {{
    pub fn main(_: &'static [harness::entry::Entry]) -> std::process::ExitCode {{
        unreachable!()
    }}
}}

static FIRST: std::sync::Once = std::sync::Once::new();

libfuzzer_sys::fuzz_target!(|actions: Vec<actions::Action>| {{
    FIRST.call_once(|| eprintln!("{FIRST_INPUT}"));
    actions::run::<adapter::Allocator>(&actions);
}});
"#,
        root.join("fuzz/plain/actions.rs")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known_bugs::known_bugs;

    #[test]
    fn every_bugs_manifests_name_an_adapter_and_the_crate_but_not_the_rig() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../subjects/known-bugs");
        for bug in known_bugs(&folder).unwrap() {
            for version in ["buggy", "fixed"] {
                let folder = bug.folder.join(version);
                let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
                let adapter = folder.join(adapter(&manifest).unwrap());
                let text = fs::read_to_string(adapter).unwrap();
                assert!(text.contains("pub struct Allocator"), "{}", bug.name);
                let lines = dependencies(&manifest);
                let of_crate = format!("{} = ", bug.facts.krate);
                assert!(lines.iter().any(|line| line.starts_with(&of_crate)));
                assert!(lines.iter().all(|line| !line.contains("harness")));
                assert!(lines.iter().all(|line| !line.contains("kmem-rig")));
            }
        }
    }

    #[test]
    fn what_a_package_depends_on_by_path_is_called_so_there() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let version = root.join("subjects/known-bugs/buddy-system-init/buggy");
        let folder = tempfile::tempdir().unwrap();
        write(&version, folder.path(), "buddy-system-init-buggy").unwrap();
        let read = |folder: &Path| -> toml::Table {
            let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
            text.parse().unwrap()
        };
        let manifest = read(folder.path());
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let by_path = dependencies
            .iter()
            .filter_map(|(name, facts)| Some((name, facts, facts.get("path")?)));
        let mut checked = 0;
        for (name, facts, path) in by_path {
            let package = facts
                .get("package")
                .map_or(name.as_str(), |package| package.as_str().unwrap());
            let there = read(Path::new(path.as_str().unwrap()));
            assert_eq!(there["package"]["name"].as_str(), Some(package));
            checked += 1;
        }
        assert!(checked > 0);
    }
}
