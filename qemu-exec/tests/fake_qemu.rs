//! A `Guest` against programs in QEMU's place that misbehave on purpose.
//!
//! They are files of the repository rather than written here: a script that one thread has just
//! written cannot be run (`ETXTBSY`) while another thread's fork still holds it open.

mod processes;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use processes::{SOON, exists, group, wait_until};
use qemu_exec::{Ended, Error, Exit, Guest, Machine};

const SIGKILL: i32 = 9;

/// A machine with a fake for QEMU. Any file does for an image.
fn machine(fake: &str) -> Machine {
    let scripts = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fake_qemu");
    Machine::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).program(scripts.join(fake))
}

fn start(fake: &str) -> Guest {
    machine(fake).start().unwrap()
}

#[test]
fn a_qemu_that_refuses_its_arguments_leaves_its_reason() {
    let mut guest = start("refuses.sh");
    assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(7)));
    assert_eq!(guest.serial().errors, "fake-qemu: no such machine\n");
    assert_eq!(guest.serial().text, "");
    assert!(!exists(guest.id()));
    // Nothing more happens to a guest that has ended.
    guest.kill();
    assert_eq!(guest.try_wait().unwrap(), Some(Exit::Code(7)));
    assert_eq!(
        guest.wait(Duration::ZERO).unwrap(),
        Ended::Exited(Exit::Code(7))
    );
    guest.cpu_time().unwrap();
}

#[test]
fn a_guest_that_never_answers_ends_at_the_deadline() {
    let deadline = Duration::from_millis(100);
    let mut guest = start("silent.sh");
    let begin = Instant::now();
    assert_eq!(guest.try_wait().unwrap(), None);
    assert_eq!(guest.wait(deadline).unwrap(), Ended::DeadlineExceeded);
    assert!(begin.elapsed() >= deadline);
    assert!(begin.elapsed() < SOON);
    assert!(!exists(guest.id()));
    assert_eq!(guest.try_wait().unwrap(), Some(Exit::Signal(SIGKILL)));
}

#[test]
fn a_guest_that_waits_uses_no_cpu_time_and_one_that_floods_does() {
    let silent = start("silent.sh");
    let floods = start("floods.sh");
    let grows = Duration::from_millis(50);
    wait_until("the flood uses cpu time", SOON, || {
        floods.cpu_time().unwrap() >= grows
    });
    assert!(silent.cpu_time().unwrap() < grows);
}

#[test]
fn a_flood_is_capped_counted_and_never_blocks() {
    let bytes_max = 1000;
    let beyond_any_pipe = 16 * 1024 * 1024;
    let mut guest = machine("floods.sh")
        .serial_bytes_max(bytes_max)
        .start()
        .unwrap();
    wait_until("the flood flows", SOON, || {
        guest.serial().dropped_bytes > beyond_any_pipe
    });
    guest.kill();
    let serial = guest.serial();
    assert_eq!(serial.text, "y\n".repeat(bytes_max / 2));
    assert_eq!((serial.dropped_bytes + bytes_max as u64) % 2, 0);
    assert!(!exists(guest.id()));
}

#[test]
fn a_wrapper_that_ignores_signals_is_killed_with_its_children() {
    let mut guest = start("stubborn.sh");
    wait_until("the wrapper is up with its child", SOON, || {
        guest.serial().text == "up\n" && group(guest.id()).len() == 2
    });
    let begin = Instant::now();
    assert_eq!(guest.wait(Duration::ZERO).unwrap(), Ended::DeadlineExceeded);
    assert!(!exists(guest.id()));
    wait_until("its child is gone", SOON, || group(guest.id()).is_empty());
    assert!(begin.elapsed() < SOON);
    assert_eq!(guest.serial().text, "up\n");
}

#[test]
fn a_console_held_open_by_a_child_does_not_hold_the_host() {
    let mut guest = start("leaves_child.sh");
    let begin = Instant::now();
    assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(0)));
    assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(0)));
    assert_eq!(guest.serial().text, "up\n");
    // The child sleeps for three seconds; the host's patience is one, once.
    assert!(begin.elapsed() < Duration::from_millis(2900));
}

#[test]
fn drop_kills_and_reaps() {
    let guest = start("silent.sh");
    let id = guest.id();
    assert!(exists(id));
    drop(guest);
    assert!(!exists(id));
}

#[test]
fn a_guest_outlives_the_thread_that_started_it() {
    let mut guest = std::thread::spawn(|| start("silent.sh")).join().unwrap();
    // Were the thread the parent, the kernel would send the signal as the thread goes.
    assert_eq!(
        guest.wait(Duration::from_millis(50)).unwrap(),
        Ended::DeadlineExceeded
    );
}

#[test]
fn a_missing_qemu_names_the_package_and_the_command() {
    let error = machine("no-such-qemu").start().unwrap_err();
    assert!(matches!(error, Error::QemuMissing { .. }));
    let message = error.to_string();
    assert!(message.contains("no-such-qemu` not found"), "{message}");
    assert!(
        message.contains("apt-get install qemu-system-misc"),
        "{message}"
    );
}

#[test]
fn a_qemu_that_is_no_program_is_another_error() {
    let error = machine("").start().unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
}

#[test]
fn a_missing_image_is_named() {
    let error = Machine::new("no/such/image.bin").start().unwrap_err();
    assert!(matches!(error, Error::Image { .. }));
    let expected = "cannot read guest image `no/such/image.bin`: No such file or directory \
                    (os error 2); build it first, or name another path";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_image_that_is_a_folder_is_named() {
    let error = Machine::new("tests").start().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read guest image `tests`: not a file"),
        "{error}"
    );
}

#[test]
fn more_shared_memory_than_there_are_addresses_is_an_error() {
    let error = machine("silent.sh")
        .shared(true)
        .ram_bytes(1 << 62)
        .start()
        .unwrap_err();
    assert!(
        matches!(error, Error::Memory { bytes, .. } if bytes == 1 << 62),
        "{error}"
    );
}
