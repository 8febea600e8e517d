//! A `Guest` in the real QEMU, with guests of a few instructions.
//!
//! Without QEMU these fail with the command that installs it.

#![allow(unsafe_code, reason = "it looks at memory that a guest shares")]

mod processes;
mod tiny_guest;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use processes::{SOON, exists, wait_until};
use qemu_exec::{Ended, Exit, Guest, Machine, RAM_BASE, SharedMemory};
use tiny_guest::TinyGuest;

/// Where guests and host leave words for each other, far behind any tiny guest's code.
const MAILBOX: u32 = 0x8010_0000;
const MAGIC: u32 = 0x6b6d_656d;

/// Starts `guest`; the error of a missing QEMU says what to install.
fn start(guest: &TinyGuest, name: &str, set: impl FnOnce(Machine) -> Machine) -> Guest {
    set(Machine::new(guest.write(name)))
        .start()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn run(guest: &TinyGuest, name: &str) -> (Ended, String) {
    let mut guest = start(guest, name, |machine| machine);
    let ended = guest.wait(SOON).unwrap();
    let serial = guest.serial();
    assert_eq!(serial.errors, "");
    (ended, serial.text)
}

/// The word at `address`, which both sides may write at any time.
fn word(memory: &SharedMemory, address: u32) -> &AtomicU32 {
    let pointer = memory.at(address.into(), 4).unwrap();
    // SAFETY: `at` vouches for the four bytes, all addresses here are aligned, and everyone on
    // this side of the mapping uses this atomic.
    unsafe { AtomicU32::from_ptr(pointer.cast().as_ptr()) }
}

#[test]
fn a_passing_guest_exits_with_0() {
    let (ended, text) = run(&TinyGuest::new().pass(), "pass");
    assert_eq!((ended, text.as_str()), (Ended::Exited(Exit::Code(0)), ""));
}

#[test]
fn a_failing_guest_exits_with_its_code() {
    let (ended, _) = run(&TinyGuest::new().fail(42), "fail_42");
    assert_eq!(ended, Ended::Exited(Exit::Code(42)));
}

#[test]
fn the_test_device_truncates_codes_so_256_reads_as_0() {
    let (ended, _) = run(&TinyGuest::new().fail(256), "fail_256");
    assert_eq!(ended, Ended::Exited(Exit::Code(0)));
}

#[test]
fn the_console_is_captured() {
    let (ended, text) = run(&TinyGuest::new().print("hello\n").pass(), "hello");
    assert_eq!(
        (ended, text.as_str()),
        (Ended::Exited(Exit::Code(0)), "hello\n")
    );
}

#[test]
fn a_flooding_guest_is_capped_and_still_ends() {
    let flood = TinyGuest::new().print_for_ever(b'y');
    let mut guest = start(&flood, "flood", |machine| machine.serial_bytes_max(100));
    wait_until("the flood exceeds a pipe", SOON, || {
        guest.serial().dropped_bytes > 100_000
    });
    assert_eq!(guest.wait(Duration::ZERO).unwrap(), Ended::DeadlineExceeded);
    assert_eq!(guest.serial().text, "y".repeat(100));
    assert!(!exists(guest.id()));
}

#[test]
fn a_guest_that_never_ends_is_killed_and_its_cpu_time_grows() {
    let spins = TinyGuest::new().print("up").spin();
    let mut guest = start(&spins, "spin", |machine| machine);
    wait_until("the guest is up", SOON, || guest.serial().text == "up");
    let before = guest.cpu_time().unwrap();
    let hang = Duration::from_millis(100);
    wait_until("the hang shows", SOON, || {
        guest.cpu_time().unwrap() >= before + hang
    });
    assert_eq!(guest.try_wait().unwrap(), None);
    guest.kill();
    assert!(!exists(guest.id()));
    assert_eq!(guest.try_wait().unwrap(), Some(Exit::Signal(9)));
    assert!(guest.cpu_time().unwrap() >= before + hang);
}

#[test]
fn host_and_guest_see_the_same_memory_both_ways() {
    let (ready, question, answer) = (MAILBOX, MAILBOX + 4, MAILBOX + 8);
    let program = TinyGuest::new()
        .store(ready, MAGIC)
        .copy_once_set(question, answer)
        .pass();
    let mut guest = start(&program, "mailbox", |machine| machine.shared(true));
    let memory = guest.memory().unwrap();
    wait_until("the guest writes", SOON, || {
        word(memory, ready).load(Ordering::Acquire) == MAGIC
    });
    assert_eq!(word(memory, answer).load(Ordering::Acquire), 0);
    word(memory, question).store(!MAGIC, Ordering::Release);
    assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(0)));
    // The mapping outlives QEMU.
    let memory = guest.memory().unwrap();
    assert_eq!(word(memory, answer).load(Ordering::Acquire), !MAGIC);
}

