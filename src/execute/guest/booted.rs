//! One boot of the guest: from QEMU's start to the request that it does not survive.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::mailbox::{Mailbox, PROTOCOL, Request};
use harness::op::Op;
use qemu_exec::Exit;

use super::configuration::Configuration;
use super::memory;

/// An instruction takes 2^0 nanoseconds.
const INSTRUCTION_SHIFT: u8 = 0;
/// How long a boot may take. Tens of milliseconds are usual; a loaded machine takes longer.
const BOOT_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at a guest that boots. The longer it waits for its first request, the deeper
/// it sleeps.
const BOOT_PAUSE: Duration = Duration::from_micros(200);
/// Looks at the mailbox between two looks at the clock.
const SPINS: u32 = 64;
/// How long to look at the mailbox without a pause: most requests end sooner, even if the guest was
/// asleep. Who slept before that would let it fall asleep in turn (it does after as long without
/// work), and so on, request by request.
const SPIN: Duration = Duration::from_micros(300);
/// Between two looks at a guest that takes longer. Sleeping leaves the processor to it.
const PAUSE: Duration = Duration::from_micros(20);
/// Between two looks at the process, which cost system calls.
const PROCESS_PAUSE: Duration = Duration::from_millis(2);
/// A guest that does not use up an op's CPU time in this time gets hardly any processor at all.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How much of what a dead guest printed is told.
const SERIAL_CHARS_MAX: usize = 2_000;

/// A guest that has said it is ready.
pub struct Booted {
    qemu: qemu_exec::Guest,
    /// The subjects' names, in the order in which requests count them.
    names: Vec<String>,
}

/// How to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Looking without a pause at first: the guest has nothing else to do, and each microsecond
    /// counts.
    Short,
    /// Sleeping: the guest has more to do, and may need the processor for it.
    Long,
}

/// How a request ended.
#[derive(Debug)]
pub enum Answer {
    /// With a reply.
    Replied,
    /// The guest used up its CPU time on one op. It still runs.
    Hung,
    /// QEMU ended; the evidence in words.
    Died(String),
}

impl Booted {
    /// Boots `image` and waits until it is ready. With `counts`, a QEMU whose clock is the number
    /// of instructions: the guest's counter then repeats exactly, and everything is slower.
    ///
    /// # Errors
    /// If it cannot be started, or is not a guest that this rig can talk to.
    pub fn start(image: &Path, configuration: &Configuration, counts: bool) -> Result<Self> {
        let machine = configuration.machine(image);
        let qemu = machine
            .icount(counts.then_some(INSTRUCTION_SHIFT))
            .start()?;
        let mut booted = Self {
            qemu,
            names: Vec::new(),
        };
        let protocol = booted.wait_until_ready(image, configuration)?;
        ensure!(
            protocol == PROTOCOL,
            "guest image `{}` speaks protocol version {protocol}, this program speaks {PROTOCOL}: \
             build both with `make build`",
            image.display()
        );
        booted.names = names(booted.mailbox());
        ensure!(
            !booted.names.is_empty(),
            "guest image `{}` names no subject: build it with `make build`",
            image.display()
        );
        Ok(booted)
    }

    fn wait_until_ready(&mut self, image: &Path, configuration: &Configuration) -> Result<u32> {
        let image = image.display();
        let start = Instant::now();
        let mut next_look = start;
        loop {
            if let Some(protocol) = self.mailbox().guest_protocol() {
                return Ok(protocol);
            }
            thread::sleep(BOOT_PAUSE);
            if Instant::now() < next_look {
                continue;
            }
            next_look = Instant::now() + PROCESS_PAUSE;
            if let Some(exit) = self.qemu.try_wait()? {
                if let Some(refusal) = configuration.refusal(&self.qemu.serial().errors) {
                    return Err(refusal);
                }
                bail!(
                    "guest image `{image}` does not boot: {}",
                    self.obituary(exit)
                );
            }
            if start.elapsed() >= BOOT_DEADLINE
                && let Some(cpu) = &configuration.cpu
            {
                bail!(
                    "guest image `{image}` was not ready within {} s on processor `{cpu}`: it needs \
                     rv64gc with supervisor mode",
                    BOOT_DEADLINE.as_secs()
                );
            }
            ensure!(
                start.elapsed() < BOOT_DEADLINE,
                "guest image `{image}` was not ready within {} s: is it a kmem-rig guest? Build one \
                 with `make build`",
                BOOT_DEADLINE.as_secs()
            );
        }
    }

