//! A workspace to test an allocator of one's own in: what `kmem-rig new` writes.
//!
//! The files lie in `new/template`, where they speak of an allocator called `my-heap`; what
//! is written speaks of another, and depends on the rig by version or by path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::declaration::NAME_BYTES;

use crate::subject::registry;

/// A file's path in the new workspace, and its text in the template.
const FILES: [(&str, &str); 17] = [
    (
        ".github/workflows/ci.yml",
        include_str!("new/template/github/ci.yml"),
    ),
    (".gitignore", include_str!("new/template/gitignore")),
    ("Cargo.toml", include_str!("new/template/Cargo.toml.in")),
    ("Makefile", include_str!("new/template/Makefile")),
    ("README.md", include_str!("new/template/README.md")),
    (
        "fuzz/Cargo.toml",
        include_str!("new/template/fuzz/Cargo.toml.in"),
    ),
    (
        "fuzz/fuzz_targets/my_heap.rs",
        include_str!("new/template/fuzz/fuzz_targets/target.rs"),
    ),
    (
        "guest/Cargo.toml",
        include_str!("new/template/guest/Cargo.toml.in"),
    ),
    (
        "guest/build.rs",
        include_str!("new/template/guest/build.rs"),
    ),
    (
        "guest/src/main.rs",
        include_str!("new/template/guest/src/main.rs"),
    ),
    (
        "regressions/whole-again.trace",
        include_str!("new/template/regressions/whole-again.trace"),
    ),
    (
        "snapshots/whole-again.snap",
        include_str!("new/template/snapshots/whole-again.snap"),
    ),
    ("src/main.rs", include_str!("new/template/src/main.rs")),
    (
        "subject/Cargo.toml",
        include_str!("new/template/subject/Cargo.toml.in"),
    ),
    (
        "subject/src/heap.rs",
        include_str!("new/template/subject/src/heap.rs"),
    ),
    (
        "subject/src/lib.rs",
        include_str!("new/template/subject/src/lib.rs"),
    ),
    (
        "tests/regressions.rs",
        include_str!("new/template/tests/regressions.rs"),
    ),
];

/// The packages that a workspace depends on: what stands for each in the template, and its folder
/// in the rig's repository.
const PACKAGES: [(&str, &str); 3] = [
    ("@RIG@", ""),
    ("@HARNESS@", "harness"),
    ("@GUEST@", "guest"),
];

/// Where a workspace takes the rig's packages from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The rig's repository in this folder, by an absolute path without links.
    Clone(PathBuf),
    /// The registry, in the version of this program.
    Registry,
}

impl Source {
    /// The rig's repository in `folder`.
    ///
    /// # Errors
    /// When that is not its top.
    pub fn at(folder: &Path) -> Result<Self> {
        let at = || format!("the rig at `{}`", folder.display());
        let top = folder.canonicalize().with_context(at)?;
        let manifest = fs::read_to_string(top.join("Cargo.toml")).with_context(at)?;
        ensure!(
            manifest.contains("name = \"kmem-rig\"\n"),
            "`{}` is not the top of kmem-rig's repository",
            folder.display()
        );
        Ok(Self::Clone(top))
    }

