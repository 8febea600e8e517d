//! The rig's command line, with `my-heap` beside its own subjects.

use std::process::ExitCode;

fn main() -> ExitCode {
    kmem_rig::cli::main(kmem_rig::subjects![my_heap_subject::MyHeap])
}
