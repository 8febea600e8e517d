//! Which lines were reached, from the tracefiles that `llvm-cov export --format=lcov` writes.

use std::collections::BTreeMap;
use std::path::Path;

/// Of each file, by its path below the repository's top: how often each line of code was run.
pub type Lines = BTreeMap<String, BTreeMap<usize, u64>>;

/// Reads a tracefile: `SF:FILE` begins a file's record, `DA:LINE,COUNT` is a line of code.
pub fn parse(tracefile: &str, root: &Path) -> Result<Lines, String> {
    let mut lines = Lines::new();
    let mut file = None;
    for (number, text) in tracefile.lines().enumerate() {
        let wrong = || format!("line {} of the tracefile: `{text}`", number + 1);
        if let Some(path) = text.strip_prefix("SF:") {
            let path = Path::new(path).strip_prefix(root).map_err(|_| wrong())?;
            file = Some(path.to_string_lossy().into_owned());
        } else if let Some(line) = text.strip_prefix("DA:") {
            let numbers = line.split_once(',');
            let numbers = numbers.and_then(|(line, count)| {
                // A checksum may follow.
                let count = count.split(',').next()?;
                Some((line.parse().ok()?, count.parse::<u64>().ok()?))
            });
            let (line, count) = numbers.ok_or_else(wrong)?;
            let file = file.clone().ok_or_else(wrong)?;
            *lines.entry(file).or_default().entry(line).or_default() += count;
        }
    }
    Ok(lines)
}

/// How many lines of code there are, and how many of them were run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub all: usize,
    pub reached: usize,
}

impl Share {
    /// Of the files in a folder, or of one file.
    pub fn of(lines: &Lines, path: &str) -> Self {
        let inside = |file: &str| {
            file.strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let counts = lines.iter().filter(|(file, _)| inside(file));
        counts
            .flat_map(|(_, lines)| lines.values())
            .fold(Self::default(), |share, &count| Self {
                all: share.all + 1,
                reached: share.reached + usize::from(count > 0),
            })
    }

    /// In percent; of nothing, nothing was reached.
    pub fn percent(self) -> f64 {
        100.0 * self.reached as f64 / self.all.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracefile_is_read_and_its_shares_are_counted() {
        let text = "SF:/r/kmem/src/a.rs\nFN:1,f\nDA:1,3\nDA:2,0\nend_of_record\n\
                    SF:/r/kmem/src/b.rs\nDA:7,0\nend_of_record\nSF:/r/kmem2/c.rs\nDA:1,1\n";
        let lines = parse(text, Path::new("/r")).unwrap();
        let share = |path| Share::of(&lines, path);
        assert_eq!(share("kmem"), Share { all: 3, reached: 1 });
        assert_eq!(share("kmem/src/a.rs"), Share { all: 2, reached: 1 });
        assert_eq!(share("harness"), Share::default());
        assert_eq!(share("kmem/src/a.rs").percent(), 50.0);
        assert_eq!(share("harness").percent(), 0.0);
    }

    #[test]
    fn what_is_no_tracefile_is_refused() {
        for text in ["DA:1,1\n", "SF:/elsewhere/a.rs\n", "SF:/r/a.rs\nDA:x,1\n"] {
            assert!(parse(text, Path::new("/r")).is_err(), "{text}");
        }
    }
}
