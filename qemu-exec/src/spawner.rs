//! The one thread that forks.
//!
//! A guest asks the kernel to be killed when its parent dies (`die_with_parent`). For
//! Linux that parent is the *thread* that forked, not the process: spawned from a worker thread,
//! a guest would be killed when the worker ends, although its [`Guest`](crate::Guest) may long
//! have moved elsewhere. So every spawn is done by one thread that lives as long as the process.
//! It starts with the first guest and sleeps between spawns.
//!
//! Threads do not survive `fork`: in a forked process (a worker of the rig, say) the first spawn
//! starts a thread anew.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

static SPAWNER: Mutex<Option<Spawner>> = Mutex::new(None);

struct Spawner {
    /// The process whose thread it is.
    owner: u32,
    requests: Sender<Request>,
}

struct Request {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// Spawns `command` as a child of the spawner's thread.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = mpsc::channel();
    requests()?.send(Request { command, reply }).map_err(gone)?;
    answer.recv().map_err(gone)?
}

/// The way to the thread of this process, which is started if there is none yet.
fn requests() -> io::Result<Sender<Request>> {
    let owner = std::process::id();
    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(spawner) = spawner.as_ref()
        && spawner.owner == owner
    {
        return Ok(spawner.requests.clone());
    }
    let (requests, inbox) = mpsc::channel();
    thread::Builder::new()
        .name("qemu-spawner".to_string())
        .spawn(move || serve(&inbox))?;
    *spawner = Some(Spawner {
        owner,
        requests: requests.clone(),
    });
    Ok(requests)
}

/// Ends never: the static holds a sender.
fn serve(inbox: &Receiver<Request>) {
    for Request { mut command, reply } in inbox {
        // Whoever asked waits for the answer; if it is gone nevertheless, so must its child be.
        if let Err(mpsc::SendError(Ok(mut child))) = reply.send(command.spawn()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn gone<E>(_: E) -> io::Error {
    io::Error::other("the spawner thread is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/proc/PID/stat` does not tell the thread, so the thread is asked.
    #[test]
    fn a_child_lists_under_the_spawner_thread_and_outlives_the_caller() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let mut child = thread::spawn(move || spawn(sleep).unwrap()).join().unwrap();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let parent = tasks.map(|task| task.unwrap().path()).find(|task| {
            let children = std::fs::read_to_string(task.join("children")).unwrap_or_default();
            children
                .split_whitespace()
                .any(|id| id == child.id().to_string())
        });
        let name = parent.map(|task| std::fs::read_to_string(task.join("comm")).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(name.as_deref(), Some("qemu-spawner\n"));
    }

    #[test]
    fn the_error_of_a_spawn_comes_back() {
        let error = spawn(Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
