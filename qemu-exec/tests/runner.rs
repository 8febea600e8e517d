//! The `qemu-exec` binary: what it prints, what it exits with, what it leaves behind.

#![cfg(feature = "cli")]

mod processes;
mod tiny_guest;

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use processes::{children, is_alive, wait_until};
use tiny_guest::TinyGuest;

fn runner(image: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qemu-exec"));
    command.args(["--deadline", "10s"]).arg(image);
    command
}

/// Runs to the end; a missing QEMU shows as code 2 with the command that installs it.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    )
}

#[test]
fn a_passing_guest_is_0_and_its_console_is_stdout() {
    let image = TinyGuest::new()
        .print("hello\n")
        .pass()
        .write("runner_pass");
    let expected = (Some(0), "hello\n".to_string(), String::new());
    assert_eq!(output(&mut runner(&image)), expected);
}

#[test]
fn a_failing_guest_is_its_code() {
    let image = TinyGuest::new().fail(42).write("runner_fail");
    assert_eq!(
        output(&mut runner(&image)),
        (Some(42), String::new(), String::new())
    );
}

#[test]
fn the_deadline_is_124() {
    let image = TinyGuest::new().spin().write("runner_deadline");
    let mut command = Command::new(env!("CARGO_BIN_EXE_qemu-exec"));
    command
        .args(["--deadline", "50ms", "--icount", "0", "--ram-mib", "8"])
        .arg(&image);
    let (code, _, stderr) = output(&mut command);
    assert_eq!(code, Some(124), "{stderr}");
    assert_eq!(stderr, "qemu-exec: no end within 50ms: killed\n");
}

#[test]
fn a_missing_qemu_or_image_and_wrong_usage_are_2() {
    let image = TinyGuest::new().pass().write("runner_missing");
    let (code, _, stderr) = output(runner(&image).args(["--qemu", "no-such-qemu"]));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("apt-get install qemu-system-misc"),
        "{stderr}"
    );

    let (code, _, stderr) = output(&mut runner(Path::new("no-such-image")));
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("cannot read guest image `no-such-image`"),
        "{stderr}"
    );

    let (code, _, stderr) = output(runner(&image).args(["--deadline", "soon"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("500ms, 60s or 2m"), "{stderr}");
}

#[test]
fn what_follows_two_dashes_is_for_qemu_and_its_refusal_is_shown() {
    let image = TinyGuest::new().pass().write("runner_refused");
    let (code, _, stderr) = output(runner(&image).args(["--", "-no-such-argument"]));
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("-no-such-argument: invalid option"),
        "{stderr}"
    );
}

#[test]
fn help_has_an_example() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qemu-exec"));
    let (code, stdout, _) = output(command.arg("--help"));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("qemu-exec --deadline 10s --ram-mib 16 kernel.elf -- -d int"));
}

#[test]
fn kill_9_of_the_runner_leaves_no_qemu() {
    assert_signal_leaves_no_qemu("KILL");
}

#[test]
fn sigterm_of_the_runner_leaves_no_qemu() {
    assert_signal_leaves_no_qemu("TERM");
}

/// Starts a guest that spins, waits until it has spoken, and sends `signal` to the runner alone.
fn assert_signal_leaves_no_qemu(signal: &str) {
    let image = TinyGuest::new()
        .print("up")
        .spin()
        .write(&format!("runner_{signal}"));
    let mut runner = runner(&image).stdout(Stdio::piped()).spawn().unwrap();
    let qemu = qemu_of(&mut runner);
    assert!(is_alive(qemu));
    let id = runner.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        runner.wait().unwrap().code(),
        None,
        "the runner ends by the signal"
    );
    wait_until("QEMU is gone", Duration::from_secs(1), || !is_alive(qemu));
}

/// The QEMU below `runner`, once the guest has printed (which also shows that the console is
/// streamed, not printed at the end).
fn qemu_of(runner: &mut Child) -> u32 {
    let mut up = [0; 2];
    let stdout = runner.stdout.as_mut().unwrap();
    stdout
        .read_exact(&mut up)
        .expect("no QEMU? apt-get install qemu-system-misc");
    assert_eq!(&up, b"up");
    let children = children(runner.id());
    let [(qemu, name)] = &children[..] else {
        panic!("not one child: {children:?}")
    };
    assert!(name.starts_with("qemu-system"), "{name}");
    *qemu
}
