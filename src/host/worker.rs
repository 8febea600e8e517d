//! A forked worker: the process in which a subject may crash or hang.
//!
//! The child shares a [`Transcript`] with its parent. A panic, a fault or a hang in the child is
//! written there and ends the child; the parent reads what was done up to that op. Time is the
//! child's own CPU time, so that a busy machine makes nothing look like a hang: a timer ticks a
//! few times per limit, and an op that is still the same at the last tick hangs.

use std::fmt::Write;
use std::io;
use std::panic::PanicHookInfo;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize};
use std::time::Duration;

use harness::transcript::{End, MessageWriter, Transcript};

/// Ticks in an op's time limit: a hang is noticed at most a tick late.
const TICKS: u32 = 4;
/// The signal stack of the fault handler: a subject may have overrun the ordinary one.
const SIGNAL_STACK_BYTES: usize = 64 << 10;

/// What a worker is watched by.
pub struct Watch<'a> {
    /// Where its end is written.
    pub transcript: &'a Transcript,
    /// A count that moves with every op.
    pub progress: &'a AtomicU32,
    /// The CPU time one op may take.
    pub op_limit: Duration,
    /// Where the heap starts: faults are told relative to it. Only compared, never read.
    pub heap_start: usize,
}

// What the child's signal handlers and panic hook see. Set before anything can be raised, in the
// child alone, which has one thread.
static TRANSCRIPT: AtomicPtr<Transcript> = AtomicPtr::new(null_mut());
static PROGRESS: AtomicPtr<AtomicU32> = AtomicPtr::new(null_mut());
static HEAP_START: AtomicUsize = AtomicUsize::new(0);
static LAST_PROGRESS: AtomicU32 = AtomicU32::new(0);
static TICKS_SAME: AtomicU32 = AtomicU32::new(0);

/// A running child; killed and reaped when dropped.
pub struct Worker {
    id: libc::pid_t,
    ended: bool,
}

impl Worker {
    /// Forks a child that calls `body` and ends. The child shares nothing with this process but
    /// what was mapped as shared before.
    ///
    /// # Errors
    /// The kernel's, when it forks no process.
    pub fn start(watch: &Watch<'_>, body: impl FnOnce()) -> io::Result<Self> {
        // SAFETY: the child runs `child` alone and leaves by `_exit`. It uses the allocator only,
        // which the C library makes usable after a fork; no lock of ours is held across it.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => child(watch, body),
            id => Ok(Self { id, ended: false }),
        }
    }

    /// Whether the child has ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        self.reap(libc::WNOHANG)
    }

    /// Waits for the child's end.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&mut self) -> io::Result<()> {
        self.reap(0).map(|_| ())
    }

    fn reap(&mut self, flags: i32) -> io::Result<bool> {
        while !self.ended {
            // SAFETY: waits for a child of ours that was not reaped yet; a null status is allowed.
            match unsafe { libc::waitpid(self.id, null_mut(), flags) } {
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                -1 => return Err(io::Error::last_os_error()),
                0 => return Ok(false),
                _ => self.ended = true,
            }
        }
        Ok(true)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: the child was not reaped, so the id is still its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
            // Nothing can be done about a child that cannot be waited for.
            let _ = self.wait();
        }
    }
}

/// The child's life.
fn child(watch: &Watch<'_>, body: impl FnOnce()) -> ! {
    // SAFETY: no memory is involved. The child must not outlive its parent.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    std::panic::set_hook(Box::new(record_panic));
    watch_this_process(watch);
    body();
    leave()
}

/// Watches the calling process from now on: a fault or a hang is written to the transcript and
/// ends it.
fn watch_this_process(watch: &Watch<'_>) {
    TRANSCRIPT.store(std::ptr::from_ref(watch.transcript).cast_mut(), Relaxed);
    PROGRESS.store(std::ptr::from_ref(watch.progress).cast_mut(), Relaxed);
    HEAP_START.store(watch.heap_start, Relaxed);
    let stack = Box::leak(vec![0_u8; SIGNAL_STACK_BYTES].into_boxed_slice());
    let stack = libc::stack_t {
        ss_sp: stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: SIGNAL_STACK_BYTES,
    };
    // SAFETY: the stack was leaked, so it lives as long as the process.
    unsafe { libc::sigaltstack(&raw const stack, null_mut()) };
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT] {
        handle(signal, on_fault as *const () as usize);
    }
    handle(libc::SIGPROF, on_tick as *const () as usize);
    let tick = watch.op_limit / TICKS;
    let tick = libc::timeval {
        tv_sec: tick.as_secs() as libc::time_t,
        tv_usec: libc::suseconds_t::from(tick.subsec_micros() as i32),
    };
    let timer = libc::itimerval { it_interval: tick, it_value: tick };
    // SAFETY: the structure is valid for the call, and no old value is asked for.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, null_mut()) };
}

fn handle(signal: i32, handler: usize) {
    // SAFETY: zero is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the three-argument form that SA_SIGINFO asks for.
    unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
}

fn transcript() -> Option<&'static Transcript> {
    // SAFETY: null, or a shared mapping that the parent keeps until the child has ended.
    unsafe { TRANSCRIPT.load(Relaxed).as_ref() }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid structure; the address is meaningless, but there, for
    // signals that have none.
    let address = unsafe { (*info).si_addr() };
    let offset = address.addr().wrapping_sub(HEAP_START.load(Relaxed));
    if let Some(transcript) = transcript() {
        transcript.set_fault([signal as u64, 0, offset as u64]);
        transcript.set_end(End::Faulted);
    }
    leave()
}

extern "C" fn on_tick(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: set before the timer, to a count that the parent keeps until the child has ended.
    let Some(progress) = (unsafe { PROGRESS.load(Relaxed).as_ref() }) else { return };
    let progress = progress.load(Relaxed);
    if LAST_PROGRESS.swap(progress, Relaxed) != progress {
        TICKS_SAME.store(0, Relaxed);
    } else if TICKS_SAME.fetch_add(1, Relaxed) + 1 >= TICKS {
        if let Some(transcript) = transcript() {
            transcript.set_end(End::Hung);
        }
        leave()
    }
}

fn record_panic(info: &PanicHookInfo<'_>) {
    if let Some(transcript) = transcript() {
        let mut message = MessageWriter::new(transcript);
        let text = info.payload_as_str().unwrap_or("a panic without a message");
        // The writer cuts what does not fit and never fails.
        let _ = message.write_str(text);
        if let Some(location) = info.location() {
            let _ = write!(message, ", at {}:{}", location.file(), location.line());
        }
        transcript.set_end(End::Panicked);
    }
    leave()
}

fn leave() -> ! {
    // SAFETY: leaves without running destructors or handlers that belong to the parent.
    unsafe { libc::_exit(0) }
}
