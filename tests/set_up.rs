//! What `scripts/setup.sh` installs for a verb, and what `doctor` makes of it: both are run on a
//! machine that is pretended, by a `PATH` of stubs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::root;

/// What the script is made of, on any machine.
const SHELL: [&str; 8] = [
    "bash", "cat", "dirname", "echo", "flock", "grep", "id", "mktemp",
];

/// A machine with these programs, which print `words` and succeed, and nothing else.
fn machine(stubs: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in SHELL {
        let mut places = std::env::split_paths(&path).map(|place| place.join(name));
        let found = places.find(|place| place.is_file()).unwrap();
        symlink(found, folder.path().join(name)).unwrap();
    }
    for (name, words) in stubs {
        let stub = folder.path().join(name);
        fs::write(&stub, format!("#!/usr/bin/env bash\n{words}\n")).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

fn run(program: &Path, argument: &str, machine: &TempDir) -> Output {
    let mut command = Command::new(program);
    command.arg(argument).current_dir(root());
    command.env("PATH", machine.path()).env_remove("CI");
    command.output().unwrap()
}

/// What the set-up of a verb has apt install where nothing is but Rust and a C++ compiler.
fn packages(verb: &str) -> Vec<String> {
    // The folder of a toolchain that lacks nothing, and of rustup's own, which cannot be written
    // to.
    let installed = "case \"$*\" in *sysroot*) echo \"$0.root\" ;; *) echo /nonexistent ;; esac";
    let machine = machine(&[
        ("rustup", installed),
        ("rustc", installed),
        ("cargo", ""),
        ("npm", ""),
        ("node", ""),
        ("c++", ""),
        ("apt-get", "echo \"$@\" >>\"$0.log\""),
        ("apt-cache", "exit 1"),
        ("sudo", "shift; exec \"$@\""),
    ]);
    let script = root().join("scripts/setup.sh");
    let mut command = Command::new(script);
    command.arg(verb).env("PATH", machine.path());
    let output = command.env("CI", "true").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{verb}: {text}");
    let log = fs::read_to_string(machine.path().join("apt-get.log")).unwrap_or_default();
    let installs = log.lines().filter(|line| line.starts_with("install "));
    installs
        .flat_map(str::split_whitespace)
        .filter(|word| *word != "install" && !word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_verb_installs_what_it_needs_and_no_more() {
    assert_eq!(packages("run"), ["qemu-system-misc"]);
    assert_eq!(packages("replay"), ["qemu-system-misc"]);
    assert_eq!(packages("build"), [""; 0]);
    assert_eq!(packages("lint"), [""; 0]);
    let everything = packages("all");
    for package in packages("test") {
        assert!(everything.contains(&package), "{package}");
    }
    assert!(everything.contains(&"chromium".to_owned()));
}

#[test]
fn every_verb_that_asks_for_its_set_up_has_one() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let asked = makefile.split_whitespace().filter_map(|word| {
        let verb = word.strip_prefix("setup-")?;
        verb.starts_with(|c: char| c.is_ascii_lowercase())
            .then_some(verb)
    });
    let asked: Vec<_> = asked.collect();
    assert!(asked.len() > 10, "{asked:?}");
    for verb in asked {
        packages(verb);
    }
    let output = run(&root().join("scripts/setup.sh"), "nonesuch", &machine(&[]));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn doctor_needs_nothing_that_only_the_rigs_own_tests_need() {
    let user = [
        ("qemu-system-riscv64", "echo \"$0.data\""),
        ("gdb-multiarch", "echo 13.1"),
        ("gdb", "echo 13.1"),
        ("cargo", "[ \"$*\" != 'nextest --version' ] && echo 1"),
        ("rustc", "echo /"),
    ];
    let doctor = |machine: &TempDir| {
        let data = machine.path().join("qemu-system-riscv64.data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("opensbi-riscv64-generic-fw_dynamic.bin"), "").unwrap();
        let image = machine.path().join("image");
        fs::write(&image, "").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmem-rig"));
        command.arg("doctor").env("PATH", machine.path());
        let output = command.env("KMEM_RIG_GUEST", image).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = doctor(&machine(&user));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("MISSING: apt-get install chromium"), "{text}");
    assert!(text.contains("MISSING: cargo install --locked cargo-nextest"));

    let (code, text) = doctor(&machine(&user[..4]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("or run: rustup target add riscv64gc-unknown-none-elf\n"));
}
