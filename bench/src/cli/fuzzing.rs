//! `kmem-rig-bench fuzzing`: how fast the fuzz targets are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use kmem_rig::cli::{Format, Outcome, figures};
use kmem_rig::cost::figure::Figure;

use crate::fuzzing;

/// How long each target runs in each round.
const TIME: Duration = Duration::from_secs(4);
const ROUNDS: u64 = 5;

/// Judged ops a second under libFuzzer, against a plain target that judges nothing
///
/// Builds the targets first, with cargo-fuzz on nightly, which takes minutes; then some two
/// minutes. Run it from the workspace's folder. --long adds how much memory a target takes in ten
/// minutes.
///
/// Example: kmem-rig-bench fuzzing
#[derive(Args)]
pub struct Arguments {
    /// Where to build
    #[arg(long, value_name = "FOLDER", default_value = "target/bench-fuzzing")]
    target_dir: PathBuf,
    /// Also watch the memory of a target for ten minutes
    #[arg(long)]
    long: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub fn run(&self) -> Result<Outcome> {
        let measured = measure(&self.target_dir, self.long)?;
        figures::print(&measured, self.format)?;
        Ok(figures::outcome(&measured))
    }
}

pub fn measure(target: &Path, long: bool) -> Result<Vec<Figure>> {
    let root = Path::new(".");
    let mut figures = fuzzing::figures(root, target, ROUNDS, TIME)?;
    if long {
        figures.extend(fuzzing::memory(root, target)?);
    }
    Ok(figures)
}
