//! Tells packages that depend on this one, and have a build script, where its sources are: as
//! `DEP_KMEM_SOURCES`.

fn main() {
    let package = std::env::var("CARGO_MANIFEST_DIR").expect("Cargo names the package's folder");
    println!("cargo::metadata=sources={package}/src");
    println!("cargo::rerun-if-changed=build.rs");
}
