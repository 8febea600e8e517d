//! Several traces under way in a guest: the order they come out in, who is blamed, how many guests
//! there are, and what an image that counts what it runs counts.

use std::sync::atomic::Ordering::Relaxed;

use harness::entry::Entry;
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::generate::Limits;
use kmem_rig::guest::{Batch, Guest, find_coverage_image, find_image};
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings};
use kmem_rig::rules::Rules;
use kmem_rig::run::{Run, RunEnd, RunOptions};

fn guest() -> Guest {
    Guest::start(&find_image(None).unwrap()).unwrap()
}

fn entry(name: &str) -> &'static Entry {
    subjects::by_name(name).unwrap()
}

fn trace(text: &str) -> Trace {
    let text = format!("# kmem-rig trace v1\nheap 64 pages\n{text}");
    Document::parse(&text).unwrap().trace()
}

/// The runs of all traces, posted as early as there is room.
fn runs(guest: &mut Guest, name: &str, traces: &[Trace], options: RunOptions) -> Vec<Run> {
    guest.confirm_hangs(false);
    let mut batch = Batch::new(guest, entry(name), options);
    let (mut waiting, mut runs) = (traces.iter().peekable(), Vec::new());
    loop {
        if let Some(trace) = waiting.next_if(|trace| batch.takes(trace)) {
            batch.post(trace).unwrap();
        } else if let Some((trace, run)) = batch.take().unwrap() {
            assert_eq!(*trace, traces[runs.len()], "the order they were posted in");
            runs.push(run);
        } else {
            return runs;
        }
    }
}

#[test]
fn runs_come_out_in_order_and_as_on_the_host() {
    let (mut guest, mut host) = (guest(), Host::new().unwrap());
    for (name, of) in [
        ("kmem", Limits::of as fn(&_, _) -> _),
        ("kmem", Limits::growing),
        ("page", Limits::of),
        ("kmem-2019", Limits::of),
    ] {
        // Some are too long to have others behind them.
        let limits = of(&entry(name).declaration, 80);
        let draw = |number| hunt::draw(7, number, &limits);
        let traces: Vec<_> = (0..300).map(draw).collect();
        assert!(traces.iter().any(|trace| trace.ops.len() > 256), "{name}");
        for options in [RunOptions::FAST, RunOptions::STRICT] {
            let traces = match options {
                RunOptions::FAST => &traces[..],
                _ => &traces[..40],
            };
            let in_guest = runs(&mut guest, name, traces, options);
            assert_eq!(in_guest.len(), traces.len());
            for (trace, in_guest) in traces.iter().zip(&in_guest) {
                let on_host = host.run(entry(name), trace, options).unwrap();
                assert_eq!(
                    in_guest.observations, on_host.observations,
                    "{name}: {trace}"
                );
            }
        }
    }
}

#[test]
fn only_the_culprit_is_blamed_whatever_is_under_way_behind_it() {
    let harmless = "a0 = alloc 24\nfree all\n";
    let twice = "a0 = alloc 24\na1 = alloc 24\nfree a0\n";
    for (name, ends, boots) in [
        ("panic", "a2 = alloc 24\n", 1),
        // The hang costs one boot to be run alone, and one for those behind it; there are two.
        ("endless-loop", "free a1\n", 1 + 2 * 2),
    ] {
        let mut guest = guest();
        let mut traces = vec![trace(harmless); 40];
        let culprits = [11, 12];
        for culprit in culprits {
            traces[culprit] = trace(&format!("{twice}{ends}"));
        }
        for (index, run) in runs(&mut guest, name, &traces, RunOptions::FAST)
            .iter()
            .enumerate()
        {
            if culprits.contains(&index) {
                assert_eq!(run.observations.len(), 3, "{name} {index}");
                match (&run.end, name) {
                    (RunEnd::Hung, "endless-loop") => {}
                    (RunEnd::Panicked(panic), "panic") => {
                        let file = &panic.source.as_ref().unwrap().file;
                        assert!(file.starts_with("kmem/src/first_fit"), "{file}");
                    }
                    end => panic!("{name} {index}: {end:?}"),
                }
            } else {
                assert_eq!((&run.end, run.observations.len()), (&RunEnd::Completed, 2));
            }
        }
        assert!(guest.boots() <= boots, "{name}: {}", guest.boots());
    }
}

#[test]
fn a_batch_that_is_given_up_leaves_a_guest_that_works() {
    let mut guest = guest();
    let one = trace("a0 = alloc 24\n");
    let mut batch = Batch::new(&mut guest, entry("kmem"), RunOptions::FAST);
    for _ in 0..3 {
        batch.post(&one).unwrap();
    }
    drop(batch);
    let run = guest.run(entry("kmem"), &one, RunOptions::STRICT).unwrap();
    assert_eq!(run.end, RunEnd::Completed);
}

#[test]
fn two_guests_find_what_one_finds() {
    let settings = Settings {
        entry: entry("kmem-2019"),
        rules: Rules::ALL,
        seed: 1,
        bound: Bound::Execs(400),
        until: None,
        ops_max: 24,
        misuse: false,
        grow: false,
    };
    let finds = |guests: usize| {
        let mut guests: Vec<_> = (0..guests).map(|_| guest()).collect();
        let mut finds = Vec::new();
        let mut report = |find: &Find| {
            let Find { finding, execs, .. } = find;
            finds.push((*execs, finding.rule(), find.trace.to_string()));
        };
        let summary = hunt::on_guests(&settings, &mut guests, &mut report).unwrap();
        (finds, summary.execs, summary.ops, summary.unconfirmed)
    };
    let one = finds(1);
    assert!(one.0.len() > 3, "{one:?}");
    assert_eq!(finds(2), one);
    assert_eq!(finds(3), one);
}

/// Which edges a trace runs.
fn edges(guest: &mut Guest, text: &str) -> Vec<bool> {
    let clear = |guest: &Guest| {
        let counters = guest.counters().unwrap().iter();
        counters
            .flat_map(|word| word.swap(0, Relaxed).to_le_bytes())
            .map(|count| count != 0)
            .collect()
    };
    let _: Vec<bool> = clear(guest);
    let run = guest.run(entry("kmem"), &trace(text), RunOptions::FAST);
    assert_eq!(run.unwrap().end, RunEnd::Completed);
    clear(guest)
}

#[test]
fn counters_move_where_the_subject_takes_another_path() {
    let mut guest = Guest::start(&find_coverage_image().unwrap()).unwrap();
    let hole = "a0 = alloc 24\na1 = alloc 24\nfree a0\n";
    let splits = edges(&mut guest, &format!("{hole}a2 = alloc 8\n"));
    let fits = edges(&mut guest, &format!("{hole}a2 = alloc 24\n"));
    assert_eq!(edges(&mut guest, &format!("{hole}a2 = alloc 8\n")), splits);
    let new = splits
        .iter()
        .zip(&fits)
        .filter(|(split, fit)| !**split && **fit);
    assert!(
        new.count() > 0,
        "an exact fit runs no edge that a split does not"
    );
    assert!(splits.iter().filter(|&&ran| ran).count() > 10);
}

#[test]
fn an_ordinary_image_counts_nothing() {
    assert!(guest().counters().unwrap().is_empty());
}
