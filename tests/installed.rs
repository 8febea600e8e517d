//! `make install`: one file that needs nothing beside it but QEMU.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::root;
use testkit::workspace::{fresh, succeed};

const TRACE: &str = "kmem-2019-unmerged-free.trace";
const INSTALL: &str = "install --locked --path . --features embed-guest";

/// Replays a trace on both sides in an empty folder, with a copy of this program beside it.
fn replay_alone(program: &Path) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("kmem-rig");
    fs::copy(program, &alone).unwrap();
    let trace = root().join("qemu-tests/regressions").join(TRACE);
    fs::copy(trace, folder.path().join(TRACE)).unwrap();
    let mut command = Command::new(alone);
    command.args(["replay", TRACE, "--on", "host,qemu"]);
    command
        .current_dir(folder.path())
        .env_remove("KMEM_RIG_GUEST");
    let output = command.output().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code(), text)
}

/// Compiles the rig once more, with other features than the other tests do.
#[test]
fn one_file_replays_on_host_and_in_qemu() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    assert!(makefile.contains(&format!("\tcargo {INSTALL}\n")));
    let folder = fresh("installed");
    let arguments: Vec<_> = INSTALL.split(' ').collect();
    let into = ["--offline", "--root", folder.to_str().unwrap()];
    succeed(&root(), "cargo", &[&arguments[..], &into].concat());
    let (code, text) = replay_alone(&folder.join("bin/kmem-rig"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("4 runs: 4 as expected"), "{text}");
}

#[test]
fn a_program_without_the_image_says_what_to_do() {
    let (code, text) = replay_alone(Path::new(env!("CARGO_BIN_EXE_kmem-rig")));
    assert_eq!(code, Some(2), "{text}");
    for said in ["`make build`", "`--guest PATH`", "`make install`"] {
        assert!(text.contains(said), "{text}");
    }
}
