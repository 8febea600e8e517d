//! Has the snapshots built into the tests anew when one comes, goes or changes: the compiler knows
//! of those only that were there the last time.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=../snapshots");
}
