//! `kmem-rig report`: finds as a page for a browser.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Outcome;
use super::options::{ReplayOptions, examples};
use crate::regression::write_whole;
use crate::report::html::Page;
use crate::wording::counted::counted;
use crate::wording::printable::printable;

/// Draw finds on one HTML page: the trace, the evidence, and the heap over time
///
/// Traces run as `replay` runs them. The page needs no network and no other file, and every find
/// and op on it has an address of its own, such as FILE.html#find=3&op=2 or FILE.html#filter=leak.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig report qemu-tests/regressions -o report.html"]))]
pub(super) struct Arguments {
    #[command(flatten)]
    replay: ReplayOptions,
    /// The page to write
    #[arg(short, long, value_name = "FILE.html")]
    output: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let (files, mut started, job) = self.replay.start()?;
        let mut page = Page::default();
        for path in &files {
            page.add(path, &job, &mut started.sides())?;
        }
        write_whole(&self.output, page.html()?.as_bytes())?;
        let (finds, path) = (
            counted(page.finds(), "find"),
            self.output.display().to_string(),
        );
        let path = printable(&path);
        writeln!(std::io::stdout(), "{finds} in {path}")?;
        Ok(Outcome::expected_if(!page.is_unexpected()))
    }
}
