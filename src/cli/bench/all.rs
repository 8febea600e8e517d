//! `kmem-rig bench all`: every figure that has a goal, and the chart of them.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use super::{figures, fuzzing, guest, throughput};
use crate::cli::Outcome;
use crate::cli::options::Format;

/// Every figure with a goal: throughput, fuzzing and guest
///
/// Takes some ten minutes, of which most goes into building. What calls cost (`bench cost`) and how
/// soon bugs are found (`bench known-bugs`) are commands of their own.
///
/// Example: kmem-rig bench all -o docs/performance.svg
#[derive(Args)]
pub(super) struct Arguments {
    /// Where to draw the chart (a program built with the feature `charts`)
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
    pub(super) fn run(&self) -> Result<Outcome> {
        ensure!(
            self.output.is_none() || cfg!(feature = "charts"),
            "this program draws no charts: build it with `--features charts`"
        );
        let mut measured = throughput::measure()?;
        measured.extend(guest::measure()?);
        measured.extend(fuzzing::measure(&self.target_dir, self.long)?);
        figures::print(&measured, self.format)?;
        #[cfg(feature = "charts")]
        if let Some(path) = &self.output {
            draw(path, &measured)?;
        }
        Ok(figures::outcome(&measured))
    }
}

#[cfg(feature = "charts")]
fn draw(path: &std::path::Path, figures: &[crate::bench::figure::Figure]) -> Result<()> {
    use anyhow::Context;

    let drawn = crate::bench::chart::svg(figures)?;
    std::fs::write(path, drawn).with_context(|| format!("cannot write {}", path.display()))
}
