//! Watches the process it runs in: a panic, a fault or a hang of a subject is written to a
//! [`Transcript`] before the process ends.
//!
//! Time is the process's own CPU time, so that a busy machine makes nothing look like a hang: a
//! timer ticks a few times per limit, and an op that is still the same at the last tick hangs. A
//! subject that sleeps uses no CPU time; for it a second timer ticks by the clock, far apart.
//!
//! Invariant: what a signal handler calls neither allocates nor takes a lock, since the thread that
//! it interrupts may hold it. Handlers store numbers in the transcript and leave; words are made of
//! them by the parent, or where there is none by a [`Tell`], with `core::fmt` and `write` alone.

use std::fmt::{self, Write};
use std::io::{self, ErrorKind};
use std::panic::PanicHookInfo;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};
use std::sync::{Once, OnceLock};
use std::time::Duration;

use harness::transcript::{End, Transcript};

/// Ticks in an op's time limit: a hang is noticed at most a tick late.
const TICKS: u32 = 4;
/// An op that has slept for so long, by the clock, hangs too.
const ASLEEP_LIMIT: Duration = Duration::from_secs(60);
/// The signal stack of the fault handler: a subject may have overrun the ordinary one.
const SIGNAL_STACK_BYTES: usize = 64 << 10;

/// What a process is watched by.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Where its end is written. The count of ops begun there moves with every op.
    pub transcript: &'a Transcript,
    /// The CPU time one op may take.
    pub op_limit: Duration,
    /// Where the heap starts: faults are told relative to it. Only compared, never read.
    pub heap_start: usize,
}

// What the signal handlers and the panic hook see. Set before anything can be raised.
static TRANSCRIPT: AtomicPtr<Transcript> = AtomicPtr::new(null_mut());
static HEAP_START: AtomicUsize = AtomicUsize::new(0);
static BY_CPU: Still = Still::new();
static BY_CLOCK: Still = Still::new();
/// Whether a subject runs. A worker does nothing else; of another process, a fault or a second
/// without an op is its own affair the rest of the time.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// Whether this process is a worker: it leaves without a word.
static LEAVES: AtomicBool = AtomicBool::new(false);
/// What a process that is not a worker writes before it ends.
static TELL: OnceLock<Tell> = OnceLock::new();
/// Kept here, and not just leaked, so that a leak checker sees who owns it.
static SIGNAL_STACK: OnceLock<Box<[u8]>> = OnceLock::new();

/// Says how a process ends. It is called by signal handlers, so it neither allocates nor takes a
/// lock: the interrupted thread may hold it.
pub type Tell = fn(&mut dyn Write) -> fmt::Result;

/// The standard error as a signal handler may write to it: by a system call, and past the lock.
struct Unlocked;

impl Write for Unlocked {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the bytes are readable.
            let written =
                unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) => rest = &rest[written..],
                Err(_) if io::Error::last_os_error().kind() == ErrorKind::Interrupted => {}
                // A log that takes nothing more is no reason not to end.
                Err(_) => return Err(fmt::Error),
            }
        }
        Ok(())
    }
}

/// Counts ticks at which the same op was running.
struct Still {
    progress: AtomicU32,
    ticks: AtomicU32,
}

impl Still {
    const fn new() -> Self {
        Self {
            progress: AtomicU32::new(0),
            ticks: AtomicU32::new(0),
        }
    }

    /// Counts a tick; returns for how many the op has been the same.
    fn tick(&self, progress: u32) -> u32 {
        if self.progress.swap(progress, Relaxed) != progress || !RUNNING.load(Relaxed) {
            self.ticks.store(0, Relaxed);
            return 0;
        }
        self.ticks.fetch_add(1, Relaxed) + 1
    }
}

/// Makes panics of watched processes be recorded. Called before a process forks or is watched: in
/// a child the hook's lock may be held by a thread that the child does not have.
pub fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Here, and not in each child: that would clear as many pages for every run.
        signal_stack();
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if TRANSCRIPT.load(Relaxed).is_null() || !RUNNING.load(Relaxed) {
                return previous(info);
            }
            record_panic(info);
            tell_or_leave();
            previous(info);
        }));
    });
}

/// Watches a worker, forked behind [`prepare`]: after a panic, a fault or a hang it leaves.
///
/// # Safety
/// What `watch` refers to lives until the process has ended.
pub unsafe fn and_leave(watch: &Watch<'_>) {
    LEAVES.store(true, Relaxed);
    RUNNING.store(true, Relaxed);
    // SAFETY: exactly the caller's promise.
    unsafe { start(watch) };
    handle(libc::SIGALRM, on_clock_tick as *const () as usize);
    set_timer(libc::ITIMER_REAL, ASLEEP_LIMIT / TICKS);
}

/// Watches a process that someone else watches too: after a panic, a fault or a hang while a
/// subject is [said to run](set_running) it calls `tell`, and then aborts, which the other sees.
/// Only the first call counts.
pub fn and_tell(watch: &Watch<'static>, tell: Tell) {
    if TELL.set(tell).is_ok() {
        prepare();
        // SAFETY: what `watch` refers to is static.
        unsafe { start(watch) };
    }
}

