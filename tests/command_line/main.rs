//! The command line as its users meet it: results, exit codes, bad input, and nothing left behind.

mod machines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use qemu_tests::{assert_snapshot, root};

const QEMU: &str = "qemu-system-riscv64";

fn kmem_rig() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kmem-rig"))
}

/// Runs `kmem-rig`, and returns its exit code, its output and its errors.
fn run(arguments: &[&str]) -> (i32, String, String) {
    finish(
        kmem_rig()
            .args(arguments)
            .current_dir(root())
            .output()
            .unwrap(),
    )
}

fn finish(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A trace's file, in a folder that is gone with the test.
fn file(folder: &Path, name: &str, contents: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn help_of_every_command_has_an_example() {
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<_> = commands
        .map_while(|line| line.split_whitespace().next())
        .filter(|c| *c != "help")
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    for command in commands {
        let (code, help, _) = run(&[command, "--help"]);
        assert_eq!(code, 0);
        assert!(
            help.contains(&format!("Example: kmem-rig {command}")),
            "{help}"
        );
    }
}

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
        for command in [&["show"][..], &["replay", "--on", "host"]] {
            let (code, _, errors) = run(&[command, &[&path]].concat());
            assert_eq!(code, 2, "{errors}");
            assert!(errors.contains(&format!("{path}:{expected}")), "{errors}");
        }
        assert_eq!(fs::read(&path).unwrap(), text, "a bad trace stays as it is");
    }
}

#[test]
fn what_is_missing_is_told_with_the_command_that_brings_it() {
    let trace = "qemu-tests/regressions/kmem-2019-misaligned-alloc.trace";
    let (code, _, errors) = run(&["replay", trace, "--on", "qemu", "--guest", "/nonexistent"]);
    assert_eq!(code, 2);
    assert!(
        errors.contains("/nonexistent") && errors.contains("make build"),
        "{errors}"
    );
    let no_qemu = kmem_rig()
        .args(["replay", trace, "--on", "qemu"])
        .current_dir(root())
        .env("PATH", "/nonexistent")
        .output();
    let (code, _, errors) = finish(no_qemu.unwrap());
    assert_eq!(code, 2);
    assert!(errors.contains("qemu-system-misc"), "{errors}");
    let (code, _, errors) = run(&["replay", "no/such/file", "--on", "host"]);
    assert_eq!(code, 2);
    assert!(errors.contains("no/such/file"), "{errors}");
    let (code, _, errors) = run(&["hunt", "--subject", "nonesuch"]);
    assert_eq!(code, 2);
    assert!(errors.contains("there are: kmem-2019, kmem"), "{errors}");
    // An image that is no guest of ours: any other ELF.
    let other = std::env::current_exe().unwrap();
    let (code, _, errors) = run(&[
        "replay",
        trace,
        "--on",
        "qemu",
        "--guest",
        other.to_str().unwrap(),
    ]);
    assert_eq!(code, 2, "{errors}");
}

#[test]
fn a_heap_that_the_subject_cannot_have_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "small.trace",
        b"# kmem-rig trace v1\nheap 192 bytes\ntable\n",
    );
    let (code, _, errors) = run(&["replay", &path, "--on", "host", "--subject", "page"]);
    assert_eq!(code, 2);
    assert!(
        errors.contains("page cannot be given a heap of 192 bytes"),
        "{errors}"
    );
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
        let (code, text, errors) = run(&["show", &path]);
        assert_eq!(code, 0, "{errors}");
        let shown = file(folder.path(), "shown.trace", text.as_bytes());
        assert_eq!(run(&["show", &shown]).1, text, "what is shown is a trace");
        // Misuse of what it does not promise anything about may end a run early, never the rig.
        let (code, _, errors) = run(&["replay", &path, "--on", "host", "--subject", "kmem"]);
        assert!(code == 0, "{code} {errors}");
    }
}

