//! Workspaces of others that depend on the rig, in tests: made, built and run as their owner would.
//!
//! They share one target folder, so such tests run one after the other (`.config/nextest.toml`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// The target folder of all of them, in which the rig is then built once.
#[must_use]
pub fn target() -> PathBuf {
    root().join("target/own")
}

/// Runs a program to its end, and returns its exit code and what it printed.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn run(folder: &Path, program: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        // What Cargo tells a test is not for a Cargo that a test runs.
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// The same for a program that must exit with 0.
///
/// # Panics
/// When it does not.
#[allow(
    clippy::must_use_candidate,
    reason = "often nothing but success matters"
)]
pub fn succeed(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let (code, text) = run(folder, program, arguments);
    assert_eq!(code, 0, "{program} {arguments:?}:\n{text}");
    text
}

/// A folder of the target folder that is not there yet, as deep in the repository as `examples/x`.
#[must_use]
pub fn fresh(name: &str) -> PathBuf {
    let folder = root().join("target").join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

/// Gives a workspace the rig's own lock files to start from.
///
/// # Panics
/// When the workspace has no such folders.
pub fn lock(folder: &Path) {
    for (from, to) in [("", ""), ("qemu-tests/guest", "guest"), ("fuzz", "fuzz")] {
        let lock = |folder: PathBuf| folder.join("Cargo.lock");
        fs::copy(lock(root().join(from)), lock(folder.join(to))).unwrap();
    }
}

/// Builds a workspace's binary and its guest, as its Makefile does; `flags` are Cargo's.
///
/// # Panics
/// When one of them does not build.
pub fn build(folder: &Path, flags: &[&str]) {
    let guest = [
        "--manifest-path",
        "guest/Cargo.toml",
        "--target",
        "riscv64gc-unknown-none-elf",
    ];
    for of in [&[], &guest[..]] {
        succeed(
            folder,
            "cargo",
            &[&["build", "--release"], flags, of].concat(),
        );
    }
}

/// A binary of the target folder, by name.
#[must_use]
pub fn binary(name: &str) -> String {
    target()
        .join("release")
        .join(name)
        .to_string_lossy()
        .into_owned()
}
