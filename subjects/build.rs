//! Makes the mutants, if they are asked for.

#[cfg(feature = "mutants")]
#[path = "mutants/make.rs"]
mod make;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "mutants")]
    make::all();
}
