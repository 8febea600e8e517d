//! The guest with every subject that the rig brings along.
#![no_std]
#![no_main]

kmem_rig_guest::guest_main!(entries: &subjects::ALL);
