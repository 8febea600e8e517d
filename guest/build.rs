//! Writes the linker's script, `guest.x`, to where the linker of every program that depends on this
//! crate looks for it.

use std::path::PathBuf;
use std::{env, fs};

#[path = "src/layout.rs"]
mod layout;

use layout::{Part, RODATA, TEXT, WRITABLE};

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

/// The sections. Data are loaded to where they are used, and what has no initial value is not
/// loaded: memory starts as zeros. Counters of an instrumented image, SanitizerCoverage's of edges
/// or those that LLVM's source lines are counted by, lie as `coverage` finds them: apart from data,
/// whose checksum they would change, and in whole words, in which the host reads them. What runs
/// the ops of a trace, the loop that QEMU is in for most of the time, starts a page and lies before
/// what it calls: QEMU looks up the target of each jump to another page.
const SECTIONS: &str = "ENTRY(_start)
SECTIONS {
  .text : ALIGN(8) {
    __stext = .;
    KEEP(*(.text.start));
    . = ALIGN(4096);
    *(.text.*7harness3run7execute*);
    *(.text.*7harness3run4heap*);
    . = ALIGN(4096);
    *(.text.*7harness3run7pattern*);
    *(.text .text.*);
    . = ALIGN(8);
    __etext = .;
  } > CODE
  .rodata : ALIGN(8) {
    __srodata = .;
    *(.srodata .srodata.* .rodata .rodata.*);
    . = ALIGN(8);
    __erodata = .;
  } > CONSTANTS
  .eh_frame : { KEEP(*(.eh_frame)) } > CONSTANTS
  .settled : { *(.settled .settled.*) } > CONSTANTS
  __llvm_prf_data : ALIGN(8) { KEEP(*(__llvm_prf_data)); } > CONSTANTS
  __llvm_prf_names : { KEEP(*(__llvm_prf_names)); } > CONSTANTS
  .data : ALIGN(8) {
    __sdata = .;
    __global_pointer$ = . + 0x800;
    *(.sdata .sdata.* .data .data.*);
    . = ALIGN(8);
    __edata = .;
  } > WRITABLE
  .bss (NOLOAD) : ALIGN(8) { *(.sbss .sbss.* .bss .bss.* COMMON); } > WRITABLE
  .counters (NOLOAD) : ALIGN(8) {
    __start_counters = .;
    __start___sancov_cntrs = .;
    KEEP(*(__sancov_cntrs));
    __stop___sancov_cntrs = .;
    KEEP(*(__llvm_prf_cnts));
    . = ALIGN(8);
    __stop_counters = .;
  } > WRITABLE
  .uninit (NOLOAD) : ALIGN(8) { *(.uninit .uninit.*); } > WRITABLE
  .tables (NOLOAD) : { *(.tables .tables.*); } > WRITABLE
}
";

/// The linker's whole script: the parts of memory, and what goes where.
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
    [
        "MEMORY {\n".to_string(),
        region("CODE", TEXT),
        region("CONSTANTS", constants),
        region("WRITABLE", WRITABLE),
        "}\n".to_string(),
        SECTIONS.to_string(),
    ]
    .concat()
}