    /// Where this program's own sources are: the clone that it was built from, or the registry.
    ///
    /// # Errors
    /// When that clone is gone.
    pub fn of_this_program() -> Result<Self> {
        Self::of_sources(Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    fn of_sources(folder: &Path) -> Result<Self> {
        ensure!(
            folder.is_dir(),
            "this program was built from the clone `{}`, which is gone: name another one with \
             `--rig`",
            folder.display()
        );
        // The package on the registry holds none of the crates beside it.
        match folder.join("guest/Cargo.toml").is_file() {
            true => Self::at(folder),
            false => Ok(Self::Registry),
        }
    }
}

/// Writes a workspace for the allocator `name` to `folder`, which is new or empty.
///
/// # Errors
/// When the name is none, the folder holds something, or a file cannot be written; then nothing is
/// left behind.
pub fn workspace(folder: &Path, name: &str, rig: &Source) -> Result<()> {
    ensure_name(name)?;
    let at = || folder.display().to_string();
    let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut all| all.next().is_none());
    ensure!(
        !folder.exists() || is_empty(folder),
        "`{}` is there already, and not empty",
        at()
    );
    let place = std::path::absolute(folder).with_context(at)?;
    let above = place.parent().with_context(at)?;
    fs::create_dir_all(above).with_context(at)?;
    // Paths from one folder to another hold only where neither is a link.
    let place = above
        .canonicalize()
        .with_context(at)?
        .join(place.file_name().with_context(at)?);
    // Written beside its place and then renamed: it is there as a whole or not at all.
    let written = tempfile::Builder::new()
        .prefix(".kmem-rig-new-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(above)
        .with_context(at)?;
    for (path, text) in FILES {
        let path = path.replace("my_heap", &snake(name));
        let path = Path::new(&path);
        let into = path.parent().unwrap_or(Path::new(""));
        let mut text = text
            .replace("my-heap", name)
            .replace("my_heap", &snake(name))
            .replace("MyHeap", &pascal(name))
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        for (mark, package) in PACKAGES {
            text = text.replace(mark, &dependency(rig, package, &place.join(into)));
        }
        fs::create_dir_all(written.path().join(into)).with_context(at)?;
        fs::write(written.path().join(path), text).with_context(at)?;
    }
    fs::rename(written.path(), &place).with_context(at)?;
    // What it named is no more.
    let _ = written.keep();
    Ok(())
}

/// What a manifest in the folder `from` says of the package in this folder of the rig.
fn dependency(rig: &Source, package: &str, from: &Path) -> String {
    match rig {
        Source::Clone(rig) => format!("path = {:?}", relative(from, &rig.join(package))),
        Source::Registry => format!("version = {:?}", env!("CARGO_PKG_VERSION")),
    }
}

/// The way from one absolute folder to another.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components());
    let shared = shared.take_while(|(one, other)| one == other).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// The name is a package's and a subject's, and of none that there is.
fn ensure_name(name: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(letters)
            && !name.ends_with('-')
            && !name.contains("--")
            && name.len() < NAME_BYTES,
        "`{name}` is no name for an allocator: expected lower-case letters, digits and single `-`, \
         fewer than {NAME_BYTES} of them, such as `my-heap`"
    );
    ensure!(
        registry::by_name(name).is_err() && subjects::feature_of(name).is_none(),
        "`{name}` is the name of a subject that the rig brings along"
    );
    Ok(())
}

fn snake(name: &str) -> String {
    name.replace('-', "_")
}

fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_forms() {
        assert_eq!(snake("my-heap-2"), "my_heap_2");
        assert_eq!(pascal("my-heap-2"), "MyHeap2");
    }

    #[test]
    fn paths_lead_from_folder_to_folder() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to));
        assert_eq!(way("/a/b/heap", "/a/rig"), Path::new("../../rig"));
        assert_eq!(
            way("/a/rig/examples/heap/fuzz", "/a/rig"),
            Path::new("../../..")
        );
        assert_eq!(way("/b", "/a/rig/guest"), Path::new("../a/rig/guest"));
    }

    #[test]
    fn a_program_depends_on_what_it_was_built_from() {
        let clone = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = Source::Clone(clone.canonicalize().unwrap());
        assert_eq!(Source::of_this_program().unwrap(), source);
        let unpacked = tempfile::tempdir().unwrap();
        let source = Source::of_sources(unpacked.path()).unwrap();
        assert_eq!(source, Source::Registry);
        let error = Source::of_sources(&unpacked.path().join("gone")).unwrap_err();
        assert!(error.to_string().contains("which is gone"), "{error}");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "", "My-Heap", "my_heap", "-heap", "heap-", "my--heap", "2-heap", "kmem", "talc",
        ] {
            assert!(ensure_name(name).is_err(), "{name}");
        }
        assert!(ensure_name(&"h".repeat(NAME_BYTES)).is_err());
        assert!(ensure_name("heap2").is_ok());
    }
}
