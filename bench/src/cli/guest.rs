//! `kmem-rig bench guest`: how fast the guest is.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use super::figures;
use crate::bench::figure::{Figure, Goal};
use crate::bench::guest;
use crate::cli::Outcome;
use crate::cli::options::Format;
use crate::registry;
use crate::run::RunOptions;

/// Rounds of each figure.
const ROUNDS: usize = 7;
/// Traces of a round: a second's worth or less.
const TRACES: usize = 20_000;
/// The trace that is replayed cold, and the regressions.
const TRACE: &str = "qemu-tests/regressions/kmem-2019-unmerged-free.trace";
const REGRESSIONS: &str = "qemu-tests/regressions";

/// Traces a second in the guest, against a boot an input; cold replays, against an empty guest
///
/// Run it from the workspace's folder: it replays the regressions. Takes about a minute.
///
/// Example: kmem-rig bench guest
#[derive(Args)]
pub(super) struct Arguments {
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let measured = measure()?;
        figures::print(&measured, self.format)?;
        Ok(figures::outcome(&measured))
    }
}

pub(super) fn measure() -> Result<Vec<Figure>> {
    let kmem = registry::by_name("kmem")?;
    let rig = env::current_exe().context("finding this program")?;
    let replay = |options| guest::replay(kmem, options, TRACES, ROUNDS);
    Ok(vec![
        replay(RunOptions::FAST)?.held_to(Goal::AtLeast(2000.0)),
        replay(RunOptions::STRICT)?.held_to(Goal::AtLeast(500.0)),
        guest::guests(kmem, 2, TRACES as u64, ROUNDS)?,
        guest::cold(&rig, Path::new(TRACE), 3 * ROUNDS)?.held_to(Goal::AtMost(1.3)),
        guest::suite(&rig, Path::new(REGRESSIONS), ROUNDS)?.held_to(Goal::AtMost(2.0)),
    ])
}
