//! `kmem-rig fmt`: traces in canonical form.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use harness::text::Document;

use super::Outcome;
use super::options::examples;
use crate::regression::write_whole;

/// Rewrite traces in canonical form, in place; comments stay
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig fmt qemu-tests/regressions/*.trace"]))]
pub(super) struct Arguments {
    /// The traces
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change nothing; exit with 1 and name the files that are not in canonical form
    #[arg(long)]
    check: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let mut outcome = Outcome::AsExpected;
        for path in &self.files {
            let at = path.display();
            let text = fs::read_to_string(path).with_context(|| at.to_string())?;
            let document = Document::parse(&text).map_err(|error| anyhow!("{at}:{error}"))?;
            let canonical = document.to_string();
            if canonical == text {
                continue;
            }
            if self.check {
                eprintln!("{at}: not in canonical form; `kmem-rig fmt {at}` rewrites it");
                outcome = Outcome::Finding;
            } else {
                write_whole(path, canonical.as_bytes())?;
            }
        }
        Ok(outcome)
    }
}
