//! The command line: parses arguments, calls the library, prints. Nothing is decided here.

mod bench;
mod doctor;
mod encode;
mod explore;
mod fmt;
mod hunt;
mod minimize;
mod options;
mod replay;
mod show;
mod subjects;
mod table;
mod triage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use harness::entry::Entry;

use crate::registry;

/// What a command came to; its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All as expected: 0.
    AsExpected,
    /// A finding, or a verdict other than expected: 1.
    Finding,
}

/// Finds, reproduces and locks down bugs in kernel heap allocators.
#[derive(Parser)]
#[command(name = "kmem-rig", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 as expected, 1 a finding or a verdict other than expected, \
                        2 usage or environment."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Subjects(subjects::Arguments),
    Show(show::Arguments),
    Fmt(fmt::Arguments),
    Encode(encode::Arguments),
    Hunt(hunt::Arguments),
    Explore(explore::Arguments),
    Replay(replay::Arguments),
    Minimize(minimize::Arguments),
    Triage(triage::Arguments),
    Bench(bench::Arguments),
    Doctor(doctor::Arguments),
}

/// Runs the command line of this process over a list of subjects.
#[must_use]
pub fn main(subjects: &'static [Entry]) -> ExitCode {
    registry::install(subjects);
    let outcome = match Arguments::parse().command {
        Command::Subjects(arguments) => arguments.run(),
        Command::Show(arguments) => arguments.run(),
        Command::Fmt(arguments) => arguments.run(),
        Command::Encode(arguments) => arguments.run(),
        Command::Hunt(arguments) => arguments.run(),
        Command::Explore(arguments) => arguments.run(),
        Command::Replay(arguments) => arguments.run(),
        Command::Minimize(arguments) => arguments.run(),
        Command::Triage(arguments) => arguments.run(),
        Command::Bench(arguments) => arguments.run(),
        Command::Doctor(arguments) => arguments.run(),
    };
    match outcome {
        Ok(Outcome::AsExpected) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // `{:#}`: the whole chain of causes on one line.
            eprintln!("kmem-rig: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether whoever reads our output has heard enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