#[test]
fn shared_memory_is_the_whole_ram_and_no_file() {
    let ram_bytes = 16 * 1024 * 1024;
    let last = 0x8000_0000 + ram_bytes as u32 - 4;
    let program = TinyGuest::new().store(last, MAGIC).spin();
    let set = |machine: Machine| machine.shared(true).ram_bytes(ram_bytes);
    let guest = start(&program, "last_word", set);
    let memory = guest.memory().unwrap();
    assert_eq!(memory.len() as u64, ram_bytes);
    assert!(memory.at(RAM_BASE + ram_bytes, 1).is_none());
    wait_until("the last word", SOON, || {
        word(memory, last).load(Ordering::Acquire) == MAGIC
    });
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", guest.id())).unwrap();
    let ram: Vec<_> = maps
        .lines()
        .filter(|line| line.contains("guest-ram"))
        .collect();
    assert!(!ram.is_empty(), "{maps}");
    assert!(
        ram.iter()
            .all(|line| line.ends_with("/memfd:guest-ram (deleted)")),
        "{ram:?}"
    );
}

#[test]
fn two_guests_share_nothing_with_each_other() {
    let program = TinyGuest::new()
        .copy_once_set(MAILBOX, MAILBOX + 4)
        .print("done")
        .spin();
    let start = |name| start(&program, name, |machine| machine.shared(true));
    let (first, second) = (start("first"), start("second"));
    let (first_memory, second_memory) = (first.memory().unwrap(), second.memory().unwrap());
    word(second_memory, MAILBOX).store(2, Ordering::Release);
    wait_until("the second answers", SOON, || {
        second.serial().text == "done"
    });
    assert_eq!(word(second_memory, MAILBOX + 4).load(Ordering::Acquire), 2);
    assert_eq!(word(first_memory, MAILBOX + 4).load(Ordering::Acquire), 0);
    assert_eq!(first.serial().text, "");
}

#[test]
fn icount_cpu_and_extra_arguments_are_accepted() {
    let program = TinyGuest::new().print("hello").pass();
    let mut guest = start(&program, "options", |machine| {
        machine
            .icount(Some(0))
            .cpu(Some("rv64".to_string()))
            .arg("-name")
            .arg("tiny")
    });
    assert_eq!(
        guest.wait(SOON).unwrap(),
        Ended::Exited(Exit::Code(0)),
        "{}",
        guest.serial()
    );
    assert_eq!(guest.serial().text, "hello");
}

#[test]
fn arguments_that_qemu_refuses_are_evidence_not_an_error() {
    let program = TinyGuest::new().pass();
    let set = |machine: Machine| machine.arg("-no-such-argument");
    let mut guest = start(&program, "refused", set);
    assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(1)));
    let errors = guest.serial().errors;
    assert!(
        errors.contains("-no-such-argument: invalid option"),
        "{errors}"
    );
}

#[test]
fn a_machine_can_be_started_again_and_starts_afresh() {
    let program = TinyGuest::new()
        .store(MAILBOX, MAGIC)
        .copy_once_set(MAILBOX + 4, MAILBOX)
        .pass();
    let machine = Machine::new(program.write("again")).shared(true);
    for _ in 0..2 {
        let mut guest = machine.start().unwrap_or_else(|error| panic!("{error}"));
        let memory = guest.memory().unwrap();
        wait_until("the guest is up", SOON, || {
            word(memory, MAILBOX).load(Ordering::Acquire) == MAGIC
        });
        word(memory, MAILBOX + 4).store(1, Ordering::Release);
        assert_eq!(guest.wait(SOON).unwrap(), Ended::Exited(Exit::Code(0)));
    }
}

#[test]
fn a_machine_that_shares_nothing_has_no_memory() {
    let guest = start(&TinyGuest::new().spin(), "private", |machine| machine);
    assert!(guest.memory().is_none());
}
