//! `--machine` and `--cpu`: what is asked for is booted, and what there is not is told.

use std::fs;

use testkit::command_line::{command, ended};
use testkit::{kmem_rig, root};

use crate::MISALIGNED;

const QEMU: &str = "qemu-system-riscv64";

/// QEMU looks for its data beside itself.
#[test]
fn a_missing_firmware_is_told_with_the_command_that_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let mut qemus = std::env::split_paths(&path).map(|folder| folder.join(QEMU));
    let qemu = qemus.find(|qemu| qemu.is_file()).expect("QEMU is there");
    fs::copy(qemu, folder.path().join(QEMU)).unwrap();
    let line = "hunt --on qemu --machine s --execs 1";
    let mut no_firmware = command(env!("CARGO_BIN_EXE_kmem-rig"), line);
    let (code, _, errors) = ended(no_firmware.env("PATH", folder.path()).output());
    assert_eq!(code, 2);
    for told in ["OpenSBI", "qemu-system-data"] {
        assert!(errors.contains(told), "{errors}");
    }
}

/// What a find in another machine says of how it was found leads to that machine again.
#[test]
fn a_find_names_the_machine_that_it_was_found_in() {
    let folder = tempfile::tempdir().unwrap();
    let machine = "--on qemu --machine s --cpu sifive-u54";
    let out = folder.path().display();
    let line = format!("hunt {machine} --subject kmem-2019 --until misaligned --out {out}");
    let (code, _, errors) = kmem_rig!("{line}");
    assert_eq!(code, 1, "{errors}");
    let finds: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(!finds.is_empty());
    for find in finds {
        let text = fs::read_to_string(find.path()).unwrap();
        assert!(text.contains(machine), "{text}");
    }
}

/// By what it says of a fault, and by what an op costs.
#[test]
fn every_command_that_boots_the_guest_boots_the_machine_asked_for() {
    let trace = "qemu-tests/regressions/kmem-2019-fault-alloc-zeroed.trace";
    let observed = |machine: &str| {
        let (code, lines, errors) = kmem_rig!("replay {trace} --on qemu --format json {machine}");
        assert_eq!(code, 0, "{errors}");
        let row: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        row["observed"].as_str().unwrap().to_owned()
    };
    let (machine, supervisor) = (observed(""), observed("--machine s"));
    assert!(!machine.contains("page fault"), "{machine}");
    assert!(supervisor.contains("page fault"), "{supervisor}");
    assert_eq!(observed("--machine m"), machine);
    assert_eq!(observed("--machine s --cpu sifive-u54"), supervisor);

    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    for (machine, faults) in [("", false), ("--machine s", true)] {
        let out = page.display();
        let (code, _, errors) = kmem_rig!("report {trace} --on qemu -o {out} {machine}");
        assert_eq!(code, 0, "{errors}");
        let text = fs::read_to_string(&page).unwrap();
        assert_eq!(text.contains("page fault"), faults, "{machine}");
    }

    let cost = format!("show {trace} --cost --subject kmem");
    let (code, text, errors) = kmem_rig!("{cost} --machine s");
    assert_eq!(code, 0, "{errors}");
    let usual = kmem_rig!("{cost}").1;
    assert_eq!(text, usual, "instructions are as many in either mode");
}

#[test]
fn a_machine_that_there_is_not_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let artifacts = format!("{at}/kmem_2019");
    fs::create_dir(&artifacts).unwrap();
    fs::copy(root().join(MISALIGNED), format!("{artifacts}/crash-1")).unwrap();
    for command in [
        format!("replay {MISALIGNED}"),
        format!("report {MISALIGNED} -o {at}/page"),
        format!("debug {MISALIGNED} --batch"),
        format!("show {MISALIGNED} --cost"),
        format!("triage {artifacts} --out {artifacts} --known {artifacts}"),
        "hunt --on qemu --execs 1".to_owned(),
    ] {
        for (option, told) in [
            ("--cpu z80", "QEMU has no processor `z80`"),
            ("--machine x", "[possible values: m, s]"),
        ] {
            let (code, _, errors) = kmem_rig!("{command} {option}");
            assert_eq!(code, 2, "{command}: {errors}");
            assert!(errors.contains(told), "{command}: {errors}");
        }
    }
    assert!(!folder.path().join("page").exists());
}
