//! `kmem-rig new`: a workspace for an allocator of one's own.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::options::examples;
use crate::subject::new::{self, Source};

/// Write a workspace to test an allocator of your own in
///
/// It holds the adapter of a small allocator to start from, a binary with every command, a guest, a
/// fuzz target, a Makefile, a CI workflow, and a regression with its snapshot; it builds and passes
/// at once.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig new ../my-heap-rig --name my-heap"]))]
pub(super) struct Arguments {
    /// The folder to write, which is new or empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The allocator's name: lower-case letters, digits and `-`
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The clone of kmem-rig to depend on [default: the one that this program was built from]
    #[arg(long, value_name = "PATH")]
    rig: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let rig = match &self.rig {
            Some(folder) => Source::at(folder)?,
            None => Source::of_this_program()?,
        };
        new::workspace(&self.folder, &self.name, &rig)?;
        let folder = self.folder.display();
        let mut out = std::io::stdout();
        if let Source::Clone(clone) = &rig {
            writeln!(
                out,
                "{folder} depends on the clone of kmem-rig in {}, since the crates are not \
                 published yet",
                clone.display()
            )?;
        }
        writeln!(
            out,
            "written to {folder}; now: cd {folder} && make run && make test"
        )?;
        Ok(Outcome::AsExpected)
    }
}
