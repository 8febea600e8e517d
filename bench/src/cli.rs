//! The command line: parses arguments, calls the benches, prints.

mod all;
mod fuzzing;
mod guest;
mod known_bugs;
mod throughput;

use anyhow::Result;
use clap::Parser;
use kmem_rig::cli::Outcome;

/// Measures what this repository is worth
///
/// Whatever depends on the machine is given as a ratio of two measurements of one run. Exits with 1
/// if a goal is not met. `make bench` and `make known-bugs` build what this needs and run it.
///
/// Example: kmem-rig-bench throughput --format json
#[derive(Parser)]
#[command(name = "kmem-rig-bench", version, max_term_width = 100)]
pub enum Arguments {
    All(all::Arguments),
    Throughput(throughput::Arguments),
    Fuzzing(fuzzing::Arguments),
    Guest(guest::Arguments),
    KnownBugs(known_bugs::Arguments),
}

impl Arguments {
    pub fn run(&self) -> Result<Outcome> {
        match self {
            Self::All(arguments) => arguments.run(),
            Self::Throughput(arguments) => arguments.run(),
            Self::Fuzzing(arguments) => arguments.run(),
            Self::Guest(arguments) => arguments.run(),
            Self::KnownBugs(arguments) => arguments.run(),
        }
    }
}
