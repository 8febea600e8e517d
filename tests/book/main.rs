//! The book, `docs/`, held to what it says: its links lead somewhere, its examples do what they
//! show, and each rule, op and header that there is has its place in it.

mod ci;
mod grammar;
mod links;
mod matching;
mod page;
mod protocol;
mod rules;
mod sessions;
mod trace_format;
mod tutorial;

use std::path::{Path, PathBuf};

use page::Page;
use testkit::root;

/// Every page of the book, by its path from the repository's top.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            match root().join(&path).is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "md") => paths.push(path),
                false => {}
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

/// One page, by its name in `docs`.
fn page(name: &str) -> Page {
    Page::read(&Path::new("docs").join(name))
}
