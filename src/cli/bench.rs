//! `kmem-rig bench`: what the rig is worth, in figures.

#[cfg(feature = "bench")]
mod all;
mod cost;
mod figures;
#[cfg(feature = "bench")]
mod fuzzing;
#[cfg(feature = "bench")]
mod guest;
#[cfg(feature = "bench")]
mod known_bugs;
#[cfg(feature = "bench")]
mod throughput;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Outcome;

/// Measure the allocators, and the rig
///
/// Whatever depends on the machine is given as a ratio of two measurements of one run. Exits with 1
/// if a goal is not met. What measures the rig itself is built with the feature `bench`; `make
/// bench` runs it.
///
/// Example: kmem-rig bench cost --format json
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    #[cfg(feature = "bench")]
    All(all::Arguments),
    #[cfg(feature = "bench")]
    Throughput(throughput::Arguments),
    #[cfg(feature = "bench")]
    Fuzzing(fuzzing::Arguments),
    #[cfg(feature = "bench")]
    Guest(guest::Arguments),
    Cost(cost::Arguments),
    #[cfg(feature = "bench")]
    KnownBugs(known_bugs::Arguments),
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        match &self.what {
            #[cfg(feature = "bench")]
            What::All(arguments) => arguments.run(),
            #[cfg(feature = "bench")]
            What::Throughput(arguments) => arguments.run(),
            #[cfg(feature = "bench")]
            What::Fuzzing(arguments) => arguments.run(),
            #[cfg(feature = "bench")]
            What::Guest(arguments) => arguments.run(),
            What::Cost(arguments) => arguments.run(),
            #[cfg(feature = "bench")]
            What::KnownBugs(arguments) => arguments.run(),
        }
    }
}
