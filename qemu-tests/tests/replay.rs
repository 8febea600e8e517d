//! Every committed trace, each on either side a test of its own: a regression's verdicts and
//! tables, and what a fuzz target's corpus runs into.
//!
//! The traces are built in and the guest's image travels with nextest's archive, so that these
//! tests need nothing else of the repository and any number of machines can share them
//! (`scripts/replay-parts.sh`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use datatest_stable::Result;
use harness::bytes;
use include_dir::{Dir, include_dir};
use kmem_rig::capacity::Measured;
use kmem_rig::differential::compare;
use kmem_rig::executor::Executor;
use kmem_rig::generate::judged_part;
use kmem_rig::guest::Guest;
use kmem_rig::host::Host;
use kmem_rig::registry::by_name;
use kmem_rig::regression::{Expectation, Key, Regression};
use kmem_rig::rules::Rules;
use kmem_rig::side::Side;
use kmem_rig::testing::account;
use qemu_tests::{boot, boot_as, supervisor};
use testkit::assert_snapshot;

static REGRESSIONS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/regressions");
static CORPORA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../fuzz/seeds");

datatest_stable::harness! {
    { test = host, root = &REGRESSIONS, pattern = r"\.trace$" },
    { test = guest, root = &REGRESSIONS, pattern = r"\.trace$" },
    { test = guest_in_supervisor_mode, root = &REGRESSIONS, pattern = r"\.trace$" },
    // The other targets' inputs are these again, or no traces.
    { test = corpus, root = &CORPORA, pattern = "^(kmem|kmem_2019|kmem_growing|page)/" },
}

fn host(path: &Path, text: String) -> Result<()> {
    let regression = parse(path, &text)?;
    assert_verdicts(&regression, Side::Host, &mut Host::new()?)?;
    assert_tables(&regression, &mut Host::new()?)
}

fn guest(path: &Path, text: String) -> Result<()> {
    both_sides(path, &text, boot())
}

fn guest_in_supervisor_mode(path: &Path, text: String) -> Result<()> {
    both_sides(path, &text, boot_as(&supervisor()))
}

fn both_sides(path: &Path, text: &str, mut guest: Guest) -> Result<()> {
    let regression = parse(path, text)?;
    assert_verdicts(&regression, Side::Qemu, &mut guest)?;
    let mut host = Host::new()?;
    let on_both = |expected: &&Expectation| expected.on.is_none();
    for expected in regression.expectations.iter().filter(on_both) {
        let (trace, rules) = (&regression.trace, regression.rules);
        let entry = by_name(&expected.subject)?;
        let (on_host, _) = host.verdict(entry, trace, rules)?;
        let (in_guest, _) = guest.verdict(entry, trace, rules)?;
        let differs = compare(&entry.declaration, trace, &on_host, &in_guest);
        assert_eq!(differs, None, "{expected}");
    }
    assert_tables(&regression, &mut guest)
}

fn parse(path: &Path, text: &str) -> Result<Regression> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Regression::parse(&name, text)?)
}

fn assert_verdicts(
    regression: &Regression,
    on: Side,
    executor: &mut Measured<dyn Executor>,
) -> Result<()> {
    assert!(!regression.expectations.is_empty(), "it expects nothing");
    let of_side = |expected: &&Expectation| expected.on.is_none_or(|side| side == on);
    for expected in regression.expectations.iter().filter(of_side) {
        let entry = by_name(&expected.subject)?;
        let (_, verdict) = executor.verdict(entry, &regression.trace, regression.rules)?;
        assert!(expected.is_met_by(&verdict), "{expected}: {verdict:?}");
    }
    Ok(())
}

fn assert_tables(regression: &Regression, executor: &mut Measured<dyn Executor>) -> Result<()> {
    assert_snapshot(&regression.name, &account(regression, executor)?);
    Ok(())
}

/// The finds that fuzz targets pass over.
static KNOWN: LazyLock<BTreeSet<Key>> = LazyLock::new(|| {
    let texts = REGRESSIONS.files().filter_map(|file| file.contents_utf8());
    let regressions = texts.map(|text| Regression::parse("a regression", text));
    let keys = regressions.flat_map(|one| one.expect("it parses").keys().collect::<Vec<_>>());
    keys.collect()
});

/// An input of a fuzz target does the same on both sides, and breaks no rule that it is not known
/// to.
fn corpus(path: &Path, input: Vec<u8>) -> Result<()> {
    let target = path.parent().unwrap_or(Path::new("")).to_string_lossy();
    // A target is named after its subject, and one over heaps that grow besides.
    let subject = target.strip_suffix("_growing").unwrap_or(&target);
    let entry = by_name(&subject.replace('_', "-"))?;
    let trace = judged_part(entry, bytes::decode(&input));
    if !entry.declaration.accepts(trace.geometry) {
        return Ok(());
    }
    let (on_host, verdict) = Host::new()?.verdict(entry, &trace, Rules::ALL)?;
    let (in_guest, guests) = boot().verdict(entry, &trace, Rules::ALL)?;
    for (side, verdict) in [("on the host", verdict), ("in the guest", guests)] {
        let Some(finding) = verdict.finding() else {
            continue;
        };
        let key = (entry.name().to_owned(), finding.rule(), finding.kind);
        assert!(KNOWN.contains(&key), "{side}: {finding:?}\n{trace}");
    }
    let differs = compare(&entry.declaration, &trace, &on_host, &in_guest);
    assert_eq!(differs, None, "{trace}");
    Ok(())
}
