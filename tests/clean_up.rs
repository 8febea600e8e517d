//! Nothing is left behind: no QEMU, no worker, no temporary file, however the rig is ended.

use std::fs;
use std::process::{Child, Command, Stdio};

use testkit::{children_of, is_running, wait_until};

/// Starts a hunt that would last an hour, with an empty folder for temporary files.
fn hunt(on: &str, temporary: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kmem-rig"))
        .args(["hunt", "--subject", "kmem", "--time", "1h", "--on", on])
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn ended_by(signal: &str, on: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let mut rig = hunt(on, temporary.path());
    let mut children = Vec::new();
    wait_until("a worker or a QEMU runs", || {
        children = children_of(rig.id());
        !children.is_empty()
    });
    let killed = Command::new("kill")
        .args([signal, &rig.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    rig.wait().unwrap();
    for child in children {
        wait_until("every child is gone", || !is_running(child));
    }
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_hunt_on_the_host_takes_its_worker_along() {
    for signal in ["-INT", "-TERM", "-KILL"] {
        ended_by(signal, "host");
    }
}

#[test]
fn a_hunt_in_the_guest_takes_its_qemu_along() {
    for signal in ["-INT", "-TERM", "-KILL"] {
        ended_by(signal, "qemu");
    }
}

#[test]
fn success_leaves_nothing_either() {
    let temporary = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_kmem-rig"))
        .args(["hunt", "--subject", "kmem", "--execs", "50", "--on", "qemu"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}
