//! `blink-alloc` 0.2.1, whose allocator API was not a module yet.

mod blink;
mod source;

use allocator_api2 as api;

pub use self::blink::Allocator;
