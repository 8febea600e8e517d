//! The guest: the allocator in C on riscv64, without an operating system.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main![c_allocator_subject::CHeap];
