//! An allocator of one's own, as its owner meets the rig: what `new` writes, what the example
//! shows, and what the documentation says to do, done.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::root;
use testkit::workspace::{binary, build, fresh, lock, run, succeed};

fn new(folder: &Path, name: &str) {
    let rig = root();
    let arguments = ["new", folder.to_str().unwrap(), "--name", name, "--rig"];
    let rig = rig.to_str().unwrap();
    succeed(
        &root(),
        env!("CARGO_BIN_EXE_kmem-rig"),
        &[&arguments[..], &[rig]].concat(),
    );
}

/// Every file below a folder: its path from there, and its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                    found.push((name.to_owned(), fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for (name, text) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The packages of a lock file with their versions.
fn packages(lock: &Path) -> BTreeSet<(String, String)> {
    let text = fs::read_to_string(lock).unwrap();
    let value = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(" = ")?;
        Some(value.trim_matches('"').to_owned())
    };
    let lines: Vec<_> = text.lines().collect();
    let pairs = lines.windows(2);
    pairs
        .filter_map(|pair| Some((value(pair[0], "name")?, value(pair[1], "version")?)))
        .collect()
}

#[test]
fn what_new_writes_builds_and_passes_with_the_rigs_own_crates() {
    let folder = fresh("own-new");
    new(&folder, "my-heap");
    lock(&folder);
    build(&folder, &["--offline"]);
    let tested = succeed(&folder, "cargo", &["test", "--release", "--offline"]);
    assert!(!tested.contains("Compiling kmem-rig v"), "twice: {tested}");
    for subject in ["my-heap", "kmem"] {
        let hunt = [
            "hunt",
            "--execs",
            "20000",
            "--seed",
            "1",
            "--subject",
            subject,
        ];
        let hunted = succeed(&folder, &binary("my-heap-rig"), &hunt);
        assert!(
            hunted.starts_with(&format!("{subject}: 20000 cases")),
            "{hunted}"
        );
    }
    let (code, text) = run(&folder, &binary("my-heap-rig"), &["hunt", "--execs", "10"]);
    assert!(code == 0 && text.starts_with("my-heap: 10 cases"), "{text}");
    succeed(&folder, &binary("my-heap-rig"), &["replay", "regressions"]);
    for (subject, feature) in [("talc", "controls"), ("last-fit", "mutants")] {
        let hunt = ["hunt", "--subject", subject];
        let (code, text) = run(&folder, &binary("my-heap-rig"), &hunt);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(&format!("`--features {feature}`")), "{text}");
    }

    for (mine, rigs) in [("", ""), ("guest", "qemu-tests/guest")] {
        let mine = packages(&folder.join(mine).join("Cargo.lock"));
        let rigs = packages(&root().join(rigs).join("Cargo.lock"));
        let others: Vec<_> = mine
            .difference(&rigs)
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(
            others.iter().all(|name| name.starts_with("my-heap")),
            "{others:?}"
        );
    }
}

#[test]
fn new_leaves_nothing_behind_where_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("mine"), "mine").unwrap();
    let taken = taken.to_str().unwrap();
    let free = folder.path().join("free");
    let free = free.to_str().unwrap();
    for (arguments, said) in [
        (
            vec![taken, "--name", "my-heap"],
            "is there already, and not empty",
        ),
        (
            vec![free, "--name", "My Heap"],
            "`My Heap` is no name for an allocator",
        ),
        (vec![free, "--name", "kmem"], "is the name of a subject"),
        (
            vec![free, "--name", "my-heap", "--rig", "/"],
            "the rig at `/`",
        ),
    ] {
        let rig = env!("CARGO_BIN_EXE_kmem-rig");
        let (code, text) = run(&root(), rig, &[vec!["new"], arguments].concat());
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(
        files(folder.path()),
        [("taken/mine".to_owned(), "mine".to_owned())]
    );
}

/// What the example may have changed: the allocator, and what is known of it.
fn is_its_own(path: &str) -> bool {
    ["subject/src/heap.rs", "regressions/", "snapshots/"]
        .iter()
        .any(|own| path.starts_with(own))
}

#[test]
fn the_example_is_what_new_writes_with_a_bug() {
    let folder = fresh("own-example");
    new(&folder, "own-allocator");
    let all_but_own = |folder: &Path| {
        let mut files = files(folder);
        files.retain(|(path, _)| !is_its_own(path));
        files
    };
    let example = root().join("examples/own-allocator");
    assert_eq!(all_but_own(&example), all_but_own(&folder));
    assert!(
        files(&example)
            .iter()
            .any(|(path, _)| path.starts_with("regressions/"))
    );
}

