//! A block is judged by where it lies, on the host and in the guest, whatever is written into it.

use harness::text::Document;
use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::host::Host;
use kmem_rig::registry::by_name;
use kmem_rig::rules::{Rule, Rules};
use qemu_tests::boot;

/// Where descriptors fill two pages, `page-2019` hands out a page behind the heap once 4,095 are
/// taken.
const FULL: &str = "# kmem-rig trace v1\nheap 4097 pages\na0 = alloc 16769024\na1 = alloc 8\n";

#[test]
fn a_page_behind_the_heap_is_out_of_bounds_however_it_is_asked_for() {
    let page = by_name("page-2019").unwrap();
    let mut sides: [Box<Measured<dyn Executor>>; 2] =
        [Box::new(Host::new().unwrap()), Box::new(boot())];
    for asks in [
        "a2 = alloc 8",
        // Zeroed by the subject itself, and copied into by the default of the adapter's trait.
        "a2 = alloc_zeroed 8",
        "realloc a0 16",
    ] {
        let trace = Document::parse(&format!("{FULL}{asks}\n")).unwrap().trace();
        for side in &mut sides {
            let (run, verdict) = side.verdict(page, &trace, Rules::ALL).unwrap();
            let finding = verdict.finding().expect(asks);
            let broken = (finding.rule(), finding.op, finding.kind);
            let expected = (Rule::OutOfBounds, 2, trace.ops[2].kind());
            assert_eq!(broken, expected, "{asks}: {run:?}");
        }
    }
}
