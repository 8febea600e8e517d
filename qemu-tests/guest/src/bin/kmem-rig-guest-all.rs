//! The guest with every subject that the rig knows, for its own tests.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main!(entries: &subjects::ALL);
