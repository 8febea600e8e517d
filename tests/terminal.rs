//! What a terminal sees that a pipe does not: colours, and how far a command is. The terminal is a
//! pseudo-terminal that `script`, of Debian's essential `bsdutils`, makes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use testkit::command_line::file;
use testkit::{assert_snapshot, root};

const KMEM_RIG: &str = env!("CARGO_BIN_EXE_kmem-rig");
/// What takes a line of progress away when a signal ends it.
const CLEARED: &str = "\r\u{1b}[2K";
/// A remainder of 16 bytes is not split off: the table is another than the model's.
const PARTED: &str = "# kmem-rig trace v1\nheap 192 bytes\na0 = alloc 16\na1 = alloc 24\n\
                      a2 = alloc 8\nfree a1\na3 = alloc 8\nfree a0\n";

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("TERM", "xterm-256color");
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// Runs `kmem-rig` with pipes for a terminal.
fn piped(arguments: &[&str]) -> Output {
    command(KMEM_RIG).args(arguments).output().unwrap()
}

/// `kmem-rig` on a pseudo-terminal of so many columns, for its output and its errors.
fn on_terminal(arguments: &[&str], columns: u32) -> Command {
    let words: Vec<_> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let line = format!(
        "stty rows 40 cols {columns}; exec {KMEM_RIG} {}",
        words.join(" ")
    );
    let mut script = command("script");
    script.args(["-qec", &line, "/dev/null"]);
    script
}