#[test]
fn text_without_a_trace_is_an_error_that_quotes_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"Notes on a heap:\n\tit is small.\r\n";
    let path = file(folder.path(), "notes", text);
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let named = format!(
        "{path}:1:1: expected a trace, which starts with `# kmem-rig trace v1`, found text: \
         `Notes on a heap:`; `--bytes` reads it as a fuzzer's bytes"
    );
    for command in [
        &["show"][..],
        &["replay", "--on", "host", "--subject", "kmem"],
        &["minimize", "--subject", "kmem", "-o", out],
        &["report", "--on", "host", "--subject", "kmem", "-o", out],
        &["encode", "-o", out],
        &["debug", "--subject", "kmem", "--on", "host"],
    ] {
        let (code, _, errors) = run(&[command, &[&path]].concat());
        assert_eq!(code, 2, "{command:?}: {errors}");
        assert!(errors.contains(&named), "{command:?}: {errors}");
        let (_, _, errors) = run(&[command, &[&path, "--bytes"]].concat());
        assert!(!errors.contains(&named), "{command:?}: {errors}");
    }
    assert_eq!(run(&["show", &path, "--bytes"]).0, 0);
    // What libFuzzer has named is its own; so is what is no text, and a file without a byte.
    let hash = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    for (name, bytes) in [
        ("crash-1f2e", &text[..]),
        ("minimized-from-1f2e", text),
        (hash, text),
        ("escape", b"\x1b[1mbold"),
        ("latin", b"\xe9"),
        ("empty", b""),
    ] {
        let path = file(folder.path(), name, bytes);
        let (code, _, errors) = run(&["show", &path]);
        assert_eq!(code, 0, "{name}: {errors}");
    }
    // A name alone does not make a trace's text bytes.
    let trace = b"# kmem-rig trace v1\nheap 1 pages\ntable\n";
    let path = file(folder.path(), "crash-2f", trace);
    assert!(run(&["show", &path]).1.contains("\nheap 1 pages\n"));
    assert!(
        !run(&["show", &path, "--bytes"])
            .1
            .contains("\nheap 1 pages\n")
    );
}

#[test]
fn a_subject_that_is_not_there_is_told_with_the_file_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let trace = |subject: &str| {
        format!("# kmem-rig trace v1\nexpect {subject} agree\nheap 1 pages\ntable\n")
    };
    file(folder.path(), "good.trace", trace("kmem").as_bytes());
    let path = file(folder.path(), "typo.trace", trace("kmen").as_bytes());
    let (all, page) = (folder.path(), folder.path().join("page.html"));
    let (all, page) = (all.to_str().unwrap(), page.to_str().unwrap());
    for arguments in [
        &["replay", all, "--on", "host"][..],
        &["report", all, "--on", "host", "-o", page],
        &["show", &path, "--tables"],
        &["debug", &path],
    ] {
        let (code, _, errors) = run(arguments);
        assert_eq!(code, 2, "{errors}");
        let named = errors.contains(&format!("{path}: ")) && errors.contains("`kmen`");
        assert!(named, "{arguments:?}: {errors}");
    }
}

#[test]
fn exit_codes_tell_a_finding_from_an_expected_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let ops = "heap 64 pages\na0 = alloc 24 align 64\n";
    let with = |name, header: &str| {
        file(
            folder.path(),
            name,
            format!("# kmem-rig trace v1\n{header}{ops}").as_bytes(),
        )
    };
    let expected = with(
        "expected.trace",
        "expect kmem-2019 diverge misaligned at 0\n",
    );
    let other = with("other.trace", "expect kmem-2019 agree\n");
    let silent = with("silent.trace", "");
    assert_eq!(run(&["replay", &expected, "--on", "host"]).0, 0);
    assert_eq!(run(&["replay", &other, "--on", "host"]).0, 1);
    assert_eq!(
        run(&["replay", &silent, "--on", "host", "--subject", "kmem-2019"]).0,
        1
    );
    assert_eq!(
        run(&["replay", &silent, "--on", "host", "--subject", "kmem"]).0,
        0
    );
    assert_eq!(
        run(&["minimize", &silent, "--subject", "kmem", "-o", "/dev/null"]).0,
        2
    );
}

