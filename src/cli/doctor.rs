//! `kmem-rig doctor`: what is installed, what is missing, the command that installs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::options::examples;
use super::table::table;

/// A tool that the rig uses.
struct Tool {
    name: &'static str,
    /// The command that shows it is there.
    check: &'static [&'static str],
    needed_for: &'static str,
    install: &'static str,
}

const fn tool(
    name: &'static str,
    check: &'static [&'static str],
    needed_for: &'static str,
    install: &'static str,
) -> Tool {
    Tool {
        name,
        check,
        needed_for,
        install,
    }
}

/// What the commands use, and the verbs of a workspace that `kmem-rig new` writes.
const FOR_USE: [Tool; 8] = [
    tool(
        "QEMU for riscv64",
        &["qemu-system-riscv64", "--version"],
        "replay and hunt --on qemu, triage",
        "apt-get install qemu-system-misc",
    ),
    tool(
        "gdb for riscv64",
        &["gdb-multiarch", "--version"],
        "debug",
        "apt-get install gdb-multiarch",
    ),
    tool(
        "gdb for this machine",
        &["gdb", "--version"],
        "debug --on host",
        "apt-get install gdb",
    ),
    tool(
        "stable Rust",
        &["cargo", "--version"],
        "building",
        "rustup toolchain install stable",
    ),
    tool(
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
    tool(
        "nightly Rust",
        &["cargo", "+nightly", "--version"],
        "cargo fuzz",
        "rustup toolchain install nightly",
    ),
    tool(
        "cargo-fuzz",
        &["cargo", "fuzz", "--version"],
        "make fuzz, campaign",
        "cargo install --locked cargo-fuzz",
    ),
    tool(
        "cargo-insta",
        &["cargo", "insta", "--version"],
        "make review",
        "cargo install --locked cargo-insta",
    ),
];

/// What only the tests of the rig's own repository use.
const FOR_OWN_TESTS: [Tool; 5] = [
    tool(
        "cargo-nextest",
        &["cargo", "nextest", "--version"],
        "running the tests",
        "cargo install --locked cargo-nextest",
    ),
    tool(
        "Miri",
        &["cargo", "+nightly", "miri", "--version"],
        "undefined behaviour",
        "rustup component add miri rust-src --toolchain nightly",
    ),
    tool(
        "C for riscv64",
        &["riscv64-unknown-elf-gcc", "--version"],
        "allocators in C in a guest",
        "apt-get install gcc-riscv64-unknown-elf",
    ),
    tool(
        "XML schemas",
        &["xmllint", "--version"],
        "JUnit reports",
        "apt-get install libxml2-utils",
    ),
    tool(
        "Chromium",
        &[
            "sh",
            "-c",
            "chromium --version || google-chrome --version || chromium-browser --version",
        ],
        "report pages",
        "apt-get install chromium",
    ),
];

/// The firmware that QEMU boots by default, and its place among QEMU's data.
const FIRMWARE: &str = "opensbi-riscv64-generic-fw_dynamic.bin";
/// Debian ships it with QEMU's data, newer releases in a package of its own.
const INSTALL_FIRMWARE: &str = "apt-get install qemu-system-data opensbi";

/// Say what is installed, what is missing, and the command that installs it
///
/// Exits with 2 when something is missing that you need to use the rig. What only the tests of the
/// rig's own repository need is listed below, and changes nothing.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig doctor"]))]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut used = Section::of(&FOR_USE);
        used.add("OpenSBI", "--machine s", firmware(), INSTALL_FIRMWARE);
        let image = crate::execute::guest::find_image(None).ok();
        let image = image.map(|path| path.display().to_string());
        used.add("guest image", "everything on qemu", image, "make build");
        let tests = Section::of(&FOR_OWN_TESTS);

        let mut out = std::io::stdout();
        let heading = ["TO USE THE RIG", "NEEDED FOR", "FOUND"];
        out.write_all(table(heading, &used.rows).as_bytes())?;
        let heading = ["TO TEST THE RIG ITSELF", "NEEDED FOR", "FOUND"];
        write!(out, "\n{}", table(heading, &tests.rows))?;
        anyhow::ensure!(
            used.missing.is_empty(),
            "something is missing; each `make` verb installs what it needs, or run: {}",
            used.missing.join("; ")
        );
        Ok(Outcome::AsExpected)
    }
}

/// Rows of the table, and what would install the missing ones.
#[derive(Default)]
struct Section {
    rows: Vec<[String; 3]>,
    missing: Vec<&'static str>,
}

impl Section {
    fn of(tools: &[Tool]) -> Self {
        let mut section = Self::default();
        for tool in tools {
            let found = first_line(tool.check);
            section.add(tool.name, tool.needed_for, found, tool.install);
        }
        section
    }

    fn add(&mut self, name: &str, for_what: &str, found: Option<String>, install: &'static str) {
        if found.is_none() {
            self.missing.push(install);
        }
        let state = found.unwrap_or_else(|| format!("MISSING: {install}"));
        let row = [name.to_owned(), for_what.to_owned(), state];
        self.rows.push(row);
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