    /// The shared structure.
    pub fn mailbox(&self) -> &Mailbox {
        memory::mailbox(self.shared_memory())
    }

    /// The coverage counters; none of an image that is not instrumented.
    ///
    /// # Errors
    /// When they lie elsewhere than counters can.
    pub fn counters(&self) -> Result<&[AtomicU64]> {
        memory::counters(self.shared_memory())
    }

    fn shared_memory(&self) -> &qemu_exec::SharedMemory {
        self.qemu
            .memory()
            .expect("the machine was started with shared ram")
    }

    /// A subject's number in requests.
    ///
    /// # Errors
    /// If the image does not hold it.
    pub fn subject(&self, name: &str) -> Result<u32> {
        let index = self.names.iter().position(|known| known == name);
        let index = index.with_context(|| {
            let names = self.names.join(", ");
            format!("the guest image holds no `{name}`, only {names}: build it with `make build`")
        })?;
        Ok(index as u32)
    }

    /// Posts a request alone and waits for its end. An op that uses more than `op_limit` of the
    /// guest's CPU time hangs.
    ///
    /// # Errors
    /// If the process cannot be watched, or the machine gives it no processor.
    pub fn ask(&mut self, request: Request, ops: &[Op], op_limit: Duration) -> Result<Answer> {
        self.mailbox().post_alone(request, ops);
        self.wait(Mailbox::is_idle, Patience::Short, op_limit)
    }

    /// Waits until the mailbox says `done`, or the guest is hung or dead.
    ///
    /// # Errors
    /// If the process cannot be watched, or the machine gives it no processor.
    pub fn wait(
        &mut self,
        done: impl Fn(&Mailbox) -> bool,
        patience: Patience,
        op_limit: Duration,
    ) -> Result<Answer> {
        let begun = Instant::now();
        loop {
            for _ in 0..SPINS {
                if done(self.mailbox()) {
                    return Ok(Answer::Replied);
                }
                std::hint::spin_loop();
            }
            if patience == Patience::Long || begun.elapsed() >= SPIN {
                break;
            }
        }
        // The op under way, and when it was first seen: by the guest's clock and by the wall's.
        let mut progress = progress(self.mailbox());
        let (mut since, mut start) = (self.qemu.cpu_time()?, Instant::now());
        let mut next_look = start + PROCESS_PAUSE;
        loop {
            thread::sleep(PAUSE);
            if done(self.mailbox()) {
                return Ok(Answer::Replied);
            }
            if Instant::now() < next_look {
                continue;
            }
            next_look = Instant::now() + PROCESS_PAUSE;
            if let Some(exit) = self.qemu.try_wait()? {
                return Ok(Answer::Died(self.obituary(exit)));
            }
            let progress_now = self::progress(self.mailbox());
            let cpu_time = self.qemu.cpu_time()?;
            if progress_now != progress {
                (progress, since, start) = (progress_now, cpu_time, Instant::now());
            } else if cpu_time - since >= op_limit {
                return Ok(Answer::Hung);
            }
            ensure!(
                start.elapsed() < SILENCE_MAX,
                "the guest has done nothing for {} s, in which it got {} ms of CPU time: is the \
                 machine overloaded, or the guest stopped?",
                SILENCE_MAX.as_secs(),
                (cpu_time - since).as_millis()
            );
        }
    }

    /// CPU time used since the start.
    ///
    /// # Errors
    /// If the process cannot be watched.
    pub fn cpu_time(&self) -> Result<Duration> {
        Ok(self.qemu.cpu_time()?)
    }

    /// Kills QEMU. The memory stays readable.
    pub fn kill(&mut self) {
        self.qemu.kill();
    }

    /// What a QEMU that ended leaves behind.
    fn obituary(&self, exit: Exit) -> String {
        let serial = self.qemu.serial().to_string();
        let serial: String = serial.trim().chars().take(SERIAL_CHARS_MAX).collect();
        match serial.is_empty() {
            true => format!("QEMU {exit}, and nothing was printed"),
            false => format!("QEMU {exit}; printed: {serial}"),
        }
    }
}

