//! The tutorial, done: its commands in a shell, as they stand there, and what they print.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::root;
use testkit::workspace::{fresh, target};

use crate::matching::matches;
use crate::page;
use crate::page::Page;

/// What is printed before the output of a block, and its number.
const MARK: &str = "--- block ";

/// Before the first `make` in the new workspace: the target folder that such workspaces share here,
/// and the rig's own lock files.
const PREAMBLE: &str = r#"
make() {
    if [ ! -e target ]; then
        mkdir -p "$SHARED_TARGET"
        ln -s "$SHARED_TARGET" target
        cp "$RIG_ROOT/Cargo.lock" .
        cp "$RIG_ROOT/qemu-tests/guest/Cargo.lock" guest/
    fi
    command make "$@"
}
set -eu
"#;

/// Runs a script in a folder, and returns what it printed. Whatever is asked of Cargo there, it is
/// asked without a network.
fn shell(script: &str, folder: &Path) -> String {
    let rig = Path::new(env!("CARGO_BIN_EXE_kmem-rig")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("exec 2>&1; {script}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", rig.display()))
        .env("CARGO_NET_OFFLINE", "true")
        .env("RIG_ROOT", root())
        .env("SHARED_TARGET", target())
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_MANIFEST_DIR");
    // What insta was told of this repository's snapshots is not for another's.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INSTA_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}, after these lines",
        output.status
    );
    text
}

/// The shell blocks of a page as one script. A block `sh fails` ends with exit code 1.
fn script(page: &Page) -> String {
    let mut script = PREAMBLE.to_owned();
    for (number, block) in page.blocks.iter().enumerate() {
        let text = &block.text;
        match block.info.as_str() {
            "sh" => write!(script, "echo '{MARK}{number}'\n{text}").unwrap(),
            "sh fails" => write!(
                script,
                "echo '{MARK}{number}'\nset +e\n{text}code=$?\nset -e\n[ $code = 1 ]\n"
            )
            .unwrap(),
            "text" | "sh by hand" => {}
            other => panic!("a block of `{other}`"),
        }
    }
    script
}

/// What a block printed.
fn output_of(output: &str, number: usize) -> &str {
    let mark = format!("{MARK}{number}\n");
    let (_, behind) = output.split_once(&mark).expect("it ran");
    behind.split(MARK).next().unwrap_or(behind)
}

#[test]
fn tutorial() {
    let folder = fresh("tutorial");
    fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(root(), folder.join("kmem-rig")).unwrap();
    let page = page("tutorial.md");
    check_what_is_done_by_hand(&page);

    let output = shell(&script(&page), &folder);
    let mut ran = None;
    for (number, block) in page.blocks.iter().enumerate() {
        match block.info.as_str() {
            "sh" | "sh fails" => ran = Some(number),
            "text" => {
                let seen = output_of(&output, ran.expect("a text stands behind its commands"));
                let shown = format!("…\n{}…\n", block.text);
                assert!(matches(&shown, seen), "shown:\n{shown}\nseen:\n{seen}");
            }
            _ => {}
        }
    }
    let workspace = folder.join("tiny-heap-rig");
    let report = fs::read_to_string(workspace.join("report.html")).unwrap();
    assert!(report.contains("tiny-heap-leak-capacity"));
    let test = fs::read_to_string(workspace.join("leak.rs")).unwrap();
    assert!(test.contains("fn trace_tiny_heap_leak_capacity()"));
    host_and_guest_disagree(&workspace);
}

/// The first block takes minutes and a network: that what it calls is there is all that is checked.
fn check_what_is_done_by_hand(page: &Page) {
    let block = page.blocks_of("sh by hand").next().expect("the first step");
    let repository = env!("CARGO_PKG_REPOSITORY");
    let clone = format!("git clone {repository}\n");
    assert!(block.text.starts_with(&clone), "{}", block.text);
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    assert!(block.text.contains("make -C kmem-rig run\n"));
    assert!(makefile.contains("\nrun: setup-run build "));
}

/// The one example of the rules reference that needs another allocator than the rig's.
fn host_and_guest_disagree(workspace: &Path) {
    let page = page("rules.md");
    let heading = page
        .headings
        .iter()
        .find(|h| h.text == "host-guest")
        .unwrap();
    let section = page.section(heading);
    let block = |info| {
        let mut blocks = page.blocks_of(info);
        let inside = blocks.find(|block| section.contains(&block.range.start));
        inside.expect("a block of the section")
    };
    let heap = workspace.join("subject/src/heap.rs");
    let text = fs::read_to_string(&heap).unwrap();
    let grain = |line: &&str| line.starts_with("const GRAIN: usize =");
    let old = text
        .lines()
        .find(grain)
        .expect("the line that the page changes");
    fs::write(&heap, text.replace(old, block("rust").text.trim_end())).unwrap();
    let trace = block("trace");
    fs::write(workspace.join(trace.file.as_ref().unwrap()), &trace.text).unwrap();

    let shown = &block("text").text;
    let (command, _) = shown.split_once('\n').unwrap();
    let command = command.strip_prefix("$ ").unwrap();
    let script = format!("make build >build.log 2>&1\nset +e\n{command}\nset -e\n");
    let seen = shell(&format!("{PREAMBLE}{script}"), workspace);
    let whole = format!("$ {command}\n{seen}");
    assert!(matches(shown, &whole), "shown:\n{shown}\nseen:\n{whole}");
}
