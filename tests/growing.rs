//! Heaps that grow, from end to end: every short row of calls that makes one take pages and give
//! them back is as the exact model has it, and what cannot be done with one is told.

use std::sync::atomic::AtomicU32;

use harness::geometry::{Geometry, Growth};
use harness::op::{Align, Handle, Op};
use harness::trace::Trace;
use kmem_rig::explore::menu::Sizes;
use kmem_rig::explore::{self, Settings};
use kmem_rig::host::Host;
use kmem_rig::in_process::InProcess;
use kmem_rig::judge::{Verdict, judge};
use kmem_rig::rules::Rules;
use kmem_rig::run::RunOptions;
use testkit::command_line::file;
use testkit::kmem_rig;

fn growing(first: u64, pages: u64, every: Option<u64>) -> Geometry {
    let growth = Growth::new(pages, every).unwrap();
    Geometry::from_pages(first)
        .unwrap()
        .growing(growth)
        .unwrap()
}

/// What is called, in any order: sizes around a page, with an alignment, and what acts on the first
/// or the latest block.
fn menu(issued: u32) -> impl Iterator<Item = Op> {
    let page = Align::from_bytes(4096).unwrap();
    let alloc = |size, align| Op::Alloc {
        size,
        align,
        zeroed: false,
    };
    let requests = [24, 4080, 4088, 4096, 9000].map(|size| alloc(size, None));
    let aligned = [alloc(64, Some(page)), alloc(4088, Some(page))];
    let first_and_latest = [0, issued.saturating_sub(1)].map(Handle);
    let on_blocks = first_and_latest.into_iter().flat_map(|handle| {
        let sizes = [16, 4096, 9000];
        let resized = sizes.map(|size| Op::Realloc { handle, size });
        [Op::Free { handle }].into_iter().chain(resized)
    });
    let on_blocks: Vec<_> = on_blocks.collect();
    let count = match issued {
        0 => 0,
        1 => on_blocks.len() / 2,
        _ => on_blocks.len(),
    };
    let requests = requests.into_iter().chain(aligned);
    requests.chain(on_blocks.into_iter().take(count))
}

/// Calls `visit` with every row of `length` ops of the menu.
fn every_row(trace: &mut Trace, length: usize, visit: &mut dyn FnMut(&Trace)) {
    if trace.ops.len() == length {
        return visit(trace);
    }
    let allocs = trace.ops.iter().filter(|op| matches!(op, Op::Alloc { .. }));
    for op in menu(allocs.count() as u32) {
        trace.ops.push(op);
        every_row(trace, length, visit);
        trace.ops.pop();
    }
}

#[test]
fn every_short_row_of_calls_is_as_the_model_has_it() {
    let kmem = subjects::by_name("kmem").unwrap();
    let (mut heaps, mut host) = (InProcess::default(), Host::new().unwrap());
    let progress = AtomicU32::new(0);
    for (geometry, length) in [
        (growing(1, 4, Some(2)), 4),
        (growing(1, 5, Some(3)), 4),
        (growing(2, 3, None), 3),
    ] {
        let mut rows = 0;
        every_row(&mut Trace::new(geometry), length, &mut |trace| {
            let options = host.informed(kmem, trace, RunOptions::STRICT).unwrap();
            let run = heaps.run(kmem, trace, options, &progress).unwrap();
            let verdict = judge(
                &kmem.declaration,
                trace,
                &run,
                Rules::ALL,
                options.fresh_capacity,
            );
            assert_eq!(verdict, Verdict::Agree, "{trace}");
            rows += 1;
        });
        assert!(rows > 1000, "{rows} rows of calls on {geometry}");
    }
}

#[test]
fn the_states_of_one_are_not_explored() {
    let settings = Settings {
        entry: subjects::by_name("kmem").unwrap(),
        geometry: growing(1, 1, None),
        aligns: vec![Align::DEFAULT],
        sizes: Sizes::Classes,
        rules: Rules::ALL,
        threads: 1,
        memory_max: 1 << 20,
    };
    let searched = explore::run(&settings, &mut Host::new().unwrap(), &mut |_| {});
    let error = searched.unwrap_err().to_string();
    let told =
        "kmem cannot be explored on a heap of 1 page grow 1: its table is not its whole state";
    assert_eq!(error, told);
}

#[test]
fn a_subject_whose_heap_does_not_grow_is_not_given_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# kmem-rig trace v1\nheap 1 pages grow 2\na0 = alloc 5000\n";
    let trace = file(folder.path(), "x.trace", text);
    for subject in ["kmem-2019", "page", "rlsf"] {
        let (code, _, errors) = kmem_rig!("replay {trace} --on host --subject {subject}");
        let told =
            format!("{subject} cannot be given a heap of 1 page grow 2: its heap does not grow");
        assert!(code == 2 && errors.contains(&told), "{errors}");
    }
    // Of all that are asked, those that can are.
    let (code, rows, errors) = kmem_rig!("replay {trace} --on host --format json");
    assert_eq!(code, 0, "{errors}");
    let agrees = r#""subject":"kmem","on":"host","verdict":"agree""#;
    assert!(rows.contains(agrees), "{rows}");
    assert!(!rows.contains(r#""subject":"rlsf""#), "{rows}");

    let (_, _, errors) = kmem_rig!("hunt --grow --execs 10 --subject rlsf");
    let told = "rlsf cannot be given a heap that grows";
    assert!(errors.contains(told), "{errors}");
}

#[test]
fn a_find_is_made_smaller_with_its_heap_and_no_test_of_calls_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# kmem-rig trace v1\nheap 3 pages grow 20 every 4 taken\na0 = alloc 200\n\
                a1 = alloc 12000\na2 = alloc_zeroed 300\nfree a0\nfree all\n";
    let trace = file(folder.path(), "x.trace", text);
    let small = format!("{trace}.small");
    let subject = "--subject growth-refused";
    let (code, _, errors) = kmem_rig!("minimize {trace} -o {small} {subject}");
    assert_eq!(code, 0, "{errors}");
    let text = std::fs::read_to_string(&small).unwrap();
    let least = "heap 1 pages grow 1\na0 = alloc_zeroed 4089\n";
    assert!(text.ends_with(least), "{text}");

    let (code, _, errors) = kmem_rig!("show {small} --rust {subject}");
    let reason = "the heap grows, and the test would have no page allocator";
    assert!(code == 2 && errors.contains(reason), "{errors}");
}
