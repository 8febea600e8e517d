//! How far a command is: a line on the terminal, with its rate and the time left.
//!
//! Only where the standard error is a terminal. It is drawn by whoever shows progress, at most ten
//! times a second, and by no thread of its own: commands fork while it is shown. It is gone when it
//! is dropped, and when a signal ends the process.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget};
use indicatif::{ProgressState, ProgressStyle};

use super::interrupt;

/// How often the line is drawn, at most.
const DRAWN_PER_SECOND: u8 = 10;
/// A terminal of fewer columns has room for the text alone.
const COLUMNS_MIN: usize = 72;

/// What is known of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// After so many.
    Count(u64),
    /// After so long.
    Time(Duration),
    /// More turn up on the way.
    Growing,
    /// Nothing.
    Unknown,
}

/// A line that is being drawn; none where there is no terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Known from the start: to ask takes a system call.
    is_hidden: bool,
    /// What stands behind the bar. Not its message: to set that is to draw once more.
    text: Arc<Mutex<String>>,
    /// Set iff there is no bar with the task before it.
    task: Option<String>,
    columns: usize,
    bound: Bound,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// The line of a task that begins now.
    pub(super) fn new(task: &str, bound: Bound) -> Self {
        Self::on(&Term::stderr(), task, bound)
    }

    fn on(terminal: &Term, task: &str, bound: Bound) -> Self {
        let length = match bound {
            Bound::Count(count) => Some(count),
            Bound::Time(time) => Some(time.as_millis() as u64),
            Bound::Growing => Some(0),
            Bound::Unknown => None,
        };
        let columns = usize::from(terminal.size().1);
        let has_bar = columns >= COLUMNS_MIN && bound != Bound::Unknown;
        let template = if has_bar {
            "{prefix} [{wide_bar:.cyan}] {text}"
        } else {
            "{text}"
        };
        let text = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&text);
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        let style = style.progress_chars("=> ").with_key(
            "text",
            move |_: &ProgressState, out: &mut dyn Write| {
                let _ = shared.lock().map(|text| out.write_str(&text));
            },
        );
        // Until it is whole it is drawn nowhere.
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden())
            .with_style(style)
            .with_prefix(task.to_owned());
        bar.set_draw_target(ProgressDrawTarget::term(terminal.clone(), DRAWN_PER_SECOND));
        let is_hidden = bar.is_hidden();
        if !is_hidden {
            interrupt::clear_line();
        }
        Self {
            bar,
            is_hidden,
            text,
            task: (!has_bar).then(|| task.to_owned()),
            columns,
            bound,
            started: Instant::now(),
            shown: None,
        }
    }

    /// So many are done of what `unit` names.
    pub(super) fn show(&mut self, done: u64, unit: &str) {
        if self.is_due() {
            self.draw(done, unit);
        }
    }

    /// So many are done of those that are known by now.
    pub(super) fn show_of(&mut self, done: u64, known: u64, unit: &str) {
        if self.is_due() {
            self.bar.set_length(known);
            self.draw(done, unit);
        }
    }

    /// Takes the line away while something else is printed.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    fn is_due(&mut self) -> bool {
        if self.is_hidden {
            return false;
        }
        let pause = Duration::from_secs(1) / u32::from(DRAWN_PER_SECOND);
        let now = Instant::now();
        let is_due = self.shown.is_none_or(|shown| now - shown >= pause);
        if is_due {
            self.shown = Some(now);
        }
        is_due
    }

    fn draw(&self, done: u64, unit: &str) {
        let passed = self.started.elapsed();
        let (count, all) = (HumanCount(done), HumanCount(self.bar.length().unwrap_or(0)));
        let per_second = rate(self.bar.per_sec());
        let text = match self.bound {
            Bound::Count(_) => {
                // Nothing can be said of it before something is done.
                let left = left((self.bar.position() > 0).then(|| self.bar.eta()));
                format!("{count}/{all} {unit}, {per_second}, {left}")
            }
            Bound::Time(time) => {
                let per_second = rate(done as f64 / passed.as_secs_f64());
                let left = left(Some(time.saturating_sub(passed)));
                format!("{count} {unit}, {per_second}, {left}")
            }
            Bound::Growing => format!("{count}/{all} {unit}, {per_second}"),
            Bound::Unknown => format!("{count} {unit}, {per_second}"),
        };
        let text = match &self.task {
            // A line that wraps could not be taken away by a signal.
            Some(task) => format!("{task}: {text}")
                .chars()
                .take(self.columns.saturating_sub(1))
                .collect(),
            None => text,
        };
        let _ = self.text.lock().map(|mut shown| *shown = text);
        self.bar.set_position(match self.bound {
            Bound::Time(_) => passed.as_millis() as u64,
            _ => done,
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        few if few < 10.0 => format!("{few:.1}/s"),
        many => format!("{}/s", HumanCount(many as u64)),
    }
}

fn left(time: Option<Duration>) -> String {
    match time {
        None => "? left".to_owned(),
        Some(time) => format!("{:#} left", HumanDuration(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_at_a_glance() {
        let shown = [0.0, 0.25, 9.94, 10.0, 48_211.7].map(rate);
        assert_eq!(shown, ["0.0/s", "0.2/s", "9.9/s", "10/s", "48,211/s"]);
    }

    #[test]
    fn every_template_is_valid_and_without_a_terminal_nothing_is_drawn() {
        let bounds = [
            Bound::Count(10),
            Bound::Time(Duration::from_secs(1)),
            Bound::Growing,
            Bound::Unknown,
        ];
        for bound in bounds {
            // The templates are checked when it is made.
            let file = || {
                std::fs::File::options()
                    .read(true)
                    .write(true)
                    .open("/dev/null")
            };
            let nowhere = Term::read_write_pair(file().unwrap(), file().unwrap());
            let mut progress = Progress::on(&nowhere, "working", bound);
            progress.show(1, "pieces");
            progress.show_of(1, 2, "pieces");
            assert_eq!(progress.aside(|| 7), 7);
            assert_eq!(progress.shown, None);
        }
    }
}
