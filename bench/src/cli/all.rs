//! `kmem-rig-bench all`: every figure that has a goal, and the chart of them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use kmem_rig::cli::{Format, Outcome, figures};

use super::{fuzzing, guest, throughput};
use crate::chart;

/// Every figure with a goal: throughput, fuzzing and guest
///
/// Takes some ten minutes, of which most goes into building. How soon bugs are found
/// (`known-bugs`), and what calls cost (`kmem-rig bench cost`), are commands of their own.
///
/// Example: kmem-rig-bench all -o docs/performance.svg
#[derive(Args)]
pub struct Arguments {
    /// Where to draw the chart
    #[arg(short, long, value_name = "FILE.svg")]
    output: Option<PathBuf>,
    /// Where to build the fuzz targets
    #[arg(long, value_name = "FOLDER", default_value = "target/bench-fuzzing")]
    target_dir: PathBuf,
    /// Also watch the memory of a fuzz target for ten minutes
    #[arg(long)]
    long: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub fn run(&self) -> Result<Outcome> {
        let mut measured = throughput::measure()?;
        measured.extend(guest::measure()?);
        measured.extend(fuzzing::measure(&self.target_dir, self.long)?);
        figures::print(&measured, self.format)?;
        if let Some(path) = &self.output {
            let drawn = chart::svg(&measured)?;
            std::fs::write(path, drawn)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(figures::outcome(&measured))
    }
}
