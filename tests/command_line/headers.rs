//! What a trace says in its header: told beside the verdict, and kept by what writes the trace
//! anew.

use std::fs;

use testkit::command_line::file;
use testkit::{kmem_rig, root};

#[test]
fn a_run_that_agrees_against_its_trace_says_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in [
        ("agrees.trace", "kmem diverge misaligned at 0"),
        ("other.trace", "kmem-2019 agree"),
    ] {
        let ops = "heap 64 pages\na0 = alloc 24 align 64\n";
        let text = format!("# kmem-rig trace v1\nexpect {expected}\n{ops}");
        let path = file(folder.path(), name, text);
        let (code, table, _) = kmem_rig!("replay {path} --on host");
        assert_eq!(code, 1, "{table}");
        let row = table.lines().nth(1).unwrap();
        let told = format!("the trace expects: {expected}");
        assert!(row.ends_with(&told), "{table}");
        let last = table.lines().last().unwrap();
        assert_eq!(last, "1 trace, 1 run: 0 as expected, 1 not");
    }
}

#[test]
fn what_is_shown_keeps_the_header_and_says_that_nothing_was_run() {
    let path = "qemu-tests/regressions/kmem-2019-leak-capacity.trace";
    let text = fs::read_to_string(root().join(path)).unwrap();
    let header: Vec<_> = text
        .lines()
        .take_while(|line| !line.starts_with("heap"))
        .collect();
    assert!(header.len() > 5, "{text}");
    for (options, last) in [
        (
            "",
            "# nothing was run: --tables runs it, and prints the verdict",
        ),
        ("--tables", "# kmem-2019: diverge: leak at op 3"),
    ] {
        let (code, shown, _) = kmem_rig!("show {path} {options}");
        assert_eq!(code, 0);
        let headed = header.join("\n") + "\nheap 64 pages\n";
        assert!(shown.starts_with(&headed), "{shown}");
        assert!(shown.lines().last().unwrap().starts_with(last), "{shown}");
        let folder = tempfile::tempdir().unwrap();
        let again = file(folder.path(), "again.trace", shown);
        assert_eq!(kmem_rig!("replay {again} --on host").0, 0);
    }
}

#[test]
fn what_is_minimised_keeps_the_header_and_what_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("small.trace");
    let out = out.to_str().unwrap();
    for name in [
        "kmem-2019-leak-capacity",
        "kmem-2019-spurious-oom-alloc-zeroed",
        "kmem-2019-spurious-oom-alloc",
        "kmem-2019-spurious-oom-realloc",
    ] {
        let path = format!("qemu-tests/regressions/{name}.trace");
        let (code, text, errors) = kmem_rig!("minimize {path} -o {out}");
        assert_eq!(code, 0, "{text}{errors}");
        let before = fs::read_to_string(root().join(&path)).unwrap();
        let after = fs::read_to_string(out).unwrap();
        for key in ["title ", "found ", "date ", "rules ", "expect kmem agree"] {
            let mut lines = before.lines();
            let line = lines.find(|line| line.starts_with(key)).expect(key);
            let mut lines = after.lines().filter(|line| line.starts_with(key));
            assert_eq!(lines.next(), Some(line), "{after}");
        }
        let (code, table, _) = kmem_rig!("replay {out} --on host");
        assert_eq!(code, 0, "{name}: {table}");
    }
    // What no longer holds goes; so does the op at which it did.
    let text = "# kmem-rig trace v1\ntitle two\nexpect kmem-2019 diverge at 1\n\
                expect page diverge misaligned at 0\nexpect nobody agree\nheap 64 pages\n\
                a0 = alloc 8\na1 = alloc 24 align 64\n";
    let path = file(folder.path(), "two.trace", text);
    let options = "--subject kmem-2019 --rules contract";
    assert_eq!(kmem_rig!("minimize {path} {options} -o {out}").0, 0);
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        "# kmem-rig trace v1\ntitle two\nrules contract\nexpect kmem-2019 diverge misaligned at 0\n\
         heap 64 pages\na0 = alloc 8 align 16\n"
    );
}
