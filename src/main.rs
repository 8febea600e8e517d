//! The `kmem-rig` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmem_rig::cli::main(&[])
}
