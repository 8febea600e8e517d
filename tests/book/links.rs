//! Links, and the table of contents.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::page::Page;
use crate::pages;
use testkit::root;

/// Pages beside the book that lead into it.
const BESIDE: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// Where a link of a page leads: a path from the repository's top, and an anchor, empty for none.
fn destination(page: &Page, link: &str) -> (PathBuf, String) {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    if path.is_empty() {
        return (page.path.clone(), anchor.to_owned());
    }
    let mut whole = page.path.parent().unwrap().to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => assert!(whole.pop(), "{}: {link}", page.path.display()),
            Component::Normal(name) => whole.push(name),
            _ => {}
        }
    }
    (whole, anchor.to_owned())
}

fn is_outside(link: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
}

#[test]
fn every_link_leads_to_a_page_or_a_heading() {
    let book = pages();
    let beside: Vec<_> = BESIDE
        .iter()
        .map(|name| Page::read(Path::new(name)))
        .collect();
    let mut wrong = Vec::new();
    for page in book.iter().chain(&beside) {
        for link in page.links.iter().filter(|link| !is_outside(link)) {
            let (path, anchor) = destination(page, link);
            let from = page.path.display();
            if !root().join(&path).exists() {
                wrong.push(format!("{from}: {link}: there is no {}", path.display()));
            }
            // The built book has nothing but the book.
            if page.path.starts_with("docs") && !path.starts_with("docs") {
                wrong.push(format!("{from}: {link} leads out of the book"));
            }
            let target = book.iter().chain(&beside).find(|page| page.path == path);
            let has = |page: &Page| page.headings.iter().any(|h| h.anchor == anchor);
            if !anchor.is_empty() && !target.is_some_and(has) {
                wrong.push(format!("{from}: {link}: there is no such heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_path_of_the_repository_is_there() {
    let tops = std::fs::read_dir(root()).unwrap();
    let tops: BTreeSet<_> = tops.map(|top| top.unwrap().file_name()).collect();
    let mut wrong = Vec::new();
    for page in pages() {
        // The pages also tell of the files of other workspaces, which they say to write.
        let theirs: BTreeSet<_> = page
            .blocks
            .iter()
            .filter_map(|b| b.file.as_deref())
            .collect();
        for code in &page.codes {
            let path = Path::new(code);
            let first = path
                .components()
                .next()
                .map(|first| first.as_os_str().to_owned());
            let is_path = code.contains('/') && !code.contains(|c: char| " *…<".contains(c));
            let is_ours = is_path && first.is_some_and(|first| tops.contains(&first));
            let is_made = ["target/", "fuzz/artifacts", "fuzz/corpus"]
                .iter()
                .any(|made| code.starts_with(made));
            if is_ours && !is_made && !theirs.contains(code.as_str()) && !root().join(path).exists()
            {
                wrong.push(format!("{}: `{code}`", page.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_contents_name_every_page_once() {
    let (contents, pages): (Vec<_>, Vec<_>) = pages()
        .into_iter()
        .partition(|page| page.path.ends_with("SUMMARY.md"));
    let contents = &contents[0];
    let named: Vec<_> = contents
        .links
        .iter()
        .map(|link| destination(contents, link).0)
        .collect();
    let once: BTreeSet<_> = named.iter().cloned().collect();
    assert_eq!(named.len(), once.len(), "a page is named twice");
    let there: BTreeSet<_> = pages.into_iter().map(|page| page.path).collect();
    assert_eq!(once, there);
}

#[test]
fn every_page_starts_with_its_title_and_what_it_is_for() {
    for page in pages()
        .iter()
        .filter(|page| !page.path.ends_with("SUMMARY.md"))
    {
        let path = page.path.display();
        let titles: Vec<_> = page.headings.iter().filter(|h| h.level == 1).collect();
        assert!(
            titles.len() == 1 && titles[0].start == 0,
            "{path}: one title, first"
        );
        let behind = page.text.lines().skip(1).find(|line| !line.is_empty());
        let starts = behind.and_then(|line| line.chars().next());
        assert!(
            starts.is_some_and(|first| first.is_alphabetic() || "`[".contains(first))
                && !behind.is_some_and(|line| line.starts_with("```")),
            "{path}: a paragraph first"
        );
    }
}
