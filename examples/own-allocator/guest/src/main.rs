//! The guest: `own-allocator` on riscv64, without an operating system.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main![own_allocator_subject::OwnAllocator];
