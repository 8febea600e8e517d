//! Gives the linker its script.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=many-harts.x");
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    println!("cargo::rustc-link-arg-bins=-T{folder}/many-harts.x");
}
