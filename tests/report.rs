//! The page that `kmem-rig report` writes, as a browser shows it: a headless Chromium loads it from
//! its file, and a script that the test adds to a copy says what there is to see.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::command_line::file;
use testkit::{kmem_rig, root};

/// What the added script can use: `see()` what there is to see, `press(...)` keys, and a `log` of
/// what was seen, which the copy has for its title in the end.
const TOOLS: &str = r##"
const log = [];
const see = () => {
  const visible = (query) =>
    [...document.querySelectorAll(query)].filter((e) => e.checkVisibility());
  const find = visible(".find")[0];
  log.push({
    rows: visible("#rows tbody tr").length,
    first: visible("#rows tbody tr")[0]?.cells[1].firstChild.textContent,
    finds: visible(".find").map((e) => Number(e.dataset.find)),
    op: Number(find?.querySelector(".steps tr[aria-current]")?.dataset.op),
    cursor: Number(find?.querySelector(".cursor").getAttribute("x")),
    readout: find?.querySelector(".readout").textContent,
    lanes: [...(find?.querySelectorAll(".lane") ?? [])].map((e) => e.classList[1]),
    blocks: find?.querySelectorAll(".block").length,
    marks: find?.querySelectorAll("mark").length,
    heading: find?.querySelector("h2").textContent,
    scripts: document.scripts.length,
    images: document.images.length,
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - innerWidth,
    hash: location.hash,
  });
};
const press = (...keys) => {
  for (const key of keys) {
    document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  }
  see();
};
"##;

/// A page of what the arguments say, in this folder.
fn report(arguments: &str, folder: &Path) -> PathBuf {
    let page = folder.join("report.html");
    let (code, _, errors) = kmem_rig!("report {arguments} -o {}", page.display());
    assert_eq!(code, 0, "{errors}");
    page
}

/// A page of all regressions, in a folder that is gone with the test.
fn page_of_regressions(folder: &Path) -> PathBuf {
    report("qemu-tests/regressions", folder)
}

fn browser() -> &'static str {
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["chromium", "google-chrome", "chromium-browser"]
        .into_iter()
        .find(is_there)
        .expect("a Chromium: scripts/setup.sh installs it")
}

/// Loads an address in a browser of its own and waits until it has ended.
fn load(address: &str, options: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser())
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--disable-background-networking", "--enable-logging=stderr"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(options)
        .arg(address)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// What the page says on its console, errors included.
fn console(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    log.lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect()
}

/// Opens a copy of the page at `hash`, runs `script` there, and returns what it saw.
fn look(page: &Path, hash: &str, script: &str, options: &[&str]) -> Vec<Value> {
    let copy = page.with_extension("probed.html");
    let text = fs::read_to_string(page).unwrap();
    let probe = format!(
        "<script>{{{TOOLS}{script};document.title = JSON.stringify(log);}}</script></body>"
    );
    fs::write(&copy, text.replace("</body>", &probe)).unwrap();
    let address = format!("file://{}{hash}", copy.display());
    let output = load(&address, &[options, &["--dump-dom"]].concat());
    assert_eq!(console(&output), "");
    let document = String::from_utf8(output.stdout).unwrap();
    let behind = document.split("<title>").nth(1).unwrap();
    let title = behind.split("</title>").next().unwrap();
    let title = title
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&title).unwrap_or_else(|error| panic!("{error}: {title}"))
}

/// What is to be seen at `hash`.
fn look_once(page: &Path, hash: &str, options: &[&str]) -> Value {
    look(page, hash, "see()", options).remove(0)
}

#[test]
fn a_page_loads_from_its_file_and_shows_the_first_find() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of_regressions(folder.path());
    let seen = look_once(&page, "", &[]);
    assert!(seen["rows"].as_u64() > Some(50), "{seen}");
    assert_eq!(seen["finds"], json!([1]));
    assert_eq!(seen["lanes"], json!(["model", "host", "qemu"]));
    assert_eq!(seen["overflow"], 0, "{seen}");

    // So does one on which there is nothing to see.
    let calm = "qemu-tests/regressions/kmem-2019-leak-capacity.trace";
    let page = report(&format!("{calm} --on host --subject kmem"), folder.path());
    let seen = look(&page, "", "press('j', 'ArrowLeft', 'b')", &[]).remove(0);
    assert_eq!((&seen["rows"], &seen["finds"]), (&json!(1), &json!([])));

    // A console that says something is heard, so that the silence above means something.
    let broken = folder.path().join("broken.html");
    fs::write(&broken, "<script>nonesuch()</script>").unwrap();
    let output = load(&format!("file://{}", broken.display()), &["--dump-dom"]);
    assert!(console(&output).contains("nonesuch"), "{output:?}");
}

