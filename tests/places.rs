//! Where in its source a subject panics or faults is told, on the host as in the guest.

use harness::geometry::Geometry;
use harness::op::Op;
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::fault::{Fault, SourceLine};
use kmem_rig::guest::{Guest, find_image};
use kmem_rig::host::Host;
use kmem_rig::run::RunOptions;
use kmem_rig::violation::Violation;

fn trace(lines: &str) -> Trace {
    let text = format!("# kmem-rig trace v1\nheap 64 pages\n{lines}");
    Document::parse(&text).unwrap().trace()
}

fn source(
    executor: &mut Measured<dyn Executor>,
    subject: &str,
    trace: &Trace,
) -> Option<SourceLine> {
    let entry = subjects::by_name(subject).unwrap();
    let run = executor.run(entry, trace, RunOptions::STRICT).unwrap();
    let violation = Violation::of_end(&run.end).expect("a panic or a fault");
    assert!(
        !matches!(violation, Violation::Fault(Fault::GuestDied { .. })),
        "{violation:?}"
    );
    violation.source().cloned()
}

#[test]
fn host_and_guest_name_the_same_line() {
    let mut host = Host::new().unwrap();
    let mut guest = Guest::start(&find_image(None).unwrap()).unwrap();
    let panics = trace("a0 = alloc 24\na1 = alloc 24\nfree a0\na2 = alloc 24\n");
    let stores = trace("a0 = alloc 24\nfree a0\na1 = alloc 262136\nfree a1\n");
    let mut looks = Trace::new(Geometry::published());
    looks.ops.push(Op::FreeWild {
        offset: u64::MAX / 2,
    });
    let mut of = |subject, trace| {
        let on_host = source(&mut host, subject, trace).expect(subject);
        let in_guest = source(&mut guest, subject, trace).expect(subject);
        (on_host, in_guest)
    };
    for (subject, trace) in [("panic", &panics), ("store-outside", &stores)] {
        let (on_host, in_guest) = of(subject, trace);
        assert!(on_host.file.starts_with("kmem/src/first_fit"), "{on_host}");
        assert_eq!(on_host, in_guest, "{subject}");
    }
    // Which of the lines that a compiler joined an instruction belongs to is for it to say.
    let (on_host, in_guest) = of("kmem-2019", &looks);
    for source in [on_host, in_guest] {
        assert!(source.file.starts_with("kmem/src/"), "{source}");
    }
}
