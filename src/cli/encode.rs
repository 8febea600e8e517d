//! `kmem-rig encode`: text to fuzzer bytes.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::bytes;

use super::Outcome;
use super::options::{InputOptions, examples};
use crate::fuzz::corpus;
use crate::regression::write_whole;
use crate::trace::input;

/// Write a trace in the byte form that the fuzz targets read, or a whole corpus in the newest
///
/// Of a folder, every file is read as a fuzz target reads it, in whatever version it is; what is
/// the same trace is written once.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig encode my.trace -o fuzz/corpus/kmem/my-trace"]))]
pub(super) struct Arguments {
    /// The trace, or the folder of a corpus
    trace: PathBuf,
    /// Where to write the bytes: a file, or a folder
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    #[command(flatten)]
    reading: InputOptions,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        if self.trace.is_dir() {
            let renewed = corpus::renew(&self.trace, &self.output)?;
            println!("{renewed}");
            return Ok(Outcome::AsExpected);
        }
        let trace = input::read(&self.trace, self.reading.reading())?.trace();
        write_whole(&self.output, &bytes::encode(&trace))?;
        Ok(Outcome::AsExpected)
    }
}