/// What moves as long as no op hangs.
fn progress(mailbox: &Mailbox) -> (u32, u32) {
    (mailbox.replied(), mailbox.transcript.begun())
}

fn names(mailbox: &Mailbox) -> Vec<String> {
    let name =
        |index| String::from_utf8_lossy(&mailbox.name(index).collect::<Vec<_>>()).into_owned();
    (0..harness::mailbox::SUBJECTS_MAX)
        .map(name)
        .take_while(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process;

    use harness::geometry::Geometry;
    use harness::mailbox::MAILBOX_ADDRESS;
    use harness::trace::Trace;
    use harness::transcript::End;

    use super::*;
    use crate::execute::guest::{Guest, find_image};
    use crate::run::fault::{Fault, Panic};
    use crate::run::{RunEnd, RunOptions};

    fn guest() -> Guest {
        Guest::start(&find_image(None).unwrap()).unwrap()
    }

    /// An image that stores `ready` to the mailbox's first word, then sleeps.
    fn image_that_says(ready: u64) -> tempfile::NamedTempFile {
        // auipc t0, 0; ld t1, 24(t0); ld t2, 32(t0); sd t2, 0(t1); wfi; j -4
        let code = [
            0x0000_0297,
            0x0182_b303,
            0x0202_b383,
            0x0073_3023,
            0x1050_0073,
            0xffdf_f06f,
        ];
        let mut bytes: Vec<u8> = code.into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.extend(
            [MAILBOX_ADDRESS, ready]
                .into_iter()
                .flat_map(u64::to_le_bytes),
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, bytes).unwrap();
        file
    }

    fn refusal(ready: u64) -> String {
        Booted::start(
            image_that_says(ready).path(),
            &Configuration::default(),
            false,
        )
        .err()
        .unwrap()
        .to_string()
    }

    #[test]
    fn an_image_of_another_version_is_an_error_that_names_both() {
        let error = refusal(0x6b6d_656d_0000_0063);
        let versions = format!("speaks protocol version 99, this program speaks {PROTOCOL}");
        assert!(
            error.contains(&versions) && error.contains("`make build`"),
            "{error}"
        );
        let error = refusal(0x6b6d_656d_0000_0000 | u64::from(PROTOCOL));
        assert!(error.contains("names no subject"), "{error}");
    }

    #[test]
    fn a_subject_that_the_image_lacks_is_an_error() {
        let error = guest()
            .take_booted()
            .unwrap()
            .subject("no-such")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("holds no `no-such`, only kmem-2019, kmem, "),
            "{error}"
        );
    }

    #[test]
    fn a_guest_that_dies_costs_a_boot() {
        let (mut guest, trace) = (guest(), Trace::new(Geometry::published()));
        let entry = subjects::by_name("kmem").unwrap();
        let id = guest.booted.as_ref().unwrap().qemu.id().to_string();
        assert!(
            process::Command::new("kill")
                .args(["-KILL", &id])
                .status()
                .unwrap()
                .success()
        );
        let run = guest.run(entry, &trace, RunOptions::STRICT).unwrap();
        let said = "QEMU killed by signal 9, and nothing was printed".to_owned();
        assert_eq!(
            (run.end, run.observations.len()),
            (RunEnd::Faulted(Fault::GuestDied { said }), 0)
        );
        let run = guest.run(entry, &trace, RunOptions::STRICT).unwrap();
        assert_eq!((run.end, guest.boots()), (RunEnd::Completed, 2));
    }

    /// Also shows that the guest's own panics are told from a subject's.
    #[test]
    fn a_request_for_no_subject_spoils_the_guest() {
        let mut guest = guest();
        let mut booted = guest.take_booted().unwrap();
        let request = Request {
            subject: u32::MAX,
            heap: Geometry::published(),
            strict: false,
            tables: false,
            metered: false,
            fresh_capacity: 0,
        };
        let answer = booted.ask(request, &[], Duration::from_secs(1)).unwrap();
        assert!(matches!(answer, Answer::Replied), "{answer:?}");
        let mailbox = booted.mailbox();
        assert_eq!(mailbox.transcript.end(), End::Panicked);
        assert!(mailbox.is_spoiled());
        let panic = Panic::read(&mailbox.transcript);
        assert_eq!(panic.message, "a request for no subject");
        assert_eq!(panic.source.unwrap().file, "guest/src/serve.rs");
    }
}
