//! The command line: parses arguments, calls the library, prints. Nothing is decided here.

mod bench;
mod campaign;
mod completions;
mod debug;
mod doctor;
mod encode;
mod explore;
pub mod figures;
mod fmt;
mod hunt;
mod interrupt;
mod json;
mod minimize;
mod new;
mod options;
mod progress;
mod replay;
mod report;
mod show;
mod subjects;
mod table;
mod terminal;
mod triage;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use harness::entry::Entry;

pub use self::options::Format;
pub use self::table::table;
use crate::subject::registry;
use crate::wording::printable::printable;

/// What a command came to; its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All as expected: 0.
    AsExpected,
    /// A finding, or a verdict other than expected: 1.
    Finding,
}

impl Outcome {
    const fn expected_if(all_as_expected: bool) -> Self {
        match all_as_expected {
            true => Self::AsExpected,
            false => Self::Finding,
        }
    }
}

/// Finds, reproduces and locks down bugs in kernel heap allocators.
#[derive(Parser)]
#[command(name = "kmem-rig", version, max_term_width = 100)]
#[command(after_help = "Exit codes:
  0  as expected
  1  a finding, or a verdict other than expected
  2  wrong usage, or an environment in which the rig cannot work")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Subjects(subjects::Arguments),
    Show(show::Arguments),
    Debug(debug::Arguments),
    Fmt(fmt::Arguments),
    Encode(encode::Arguments),
    Hunt(hunt::Arguments),
    Explore(explore::Arguments),
    Replay(replay::Arguments),
    Report(report::Arguments),
    Minimize(minimize::Arguments),
    Triage(triage::Arguments),
    Campaign(campaign::Arguments),
    Bench(bench::Arguments),
    New(new::Arguments),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
}

/// Runs the command line of this process: every command, with subjects of one's own beside ours.
///
/// ```no_run
/// # use core::alloc::Layout;
/// # use kmem_rig::harness::declaration::Declaration;
/// # use kmem_rig::harness::subject::{Freed, Region, Subject};
/// # struct MyHeap;
/// # impl Subject for MyHeap {
/// #     const DECLARATION: Declaration = Declaration::new("my-heap");
/// #     unsafe fn new(_: Region) -> Self { Self }
/// #     unsafe fn alloc(&mut self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
/// #     unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed { Freed::Done }
/// # }
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     kmem_rig::cli::main(kmem_rig::subjects![MyHeap])
/// }
/// ```
#[must_use]
pub fn main(own: &'static [Entry]) -> ExitCode {
    main_of(own, std::env::args_os())
}

/// As [`main`], with these arguments, of which the first is the program's name.
#[must_use]
pub fn main_of(
    own: &'static [Entry],
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> ExitCode {
    // First: arguments name subjects.
    let installed = registry::install(own);
    let command = Arguments::parse_from(arguments).command;
    exit_code("kmem-rig", installed.and_then(|()| command.run()))
}

/// The exit code of a program whose work came to this; an error is printed in the program's name.
#[must_use]
pub fn exit_code(program: &str, outcome: Result<Outcome>) -> ExitCode {
    match outcome {
        Ok(Outcome::AsExpected) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // `{:#}`: the whole chain of causes on one line.
            eprintln!("{program}: {}", printable(&format!("{error:#}")));
            ExitCode::from(2)
        }
    }
}

impl Command {
    fn run(&self) -> Result<Outcome> {
        match self {
            Self::Subjects(arguments) => arguments.run(),
            Self::Show(arguments) => arguments.run(),
            Self::Debug(arguments) => arguments.run(),
            Self::Fmt(arguments) => arguments.run(),
            Self::Encode(arguments) => arguments.run(),
            Self::Hunt(arguments) => arguments.run(),
            Self::Explore(arguments) => arguments.run(),
            Self::Replay(arguments) => arguments.run(),
            Self::Report(arguments) => arguments.run(),
            Self::Minimize(arguments) => arguments.run(),
            Self::Triage(arguments) => arguments.run(),
            Self::Campaign(arguments) => arguments.run(),
            Self::Bench(arguments) => arguments.run(),
            Self::New(arguments) => arguments.run(),
            Self::Doctor(arguments) => arguments.run(),
            Self::Completions(arguments) => arguments.run(),
        }
    }
}

/// Whether whoever reads our output has heard enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
