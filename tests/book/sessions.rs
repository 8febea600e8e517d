//! Sessions: blocks of commands with what they print, run with the files that the page says to
//! write.
//!
//! A line that starts with `$ ` is a command; the lines behind it are what it prints. `…` stands
//! for any part of a line, and alone on its line for any lines. After a change on purpose,
//! `KMEM_RIG_BOOK=write` has the test write what it saw into the page, to be read as a diff.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::matching::matches;
use crate::pages;
use testkit::root;

#[test]
fn every_session_prints_what_the_page_shows() {
    let mut wrong = String::new();
    let mut count = 0;
    for page in pages() {
        let folder = tempfile::tempdir().unwrap();
        // From the last on, so that what is written before keeps its place.
        let mut text = page.text.clone();
        let mut written = Vec::new();
        for block in &page.blocks {
            if let Some(name) = &block.file {
                let path = folder.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &block.text).unwrap();
            }
            if block.info != "console" {
                continue;
            }
            count += 1;
            let seen = session(&block.text, folder.path());
            if !matches(&block.text, &seen) {
                let (path, shown) = (page.path.display(), &block.text);
                wrong += &format!("{path} shows:\n{shown}\nseen:\n{seen}\n");
                written.push((block.range.clone(), seen));
            }
        }
        if std::env::var("KMEM_RIG_BOOK").is_ok_and(|asked| asked == "write") {
            for (range, seen) in written.into_iter().rev() {
                text.replace_range(range, &seen);
            }
            fs::write(root().join(&page.path), text).unwrap();
        }
    }
    assert!(count > 0, "the book has sessions");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The commands of a session, each with what it prints.
fn session(shown: &str, folder: &Path) -> String {
    let rig = Path::new(env!("CARGO_BIN_EXE_kmem-rig")).parent().unwrap();
    let path = format!("{}:{}", rig.display(), std::env::var("PATH").unwrap());
    let mut text = String::new();
    for line in shown.lines().filter(|line| line.starts_with("$ ")) {
        let output = Command::new("bash")
            .args(["-c", &format!("{} 2>&1", &line[2..])])
            .current_dir(folder)
            .env("PATH", &path)
            .output()
            .unwrap();
        text += line;
        text.push('\n');
        text += &String::from_utf8(output.stdout).unwrap();
    }
    text
}
