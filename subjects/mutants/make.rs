//! Each mutant is a copy of kmem's sources, in `OUT_DIR/NAME/kmem/src`, with `NAME.patch` applied
//! to it. A patch is a unified diff of one file below its head, which says what is wrong with the
//! mutant.
//!
//! Copied are only the module that the patch changes and what is made of its types. All mutants
//! have the other modules from one more copy, `original`: they need parts of kmem that are private
//! there.
//!
//! ```text
//! mod original { mod allocators { mod align; mod chunk; mod first_fit; ... } }
//! mod last_fit {
//!     mod allocators { use original::allocators::{align, chunk, ...}; mod first_fit; }
//!     mod first_fit_heap;                 the adapter of `ours`, over these allocators
//! }
//! const HEAP_MUTANTS: [Entry; 60] = [..., mutant("last-fit", Entry::of::<...>()), ...];
//! ```

use std::path::{Path, PathBuf};
use std::{env, fs};

use diffy::{Hunk, Line, Patch};

#[path = "../src/names.rs"]
mod names;

/// The modules of kmem that allocators are made of.
const MODULES: [&str; 11] = [
    "align",
    "chunk",
    "first_fit",
    "free_error",
    "growing",
    "page",
    "page_descriptor",
    "page_error",
    "page_print",
    "page_source",
    "zero",
];

/// The parts of `first_fit` that do not know the heap: a mutant has one of its own only if its
/// patch changes that, or what it is made of.
const PARTS: [&str; 5] = ["extent", "maxima", "page_map", "side", "variant"];

/// The module of all mutants, and that of the sources they share.
const MADE: &str = "crate::mutants::made";
const ORIGINAL: &str = "crate::mutants::made::original::allocators";

/// What the mutants of a list are mutants of.
struct Kind {
    /// The modules of which each has its own.
    own: &'static [&'static str],
    /// The module of `ours` that makes a subject of them.
    adapter: &'static str,
    /// How an entry is made of that.
    entry: &'static str,
}

const HEAP: Kind = Kind {
    own: &["first_fit"],
    adapter: "first_fit_heap",
    entry: "of::<ADAPTER::FirstFitHeap>()",
};
const PAGES: Kind = Kind {
    own: &["page"],
    adapter: "complete_pages",
    entry: "of::<ADAPTER::CompletePages>()",
};
// On a heap that does not grow, nothing is wrong with it.
const GROWING: Kind = Kind {
    own: &["first_fit", "growing"],
    adapter: "growing_heap",
    entry: "of::<crate::ours::FirstFitHeap>().growing::<ADAPTER::GrowingHeap>()",
};

const LISTS: [(&str, &[&str], &Kind); 6] = [
    ("CANARIES", &names::CANARIES, &HEAP),
    ("HEAP_MUTANTS", &names::HEAP_MUTANTS, &HEAP),
    ("PAGE_MUTANTS", &names::PAGE_MUTANTS, &PAGES),
    ("SIDE_MUTANTS", &names::SIDE_MUTANTS, &HEAP),
    ("SLOW_MUTANTS", &names::SLOW_MUTANTS, &HEAP),
    ("GROWTH_MUTANTS", &names::GROWTH_MUTANTS, &GROWING),
];

