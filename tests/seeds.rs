//! The seed corpora in git: they follow the regressions, in the newest byte form, and stay small.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kmem_rig::regression::Regression;
use testkit::{regressions, root};

/// Seeds of one target. Every fuzzing job reads them all before it starts.
const SEEDS_MAX: usize = 250;
/// Bytes of all seeds of all targets: git keeps each version of them for ever. A regression of more
/// than a few hundred ops was not minimised.
const BYTES_MAX: usize = 256 << 10;

/// The files of a target's seed corpus.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(root().join("fuzz/seeds").join(target)).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

/// The targets that have a corpus of their own.
fn targets() -> Vec<String> {
    let entries = fs::read_dir(root().join("fuzz/seeds")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn seeds_are_few_and_small() {
    let mut bytes = 0;
    for target in targets() {
        let seeds = seeds(&target);
        let count = seeds.len();
        assert!(
            (1..=SEEDS_MAX).contains(&count),
            "{count} seeds of {target}, of at most {SEEDS_MAX}"
        );
        bytes += seeds.values().map(Vec::len).sum::<usize>();
    }
    assert!(
        bytes <= BYTES_MAX,
        "{bytes} bytes of seeds, of at most {BYTES_MAX}: minimise the longest regressions"
    );
}

#[test]
fn seeds_are_the_regressions_in_the_newest_form() {
    let folder = root().join("qemu-tests/regressions");
    for target in targets() {
        let mut expected = BTreeMap::new();
        for regression in regressions(Regression::load) {
            let grows = !regression.trace.geometry.growth().is_none();
            let of_target = |subject: &str| {
                let growing = if grows { "_growing" } else { "" };
                format!("{}{growing}", subject.replace('-', "_")) == target
            };
            let mut expectations = regression.expectations.iter();
            if target == "trace_text" {
                let path = folder.join(&regression.name).with_extension("trace");
                expected.insert(regression.name.clone(), fs::read(path).unwrap());
            } else if expectations.any(|e| of_target(&e.subject)) {
                let bytes = harness::bytes::encode(&regression.trace);
                expected.insert(regression.name.clone(), bytes);
            }
        }
        assert!(
            seeds(&target) == expected,
            "fuzz/seeds/{target} does not follow the regressions: `make seeds` writes it anew"
        );
    }
}

#[test]
fn the_guest_target_starts_from_the_same_seeds() {
    let link = fs::read_link(root().join("fuzz/seeds/guest")).unwrap();
    assert_eq!(link, Path::new("kmem"));
}
