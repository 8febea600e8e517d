//! A find as a Rust test for the allocator's own suite: it compiles without the rig, fails on the
//! allocator that it was found in, by the rule found, and passes on the one without the bug.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::fs;
use std::path::Path;
use std::process::Command;

use kmem_rig::regression::Regression;
use kmem_rig::reproducer::NEW_KMEM;
use testkit::command_line::{command, ended, file};
use testkit::{kmem_rig, regressions, root};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The regressions that show something wrong with `kmem-2019`, and the rule.
fn finds() -> Vec<(Regression, String)> {
    let broken = |regression: &Regression| {
        let of = |e: &&kmem_rig::regression::Expectation| e.subject == "kmem-2019";
        let rule = regression.expectations.iter().find(of)?.rule?;
        Some(rule.name().to_owned())
    };
    let all = regressions(Regression::load).into_iter();
    let mut finds: Vec<_> = all
        .filter_map(|regression| broken(&regression).map(|rule| (regression, rule)))
        .collect();
    // In the order of their modules' names, as rustfmt has them.
    finds.sort_by_key(|(regression, _)| module(&regression.name));
    finds
}

fn module(name: &str) -> String {
    name.replace('-', "_")
}

/// Writes a package whose one dependency is `kmem`, with a test binary for each of two heaps.
fn package(folder: &Path, tests: &[(String, String)]) {
    let kmem = root().join("kmem");
    let manifest = format!(
        "[package]\nname = \"reproducers\"\nedition = \"2024\"\n\n[dependencies]\nkmem = {{ path = {kmem:?} }}\n\n\
         [workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "//! Nothing.\n").unwrap();
    for (binary, heap, new) in [
        ("published", "kmem::Kmem2019", "Heap::new"),
        ("hardened", "kmem::Kmem", NEW_KMEM),
    ] {
        let tests_of = folder.join("tests").join(binary);
        fs::create_dir_all(&tests_of).unwrap();
        let mut main = String::new();
        for (module, test) in tests {
            assert!(test.contains("\ntype Heap = kmem::Kmem2019;\n"), "{test}");
            let test = test.replace("= kmem::Kmem2019;", &format!("= {heap};"));
            assert!(test.contains(" = Heap::new;\n"), "{test}");
            let test = test.replace(" = Heap::new;\n", &format!(" = {new};\n"));
            fs::write(tests_of.join(format!("{module}.rs")), test).unwrap();
            main += &format!("mod {module};\n");
        }
        fs::write(tests_of.join("main.rs"), main).unwrap();
    }
}

/// A heap behind `GlobalAlloc`, for a test that was written for another one.
const BUMP: &str = "
type Heap = Bump;
const NEW_HEAP: unsafe fn(*mut u8, usize) -> Heap = |start, bytes| Bump(start, bytes);

struct Bump(*mut u8, usize);

// SAFETY: it hands its region out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        assert!(layout.size() <= self.1 && layout.align() <= 4096);
        self.0
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
";

/// One more test binary: of a subject without native entries, its two lines filled in by hand.
fn own(folder: &Path) {
    let ops = "heap 64 pages\na0 = alloc_zeroed 8200\n";
    let text = format!("# kmem-rig trace v1\n{ops}");
    let trace = file(folder, "9 lives.trace", text);
    let line = "show --rust --subject page-zeroes-count";
    let mut show = command(env!("CARGO_BIN_EXE_kmem-rig"), line);
    let (_, test, errors) = ended(show.arg(trace).output());
    assert!(test.contains("\nfn trace_9_lives() {\n"), "{test}{errors}");
    let asked = "\ntype Heap = your_crate::YourHeap;\n\
                 const NEW_HEAP: unsafe fn(*mut u8, usize) -> Heap = Heap::new;\n";
    assert!(test.contains(asked), "{test}");
    assert!(!test.contains("kmalloc"), "{test}");
    fs::write(folder.join("tests/own.rs"), test.replace(asked, BUMP)).unwrap();
}

#[test]
fn every_find_in_kmem_2019_becomes_a_test_that_fails_there_and_passes_on_kmem() {
    let folder = tempfile::tempdir().unwrap();
    let finds = finds();
    assert!(finds.len() >= 13, "{}", finds.len());
    let mut tests = Vec::new();
    for (regression, _) in &finds {
        let name = &regression.name;
        let (code, test, errors) = kmem_rig!("show qemu-tests/regressions/{name}.trace --rust");
        assert_eq!(code, 0, "{errors}");
        tests.push((module(name), test));
    }
    package(folder.path(), &tests);
    own(folder.path());
    let cargo = |arguments: &[&str]| {
        Command::new("cargo")
            .args(arguments)
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", folder.path().join("target"))
            .env("RUSTFLAGS", "-Dwarnings")
            .env_remove("CARGO_MANIFEST_DIR")
            .output()
            .unwrap()
    };
    let formatted = cargo(&["fmt", "--check"]);
    assert!(formatted.status.success(), "{}", text(&formatted.stdout));
    let built = cargo(&["test", "--offline", "--no-run"]);
    assert!(built.status.success(), "{}", text(&built.stderr));
    let run =
        |binary: &str, filter: &str| cargo(&["test", "--offline", "--test", binary, "--", filter]);
    // One that ends by a signal takes the others of its process along, so each has its own.
    for ((module, _), (_, rule)) in tests.iter().zip(&finds) {
        let failed = run("published", &format!("{module}::"));
        let said = text(&[failed.stdout, failed.stderr].concat());
        assert!(!failed.status.success(), "{module} passes:\n{said}");
        let expected = match rule.as_str() {
            "fault" => "signal: 11",
            // What a client sees of it.
            "unmerged" => "leak: the empty heap refuses",
            rule => rule,
        };
        assert!(said.contains(expected), "{module}, not {expected}:\n{said}");
    }
    for (binary, count) in [("hardened", tests.len()), ("own", 1)] {
        let passed = run(binary, "");
        let said = text(&[passed.stdout, passed.stderr].concat());
        assert!(passed.status.success(), "{said}");
        let all = format!("{count} passed; 0 failed");
        assert!(said.contains(&all), "{said}");
    }
}

#[test]
fn what_calls_alone_cannot_show_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (subject, ops, reason) in [
        (
            "kmem",
            "a0 = alloc 8 align 16\n",
            "kmem agrees with this trace",
        ),
        (
            "endless-loop",
            "a0 = alloc 8\na1 = alloc 8\na2 = alloc 8\na3 = alloc 8\nfree a0\nfree a2\nfree a1\n",
            "`hang` of endless-loop: the call never returns",
        ),
        (
            "last-fit",
            "a0 = alloc 8\na1 = alloc 8\nfree a0\na2 = alloc 8\n",
            "`placement` of last-fit: once all is freed, the heap is as good as new",
        ),
        (
            "double-free-accepted",
            "a0 = alloc 8\nfree a0\nfree a0\n",
            "`misuse-accepted` of double-free-accepted: the trace holds a client's misuse",
        ),
    ] {
        let text = format!("# kmem-rig trace v1\nheap 1 pages\n{ops}");
        let trace = file(folder.path(), "x.trace", text);
        let (code, test, errors) = kmem_rig!("show {trace} --rust --subject {subject}");
        assert!(code == 2 && errors.contains(reason), "{errors}");
        assert_eq!(test, "");
    }
}
