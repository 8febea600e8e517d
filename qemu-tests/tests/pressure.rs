//! A kernel in the guest that fills real collections until `kmem` refuses, and recovers: what it
//! says, and every call that it made, judged on both sides.

use std::fs;
use std::time::Duration;

use harness::observation::Outcome;
use kmem_rig::host::Host;
use kmem_rig::judge::Verdict;
use kmem_rig::registry::by_name;
use kmem_rig::regression::Regression;
use kmem_rig::rules::Rules;
use qemu_exec::{Ended, Exit, Machine};
use qemu_tests::boot;
use testkit::root;

/// Rounds of the kernel's, in each of which it is refused twice.
const ROUNDS: usize = 3;

/// The console's output of the kernel that uses up its memory.
fn console() -> String {
    let image = root().join("target/riscv64gc-unknown-none-elf/release/pressed-kernel");
    assert!(image.exists(), "{}: build it: make guest", image.display());
    let machine = Machine::new(image).serial_bytes_max(1 << 20);
    let mut guest = machine.start().unwrap();
    let ended = guest.wait(Duration::from_secs(60)).unwrap();
    let console = guest.serial().to_string();
    // Its last act, `alloc_error`, is a panic: that is no success.
    assert_eq!(ended, Ended::Exited(Exit::Code(1)), "{console}");
    console
}

#[test]
fn a_kernel_is_refused_and_recovers() {
    let console = console();
    // The heap is its own again, to the byte, after each round; `alloc_error` has the last word.
    for round in 0..ROUNDS {
        for said in ["refused at ", "recovered, 262136 bytes can be had\n"] {
            let said = format!("\nkernel: round {round}: {said}");
            assert_eq!(console.matches(&said).count(), 1, "{said}: {console}");
        }
        let start = format!("kernel: round {round}: ");
        let of_round = console.lines().filter(|line| line.starts_with(&start));
        let again = of_round.filter(|line| line.contains(" refused again at "));
        assert_eq!(again.count(), 1, "round {round}: {console}");
    }
    let last = "Allocator failed to allocate 262137 bytes with 8-byte alignment.\n";
    assert!(console.ends_with(last), "{console}");

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("console.log");
    fs::write(&log, &console).unwrap();
    let trace = Regression::load(&log).unwrap().trace;
    assert!(trace.ops.len() > 5_000, "{} ops", trace.ops.len());
    let kmem = by_name("kmem").unwrap();
    let (on_host, verdict) = Host::new()
        .unwrap()
        .verdict(kmem, &trace, Rules::ALL)
        .unwrap();
    assert_eq!(verdict, Verdict::Agree);
    let nulls = on_host
        .observations
        .iter()
        .filter(|o| o.outcome == Outcome::Null);
    assert!(nulls.count() >= 2 * ROUNDS);
    let (in_guest, verdict) = boot().verdict(kmem, &trace, Rules::ALL).unwrap();
    assert_eq!(verdict, Verdict::Agree);
    assert_eq!(in_guest.observations, on_host.observations);
}