#[test]
fn a_run_that_agrees_against_its_trace_says_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let trace = |name: &str, expected: &str| {
        let text = format!(
            "# kmem-rig trace v1\nexpect {expected}\nheap 64 pages\na0 = alloc 24 align 64\n"
        );
        file(folder.path(), name, text.as_bytes())
    };
    for (name, expected) in [
        ("agrees.trace", "kmem diverge misaligned at 0"),
        ("other.trace", "kmem-2019 agree"),
    ] {
        let path = trace(name, expected);
        let (code, table, _) = run(&["replay", &path, "--on", "host"]);
        assert_eq!(code, 1, "{table}");
        let row = table.lines().nth(1).unwrap();
        assert!(
            row.ends_with(&format!("the trace expects: {expected}")),
            "{table}"
        );
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
            &[][..],
            "# nothing was run: --tables runs it, and prints the verdict",
        ),
        (&["--tables"], "# kmem-2019: diverge: leak at op 3"),
    ] {
        let (code, shown, _) = run(&[&["show", path], options].concat());
        assert_eq!(code, 0);
        assert!(
            shown.starts_with(&(header.join("\n") + "\nheap 64 pages\n")),
            "{shown}"
        );
        assert!(shown.lines().last().unwrap().starts_with(last), "{shown}");
        let folder = tempfile::tempdir().unwrap();
        let again = file(folder.path(), "again.trace", shown.as_bytes());
        assert_eq!(run(&["replay", &again, "--on", "host"]).0, 0);
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
        let (code, text, errors) = run(&["minimize", &path, "-o", out]);
        assert_eq!(code, 0, "{text}{errors}");
        let (before, after) = (
            fs::read_to_string(root().join(&path)).unwrap(),
            fs::read_to_string(out).unwrap(),
        );
        for key in ["title ", "found ", "date ", "rules ", "expect kmem agree"] {
            let line = |text: &str| {
                let line = text.lines().find(|line| line.starts_with(key));
                line.map(ToOwned::to_owned)
            };
            assert!(line(&before).is_some(), "{key} in {before}");
            assert_eq!(line(&after), line(&before), "{after}");
        }
        let (code, table, _) = run(&["replay", out, "--on", "host"]);
        assert_eq!(code, 0, "{name}: {table}");
    }
    // What no longer holds goes; so does the op at which it did.
    let text = "# kmem-rig trace v1\ntitle two\nexpect kmem-2019 diverge at 1\n\
                expect page diverge misaligned at 0\nexpect nobody agree\nheap 64 pages\n\
                a0 = alloc 8\na1 = alloc 24 align 64\n";
    let path = file(folder.path(), "two.trace", text.as_bytes());
    let arguments = [
        "minimize",
        &path,
        "--subject",
        "kmem-2019",
        "--rules",
        "contract",
    ];
    assert_eq!(run(&[&arguments[..], &["-o", out]].concat()).0, 0);
    assert_eq!(
        fs::read_to_string(out).unwrap(),
        "# kmem-rig trace v1\ntitle two\nrules contract\nexpect kmem-2019 diverge misaligned at 0\n\
         heap 64 pages\na0 = alloc 8 align 16\n"
    );
}

#[test]
fn the_json_of_a_replay_is_the_interface() {
    let trace = "qemu-tests/regressions/kmem-2019-misaligned-alloc.trace";
    let (code, lines, _) = run(&["replay", trace, "--on", "host,qemu", "--format", "json"]);
    assert_eq!(code, 0);
    assert_snapshot("replay-json", &lines);
}

