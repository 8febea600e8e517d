//! `kmem-rig encode`: text to fuzzer bytes.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use harness::bytes;

use super::Outcome;
use crate::input;
use crate::regression::write_whole;

/// Write a trace in the byte form that the fuzz targets read
///
/// Example: kmem-rig encode qemu-tests/regressions/misaligned.trace -o fuzz/corpus/kmem/misaligned
#[derive(Args)]
pub(super) struct Arguments {
    /// The trace
    trace: PathBuf,
    /// Where to write the bytes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let trace = input::read(&self.trace)?.trace();
        write_whole(&self.output, &bytes::encode(&trace))?;
        Ok(Outcome::AsExpected)
    }
}
