//! `blink-alloc`, from 0.2.2 on.

mod blink;
mod source;

use allocator_api2::alloc as api;

pub use self::blink::Allocator;