#[test]
fn a_hunt_ends_with_the_first_find_that_cannot_be_told() {
    let long = Duration::from_secs(600);
    let hunt = |options: &[&str], stdout: Stdio| {
        let began = Instant::now();
        let mut child = kmem_rig()
            .args([
                "hunt",
                "--subject",
                "kmem-2019",
                "--seed",
                "1",
                "--time",
                "600s",
            ])
            .args(options)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A pipe that nobody reads.
        drop(child.stdout.take());
        let ended = finish(child.wait_with_output().unwrap());
        assert!(
            began.elapsed() < long / 10,
            "{options:?}: {:?}",
            began.elapsed()
        );
        ended
    };
    let full = fs::File::create("/dev/full").unwrap();
    let (code, _, errors) = hunt(&[], full.into());
    assert!(
        code == 2 && errors.contains("No space left"),
        "{code} {errors}"
    );
    let (code, _, errors) = hunt(&["--format", "json"], Stdio::piped());
    assert_eq!((code, errors.as_str()), (0, ""));
    let (code, _, errors) = hunt(&["--out", "/proc/finds"], Stdio::null());
    assert!(
        code == 2 && errors.contains("cannot write /proc/finds"),
        "{code} {errors}"
    );
}

#[test]
fn the_json_of_a_hunt_is_the_interface() {
    let arguments = [
        "--subject",
        "kmem-2019",
        "--seed",
        "1",
        "--execs",
        "300",
        "--format",
        "json",
    ];
    let (code, lines, _) = run(&[&["hunt"][..], &arguments].concat());
    assert_eq!(code, 1);
    let mut rules = Vec::new();
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(finding) = value.get("finding") {
            let keys = [
                "subject",
                "rule",
                "op",
                "ops",
                "trace",
                "execs",
                "elapsed_ms",
                "sighted_us",
                "confirmed",
                "minimal",
            ];
            assert!(keys.iter().all(|key| finding.get(key).is_some()), "{line}");
            assert!(finding["ops"].as_u64().unwrap() <= 5, "{line}");
            rules.push(finding["rule"].as_str().unwrap().to_owned());
        } else {
            let summary = &value["summary"];
            assert_eq!(summary["execs"], 300);
            assert_eq!(summary["findings"], rules.len());
        }
    }
    for rule in ["misaligned", "unmerged", "impossible-success"] {
        assert!(
            rules.iter().any(|found| found == rule),
            "{rule} among {rules:?}"
        );
    }
}