#[test]
fn rows_are_filtered_and_sorted_by_address_and_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of_regressions(folder.path());
    let by_hand = "
        see();
        const box = document.querySelector('#filter');
        const type = (text) => { box.value = text; box.dispatchEvent(new Event('input')); see(); };
        type('LEAK kmem-2019 diverge');
        type('nothing-has-this');
        type('');
        document.querySelector('#finds-only').click();
        see();
        const head = document.querySelector('th[data-key=trace] button');
        head.click();
        see();
        head.click();
        see();";
    let seen = look(&page, "", by_hand, &[]);
    let [all, leak, none, again, finds, up, down] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(leak["rows"], 1);
    assert_eq!(leak["first"], "kmem-2019-leak-capacity");
    assert_eq!(none["rows"], 0);
    assert_eq!(again["rows"], all["rows"]);
    assert_eq!(finds["rows"], 18);
    assert!(up["first"].as_str() < down["first"].as_str(), "{seen:?}");
    let said = "#finds=only&sort=-trace&find=1";
    assert_eq!(down["hash"], said);
    assert_eq!(look_once(&page, said, &[])["first"], down["first"]);
    let by_address = look_once(&page, "#filter=leak+kmem-2019+diverge", &[]);
    assert_eq!(by_address["first"], leak["first"]);
}

#[test]
fn keys_step_through_ops_and_finds() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of_regressions(folder.path());
    let keys = "
        see();
        press('ArrowLeft', 'ArrowLeft');
        press('ArrowRight');
        press('Home', 'ArrowLeft');
        press('End', 'ArrowRight');
        press('Home', 'b');
        press('j');
        press('k', 'k', 'k');";
    let seen = look(&page, "#find=4", keys, &[]);
    let ops: Vec<_> = seen[..6].iter().map(|seen| seen["op"].clone()).collect();
    assert_eq!(json!(ops), json!([3, 1, 2, 0, 3, 3]));
    assert_eq!(seen[0]["finds"], json!([4]));
    assert!(seen[0]["marks"].as_u64() > Some(0), "its table changed");
    assert_eq!(seen[0]["blocks"], 6, "two in each lane");
    let readout = seen[0]["readout"].as_str().unwrap();
    assert!(readout.starts_with("op 3: capacity"), "{readout}");
    assert!(seen[1]["cursor"].as_f64() < seen[0]["cursor"].as_f64());
    assert_eq!(seen[6]["finds"], json!([5]));
    assert_eq!(seen[7]["finds"], json!([2]));

    assert_eq!(seen[1]["hash"], "#find=4&op=1");
    let address = look_once(&page, "#find=4&op=1", &[]);
    assert_eq!(address["readout"], seen[1]["readout"], "it leads there");
    let hidden = look(&page, "#filter=spurious-oom", "press('j', 'j')", &[]);
    assert_eq!(hidden[0]["finds"], json!([9]), "what is filtered is passed");
    let last = look_once(&page, "#find=999&op=999", &[]);
    assert_eq!(last["finds"], json!([18]), "the address may say anything");
}

#[test]
fn none_is_the_least_number_of_ops() {
    let folder = tempfile::tempdir().unwrap();
    let traces = ["a0 = alloc 8\n", ""].map(|ops| {
        let text = format!("# kmem-rig trace v1\nheap 64 pages\n{ops}");
        file(folder.path(), &format!("{}.trace", ops.len()), text)
    });
    let traces = traces.join(" ");
    let page = report(&format!("{traces} --on host --subject kmem"), folder.path());
    let by_ops = "document.querySelector('th[data-key=ops] button').click(); see();";
    let seen = look(&page, "", &by_ops.repeat(2), &[]);
    let first: Vec<_> = seen.iter().map(|seen| &seen["first"]).collect();
    assert_eq!(json!(first), json!(["0", "13"]));
}

