//! The command line, in tests: run as its users run it, at the repository's top.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::root;

/// Runs the package's `kmem-rig` with the words of a line, which is made as by `format!`; returns
/// its exit code, its output and its errors.
#[macro_export]
macro_rules! kmem_rig {
    ($($line:tt)*) => {
        $crate::command_line::run(env!("CARGO_BIN_EXE_kmem-rig"), &format!($($line)*))
    };
}

/// Runs a program with the words of a line, and returns what [`ended`] does.
#[must_use]
pub fn run(program: &str, line: &str) -> (i32, String, String) {
    ended(command(program, line).output())
}

/// A program with the words of a line, to be run at the repository's top.
#[must_use]
pub fn command(program: &str, line: &str) -> Command {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).current_dir(root());
    command
}

/// The exit code of a program that has ended, -1 for a signal, its output and its errors.
///
/// # Panics
/// When it could not be started, or printed what is no text.
#[must_use]
pub fn ended(output: std::io::Result<Output>) -> (i32, String, String) {
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

/// Writes a file, and returns its path.
///
/// # Panics
/// When it cannot be written.
pub fn file(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}
