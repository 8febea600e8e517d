//! Gives the linker its scripts: for the guest the one that comes with `kmem-rig-guest`, for the
//! kernels in `bin` one of their own.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=kernel.x");
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bin=kmem-rig-guest=-Tguest.x");
    println!("cargo::rustc-link-arg-bin=kmem-rig-guest-all=-Tguest.x");
    for kernel in ["recorded-kernel", "pressed-kernel"] {
        println!("cargo::rustc-link-arg-bin={kernel}=-T{folder}/kernel.x");
    }
    // Labels within functions: nobody asks for them, and QEMU would sort tens of thousands at each
    // boot.
    println!("cargo::rustc-link-arg-bins=--discard-locals");
}
