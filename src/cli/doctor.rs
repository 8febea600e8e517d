//! `kmem-rig doctor`: what is installed, what is missing, the command that installs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::table::table;

/// What the rig and its Makefile use: the command that shows it is there, what needs it, and the
/// command that installs it.
const TOOLS: [(&str, &[&str], &str, &str); 13] = [
    (
        "QEMU for riscv64",
        &["qemu-system-riscv64", "--version"],
        "replay and hunt --on qemu, triage",
        "apt-get install qemu-system-misc",
    ),
    (
        "gdb for riscv64",
        &["gdb-multiarch", "--version"],
        "debug",
        "apt-get install gdb-multiarch",
    ),
    (
        "gdb for this machine",
        &["gdb", "--version"],
        "debug --on host",
        "apt-get install gdb",
    ),
    (
        "C for riscv64",
        &["riscv64-unknown-elf-gcc", "--version"],
        "allocators in C in a guest",
        "apt-get install gcc-riscv64-unknown-elf",
    ),
    (
        "XML schemas",
        &["xmllint", "--version"],
        "make test",
        "apt-get install libxml2-utils",
    ),
    (
        "Chromium",
        &[
            "sh",
            "-c",
            "chromium --version || google-chrome --version || chromium-browser --version",
        ],
        "make test, which looks at a report",
        "apt-get install chromium",
    ),
    (
        "stable Rust",
        &["cargo", "--version"],
        "building",
        "rustup toolchain install stable",
    ),
    (
        "nightly Rust",
        &["cargo", "+nightly", "--version"],
        "cargo fuzz",
        "rustup toolchain install nightly",
    ),
    (
        "Miri",
        &["cargo", "+nightly", "miri", "--version"],
        "make test",
        "rustup component add miri rust-src --toolchain nightly",
    ),
    (
        "cargo-fuzz",
        &["cargo", "fuzz", "--version"],
        "make run, make fuzz, campaign",
        "cargo install --locked cargo-fuzz",
    ),
    (
        "cargo-insta",
        &["cargo", "insta", "--version"],
        "make test, make review",
        "cargo install --locked cargo-insta",
    ),
    (
        "cargo-nextest",
        &["cargo", "nextest", "--version"],
        "make test",
        "cargo install --locked cargo-nextest",
    ),
    (
        "riscv64 target",
        &[
            "rustc",
            "--print",
            "target-libdir",
            "--target",
            "riscv64gc-unknown-none-elf",
        ],
        "building the guest",
        "rustup target add riscv64gc-unknown-none-elf",
    ),
];

/// The firmware that QEMU boots by default, and its place among QEMU's data.
const FIRMWARE: &str = "opensbi-riscv64-generic-fw_dynamic.bin";
/// Debian ships it with QEMU's data, newer releases in a package of its own.
const INSTALL_FIRMWARE: &str = "apt-get install qemu-system-data opensbi";

/// Say what is installed, what is missing, and the command that installs it
///
/// Exits with 2 when something is missing.
///
/// Example: kmem-rig doctor
#[derive(Args)]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut rows = Vec::new();
        let mut missing = Vec::new();
        for (tool, command, needed_for, install) in TOOLS {
            let found = first_line(command);
            if found.is_none() {
                missing.push(install);
            }
            let state = found.unwrap_or_else(|| format!("MISSING: {install}"));
            rows.push([tool.to_owned(), needed_for.to_owned(), state]);
        }
        let firmware = firmware();
        if firmware.is_none() {
            missing.push(INSTALL_FIRMWARE);
        }
        rows.push([
            "OpenSBI".to_owned(),
            "--machine s".to_owned(),
            firmware.unwrap_or_else(|| format!("MISSING: {INSTALL_FIRMWARE}")),
        ]);
        let guest = crate::guest::find_image(None);
        let state = match &guest {
            Ok(path) => path.display().to_string(),
            Err(_) => "MISSING: make build".to_owned(),
        };
        if guest.is_err() {
            missing.push("make build");
        }
        rows.push([
            "guest image".to_owned(),
            "everything on qemu".to_owned(),
            state,
        ]);
        let text = table(["WHAT", "NEEDED FOR", "FOUND"], &rows);
        std::io::stdout().write_all(text.as_bytes())?;
        anyhow::ensure!(
            missing.is_empty(),
            "something is missing; `make setup` installs the tools, or run: {}",
            missing.join("; ")
        );
        Ok(Outcome::AsExpected)
    }
}

/// Where QEMU finds the firmware, in one of the folders that it looks for its data in.
fn firmware() -> Option<String> {
    let command = &mut Command::new("qemu-system-riscv64");
    let run = command.args(["-L", "help"]).stdin(Stdio::null()).output();
    let folders = String::from_utf8(run.ok()?.stdout).ok()?;
    let mut places = folders
        .lines()
        .map(|folder| Path::new(folder).join(FIRMWARE));
    let place = places.find(|place| place.is_file())?;
    Some(place.canonicalize().ok()?.display().to_string())
}

/// The first line a command prints (some print their version as an error), if it runs and succeeds
/// and, where that line is a folder, if
/// the folder exists.
fn first_line(command: &[&str]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let run = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = [run.stdout, run.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text
        .lines()
        .next()
        .filter(|_| run.status.success())?
        .trim()
        .to_owned();
    let path = Path::new(&line);
    (!path.is_absolute() || path.is_dir()).then_some(line)
}
