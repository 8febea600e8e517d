//! One page of the lines that tests and traces reach, on the host and in the guest side by side;
//! and whether that is enough (`demands.rs`). `scripts/coverage.sh` calls it.
//!
//! Usage: coverage-page HOST GUEST OUT, the first two as `llvm-cov export --format=lcov` writes
//! them.

mod demands;
mod lines;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, bail};
use lines::{Lines, Share};
use testkit::root;

/// The folders that are looked at.
const FOLDERS: [&str; 2] = ["kmem/src", "harness/src"];
const FLOORS: &str = ".config/coverage-floor";
const REASONS: &str = ".config/coverage-unreached";

const HEAD: &str = "<!doctype html>
<meta charset=\"utf-8\">
<title>Coverage of kmem and harness</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; }
table { border-collapse: collapse; }
td, th { padding: 0 1em 0 0; text-align: right; }
td:first-child, th:first-child { text-align: left; }
pre { line-height: 1.35; }
pre i { font-style: normal; color: #777; }
.no { background: #fdd; }
.half { background: #fec; }
</style>
<h1>Coverage of kmem and harness</h1>
<p>Of each line of code: how often the tests ran it on the host, and how often the regressions and
drawn traces ran it in the riscv64 guest. Red: on neither side; yellow: on one of them.</p>
";

fn main() -> Result<ExitCode> {
    let paths: Vec<_> = env::args().skip(1).collect();
    let [host, guest, out] = &paths[..] else {
        bail!("usage: coverage-page HOST GUEST OUT");
    };
    let (host, guest) = (tracefile(host)?, tracefile(guest)?);
    fs::write(out, page(&host, &guest)?).context(out.clone())?;
    for (side, lines) in [("host", &host), ("guest", &guest)] {
        for folder in FOLDERS {
            let share = Share::of(lines, folder);
            println!(
                "{side:5}  {folder:11}  {:5} of {:5} lines, {:.2} %",
                share.reached,
                share.all,
                share.percent()
            );
        }
    }
    println!("{out}");

    let sides = [("host", &host), ("guest", &guest)];
    let mut complaints =
        demands::below(&read(FLOORS)?, &sides).map_err(|error| anyhow!("{FLOORS}: {error}"))?;
    let source = |file: &str| read(file).map_err(|error| format!("{error:#}"));
    let unexplained = demands::unexplained(&read(REASONS)?, &host, source)
        .map_err(|error| anyhow!("{REASONS}: {error}"))?;
    complaints.extend(unexplained);
    for complaint in &complaints {
        eprintln!("error: {complaint}");
    }
    if !complaints.is_empty() {
        eprintln!("test it, or give the reason in {REASONS}; floors are in {FLOORS}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// The lines of our folders in a tracefile; it is wrong if one of them has none.
fn tracefile(path: &str) -> Result<Lines> {
    let text = fs::read_to_string(path).context(path.to_owned())?;
    let mut lines = lines::parse(&text, &root()).map_err(|error| anyhow!("{path}: {error}"))?;
    lines.retain(|file, _| FOLDERS.iter().any(|folder| file.starts_with(folder)));
    for folder in FOLDERS {
        if Share::of(&lines, folder).reached == 0 {
            bail!("{path}: no line of {folder} was reached, so nothing was measured");
        }
    }
    Ok(lines)
}

fn page(host: &Lines, guest: &Lines) -> Result<String> {
    let mut page = HEAD.to_owned();
    let files: BTreeSet<_> = host.keys().chain(guest.keys()).collect();
    page += "<table><tr><th>file<th>host<th><th>guest<th>\n";
    for path in FOLDERS.into_iter().chain(files.iter().map(|f| f.as_str())) {
        let [host, guest] = [host, guest].map(|lines| {
            let share = Share::of(lines, path);
            let percent = share.percent();
            match share.all {
                0 => "<td>no code<td>".to_owned(),
                all => format!("<td>{} of {all}<td>{percent:.1} %", share.reached),
            }
        });
        writeln!(page, "<tr><td><a href=\"#{path}\">{path}</a>{host}{guest}")?;
    }
    page += "</table>\n";
    for file in files {
        writeln!(page, "<h2 id=\"{file}\">{file}</h2>\n<pre>")?;
        for (index, text) in read(file)?.lines().enumerate() {
            let count = |lines: &Lines| Some(*lines.get(file)?.get(&(index + 1))?);
            let (host, guest) = (count(host), count(guest));
            let class = match (host, guest) {
                (None | Some(0), None | Some(0)) if host.or(guest).is_some() => "no",
                (Some(0), _) | (_, Some(0)) => "half",
                _ => "",
            };
            let cell = |count: Option<u64>| count.map_or(String::new(), |n| n.to_string());
            let text = escaped(text);
            let (number, host, guest) = (index + 1, cell(host), cell(guest));
            writeln!(
                page,
                "<span class=\"{class}\"><i>{number:5} {host:>12} {guest:>12}</i>  {text}</span>"
            )?;
        }
        page += "</pre>\n";
    }
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
