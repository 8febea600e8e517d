//! One boot of the guest: from QEMU's start to the request that it does not survive.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::geometry::Geometry;
use harness::mailbox::{Mailbox, PROTOCOL, RAM_BYTES, Request};
use harness::op::Op;
use qemu_exec::{Exit, Machine};

use super::memory;

/// How long a boot may take. Tens of milliseconds are usual; a loaded machine takes longer.
const BOOT_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at a guest that boots.
const BOOT_PAUSE: Duration = Duration::from_micros(500);
/// Looks at the mailbox without a pause: some tens of microseconds, in which most requests end.
const SPINS: u32 = 2_000;
/// Between two looks at a guest that takes longer. Sleeping leaves the processor to it.
const PAUSE: Duration = Duration::from_micros(20);
/// Between two looks at the process, which cost system calls.
const PROCESS_PAUSE: Duration = Duration::from_millis(2);
/// A guest that used less than an op's CPU time in this time gets no processor at all.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How much of what a dead guest printed is told.
const SERIAL_CHARS_MAX: usize = 2_000;

/// A guest that has said it is ready.
pub struct Booted {
    qemu: qemu_exec::Guest,
    image: PathBuf,
    /// The subjects' names, in the order in which requests count them.
    names: Vec<String>,
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
    /// Boots `image` and waits until it is ready.
    ///
    /// # Errors
    /// If it cannot be started, or is not a guest that this rig can talk to.
    pub fn start(image: &Path) -> Result<Self> {
        let machine = Machine::new(image).shared(true).ram_bytes(RAM_BYTES);
        let qemu = machine.start()?;
        let mut booted = Self {
            qemu,
            image: image.to_path_buf(),
            names: Vec::new(),
        };
        let protocol = booted.wait_until_ready()?;
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

    fn wait_until_ready(&mut self) -> Result<u32> {
        let image = self.image.display().to_string();
        let start = Instant::now();
        loop {
            if let Some(protocol) = self.mailbox().guest_protocol() {
                return Ok(protocol);
            }
            if let Some(exit) = self.qemu.try_wait()? {
                bail!(
                    "guest image `{image}` does not boot: {}",
                    self.obituary(exit)
                );
            }
            ensure!(
                start.elapsed() < BOOT_DEADLINE,
                "guest image `{image}` was not ready within {} s: is it a kmem-rig guest? Build one \
                 with `make build`",
                BOOT_DEADLINE.as_secs()
            );
            thread::sleep(BOOT_PAUSE);
        }
    }

    /// What was booted.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// The shared structure.
    pub fn mailbox(&self) -> &Mailbox {
        memory::mailbox(self.shared_memory())
    }

    /// Prepares the heap for a run.
    pub fn prepare_heap(&self, geometry: Geometry, zeroed: bool) {
        memory::prepare_heap(self.shared_memory(), geometry, zeroed);
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

    /// Posts a request and waits for its end. An op that uses more than `op_limit` of the guest's
    /// CPU time hangs.
    ///
    /// # Errors
    /// If the process cannot be watched, or the machine gives it no processor.
    pub fn ask(&mut self, request: Request, ops: &[Op], op_limit: Duration) -> Result<Answer> {
        self.mailbox().post(request, ops);
        for _ in 0..SPINS {
            if self.mailbox().replied() {
                return Ok(Answer::Replied);
            }
            std::hint::spin_loop();
        }
        let start = Instant::now();
        let (mut begun, mut since) = (self.mailbox().transcript.begun(), self.qemu.cpu_time()?);
        let mut next_look = PROCESS_PAUSE;
        loop {
            thread::sleep(PAUSE);
            if self.mailbox().replied() {
                return Ok(Answer::Replied);
            }
            if start.elapsed() < next_look {
                continue;
            }
            next_look = start.elapsed() + PROCESS_PAUSE;
            if let Some(exit) = self.qemu.try_wait()? {
                return Ok(Answer::Died(self.obituary(exit)));
            }
            let now_begun = self.mailbox().transcript.begun();
            let cpu_time = self.qemu.cpu_time()?;
            if now_begun != begun {
                (begun, since) = (now_begun, cpu_time);
            } else if cpu_time - since >= op_limit {
                return Ok(Answer::Hung);
            }
            ensure!(
                start.elapsed() < SILENCE_MAX || cpu_time - since >= op_limit / 10,
                "the guest has not answered for {} s and used no CPU time: is the machine overloaded?",
                SILENCE_MAX.as_secs()
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

fn names(mailbox: &Mailbox) -> Vec<String> {
    let name =
        |index| String::from_utf8_lossy(&mailbox.name(index).collect::<Vec<_>>()).into_owned();
    (0..harness::mailbox::SUBJECTS_MAX)
        .map(name)
        .take_while(|name| !name.is_empty())
        .collect()
}
