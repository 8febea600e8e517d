//! House rules, checked on every file that git tracks, so that no review has to ask for them.

#![cfg(test)]

mod arrows;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's top.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("this crate lies below the top")
}

/// Every tracked file, as a path from the repository's top.
fn tracked() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    // Whoever owns the checkout: in a container that is often another user.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root());
    let output = git.output().expect("git lists its files");
    assert!(output.status.success(), "git ls-files: {output:?}");
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let files: Vec<_> = names.split_terminator('\0').map(PathBuf::from).collect();
    assert!(files.len() > 100, "{} files are not the tree", files.len());
    // A file that was deleted but not committed is still listed.
    files
        .into_iter()
        .filter(|path| root().join(path).exists())
        .collect()
}

/// Fails with one line for each broken rule.
#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(
        broken.is_empty(),
        "{} broken:\n{}",
        broken.len(),
        broken.join("\n")
    );
}
