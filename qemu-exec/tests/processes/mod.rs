//! Looks at processes through `/proc`, and polls for a condition with a deadline.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs;
use std::time::{Duration, Instant};

/// How long anything that must happen soon may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(5);

/// Polls until `condition` holds. Panics at the deadline.
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether there is such a process, dead but unreaped ones included.
pub fn exists(id: u32) -> bool {
    fs::exists(format!("/proc/{id}")).unwrap()
}

/// Whether the process runs: neither gone nor a zombie that waits for its parent.
pub fn is_alive(id: u32) -> bool {
    stat(id).is_some_and(|(state, _, _)| state != 'Z' && state != 'X')
}

/// The processes whose parent is `parent`, by name.
pub fn children(parent: u32) -> Vec<(u32, String)> {
    members(|_, (_, of, _)| of == parent)
}

/// The processes in the group `group`, zombies not counted.
pub fn group(group: u32) -> Vec<(u32, String)> {
    members(|id, (_, _, of)| of == group && is_alive(id))
}

fn members(belongs: impl Fn(u32, (char, u32, u32)) -> bool) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").unwrap();
    let ids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    ids.filter(|&id| stat(id).is_some_and(|stat| belongs(id, stat)))
        .filter_map(|id| Some((id, fs::read_to_string(format!("/proc/{id}/comm")).ok()?)))
        .collect()
}

/// State, parent and group, if the process exists. The name before them may hold anything.
fn stat(id: u32) -> Option<(char, u32, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((
        state,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    ))
}
