//! Compiles the allocator for the host, and for the guest by `riscv64-unknown-elf-gcc`.

fn main() {
    println!("cargo::rerun-if-changed=src/heap.c");
    let mut heap = cc::Build::new();
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("riscv64gc-")) {
        // As Rust has it: floats in their own registers, and code that reaches 0x8000_0000.
        heap.flag("-mabi=lp64d").flag("-mcmodel=medany");
    }
    heap.file("src/heap.c")
        // As a kernel has it: no library, and optimised whatever the profile.
        .flag("-ffreestanding")
        .opt_level(2)
        .warnings_into_errors(true)
        .compile("heap");
}