/// Writes all mutants, and `OUT_DIR/mutants.rs`, which has a module for each, and the lists.
pub fn all() {
    let folder = |variable| PathBuf::from(env::var_os(variable).expect(variable));
    let package = folder("CARGO_MANIFEST_DIR");
    let maker = Maker {
        sources: folder("DEP_KMEM_SOURCES"),
        adapters: package.join("src/ours"),
        patches: package.join("mutants"),
        out: folder("OUT_DIR"),
    };
    for folder in [&maker.sources, &maker.patches] {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    let original = format!(
        "mod original {{\n{}}}\n",
        maker.allocators("original", &MODULES, None)
    );
    let lists = LISTS.map(|(list, names, kind)| maker.list(list, names, kind));
    let text = original + &lists.concat();
    write(&maker.out.join("mutants.rs"), &text);
}

struct Maker {
    sources: PathBuf,
    adapters: PathBuf,
    patches: PathBuf,
    out: PathBuf,
}

impl Maker {
    /// The modules of the mutants of a list, and the list.
    fn list(&self, list: &str, names: &[&str], kind: &Kind) -> String {
        let (mut modules, mut entries) = (String::new(), String::new());
        for name in names {
            let module = name.replace('-', "_");
            let patch = read(&self.patches.join(name).with_extension("patch"));
            let allocators = self.allocators(name, kind.own, Some(&patch));
            let adapter = self.adapters.join(kind.adapter).with_extension("rs");
            let adapter = declare(kind.adapter, &adapter);
            modules += &format!("mod {module} {{\n{allocators}{adapter}}}\n");
            let entry = kind
                .entry
                .replace("ADAPTER", &format!("{module}::{}", kind.adapter));
            entries += &format!("    mutant({name:?}, Entry::{entry}),\n");
        }
        let count = names.len();
        format!("{modules}pub const {list}: [Entry; {count}] = [\n{entries}];\n")
    }

    /// Copies the `own` modules of a mutant, and declares them together with those of `original`.
    fn allocators(&self, name: &str, own: &[&str], patch: Option<&str>) -> String {
        let root = format!("{MADE}::{}::allocators::", name.replace('-', "_"));
        let copy = self.out.join(name).join("kmem/src");
        let mut sources: Vec<_> = own
            .iter()
            .flat_map(|module| self.sources_of(module))
            .collect();
        let shared = match patch {
            Some(patch) => shared_parts(&apply(name, patch, &mut sources), &sources),
            None => vec![],
        };
        for (file, source) in sources {
            if shared.iter().any(|part| file == file_of(part)) {
                continue;
            }
            // Without its tests, which come last. Other mutants may use any part of `original`.
            let tests = source.find("\n#[cfg(test)]\nmod tests");
            let mut source = source[..tests.unwrap_or(source.len())]
                .replace("crate::", &root)
                .replace("\nmod ", "\npub mod ")
                .replace("pub(super)", "pub(crate)");
            for part in &shared {
                let original = format!("use {ORIGINAL}::first_fit::{part};");
                source = source.replace(&format!("mod {part};"), &original);
            }
            write(&copy.join(file), &source);
        }
        let root = MODULES.map(|module| match own.contains(&module) {
            true => format!("pub mod {module};\npub use self::{module}::*;\n"),
            false => format!("pub use {ORIGINAL}::{module};\npub use self::{module}::*;\n"),
        });
        let path = copy.join("lib.rs");
        write(&path, &root.concat());
        declare("allocators", &path)
    }

    /// The files of a module of kmem, as they are called in its folder of sources, with their text.
    fn sources_of(&self, module: &str) -> Vec<(String, String)> {
        let mut files = vec![format!("{module}.rs")];
        if let Ok(folder) = fs::read_dir(self.sources.join(module)) {
            let names = folder.map(|file| file.expect("a file's name").file_name());
            files.extend(names.map(|name| format!("{module}/{}", name.display())));
        }
        let read = |file: String| {
            let text = read(&self.sources.join(&file));
            (file, text)
        };
        files.into_iter().map(read).collect()
    }
}

fn file_of(part: &str) -> String {
    format!("first_fit/{part}.rs")
}

/// The parts that a mutant shares whose patch changes a file.
fn shared_parts(patched: &str, sources: &[(String, String)]) -> Vec<&'static str> {
    let is_made_of = |part: &str, other: &str| {
        let file = file_of(part);
        let source = sources.iter().find(|(name, _)| *name == file);
        source.is_some_and(|(_, text)| text.contains(&format!("super::{other}::")))
    };
    let changed = PARTS.into_iter().find(|part| patched == file_of(part));
    let is_own = |part: &str| changed.is_some_and(|other| part == other || is_made_of(part, other));
    PARTS.into_iter().filter(|part| !is_own(part)).collect()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("OUT_DIR can be written");
    fs::write(path, text).expect("OUT_DIR can be written");
}

fn declare(module: &str, path: &Path) -> String {
    format!("#[path = {path:?}]\npub mod {module};\n")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Applies a mutant's patch to the file that it names, which is returned.
fn apply(name: &str, patch: &str, sources: &mut [(String, String)]) -> String {
    let refuse = |why: &str| -> ! {
        panic!(
            "subjects/mutants/{name}.patch {why}.\n\
             Make the change that its head describes in kmem/src, put what\n\
             git diff -U1 --relative=kmem/src --no-prefix\n\
             says below that head, and undo the change."
        )
    };
    let Ok(parsed) = Patch::from_str(patch) else {
        refuse("is no unified diff")
    };
    let file = parsed.original().unwrap_or_default();
    let Some((_, source)) = sources.iter_mut().find(|(name, _)| name == file) else {
        refuse(&format!(
            "is of {file:?}, which is no file of its kind of mutant"
        ))
    };
    // With little context, a hunk might fit elsewhere, and the patch still apply.
    for (index, hunk) in parsed.hunks().iter().enumerate() {
        let places = source.matches(&text_before(hunk)).count();
        if places != 1 {
            let hunk = index + 1;
            refuse(&format!(
                "does not apply: hunk {hunk} fits {file} in {places} places"
            ));
        }
    }
    match diffy::apply(source, &parsed) {
        Ok(patched) => *source = patched,
        Err(error) => refuse(&format!("does not apply to {file}: {error}")),
    }
    file.to_owned()
}

/// What a hunk is put in the place of.
fn text_before(hunk: &Hunk<'_, str>) -> String {
    let lines = hunk.lines().iter().map(|line| match line {
        Line::Context(text) | Line::Delete(text) => text,
        Line::Insert(_) => "",
    });
    lines.collect()
}