/// All that a terminal was sent.
fn shown(mut script: Command) -> String {
    let output = script.stdin(Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A line that was drawn over itself, as it was at last.
fn last_drawn(shown: &str) -> &str {
    let mut drawn = shown.rsplit('\r').map(str::trim);
    let last = drawn.find(|line| line.contains("/s"));
    last.unwrap_or_default()
}

#[test]
fn maps_and_differences_are_locked_as_they_are_piped() {
    let folder = tempfile::tempdir().unwrap();
    let parted = file(folder.path(), "parted.trace", PARTED);
    let show = |arguments: &[&str]| {
        let output = piped(&[&["show", "--tables"], arguments].concat());
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    let regression = |name| format!("qemu-tests/regressions/{name}.trace");
    let pages = file(
        folder.path(),
        "pages.trace",
        "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 4096\na1 = alloc 9000\nfree a0\n",
    );
    let texts = [
        show(&[&regression("kmem-2019-unmerged-free")]),
        show(&[&parted, "--subject", "kmem"]),
        show(&[&parted, "--subject", "wrong-remainder-test"]),
        show(&[&parted, "--subject", "last-fit"]),
        show(&[&pages, "--subject", "page"]),
        show(&[&pages, "--subject", "page-highest-run"]),
        show(&[&pages, "--subject", "rlsf"]),
    ];
    for text in &texts {
        for line in text.lines() {
            let verdict = line.contains(": diverge: ");
            assert!(line.len() <= 80 || verdict, "{line}");
        }
        let again = file(folder.path(), "shown.trace", text);
        assert!(
            piped(&["show", &again]).status.success(),
            "a listing is a trace"
        );
    }
    assert_snapshot("show-tables", &texts.join("\n"));
}

#[test]
fn a_long_trace_has_a_map_of_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("# kmem-rig trace v1\nheap 64 pages\n");
    for block in 0..100 {
        text += &format!("a{block} = alloc {}\n", 8 + block % 7 * 24);
    }
    for block in (0..100).step_by(2) {
        text += &format!("free a{block}\n");
    }
    let long = file(folder.path(), "long.trace", &text);
    let output = piped(&["show", &long, "--tables", "--subject", "kmem"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let maps = text.lines().filter(|line| line.starts_with("#   "));
    let maps: Vec<_> = maps.filter(|line| line.ends_with('|')).collect();
    assert_eq!(maps.len(), 150);
    assert!(maps.iter().all(|map| map.len() <= 80));
    // As long as there is room, each block has its handle, and after that its border.
    assert!(maps[9].contains("|a8#|a9@|"), "{}", maps[9]);
    assert!(maps[25].starts_with("#   |#|"), "{}", maps[25]);
    // The last heap has more chunks than columns.
    assert!(maps[149].contains("%%"), "{}", maps[149]);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let folder = tempfile::tempdir().unwrap();
    let parted = file(folder.path(), "parted.trace", PARTED);
    let arguments = [
        "show",
        &parted,
        "--tables",
        "--subject",
        "wrong-remainder-test",
    ];
    let plain = String::from_utf8(piped(&arguments).stdout).unwrap();
    assert!(!plain.contains('\u{1b}'));
    let terminal = shown(on_terminal(&arguments, 80)).replace("\r\n", "\n");
    assert!(terminal.contains("\u{1b}[31m- 0x"), "{terminal:?}");
    assert!(terminal.contains("\u{1b}[32m+ 0x"), "{terminal:?}");
    assert_eq!(console::strip_ansi_codes(&terminal), plain);
    let mut without = on_terminal(&arguments, 80);
    without.env("NO_COLOR", "1");
    assert_eq!(shown(without).replace("\r\n", "\n"), plain);
    let forced = command(KMEM_RIG)
        .args(arguments)
        .env("CLICOLOR_FORCE", "1")
        .output();
    let forced = String::from_utf8(forced.unwrap().stdout).unwrap();
    assert_eq!(forced, terminal);
}

#[test]
fn a_narrow_terminal_gets_narrow_maps() {
    let folder = tempfile::tempdir().unwrap();
    let parted = file(folder.path(), "parted.trace", PARTED);
    let text = shown(on_terminal(
        &["show", &parted, "--tables", "--subject", "kmem"],
        48,
    ));
    let text = console::strip_ansi_codes(&text).into_owned();
    let maps = text.lines().filter(|line| line.starts_with("#   |a0"));
    assert!(
        maps.clone().count() > 0 && maps.clone().all(|map| map.len() <= 48),
        "{text}"
    );
}

#[test]
fn a_difference_stands_beside_the_finding() {
    let folder = tempfile::tempdir().unwrap();
    let parted = file(folder.path(), "parted.trace", PARTED);
    let small = folder.path().join("small.trace");
    let small = small.to_str().unwrap();
    let subject = ["--subject", "wrong-remainder-test"];
    let hunt = ["hunt", "--seed", "1", "--execs", "2000", "--until", "table"];
    let commands = [
        &["replay", "--on", "host", &parted][..],
        &["minimize", &parted, "-o", small],
        &hunt,
        &["explore", "--heap", "96"],
    ];
    let heading = "  the table then, - as the model has it, + as observed:\n";
    for arguments in commands {
        let output = piped(&[arguments, &subject].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, difference) = text.split_once(heading).expect(&text);
        assert!(difference.contains("\n    - 0x"), "{text}");
        assert!(difference.contains("\n    + 0x"), "{text}");
    }
    // What is read by programs is as it was.
    let json = [commands[0], &subject, &["--format", "json"]].concat();
    let text = String::from_utf8(piped(&json).stdout).unwrap();
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

/// Commands that show how far they are, and what of: enough of each to take some tenths of a
/// second.
fn long_commands(folder: &Path) -> [(Vec<String>, &'static str); 7] {
    let artifacts = folder.join("kmem_2019");
    fs::create_dir(&artifacts).unwrap();
    for number in 0..40 {
        let text = format!(
            "# kmem-rig trace v1\nheap 64 pages\na0 = alloc {number}\na1 = alloc 8 align 64\nfree a0\n"
        );
        file(&artifacts, &format!("crash-{number}"), &text);
    }
    let noisy: String = (0..60)
        .map(|n| format!("a{n} = alloc {}\n", n * 8))
        .collect();
    let noisy = format!("# kmem-rig trace v1\nheap 64 pages\n{noisy}a60 = alloc 24 align 64\n");
    let noisy = file(folder, "noisy.trace", &noisy);
    let small = folder.join("least.trace").to_str().unwrap().to_owned();
    let out = folder.join("out").to_str().unwrap().to_owned();
    let artifacts = artifacts.to_str().unwrap().to_owned();
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let triage = format!("triage {artifacts} --out {out} --known {out}");
    [
        (words("hunt --subject kmem --time 500ms"), "cases, "),
        (words("hunt --subject kmem --execs 5000"), "5,000 cases, "),
        (
            words("hunt --on qemu --subject kmem --time 500ms"),
            "cases, ",
        ),
        (
            words(&format!("replay {artifacts} --on host")),
            "/40 traces, ",
        ),
        (words(&triage), "/1 finds, "),
        (words("explore --subject kmem --heap 128"), " states, "),
        (
            words(&format!("minimize {noisy} -o {small}")),
            " candidates, ",
        ),
    ]
}

#[test]
fn how_far_a_command_is_is_shown_on_a_terminal_and_gone_with_it() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, unit) in long_commands(folder.path()) {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let text = shown(on_terminal(&arguments, 90));
        let drawn = last_drawn(&text);
        assert!(drawn.contains(unit), "{arguments:?}: {text:?}");
        assert!(drawn.contains("/s"), "{arguments:?}: {text:?}");
        let knows_the_end = !matches!(arguments[0], "explore" | "minimize");
        assert_eq!(drawn.contains(" left"), knows_the_end, "{text:?}");
        // The last that was drawn was taken away again, before anything else is printed.
        let (_, behind) = text.rsplit_once(drawn).unwrap();
        assert!(behind.contains("\r\u{1b}[2K"), "{behind:?}");
    }
}

#[test]
fn nothing_of_it_is_piped() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, _) in long_commands(folder.path()) {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = piped(&arguments);
        assert_eq!(output.stderr, b"", "{arguments:?}");
        assert!(!output.stdout.contains(&0x1b), "{arguments:?}");
    }
}

#[test]
fn on_a_narrow_terminal_a_line_is_one_line() {
    let arguments = ["hunt", "--subject", "kmem", "--time", "500ms"];
    let text = shown(on_terminal(&arguments, 30));
    // The rate, at the end of a line, may be cut off.
    let lines = text.split('\r').map(console::strip_ansi_codes);
    let drawn: Vec<_> = lines
        .filter(|line| line.starts_with("hunting kmem: "))
        .collect();
    assert!(!drawn.is_empty(), "{text:?}");
    for line in drawn {
        assert!(line.chars().count() <= 30, "{text:?}");
    }
}

#[test]
fn an_interrupt_takes_the_line_along() {
    let arguments = ["hunt", "--subject", "kmem", "--time", "1h"];
    let mut script = on_terminal(&arguments, 90)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&text).contains("/s, ") {
        assert!(
            Instant::now() < deadline,
            "{:?}",
            String::from_utf8_lossy(&text)
        );
        let read = output.read(&mut part).unwrap();
        text.extend_from_slice(&part[..read]);
    }
    // Ctrl-C, as the terminal takes it.
    input.write_all(b"\x03").unwrap();
    output.read_to_end(&mut text).unwrap();
    let status = script.wait().unwrap();
    let text = String::from_utf8_lossy(&text);
    assert!(text.ends_with(CLEARED), "{text:?}");
    // `script -e` ends as its child did, by a signal or with its number.
    let interrupted = status.code() == Some(128 + libc::SIGINT);
    assert!(
        interrupted || status.signal() == Some(libc::SIGINT),
        "{status}"
    );
}
