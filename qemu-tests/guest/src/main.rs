//! The guest with the rig's own allocators, which is what most people boot.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main!(entries: &subjects::ALL);
