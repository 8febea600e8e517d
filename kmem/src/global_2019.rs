//! The published global functions over one [`Kmem2019`](crate::Kmem2019) and one
//! [`Pages2019`](crate::Pages2019): the layer of [`global`](crate::global), bugs below it.

#![allow(unsafe_code, reason = "it has the heap of a kernel in a static")]

use core::alloc::Layout;

pub use crate::global::alloc_error;

crate::global::global_layer!(crate::Kmem2019, crate::Pages2019, crate::Kmem2019::new);
