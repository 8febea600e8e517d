//! `kmem-rig completions`: what a shell completes on Tab.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Outcome;
use super::options::examples;

/// Print a shell's completion script
#[derive(Args)]
#[command(after_help = examples(&[
    "kmem-rig completions bash > kmem-rig.bash",
]))]
pub(super) struct Arguments {
    /// The shell that is to complete
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        // A closed pipe is an error here; clap's own writer would panic.
        let mut script = Vec::new();
        generate(
            self.shell,
            &mut super::Arguments::command(),
            "kmem-rig",
            &mut script,
        );
        io::stdout().write_all(&script)?;
        Ok(Outcome::AsExpected)
    }
}
