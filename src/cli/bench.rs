//! `kmem-rig bench`: what the allocators are worth, in figures.

mod cost;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::Outcome;
use super::options::examples;

/// Measure the allocators
///
/// Whatever depends on the machine is given as a ratio of two measurements of one run. Exits with 1
/// if a goal is not met.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig bench cost --format json"]))]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Cost(cost::Arguments),
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        match &self.what {
            What::Cost(arguments) => arguments.run(),
        }
    }
}
