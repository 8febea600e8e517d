//! `kmem-rig bench`: what the rig is worth, in figures.

mod cost;
mod known_bugs;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Outcome;

/// Measure the rig
///
/// Example: kmem-rig bench known-bugs --format json
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Cost(cost::Arguments),
    KnownBugs(known_bugs::Arguments),
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        match &self.what {
            What::Cost(arguments) => arguments.run(),
            What::KnownBugs(arguments) => arguments.run(),
        }
    }
}
