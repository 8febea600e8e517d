//! Fuzzes `own-allocator` against the reference model.
#![no_main]

kmem_rig::fuzz_subject!(own_allocator_subject::OwnAllocator);
