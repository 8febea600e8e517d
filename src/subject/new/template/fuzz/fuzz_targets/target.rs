//! Fuzzes `my-heap` against the reference model.
#![no_main]

kmem_rig::fuzz_subject!(my_heap_subject::MyHeap);