#[test]
fn the_bug_of_the_example_is_found_made_small_and_replayed_in_the_guest() {
    let folder = fresh("own-bug");
    copy(&root().join("examples/own-allocator"), &folder);
    lock(&folder);
    build(&folder, &["--offline"]);
    let rig = binary("own-allocator-rig");
    let hunt = ["hunt", "--execs", "20000", "--seed", "1", "--out", "finds"];
    let (code, found) = run(&folder, &rig, &hunt);
    assert_eq!(code, 1, "{found}");
    assert!(
        found.contains("own-allocator breaks `leak` at op 3 (capacity)"),
        "{found}"
    );
    let find = fs::read_to_string(folder.join("finds/own-allocator-leak-capacity.trace")).unwrap();
    let kept = folder.join("regressions/own-allocator-leak-capacity.trace");
    let ops = |text: &str| text.split_once("\nheap ").unwrap().1.to_owned();
    assert_eq!(ops(&find), ops(&fs::read_to_string(kept).unwrap()));
    succeed(&folder, &rig, &["replay", "finds", "--on", "host,qemu"]);
    succeed(&folder, "cargo", &["test", "--release", "--offline"]);
}

#[test]
fn an_allocator_in_c_runs_on_both_sides() {
    let folder = fresh("own-c");
    copy(&root().join("examples/c-allocator"), &folder);
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let compiler = Command::new("riscv64-unknown-elf-gcc")
        .arg("--version")
        .output();
    assert!(
        compiler.is_ok(),
        "no cross compiler: `make setup` installs it"
    );
    build(&folder, &[]);
    for on in ["host", "qemu"] {
        let hunt = ["hunt", "--execs", "5000", "--seed", "1", "--on", on];
        let hunted = succeed(&folder, &binary("c-allocator-rig"), &hunt);
        assert!(hunted.contains("c-heap: 5000 cases"), "{hunted}");
    }
}

/// The files that a page says to write: each is named on a line of its own before its text.
fn written_by(page: &str) -> Vec<(&str, String)> {
    let mut lines = page.lines();
    let mut files = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix('`').and_then(|l| l.strip_suffix("`:")) else {
            continue;
        };
        let text = lines
            .by_ref()
            .skip_while(|line| !line.starts_with("```"))
            .skip(1);
        let text: String = text
            .take_while(|l| *l != "```")
            .flat_map(|l| [l, "\n"])
            .collect();
        files.push((name, text));
    }
    files
}

#[test]
fn the_documentation_leads_to_a_hunt_a_fuzz_run_and_a_guest() {
    let page = fs::read_to_string(root().join("docs/own-allocator.md")).unwrap();
    let files = written_by(&page);
    let rust = files.iter().filter(|(name, _)| name.ends_with(".rs"));
    let lines: usize = rust.map(|(_, text)| text.lines().count()).sum();
    assert!((1..=40).contains(&lines), "{lines} lines of Rust");

    // Outside the repository, which the page expects beside the new folder. It is named by the path
    // that the other tests name it by, so that it is built once.
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("heap-rig");
    let rig = format!("\"{}", root().display());
    for (name, text) in &files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = text
            .replace("\"../../kmem-rig", &rig)
            .replace("\"../kmem-rig", &rig);
        fs::write(path, text).unwrap();
    }
    lock(&folder);
    succeed(&folder, "cargo", &["build", "--release"]);
    let guest = [
        "--manifest-path",
        "guest/Cargo.toml",
        "--target",
        "riscv64gc-unknown-none-elf",
    ];
    succeed(
        &folder,
        "cargo",
        &[&["build", "--release"], &guest[..]].concat(),
    );
    let rig = binary("heap-rig");
    for hunt in [
        &["hunt", "--execs", "2000"][..],
        &["hunt", "--execs", "2000", "--on", "qemu"],
    ] {
        let (code, text) = run(&folder, &rig, &[hunt, &["--seed", "1"]].concat());
        assert!(code == 0 || code == 1, "{text}");
        assert!(text.contains("emballoc: 2000 cases"), "{text}");
    }
    let trace =
        "# kmem-rig trace v1\nexpect emballoc agree\nheap 32 pages\na0 = alloc 24\nfree a0\n";
    fs::write(folder.join("some.trace"), trace).unwrap();
    let replayed = succeed(&folder, &rig, &["replay", "some.trace"]);
    assert!(
        replayed.contains("2 runs: 2 as expected, 0 not"),
        "{replayed}"
    );
    let fuzz = [
        "+nightly",
        "fuzz",
        "run",
        "-O",
        "emballoc",
        "--",
        "-runs=5000",
        "-seed=1",
    ];
    let (code, text) = run(&folder, "cargo", &fuzz);
    let ran = text.contains("Done 5000 runs") || text.contains("emballoc breaks `");
    assert!(ran, "exit code {code}:\n{text}");
}
