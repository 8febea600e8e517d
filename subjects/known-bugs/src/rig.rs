//! The rig over one version of a crate: every command, with that version's adapter as a subject.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmem_rig::cli::main(kmem_rig::subjects![adapter::Allocator])
}
