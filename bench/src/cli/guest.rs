//! `kmem-rig-bench guest`: how fast the guest is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use kmem_rig::cli::{Format, Outcome, figures};
use kmem_rig::cost::figure::{Figure, Goal};
use kmem_rig::registry;
use kmem_rig::run::RunOptions;

use crate::guest;

/// Rounds of each figure.
const ROUNDS: usize = 7;
/// Traces of a round: a second's worth or less.
const TRACES: usize = 20_000;
/// The trace that is replayed cold, and the regressions.
const TRACE: &str = "qemu-tests/regressions/kmem-2019-unmerged-free.trace";
const REGRESSIONS: &str = "qemu-tests/regressions";

/// Traces a second in the guest, against a boot an input; cold replays, against an empty guest
///
/// Run it from the workspace's folder: it replays the regressions, with the `kmem-rig` beside this
/// program. Takes about a minute.
///
/// Example: kmem-rig-bench guest
#[derive(Args)]
pub struct Arguments {
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub fn run(&self) -> Result<Outcome> {
        let measured = measure()?;
        figures::print(&measured, self.format)?;
        Ok(figures::outcome(&measured))
    }
}

pub fn measure() -> Result<Vec<Figure>> {
    let kmem = registry::by_name("kmem")?;
    let rig = rig()?;
    let replay = |options| guest::replay(kmem, options, TRACES, ROUNDS);
    Ok(vec![
        replay(RunOptions::FAST)?.held_to(Goal::AtLeast(2000.0)),
        replay(RunOptions::STRICT)?.held_to(Goal::AtLeast(500.0)),
        guest::guests(kmem, 2, TRACES as u64, ROUNDS)?,
        guest::cold(&rig, Path::new(TRACE), 3 * ROUNDS)?.held_to(Goal::AtMost(1.3)),
        guest::suite(&rig, Path::new(REGRESSIONS), ROUNDS)?.held_to(Goal::AtMost(2.0)),
    ])
}

/// The program whose replays are measured: the one that was built beside this one.
fn rig() -> Result<PathBuf> {
    let rig = env::current_exe()
        .context("finding this program")?
        .with_file_name("kmem-rig");
    ensure!(
        rig.is_file(),
        "no `{}`: build it with `make build-all`",
        rig.display()
    );
    Ok(rig)
}