fn tell_or_leave() {
    match TELL.get() {
        // What cannot be written stays unsaid.
        Some(tell) if !LEAVES.load(Relaxed) => {
            // No tick takes the telling for a hang.
            RUNNING.store(false, Relaxed);
            let _ = tell(&mut Unlocked);
        }
        _ => leave(),
    }
}

/// Says whether a subject runs from now on.
pub fn set_running(running: bool) {
    RUNNING.store(running, Relaxed);
}

/// Where the heap starts from now on.
pub fn set_heap_start(address: usize) {
    HEAP_START.store(address, Relaxed);
}

/// Ends the process without running destructors or handlers that belong to its parent.
pub fn leave() -> ! {
    // SAFETY: no memory is involved.
    unsafe { libc::_exit(0) }
}

fn signal_stack() -> &'static [u8] {
    SIGNAL_STACK.get_or_init(|| vec![0; SIGNAL_STACK_BYTES].into_boxed_slice())
}

/// # Safety
/// What `watch` refers to lives until the process has ended.
unsafe fn start(watch: &Watch<'_>) {
    TRANSCRIPT.store(std::ptr::from_ref(watch.transcript).cast_mut(), Relaxed);
    HEAP_START.store(watch.heap_start, Relaxed);
    let stack = signal_stack();
    let stack = libc::stack_t {
        ss_sp: stack.as_ptr().cast_mut().cast(),
        ss_flags: 0,
        ss_size: SIGNAL_STACK_BYTES,
    };
    // SAFETY: the stack lies in a static that is never dropped, and nobody else reads or writes it.
    unsafe { libc::sigaltstack(&raw const stack, null_mut()) };
    let faults = FAULTS.map(|signal| (signal, handle(signal, on_fault as *const () as usize)));
    // Set once: a process is watched for one reason only.
    let _ = PREVIOUS.set(faults);
    handle(libc::SIGPROF, on_tick as *const () as usize);
    set_timer(libc::ITIMER_PROF, watch.op_limit / TICKS);
}

fn set_timer(which: libc::c_int, tick: Duration) {
    let tick = libc::timeval {
        tv_sec: tick.as_secs() as libc::time_t,
        tv_usec: libc::suseconds_t::from(tick.subsec_micros()),
    };
    let timer = libc::itimerval {
        it_interval: tick,
        it_value: tick,
    };
    // SAFETY: the structure is valid for the call, and no old value is asked for.
    unsafe { libc::setitimer(which, &raw const timer, null_mut()) };
}

/// Signals that a subject's own instruction raises.
const FAULTS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
/// How each was handled before.
static PREVIOUS: OnceLock<[(i32, libc::sigaction); FAULTS.len()]> = OnceLock::new();

/// Handles a signal, and returns how it was handled before.
fn handle(signal: i32, handler: usize) -> libc::sigaction {
    // SAFETY: zero is a valid `sigaction`: no flags, an empty mask.
    let (mut action, mut previous): (libc::sigaction, libc::sigaction) =
        unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the three-argument form that SA_SIGINFO asks for.
    unsafe { libc::sigaction(signal, &raw const action, &raw mut previous) };
    previous
}

fn transcript() -> Option<&'static Transcript> {
    // SAFETY: null, or a shared mapping that lives as long as the process.
    unsafe { TRANSCRIPT.load(Relaxed).as_ref() }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid structure; the address is meaningless, but there, for
    // signals that have none.
    let address = unsafe { (*info).si_addr() };
    let offset = address.addr().wrapping_sub(HEAP_START.load(Relaxed));
    if RUNNING.load(Relaxed) {
        if let Some(transcript) = transcript() {
            // SAFETY: the kernel passes a valid structure of this type.
            let pc = unsafe { program_counter(&*context.cast()) };
            transcript.set_fault([signal as u64, pc, offset as u64]);
            transcript.set_end(End::Faulted);
        }
        tell_or_leave();
        // As after a panic or a hang: of a fault, a sanitizer's report would be what ClusterFuzz
        // knows the find by, instead of what was told.
        std::process::abort();
    }
    // Whoever watched before does the rest: the instruction is run again, with its handler.
    if let Some(previous) = PREVIOUS
        .get()
        .and_then(|all| all.iter().find(|p| p.0 == signal))
    {
        // SAFETY: the action is one that `sigaction` gave out.
        unsafe { libc::sigaction(signal, &raw const previous.1, null_mut()) };
    }
}

/// The address of the instruction that raised a signal; 0 where we do not know how to ask.
fn program_counter(context: &libc::ucontext_t) -> u64 {
    #[cfg(target_arch = "x86_64")]
    return context.uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned();
    #[cfg(target_arch = "aarch64")]
    return context.uc_mcontext.pc;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return 0;
}

extern "C" fn on_tick(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    end_if_still(&BY_CPU);
}

extern "C" fn on_clock_tick(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    end_if_still(&BY_CLOCK);
}

fn end_if_still(still: &Still) {
    let Some(transcript) = transcript() else {
        return;
    };
    if still.tick(transcript.begun()) >= TICKS {
        transcript.set_end(End::Hung);
        tell_or_leave();
        std::process::abort();
    }
}

fn record_panic(info: &PanicHookInfo<'_>) {
    if let Some(transcript) = transcript() {
        let text = info.payload_as_str().unwrap_or("a panic without a message");
        transcript.set_panic(format_args!("{text}"), info.location());
    }
}
