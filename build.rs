//! Collects the committed regressions, so that a fuzz target, which may run anywhere, knows what
//! is known already.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("qemu-tests/regressions");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut code = "/// The committed regressions: name and text.\n\
                    static REGRESSIONS: &[(&str, &str)] = &[\n"
        .to_owned();
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "trace"))
    {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(
            code,
            "    ({name:?}, include_str!({:?})),",
            path.display().to_string()
        )
        .expect("a string takes any text");
    }
    code.push_str("];\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("regressions.rs");
    fs::write(out, code).expect("cargo's own folder can be written");
}
