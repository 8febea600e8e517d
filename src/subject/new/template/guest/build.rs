//! Gives the linker the script that comes with `kmem-rig-guest`.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tguest.x");
}
