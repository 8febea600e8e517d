//! `kmem-rig-bench throughput`: what judging adds to the calls themselves.

use anyhow::Result;
use clap::Args;
use kmem_rig::cli::{Format, Outcome, figures};
use kmem_rig::cost::figure::Figure;
use kmem_rig::registry;

use crate::throughput;

/// Judged ops a second on the host, against the same ops unjudged
///
/// Traces are drawn beforehand. The clock is the thread's CPU time; the median of fifteen rounds in
/// which each is run in turn. Takes some seconds.
///
/// Example: kmem-rig-bench throughput --format json
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
    throughput::figures(registry::by_name("kmem")?, registry::by_name("talc").ok())
}