/// The shades of a colour, `rgb(1, 2, 3)`, added up.
fn light(colour: &Value) -> u32 {
    let digits = |c: char| !c.is_ascii_digit();
    colour
        .as_str()
        .unwrap()
        .split(digits)
        .filter_map(|n| n.parse::<u32>().ok())
        .sum()
}

#[test]
fn dark_and_narrow_screens_are_served_and_pictures_kept() {
    let folder = tempfile::tempdir().unwrap();
    let page = page_of_regressions(folder.path());
    let dark = "--blink-settings=preferredColorScheme=0";
    let light_scheme = "--blink-settings=preferredColorScheme=1";
    let seen = look_once(&page, "", &[light_scheme]);
    assert!(light(&seen["ground"]) > light(&seen["ink"]) + 300, "{seen}");
    let seen = look_once(&page, "", &[dark]);
    assert!(light(&seen["ground"]) + 300 < light(&seen["ink"]), "{seen}");

    let every = "for (let find = 0; find < 18; find++) press('j');";
    let seen = look(&page, "", every, &["--window-size=500,900"]);
    assert_eq!(seen[17]["finds"], json!([18]));
    for seen in seen {
        assert_eq!(
            (&seen["width"], &seen["overflow"]),
            (&json!(500), &json!(0))
        );
    }

    // For people: CI keeps them.
    let pictures = root().join("target/report-pictures");
    fs::create_dir_all(&pictures).unwrap();
    let address = format!("file://{}#find=4", page.display());
    for (name, options) in [
        ("light.png", ["--window-size=1280,1500", light_scheme]),
        ("dark.png", ["--window-size=1280,1500", dark]),
        ("narrow.png", ["--window-size=500,2000", light_scheme]),
    ] {
        let picture = pictures.join(name);
        let _ = fs::remove_file(&picture);
        let option = format!("--screenshot={}", picture.display());
        load(&address, &[&options[..], &[&option]].concat());
        assert!(
            fs::read(&picture).unwrap().starts_with(b"\x89PNG"),
            "{name}"
        );
    }
}

#[test]
fn the_text_of_others_is_shown_and_never_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let title = "</title></script><script>document.body.innerHTML = '';</script><img src=x> &amp; \u{202e}x";
    let text = format!(
        "# kmem-rig trace v1\ntitle {title}\nexpect kmem-2019 diverge misaligned at 0\nheap 64 pages\na0 = alloc 8 align 16\n"
    );
    let trace = file(folder.path(), "<b>\x1b[31m.trace", text);
    let page = report(&format!("{trace} --on host"), folder.path());
    let written = fs::read_to_string(&page).unwrap();
    assert!(!written.contains('\x1b') && !written.contains('\u{202e}'));
    let seen = look_once(&page, "", &[]);
    let shown = title
        .replace('\x1b', "\\u{1b}")
        .replace('\u{202e}', "\\u{202e}");
    assert_eq!(seen["heading"], format!("1 {shown}"));
    assert_eq!(
        (&seen["scripts"], &seen["images"]),
        (&2.into(), &0.into()),
        "{seen}"
    );
    assert_eq!(seen["first"], "<b>\\u{1b}[31m");

    // And on a terminal.
    for line in [
        format!("replay {trace} --on host"),
        format!("show {trace} --tables"),
        format!("replay {trace}.missing --on host"),
    ] {
        let (_, text, errors) = kmem_rig!("{line}");
        assert!(!(text + &errors).contains('\x1b'), "{line}");
    }
}

#[test]
fn a_hundred_finds_are_under_two_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let six_times = "qemu-tests/regressions ".repeat(6);
    let (_, said, _) = kmem_rig!("report {six_times} -o {}", page.display());
    let finds: u32 = said.split_whitespace().next().unwrap().parse().unwrap();
    assert!(finds >= 100, "{said}");
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 2_000_000, "{size} bytes for {finds} finds");
}
