//! The rig's command line, with the allocator in C beside its own subjects.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmem_rig::cli::main(kmem_rig::subjects![c_allocator_subject::CHeap])
}
