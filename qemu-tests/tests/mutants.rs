//! The strength of the oracles and the generator, measured: every mutant of `kmem` and `page` is
//! killed by a hunt on the host, and the snapshot says by which rule and how soon.

use std::fmt::Write;

use harness::entry::Entry;
use kmem_rig::counted::counted;
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings};
use kmem_rig::rules::Rules;
use subjects::mutants::{GROWTH_MUTANTS, HEAP_MUTANTS, PAGE_MUTANTS, SIDE_MUTANTS};
use testkit::assert_snapshot;

/// Cases within which a mutant must be found: a second's work, and twice what the rarest takes.
const EXECS_MAX: u64 = 8_192;

/// Minimised traces that are longer are not shown.
const OPS_SHOWN_MAX: usize = 8;

/// The find with the lowest case. Since case *n* is the same whatever the bound, hunts that are
/// each four times as long as the one before find what one long hunt finds first.
fn first_find(entry: &Entry, grow: bool, host: &mut Host) -> Option<Find> {
    let bounds = [8, 32, 128, 512, 2_048, EXECS_MAX];
    bounds.into_iter().find_map(|execs| {
        let settings = Settings {
            entry,
            rules: Rules::ALL,
            seed: 1,
            bound: Bound::Execs(execs),
            until: None,
            ops_max: 32,
            misuse: takes_misuse(entry),
            grow,
        };
        let mut finds: Vec<Find> = Vec::new();
        let mut report = |find: &Find| finds.push(find.clone());
        hunt::on_host(&settings, host, &mut report).expect("the rig works");
        finds.into_iter().min_by_key(|find| find.execs)
    })
}

/// Whether only a client that errs can tell this mutant from the original.
fn takes_misuse(entry: &Entry) -> bool {
    let freed_wrongly = [
        "double-free-accepted",
        "double-free-marks",
        "interior-free-accepted",
        "page-interior-freed",
    ];
    freed_wrongly.contains(&entry.name())
}

#[test]
fn every_mutant_is_killed() {
    let mutants = HEAP_MUTANTS.iter().chain(&PAGE_MUTANTS);
    assert_killed("mutants", mutants.chain(&SIDE_MUTANTS), false);
}

#[test]
fn every_mutant_of_growth_is_killed() {
    assert_killed("mutants-of-growth", &GROWTH_MUTANTS, true);
}

fn assert_killed<'a>(snapshot: &str, mutants: impl IntoIterator<Item = &'a Entry>, grow: bool) {
    let mut host = Host::new().unwrap();
    let mut text = String::new();
    let mut survivors = Vec::new();
    for entry in mutants {
        let Some(find) = first_find(entry, grow, &mut host) else {
            survivors.push(entry.name());
            continue;
        };
        let (rule, kind) = (find.finding.rule(), find.finding.kind.name());
        let (execs, ops) = (find.execs, counted(find.trace.ops.len(), "op"));
        let name = entry.name();
        writeln!(text, "{name}: {rule} at {kind}, case {execs}, {ops}").unwrap();
        if find.trace.ops.len() <= OPS_SHOWN_MAX {
            let trace = find.trace.to_string();
            let lines: Vec<_> = trace.lines().skip(1).collect();
            writeln!(text, "  {}", lines.join("; ")).unwrap();
        }
    }
    assert!(survivors.is_empty(), "{survivors:?} were not found");
    assert_snapshot(snapshot, &text);
}
