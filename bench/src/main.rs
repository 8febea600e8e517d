//! What this repository is worth, in figures: a bench measures one question.
//!
//! | bench | asks |
//! |---|---|
//! | [`fuzzing`] | how fast the fuzz targets are |
//! | [`guest`] | how fast the guest is, against a boot an input and the host alone |
//! | [`known_bugs`] | how soon real bugs are found |
//! | [`throughput`] | what judging adds to the calls themselves |
//!
//! What the calls of an allocator cost is measured by `kmem-rig bench cost`, in any workspace.
//!
//! A bench measures, and judges nothing but its own goals. Whatever depends on the machine is given
//! as a ratio of two measurements of one run.

mod chart;
mod cli;
mod clock;
mod fuzzing;
mod guest;
mod known_bugs;
mod rounds;
mod throughput;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    kmem_rig::cli::exit_code("kmem-rig-bench", cli::Arguments::parse().run())
}
