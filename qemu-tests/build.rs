//! Has what is built into the tests built in anew when a file comes, goes or changes: the compiler
//! knows of those only that were there the last time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for folder in ["regressions", "../fuzz/seeds"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
