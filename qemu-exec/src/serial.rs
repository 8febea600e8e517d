//! What a guest printed: drained by threads, kept up to a cap, never holding the guest up.
//!
//! A pipe that nobody reads blocks its writer after 64 KiB, and a guest that floods its console
//! must not fill the host's memory. So a thread reads each of QEMU's two streams to its end, keeps
//! the first bytes up to the cap, and counts the rest. The first bytes are the ones kept because
//! the cause comes before the flood.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes read at once: what a Linux pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a guest's console and QEMU itself have said so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serial {
    /// The console's first bytes as text; what is not UTF-8 reads as U+FFFD.
    pub text: String,
    /// Bytes of the console beyond the cap, which are lost.
    pub dropped_bytes: u64,
    /// QEMU's own messages (its stderr), under a cap of their own size: why it refused its
    /// arguments, for example.
    pub errors: String,
    /// Bytes of QEMU's messages beyond the cap, which are lost.
    pub errors_dropped_bytes: u64,
}

/// The console, then QEMU's messages, each line of them after `qemu: `, and what was dropped.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            writeln!(f)?;
        }
        if self.dropped_bytes > 0 {
            writeln!(f, "[{} more bytes were dropped]", self.dropped_bytes)?;
        }
        for line in self.errors.lines() {
            writeln!(f, "qemu: {line}")?;
        }
        if self.errors_dropped_bytes > 0 {
            writeln!(
                f,
                "qemu: [{} more bytes were dropped]",
                self.errors_dropped_bytes
            )?;
        }
        Ok(())
    }
}

/// One stream being drained by its own thread until its end.
#[derive(Debug)]
pub(crate) struct Drain {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    captured: Mutex<Captured>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Captured {
    /// Never longer than the cap.
    bytes: Vec<u8>,
    /// How many bytes came after `bytes` was full.
    dropped: u64,
    /// Set iff the thread has read the stream to its end.
    ended: bool,
}

impl Drain {
    /// Drains `stream`, keeps its first `bytes_max` bytes, and copies all of it to `tee` as it
    /// comes. A `tee` that fails (a closed pipe) is let go; one that blocks holds the guest up.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(crate) fn start(
        mut stream: impl Read + Send + 'static,
        bytes_max: usize,
        mut tee: Option<Box<dyn Write + Send>>,
    ) -> io::Result<Drain> {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let drain = move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let read = match stream.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(read) => &chunk[..read],
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                writer.lock().push(read, bytes_max);
                if let Some(sink) = &mut tee
                    && sink.write_all(read).and_then(|()| sink.flush()).is_err()
                {
                    tee = None;
                }
            }
            writer.lock().ended = true;
            writer.ended.notify_all();
        };
        thread::Builder::new()
            .name("qemu-serial".to_string())
            .spawn(drain)?;
        Ok(Drain { shared })
    }

    /// The text so far and the count of bytes dropped.
    pub(crate) fn text(&self) -> (String, u64) {
        let captured = self.shared.lock();
        (
            String::from_utf8_lossy(&captured.bytes).into_owned(),
            captured.dropped,
        )
    }

    /// Waits until the stream has ended, but no longer than `patience`: a process that QEMU left
    /// behind may hold it open for ever. Returns whether it has ended.
    pub(crate) fn finish(&self, patience: Duration) -> bool {
        let wait = |captured: &mut Captured| !captured.ended;
        let captured = self.shared.lock();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(captured, patience, wait);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }
}

impl Shared {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Captured> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Captured {
    fn push(&mut self, bytes: &[u8], bytes_max: usize) {
        let kept = bytes.len().min(bytes_max - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn what_exceeds_the_cap_is_counted() {
        let drain = Drain::start(&b"0123456789"[..], 4, None).unwrap();
        assert!(drain.finish(PATIENCE));
        assert_eq!(drain.text(), ("0123".to_string(), 6));

        let drain = Drain::start(&b"0123"[..], 4, None).unwrap();
        assert!(drain.finish(PATIENCE));
        assert_eq!(drain.text(), ("0123".to_string(), 0));

        let drain = Drain::start(&b"01"[..], 0, None).unwrap();
        assert!(drain.finish(PATIENCE));
        assert_eq!(drain.text(), (String::new(), 2));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let drain = Drain::start(&b"a\xffb"[..], 16, None).unwrap();
        assert!(drain.finish(PATIENCE));
        assert_eq!(drain.text(), ("a\u{fffd}b".to_string(), 0));
    }

    #[test]
    fn a_stream_that_stays_open_does_not_hold_the_reader() {
        let (reader, writer) = io::pipe().unwrap();
        let drain = Drain::start(reader, 16, None).unwrap();
        assert!(!drain.finish(Duration::from_millis(1)));
        drop(writer);
        assert!(drain.finish(PATIENCE));
    }

    #[test]
    fn a_broken_tee_is_let_go_and_the_stream_still_drained() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let drain = Drain::start(&b"0123"[..], 16, Some(Box::new(Broken))).unwrap();
        assert!(drain.finish(PATIENCE));
        assert_eq!(drain.text(), ("0123".to_string(), 0));
    }

    #[test]
    fn display_tells_console_and_qemu_apart() {
        let serial = Serial {
            text: "up".to_string(),
            dropped_bytes: 7,
            errors: "no such device\n".to_string(),
            errors_dropped_bytes: 0,
        };
        let expected = "up\n[7 more bytes were dropped]\nqemu: no such device\n";
        assert_eq!(serial.to_string(), expected);
        assert_eq!(Serial::default().to_string(), "");
    }
}
