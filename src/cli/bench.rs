//! `kmem-rig bench`: what the rig is worth, in figures.

mod all;
mod cost;
mod figures;
mod fuzzing;
mod guest;
mod known_bugs;
mod throughput;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Outcome;

/// Measure the rig
///
/// Whatever depends on the machine is told as a ratio of two measurements of one run. Exits with 1 if
/// a goal is not met.
///
/// Example: kmem-rig bench throughput --format json
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    All(all::Arguments),
    Throughput(throughput::Arguments),
    Fuzzing(fuzzing::Arguments),
    Guest(guest::Arguments),
    Cost(cost::Arguments),
    KnownBugs(known_bugs::Arguments),
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        match &self.what {
            What::All(arguments) => arguments.run(),
            What::Throughput(arguments) => arguments.run(),
            What::Fuzzing(arguments) => arguments.run(),
            What::Guest(arguments) => arguments.run(),
            What::Cost(arguments) => arguments.run(),
            What::KnownBugs(arguments) => arguments.run(),
        }
    }
}
