//! `kmem-rig subjects`: lists the allocators this binary can test.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use harness::declaration::{Misuse, Policy};
use harness::entry::Entry;

use super::options::examples;
use super::{Outcome, table::table};
use crate::subject::registry;

/// List the allocators this binary can test
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig subjects"]))]
pub(super) struct Arguments {
    /// List the mutants too: `kmem` and `page` with one fault each
    #[arg(long, alias = "canaries")]
    mutants: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let shown = registry::all().filter(|e| self.mutants || !e.declaration.planted);
        let rows: Vec<_> = shown.map(row).collect();
        let text = table(
            ["SUBJECT", "FAMILY", "PLACEMENT", "MISUSE", "ALIGN AT MOST"],
            &rows,
        );
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(Outcome::AsExpected)
    }
}

fn row(entry: &Entry) -> [String; 5] {
    let declaration = &entry.declaration;
    let placement = match declaration.policy {
        Some(Policy::FirstFit) => "address-ordered first fit",
        Some(Policy::LowestRun) => "lowest run of pages",
        None => "any",
    };
    let misuse = match declaration.misuse {
        Misuse::Refuses => "refuses",
        Misuse::Tolerates => "tolerates",
        Misuse::Undefined => "undefined",
    };
    let align = declaration.align_max.to_string();
    [
        declaration.name,
        declaration.family,
        placement,
        misuse,
        &align,
    ]
    .map(str::to_owned)
}
