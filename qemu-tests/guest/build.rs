//! Gives the linker the script that comes with `kmem-rig-guest`.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tguest.x");
    // Labels within functions: nobody asks for them, and QEMU would sort tens of thousands at each boot.
    println!("cargo::rustc-link-arg-bins=--discard-locals");
}
