//! What tests share, whatever they test: the repository's top, the committed regressions, the one
//! way to assert a snapshot, processes of this machine, and workspaces of others.
//!
//! Nothing here depends on the rig, so that the rig's own tests may use it.

pub mod command_line;
pub mod workspace;

use std::env;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use include_dir::{Dir, include_dir};

/// The snapshots as they were when this was built, for tests that run where there is no repository.
static SNAPSHOTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../snapshots");

/// The repository's top: where nextest says that it is, since tests may be run from an archive in
/// another place than they were built in.
///
/// # Panics
/// Never: this crate lies below it.
#[must_use]
pub fn root() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    env::var_os("NEXTEST_WORKSPACE_ROOT").map_or_else(
        || built_in.expect("a crate below the top").to_owned(),
        PathBuf::from,
    )
}

/// The processes whose parent is `parent`, as the kernel lists them; a zombie is none.
#[must_use]
pub fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|&id| stat(id).is_some_and(|(state, of)| of == parent && state != 'Z'))
        .collect()
}

/// Whether a process is there and has not ended.
#[must_use]
pub fn is_running(id: u32) -> bool {
    stat(id).is_some_and(|(state, _)| state != 'Z')
}

/// Asks again and again until the answer is yes, for two minutes at most.
///
/// # Panics
/// When it is never yes.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process's state and parent.
fn stat(id: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, behind) = text.rsplit_once(')')?;
    let mut words = behind.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// Where the guest's image starts: at its code.
pub const IMAGE_ADDRESS: u64 = 0x8020_0000;

/// Every committed regression, by name, as `load` reads one.
///
/// # Panics
/// When one cannot be read, or there is none.
#[must_use]
pub fn regressions<R, E: Debug>(load: impl Fn(&Path) -> Result<R, E>) -> Vec<R> {
    let entries = std::fs::read_dir(root().join("qemu-tests/regressions"));
    let entries = entries.expect("the folder of regressions can be read");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    assert!(!files.is_empty(), "there are regressions");
    files.sort();
    let load = |path: &PathBuf| load(path).expect("a regression");
    files.iter().map(load).collect()
}

/// Asserts a snapshot of the project: in the one folder all of them lie in, under its bare name,
/// whoever asks. Two sides that assert the same name assert the same text. Where there is no such
/// folder, the text is held against the snapshot that was built in, and nothing is proposed.
///
/// # Panics
/// When the text is not the snapshot's.
pub fn assert_snapshot(name: &str, text: &str) {
    let folder = root().join("snapshots");
    if !folder.is_dir() {
        let built_in = built_in_snapshot(name);
        assert_eq!(text.trim_end(), built_in.trim_end(), "{name}.snap");
        return;
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.remove_info();
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A snapshot's text without insta's header, which ends at the second line of dashes.
fn built_in_snapshot(name: &str) -> &'static str {
    let file = SNAPSHOTS
        .get_file(format!("{name}.snap"))
        .unwrap_or_else(|| panic!("no snapshot `{name}` was built in"));
    let text = file.contents_utf8().expect("a snapshot is text");
    let parts = text.splitn(3, "---\n");
    parts.last().expect("a text has a last part")
}
