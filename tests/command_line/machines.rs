//! `--machine` and `--cpu`: what is asked for is booted, and what there is not is told.

use std::fs;
use std::path::Path;

use qemu_tests::root;

use crate::{QEMU, finish, kmem_rig, run};

/// QEMU looks for its data beside itself.
#[test]
fn a_missing_firmware_is_told_with_the_command_that_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let mut qemus = std::env::split_paths(&path).map(|folder| folder.join(QEMU));
    let qemu = qemus.find(|qemu| qemu.is_file()).expect("QEMU is there");
    fs::copy(qemu, folder.path().join(QEMU)).unwrap();
    let no_firmware = kmem_rig()
        .args(["hunt", "--on", "qemu", "--machine", "s", "--execs", "1"])
        .current_dir(root())
        .env("PATH", folder.path())
        .output();
    let (code, _, errors) = finish(no_firmware.unwrap());
    assert_eq!(code, 2);
    assert!(
        errors.contains("OpenSBI") && errors.contains("qemu-system-data"),
        "{errors}"
    );
}

/// What a find in another machine says of how it was found leads to that machine again.
#[test]
fn a_find_names_the_machine_that_it_was_found_in() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (code, _, errors) = run(&[
        "hunt",
        "--on",
        "qemu",
        "--machine",
        "s",
        "--cpu",
        "sifive-u54",
        "--subject",
        "kmem-2019",
        "--until",
        "misaligned",
        "--out",
        out,
    ]);
    assert_eq!(code, 1, "{errors}");
    for entry in fs::read_dir(folder.path()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(
            text.contains("--on qemu --machine s --cpu sifive-u54"),
            "{text}"
        );
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() > 0);
}

/// By what it says of a fault, and by what an op costs.
#[test]
fn every_command_that_boots_the_guest_boots_the_machine_asked_for() {
    let trace = "qemu-tests/regressions/kmem-2019-fault-alloc-zeroed.trace";
    let observed = |machine: &[&str]| {
        let replay = ["replay", trace, "--on", "qemu", "--format", "json"];
        let (code, lines, errors) = run(&[&replay[..], machine].concat());
        assert_eq!(code, 0, "{errors}");
        let row: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        row["observed"].as_str().unwrap().to_owned()
    };
    let (machine, supervisor) = (observed(&[]), observed(&["--machine", "s"]));
    assert!(!machine.contains("page fault"), "{machine}");
    assert!(supervisor.contains("page fault"), "{supervisor}");
    assert_eq!(observed(&["--machine", "m"]), machine);
    let on_cpu = observed(&["--machine", "s", "--cpu", "sifive-u54"]);
    assert_eq!(on_cpu, supervisor);

    let report = |folder: &Path, machine: &[&str]| {
        let page = folder.join("page.html");
        let report = [
            "report",
            trace,
            "--on",
            "qemu",
            "-o",
            page.to_str().unwrap(),
        ];
        let (code, _, errors) = run(&[&report[..], machine].concat());
        assert_eq!(code, 0, "{errors}");
        fs::read_to_string(page).unwrap().contains("page fault")
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(!report(folder.path(), &[]));
    assert!(report(folder.path(), &["--machine", "s"]));

    let cost = ["show", trace, "--cost", "--subject", "kmem"];
    let (code, text, errors) = run(&[&cost[..], &["--machine", "s"]].concat());
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        text,
        run(&cost).1,
        "instructions are as many in either mode"
    );
}

#[test]
fn a_machine_that_there_is_not_is_told() {
    let trace = "qemu-tests/regressions/kmem-2019-misaligned-alloc.trace";
    let folder = tempfile::tempdir().unwrap();
    let (artifacts, page) = (folder.path().join("kmem_2019"), folder.path().join("page"));
    fs::create_dir(&artifacts).unwrap();
    fs::copy(root().join(trace), artifacts.join("crash-1")).unwrap();
    let artifacts = artifacts.to_str().unwrap();
    let commands = [
        &["replay", trace][..],
        &["report", trace, "-o", page.to_str().unwrap()],
        &["debug", trace, "--batch"],
        &["show", trace, "--cost"],
        &[
            "triage", artifacts, "--out", artifacts, "--known", artifacts,
        ],
        &["hunt", "--on", "qemu", "--execs", "1"],
    ];
    for command in commands {
        let (code, _, errors) = run(&[command, &["--cpu", "z80"]].concat());
        assert_eq!(code, 2, "{command:?}: {errors}");
        assert!(
            errors.contains("QEMU has no processor `z80`"),
            "{command:?}: {errors}"
        );
        let (code, _, errors) = run(&[command, &["--machine", "x"]].concat());
        assert_eq!(code, 2, "{command:?}: {errors}");
        assert!(
            errors.contains("[possible values: m, s]"),
            "{command:?}: {errors}"
        );
    }
    assert!(!page.exists());
}
