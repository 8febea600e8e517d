//! The rig's command line, with `own-allocator` beside its own subjects.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmem_rig::cli::main(kmem_rig::subjects![own_allocator_subject::OwnAllocator])
}
