//! What a command cannot work with is an error that names it, and says what to do.

use std::fs;

use testkit::command_line::{command, ended, file};
use testkit::kmem_rig;

use crate::MISALIGNED;

#[test]
fn a_malformed_trace_is_told_by_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (
            &b"# kmem-rig trace v1\nheap 64 pages\na0 = alloc ten\n"[..],
            "3:12: expected a size",
        ),
        (
            b"# kmem-rig trace v2\n",
            "1:1: expected the first line `# kmem-rig trace v1`, found version `v2`, which this \
             kmem-rig does not know",
        ),
        (
            b"\xef\xbb\xbf# kmem-rig trace v1\nheap 1 pages\n",
            "1:1: expected the first line `# kmem-rig trace v1`, found a byte order mark before \
             it: save the text as UTF-8 without one",
        ),
        (
            b"# kmem-rig trace v1\nexpect kmem fine\nheap 1 pages\n",
            "2:8: expected `SUBJECT",
        ),
        (
            b"# kmem-rig trace v1\nheap 1 pages\n\xff\n",
            "3:1: expected UTF-8",
        ),
    ] {
        let path = file(folder.path(), "bad.trace", text);
        for command in ["show", "replay --on host"] {
            let (code, _, errors) = kmem_rig!("{command} {path}");
            assert_eq!(code, 2, "{errors}");
            assert!(errors.contains(&format!("{path}:{expected}")), "{errors}");
        }
        assert_eq!(fs::read(&path).unwrap(), text, "a bad trace stays as it is");
    }
}

#[test]
fn what_is_missing_is_told_with_the_command_that_brings_it() {
    let in_guest = format!("replay {MISALIGNED} --on qemu");
    // An image that is no guest of ours: any other ELF.
    let other = std::env::current_exe().unwrap();
    for (line, expected) in [
        (format!("{in_guest} --guest /nonexistent"), "/nonexistent"),
        (format!("{in_guest} --guest /nonexistent"), "make build"),
        (format!("{in_guest} --guest {}", other.display()), ""),
        ("replay no/such/file --on host".into(), "no/such/file"),
        (
            "hunt --subject nonesuch".into(),
            "there are: kmem-2019, kmem",
        ),
    ] {
        let (code, _, errors) = kmem_rig!("{line}");
        assert_eq!(code, 2, "{line}: {errors}");
        assert!(errors.contains(expected), "{line}: {errors}");
    }
    let mut no_qemu = command(env!("CARGO_BIN_EXE_kmem-rig"), &in_guest);
    let (code, _, errors) = ended(no_qemu.env("PATH", "/nonexistent").output());
    assert!(code == 2 && errors.contains("qemu-system-misc"), "{errors}");
}

#[test]
fn a_heap_that_the_subject_cannot_have_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# kmem-rig trace v1\nheap 192 bytes\ntable\n";
    let path = file(folder.path(), "small.trace", text);
    let (code, _, errors) = kmem_rig!("replay {path} --on host --subject page");
    let told = "page cannot be given a heap of 192 bytes";
    assert!(code == 2 && errors.contains(told), "{errors}");
}

#[test]
fn corrupt_artifacts_are_traces() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = 1_u32;
    for length in [0, 1, 7, 8, 9, 500, 100_000] {
        let mut bytes = Vec::new();
        for _ in 0..length {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((noise >> 24) as u8);
        }
        let path = file(folder.path(), "crash-1f2e", &bytes);
        let (code, text, errors) = kmem_rig!("show {path}");
        assert_eq!(code, 0, "{errors}");
        let shown = file(folder.path(), "shown.trace", &text);
        let again = kmem_rig!("show {shown}").1;
        assert_eq!(again, text, "what is shown is a trace");
        // Misuse of what it does not promise anything about may end a run early, never the rig.
        let (code, _, errors) = kmem_rig!("replay {path} --on host --subject kmem");
        assert_eq!(code, 0, "{errors}");
    }
}

#[test]
fn text_without_a_trace_is_an_error_that_quotes_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"Notes on a heap:\n\tit is small.\r\n";
    let path = file(folder.path(), "notes", text);
    let out = folder.path().join("out");
    let out = out.display();
    let named = format!(
        "{path}:1:1: expected a trace, which starts with `# kmem-rig trace v1`, found text: \
         `Notes on a heap:`; `--bytes` reads it as a fuzzer's bytes"
    );
    for command in [
        "show".to_owned(),
        "replay --on host --subject kmem".to_owned(),
        format!("minimize --subject kmem -o {out}"),
        format!("report --on host --subject kmem -o {out}"),
        format!("encode -o {out}"),
        "debug --subject kmem --on host".to_owned(),
    ] {
        let (code, _, errors) = kmem_rig!("{command} {path}");
        assert_eq!(code, 2, "{command}: {errors}");
        assert!(errors.contains(&named), "{command}: {errors}");
        let (_, _, errors) = kmem_rig!("{command} {path} --bytes");
        assert!(!errors.contains(&named), "{command}: {errors}");
    }
    assert_eq!(kmem_rig!("show {path} --bytes").0, 0);
    // What libFuzzer has named is its own; so is what is no text, and a file without a byte.
    for (name, bytes) in [
        ("crash-1f2e", &text[..]),
        ("minimized-from-1f2e", text),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", text),
        ("escape", b"\x1b[1mbold"),
        ("latin", b"\xe9"),
        ("empty", b""),
    ] {
        let path = file(folder.path(), name, bytes);
        let (code, _, errors) = kmem_rig!("show {path}");
        assert_eq!(code, 0, "{name}: {errors}");
    }
    // A name alone does not make a trace's text bytes.
    let trace = "# kmem-rig trace v1\nheap 1 pages\ntable\n";
    let path = file(folder.path(), "crash-2f", trace);
    for (options, is_text) in [("", true), ("--bytes", false)] {
        let shown = kmem_rig!("show {path} {options}").1;
        assert_eq!(shown.contains("\nheap 1 pages\n"), is_text, "{shown}");
    }
}

#[test]
fn a_subject_that_is_not_there_is_told_with_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let trace = |name, subject: &str| {
        let ops = "heap 1 pages\ntable\n";
        let text = format!("# kmem-rig trace v1\nexpect {subject} agree\n{ops}");
        file(folder.path(), name, text)
    };
    trace("good.trace", "kmem");
    let path = trace("typo.trace", "kmen");
    let all = folder.path().display();
    for line in [
        format!("replay {all} --on host"),
        format!("report {all} --on host -o {all}/page.html"),
        format!("show {path} --tables"),
        format!("debug {path}"),
    ] {
        let (code, _, errors) = kmem_rig!("{line}");
        assert_eq!(code, 2, "{errors}");
        let named = errors.contains(&format!("{path}: ")) && errors.contains("`kmen`");
        assert!(named, "{line}: {errors}");
    }
}
