//! `kmem-rig report`: finds as a page for a browser.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use super::Outcome;
use super::options::{GuestOptions, InputOptions, Named, On, RuleOptions, check_replayed};
use crate::counted::counted;
use crate::input;
use crate::page::Page;
use crate::printable::printable;
use crate::regression::write_whole;

/// Draw finds on one HTML page: the trace, the evidence, and the heap over time
///
/// Traces run as `replay` runs them. The page needs no network and no other file, and every find and op
/// on it has an address of its own, such as FILE.html#find=3&op=2 or FILE.html#filter=leak.
///
/// Example: kmem-rig report qemu-tests/regressions -o report.html
#[derive(Args)]
pub(super) struct Arguments {
    /// Traces, artifacts, corpus entries, consoles' outputs that hold a trace, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The page to write
    #[arg(short, long, value_name = "FILE.html")]
    output: PathBuf,
    /// Where to run
    #[arg(long, value_enum, value_delimiter = ',', default_value = "host,qemu")]
    on: Vec<On>,
    /// Run on this subject instead; may be given more than once
    #[arg(long, value_name = "S")]
    subject: Vec<Named>,
    #[command(flatten)]
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let files = input::files(&self.paths)?;
        ensure!(!files.is_empty(), "no file to report on");
        let mut started = self.guest.start_sides(&self.on)?;
        let mut sides = started.sides();
        let chosen: Vec<_> = self.subject.iter().map(|named| named.0).collect();
        let reading = self.reading.reading();
        check_replayed(&files, reading, &chosen)?;
        let mut page = Page::default();
        for path in &files {
            page.add(path, reading, &chosen, self.rules.rules, &mut sides)?;
        }
        write_whole(&self.output, page.html()?.as_bytes())?;
        let (finds, path) = (
            counted(page.finds(), "find"),
            self.output.display().to_string(),
        );
        let path = printable(&path);
        writeln!(std::io::stdout(), "{finds} in {path}")?;
        Ok(if page.is_unexpected() {
            Outcome::Finding
        } else {
            Outcome::AsExpected
        })
    }
}
