//! What the tests here share: the guest, the regressions, and the one way to assert a snapshot.

use std::path::{Path, PathBuf};

use kmem_rig::guest::{Configuration, Guest, Mode, find_image};
use kmem_rig::input;
use kmem_rig::regression::Regression;

/// The repository's top.
///
/// # Panics
/// Never: this crate lies below it.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a crate below the top")
        .to_owned()
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

/// Supervisor mode, on QEMU's own choice of processor.
#[must_use]
pub fn supervisor() -> Configuration {
    Configuration {
        mode: Mode::Supervisor,
        cpu: None,
    }
}

/// A booted guest, in machine mode.
///
/// # Panics
/// When there is none to boot; the message says what to run.
#[must_use]
pub fn boot() -> Guest {
    boot_as(&Configuration::default())
}

/// A booted guest of this configuration.
///
/// # Panics
/// When there is none to boot; the message says what to run.
#[must_use]
pub fn boot_as(configuration: &Configuration) -> Guest {
    let started = find_image(None).and_then(|image| Guest::start_as(&image, configuration));
    started.unwrap_or_else(|error| panic!("{error:#}"))
}

/// Every committed regression, by name.
///
/// # Panics
/// When one cannot be read, or there is none.
#[must_use]
pub fn regressions() -> Vec<Regression> {
    let folder = root().join("qemu-tests/regressions");
    let files = input::files(&[folder]).expect("the folder of regressions can be read");
    assert!(!files.is_empty(), "there are regressions");
    files
        .iter()
        .map(|path| Regression::load(path).expect("a regression"))
        .collect()
}

/// Asserts a snapshot of the project: in the one folder all of them lie in, under its bare name,
/// whoever asks. Two sides that assert the same name assert the same text.
///
/// # Panics
/// When the text is not the snapshot's.
pub fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.remove_info();
    settings.bind(|| insta::assert_snapshot!(name, text));
}
