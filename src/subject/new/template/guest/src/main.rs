//! The guest: `my-heap` on riscv64, without an operating system.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main![my_heap_subject::MyHeap];
