//! `kmem-rig bench throughput`: what judging adds to the calls themselves.

use anyhow::Result;
use clap::Args;

use super::figures;
use crate::bench::figure::Figure;
use crate::bench::throughput;
use crate::cli::Outcome;
use crate::cli::options::Format;
use crate::registry;

/// Judged ops a second on the host, against the same ops unjudged
///
/// Traces are drawn beforehand. The clock is the thread's CPU time; the median of fifteen rounds in
/// which each is run in turn. Takes some seconds.
///
/// Example: kmem-rig bench throughput --format json
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
    throughput::figures(registry::by_name("kmem")?, registry::by_name("talc").ok())
}
