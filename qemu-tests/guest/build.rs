//! Gives the linker its scripts: for the guest the one that comes with `kmem-rig-guest`, for the kernel
//! one of its own.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=recorded-kernel.x");
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bin=kmem-rig-guest=-Tguest.x");
    println!("cargo::rustc-link-arg-bin=recorded-kernel=-T{folder}/recorded-kernel.x");
    // Labels within functions: nobody asks for them, and QEMU would sort tens of thousands at each boot.
    println!("cargo::rustc-link-arg-bins=--discard-locals");
}