#[test]
fn a_hunt_in_which_no_case_ran_is_no_success() {
    let (code, _, errors) = run(&["hunt", "--subject", "kmem", "--execs", "0"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("no case of kmem has run"), "{errors}");
}

#[test]
fn artifacts_become_regressions_and_known_ones_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = folder.path().join("kmem_2019");
    fs::create_dir(&artifacts).unwrap();
    let noisy = "# kmem-rig trace v1\nheap 192 bytes\na0 = alloc 3\na1 = alloc 7 align 64\n\
                 a2 = alloc 9\nfree a1\nfree a0\n";
    let noisy = file(folder.path(), "noisy.trace", noisy.as_bytes());
    for name in ["crash-1", "crash-2"] {
        let artifact = artifacts.join(name);
        assert_eq!(
            run(&["encode", &noisy, "-o", artifact.to_str().unwrap()]).0,
            0
        );
    }
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    let (artifacts, out) = (path(artifacts), path(folder.path().join("out")));
    let triage = |known: &str| run(&["triage", &artifacts, "--out", &out, "--known", known]);
    let (code, table, errors) = triage(&out);
    assert_eq!(code, 1, "{table}{errors}");
    let line = table.lines().nth(1).unwrap();
    let cells: Vec<_> = line
        .split("  ")
        .filter(|cell| !cell.is_empty())
        .map(str::trim)
        .collect();
    assert_eq!(
        cells[..8],
        [
            "kmem-2019",
            "misaligned",
            "op 0 (alloc)",
            "1",
            "2",
            "diverge",
            "diverge (reproduces in guest)",
            "NEW",
        ]
    );
    let written = fs::read_to_string(Path::new(&out).join("kmem-2019-misaligned-alloc.trace"));
    let written = written.unwrap();
    assert!(
        written.ends_with("heap 64 pages\na0 = alloc 8 align 16\n"),
        "{written}"
    );
    assert!(written.contains("\nexpect kmem agree\n"), "{written}");
    let (code, table, _) = triage(&out);
    assert_eq!(code, 0, "{table}");
    assert!(table.contains("1 find, a known regression"), "{table}");
    // The JSON has a field for each column and for each part of one.
    let (code, json, _) = run(&[
        "triage", &artifacts, "--out", &out, "--known", &out, "--format", "json",
    ]);
    let find: serde_json::Value = serde_json::from_str(&json).unwrap();
    let written = format!("{out}/kmem-2019-misaligned-alloc.trace");
    let expected = serde_json::json!({
        "subject": "kmem-2019", "rule": "misaligned", "kind": "alloc", "kinds": ["alloc"], "op": 0,
        "evidence": {
            "rule": "misaligned", "block": { "handle": 0, "offset": 8, "size": 8 }, "align": 16,
        },
        "ops": 1, "artifacts": 2, "host": "diverge", "guest": "diverge",
        "label": "reproduces in guest", "host_replays": 10, "guest_replays": 10,
        "key": "FuzzerHash=kmem-2019:misaligned", "known_as": written, "written": written,
    });
    assert_eq!((code, find), (0, expected));
}

#[test]
fn an_unwritable_place_is_told_and_nothing_half_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let trace = "qemu-tests/regressions/kmem-2019-misaligned-alloc.trace";
    for place in ["/proc/no/such.trace", "/dev/null/such.trace"] {
        let (code, _, errors) = run(&["encode", trace, "-o", place]);
        assert_eq!(code, 2);
        assert!(
            errors.contains(&format!("cannot write {place}")),
            "{errors}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_cost_of_a_trace_is_shown_op_by_op_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\ntable\nfree a0\n";
    let path = file(folder.path(), "cost.trace", text);
    let show = || run(&["show", &path, "--cost", "--subject", "kmem-2019"]);
    let (code, text, errors) = show();
    assert_eq!(code, 0, "{errors}");
    assert_eq!(show().1, text);
    let costs: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" instructions")?.rsplit(' ').next())
        .map(|cost| cost.parse().unwrap())
        .collect();
    let [alloc, 0, free] = costs[..] else {
        panic!("{text}");
    };
    let total = format!("# kmem-2019: {} instructions in 3 ops", alloc + free);
    assert_eq!(text.lines().last(), Some(total.as_str()), "{text}");
    let (code, _, errors) = run(&["show", &path, "--cost", "--tables"]);
    assert!(code == 2 && errors.contains("--tables"), "{errors}");
}

#[test]
fn bench_cost_prints_a_figure_a_line() {
    let (code, text, errors) = run(&["bench", "cost", "--subject", "rlsf", "--format", "json"]);
    assert_eq!(code, 0, "{errors}");
    let figures: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for figure in &figures {
        for key in ["figure", "value", "unit", "ratio", "goal", "met"] {
            assert!(figure.get(key).is_some(), "{figure} lacks {key}");
        }
    }
    let named = |name: &str| figures.iter().find(|figure| figure["figure"] == name);
    let row = named("rlsf realloc, 10000 live blocks, fragmented, median").unwrap();
    assert!(row["value"].as_f64() > Some(0.0) && row["unit"] == "instructions");
    let ratio = named("rlsf free, random, 10000 live blocks : 10").unwrap();
    assert!(ratio["ratio"].as_f64() > Some(0.0));
}
