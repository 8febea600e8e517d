//! Writes the linker's script, `guest.x`, to where the linker of every program that depends on this
//! crate looks for it.

use std::path::PathBuf;
use std::{env, fs};

#[path = "src/layout.rs"]
mod layout;

use layout::{Part, RODATA, STACK, TEXT, WRITABLE};

const TARGET: &str = "riscv64gc-unknown-none-elf";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/layout.rs");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    assert!(
        target == TARGET,
        "the guest is built for {target}; build it with `--target {TARGET}`"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("guest.x"), script()).expect("cannot write guest.x to OUT_DIR");
    println!("cargo:rustc-link-search={}", out.display());
}

/// Counters of an instrumented image, as `coverage` finds them: apart from data, whose checksum they
/// would change, and in whole words, in which the host reads them. Injected so that the start-up
/// clears them with bss.
const COUNTERS: &str = "SECTIONS {
  __sancov_cntrs (NOLOAD) : ALIGN(8) {
    __start_counters = .;
    __start___sancov_cntrs = .;
    KEEP(*(__sancov_cntrs));
    __stop___sancov_cntrs = .;
    . = ALIGN(8);
    __stop_counters = .;
  } > WRITABLE
} INSERT AFTER .bss;
";

/// The memory regions that `riscv-rt`'s linker script, `link.x`, wants to be told, and then that script.
fn script() -> String {
    let region = |name: &str, part: Part| {
        format!(
            "  {name} : ORIGIN = {:#x}, LENGTH = {:#x}\n",
            part.start, part.bytes
        )
    };
    let half = RODATA.bytes / 2;
    let constants = Part {
        start: RODATA.start + half,
        bytes: half,
    };
    let alias = |name: &str, region: &str| format!("REGION_ALIAS(\"REGION_{name}\", {region});\n");
    [
        "MEMORY {\n".to_string(),
        region("CODE", TEXT),
        region("CONSTANTS", constants),
        region("STACK", STACK),
        region("WRITABLE", WRITABLE),
        "}\n".to_string(),
        alias("TEXT", "CODE"),
        alias("RODATA", "CONSTANTS"),
        alias("STACK", "STACK"),
        alias("DATA", "WRITABLE"),
        alias("BSS", "WRITABLE"),
        alias("HEAP", "WRITABLE"),
        "INCLUDE link.x\n".to_string(),
        COUNTERS.to_string(),
    ]
    .concat()
}
