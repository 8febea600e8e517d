//! What is demanded: floors below which no share may fall, and a reason for each line of `kmem`
//! that is not reached. Both are files that people edit; a reason for a line that is reached is out
//! of date.

use std::collections::BTreeSet;

use crate::lines::{Lines, Share};

/// Whose lines are reached or explained.
pub const EXPLAINED: &str = "kmem/src";

/// `SIDE FOLDER PERCENT` a line: what falls below its floor.
pub fn below(floors: &str, sides: &[(&str, &Lines)]) -> Result<Vec<String>, String> {
    let mut below = Vec::new();
    let mut floors = entries(floors).peekable();
    if floors.peek().is_none() {
        return Err("there is no floor".to_owned());
    }
    for line in floors {
        let wrong = || format!("expected `SIDE FOLDER PERCENT`, found `{line}`");
        let words: Vec<_> = line.split_whitespace().collect();
        let [side, folder, floor] = words[..] else {
            return Err(wrong());
        };
        let lines = sides.iter().find(|(name, _)| *name == side);
        let (_, lines) = lines.ok_or_else(wrong)?;
        let floor: f64 = floor.parse().map_err(|_| wrong())?;
        let share = Share::of(lines, folder);
        if share.percent() < floor {
            below.push(format!(
                "{side}: {} of {} lines of {folder} are reached, {:.2} %; the floor is {floor} %",
                share.reached,
                share.all,
                share.percent()
            ));
        }
    }
    Ok(below)
}

/// What is unreached without a reason, and which reasons are out of date. A reason is a line
/// `FILE: WORDS`, followed by the lines it holds for, indented, as they stand in the file.
pub fn unexplained(
    reasons: &str,
    lines: &Lines,
    source: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<String>, String> {
    let mut explained = BTreeSet::new();
    let mut file = None;
    for line in entries(reasons) {
        if line.starts_with(' ') {
            let file: &str = file.ok_or("a reason begins with `FILE: WORDS`")?;
            explained.insert((file.to_owned(), line.trim().to_owned()));
        } else {
            let reason = line
                .split_once(": ")
                .filter(|(_, words)| !words.trim().is_empty());
            file = Some(
                reason
                    .ok_or(format!("expected `FILE: WORDS`, found `{line}`"))?
                    .0,
            );
        }
    }
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for (file, counts) in lines.iter().filter(|(file, _)| file.starts_with(EXPLAINED)) {
        let text = source(file)?;
        for (&number, _) in counts.iter().filter(|(_, count)| **count == 0) {
            let line = text.lines().nth(number - 1).unwrap_or_default().trim();
            let key = (file.clone(), line.to_owned());
            if explained.contains(&key) {
                used.insert(key);
            } else {
                complaints.push(format!("{file}:{number} is not reached: `{line}`"));
            }
        }
    }
    let stale = explained.difference(&used);
    let stale = stale.map(|(file, line)| format!("{file}: `{line}` is explained, and is reached"));
    complaints.extend(stale);
    Ok(complaints)
}

/// The lines that say something.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let says = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    text.lines().filter(says)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lines() -> Lines {
        let text = "SF:/r/kmem/src/a.rs\nDA:1,3\nDA:2,0\nDA:3,1\nSF:/r/harness/src/b.rs\nDA:1,0\n";
        crate::lines::parse(text, Path::new("/r")).unwrap()
    }

    #[test]
    fn a_share_below_its_floor_is_told() {
        let lines = lines();
        let sides = [("host", &lines)];
        let below = |floors| below(floors, &sides);
        assert_eq!(below("# all\nhost kmem 66.6\n"), Ok(vec![]));
        let told = below("host kmem 66.7\nhost harness 0\n").unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("host: 2 of 3 lines of kmem"),
            "{told:?}"
        );
        for wrong in ["", "host kmem\n", "guest kmem 1\n", "host kmem much\n"] {
            assert!(below(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unreached_line_needs_a_reason_and_a_reached_one_has_none() {
        let text = |_: &str| Ok("one();\n    two();\nthree();\n".to_owned());
        let complaints = |reasons| unexplained(reasons, &lines(), text);
        let good = "kmem/src/a.rs: nobody calls it\n    two();\n";
        assert_eq!(complaints(good), Ok(vec![]));
        assert_eq!(
            complaints("# none\n"),
            Ok(vec!["kmem/src/a.rs:2 is not reached: `two();`".to_owned()])
        );
        let stale = format!("{good}    three();\n");
        assert_eq!(
            complaints(&stale),
            Ok(vec![
                "kmem/src/a.rs: `three();` is explained, and is reached".to_owned()
            ])
        );
        for wrong in ["    two();\n", "kmem/src/a.rs\n", "kmem/src/a.rs: \n"] {
            assert!(complaints(wrong).is_err(), "{wrong}");
        }
    }
}
