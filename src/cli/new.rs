//! `kmem-rig new`: a workspace for an allocator of one's own.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Outcome;
use crate::new;

/// Write a workspace to test an allocator of your own in
///
/// It holds the adapter of a small allocator to start from, a binary with every command, a guest, a
/// fuzz target, a Makefile, a CI workflow, and a regression with its snapshot; it builds and passes
/// at once.
///
/// Example: kmem-rig new ../my-heap-rig --name my-heap --rig .
#[derive(Args)]
pub(super) struct Arguments {
    /// The folder to write, which is new or empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The allocator's name: lower-case letters, digits and `-`
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Depend on the rig's repository in this folder [default: on its version from the registry]
    #[arg(long, value_name = "PATH")]
    rig: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        new::workspace(&self.folder, &self.name, self.rig.as_deref())?;
        let folder = self.folder.display();
        writeln!(
            std::io::stdout(),
            "written to {folder}; now: cd {folder} && make run && make test"
        )?;
        Ok(Outcome::AsExpected)
    }
}
