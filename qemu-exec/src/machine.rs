//! What to boot, and the command line that boots it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::Process;
use crate::serial::Drain;
use crate::{Error, Guest, SharedMemory, entry};

/// QEMU's name, looked up in `PATH`.
const PROGRAM: &str = "qemu-system-riscv64";
/// QEMU's own default for `virt`, written down so that it cannot change under a guest.
const RAM_BYTES: u64 = 128 * 1024 * 1024;
/// QEMU rounds RAM up to this many bytes; a memory file of another size would be refused.
const RAM_STEP_BYTES: u64 = 8 * 1024;
/// Enough for any report a person reads, small beside thousands of guests.
const SERIAL_BYTES_MAX: usize = 256 * 1024;

/// A machine to boot: one hart unless more are asked for, no network, no disk. It can be started
/// many times.
#[derive(Clone, Debug)]
pub struct Machine {
    image: PathBuf,
    program: PathBuf,
    harts: u32,
    ram_bytes: u64,
    shared: bool,
    firmware: bool,
    icount: Option<u8>,
    cpu: Option<String>,
    serial_bytes_max: usize,
    tee: bool,
    args: Vec<OsString>,
}

impl Machine {
    /// A machine that boots `image`: an ELF, which starts at its entry, or a raw binary, which is
    /// placed at [`RAM_BASE`](crate::RAM_BASE) and starts there; in machine mode.
    pub fn new(image: impl Into<PathBuf>) -> Machine {
        Machine {
            image: image.into(),
            program: PROGRAM.into(),
            harts: 1,
            ram_bytes: RAM_BYTES,
            shared: false,
            firmware: false,
            icount: None,
            cpu: None,
            serial_bytes_max: SERIAL_BYTES_MAX,
            tee: false,
            args: Vec::new(),
        }
    }

    /// The QEMU to run; `qemu-system-riscv64` from `PATH` by default.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Machine {
        self.program = program.into();
        self
    }

    /// Harts; 1 by default, and QEMU knows no more than 512. Without firmware all of them run the
    /// image's first instructions; with it, one does, and starts the others. A program that starts
    /// elsewhere than at [`RAM_BASE`](crate::RAM_BASE) needs firmware for that.
    pub fn harts(mut self, harts: u32) -> Machine {
        self.harts = harts;
        self
    }

    /// Bytes of RAM, rounded up to 8 KiB; 128 MiB by default.
    pub fn ram_bytes(mut self, bytes: u64) -> Machine {
        self.ram_bytes = bytes;
        self
    }

    /// Whether the host maps the guest's RAM: [`Guest::memory`]. Off by default.
    pub fn shared(mut self, shared: bool) -> Machine {
        self.shared = shared;
        self
    }

    /// Whether OpenSBI, as QEMU brings it along, is booted first and starts the image in supervisor
    /// mode. It takes the first half MiB of RAM, and a raw binary is placed 2 MiB behind
    /// `RAM_BASE`. Off by default.
    pub fn firmware(mut self, firmware: bool) -> Machine {
        self.firmware = firmware;
        self
    }

    /// With a shift, the guest's clock counts instructions, 2^shift nanoseconds each, and
    /// instruction counts repeat exactly. `None` by default.
    pub fn icount(mut self, shift: Option<u8>) -> Machine {
        self.icount = shift;
        self
    }

    /// The processor model, as `-cpu` takes it; QEMU's default by default.
    pub fn cpu(mut self, cpu: Option<String>) -> Machine {
        self.cpu = cpu;
        self
    }

    /// Bytes of the console to keep, and as many again of QEMU's messages; 256 KiB by default.
    /// What comes later is read, counted and dropped.
    pub fn serial_bytes_max(mut self, bytes: usize) -> Machine {
        self.serial_bytes_max = bytes;
        self
    }

    /// Whether the console is also copied to stdout, and QEMU's messages to stderr, as they come.
    /// Off by default.
    pub fn tee(mut self, tee: bool) -> Machine {
        self.tee = tee;
        self
    }

    /// One more argument for QEMU, after all others.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Machine {
        self.args.push(arg.into());
        self
    }

    /// Boots the machine. A QEMU that refuses its arguments is a [`Guest`] that exits at once.
    ///
    /// # Errors
    /// If the image cannot be read, QEMU is missing or cannot be started, or there is no memory
    /// to share.
    pub fn start(&self) -> Result<Guest, Error> {
        let entry = self.entry()?;
        let memory = self.shared.then(|| self.create_memory()).transpose()?;
        let descriptor = memory.as_ref().map(SharedMemory::descriptor);
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments(descriptor, entry))
            // The console has no input, and QEMU must not take the terminal over.
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let error = |source| self.start_error(source);
        let mut process = Process::start(command, descriptor).map_err(error)?;
        let (stdout, stderr) = process.streams().expect("both streams were just piped");
        let bytes_max = self.serial_bytes_max;
        let console = Drain::start(stdout, bytes_max, self.sink(io::stdout())).map_err(error)?;
        let errors = Drain::start(stderr, bytes_max, self.sink(io::stderr())).map_err(error)?;
        Ok(Guest::new(process, memory, console, errors))
    }

    /// QEMU's arguments, one reason per flag.
    fn arguments(&self, descriptor: Option<i32>, entry: Option<u64>) -> Vec<OsString> {
        let ram = format!("{}B", self.ram_bytes_rounded());
        let mut machine = "virt".to_string();
        let mut args: Vec<OsString> = Vec::new();
        let mut push = |words: &[&str]| args.extend(words.iter().map(OsString::from));
        if let Some(descriptor) = descriptor {
            machine.push_str(",memory-backend=ram");
            // RAM is the host's memory file; `share` makes the guest's stores reach it.
            push(&[
                "-object",
                &format!(
                    "memory-backend-file,id=ram,size={ram},\
                     mem-path=/proc/self/fd/{descriptor},share=on"
                ),
            ]);
        }
        // The machine for programs without a board: RAM, a UART, a test device, little else.
        push(&["-machine", &machine]);
        if self.firmware {
            // OpenSBI first: it is told the image's entry.
            push(&["-bios", "default"]);
        } else {
            // No firmware: the hart starts in the image, in machine mode.
            push(&["-bios", "none"]);
            if let Some(entry) = entry {
                // It would start at the first byte of RAM.
                push(&["-device", &format!("loader,addr={entry:#x},cpu-num=0")]);
            }
        }
        // Without firmware each of them runs the same first instruction.
        push(&["-smp", &self.harts.to_string()]);
        // As large as the memory file, where there is one.
        push(&["-m", &ram]);
        // No window.
        push(&["-display", "none"]);
        // No monitor: it would read the terminal.
        push(&["-monitor", "none"]);
        // The UART is our pipe.
        push(&["-serial", "stdio"]);
        // No network card.
        push(&["-nic", "none"]);
        // A guest that resets its machine ends, rather than starting over for ever.
        push(&["-no-reboot"]);
        if let Some(cpu) = &self.cpu {
            // The processor model and its extensions.
            push(&["-cpu", cpu]);
        }
        if let Some(shift) = self.icount {
            // Time is the number of instructions.
            push(&["-icount", &format!("shift={shift}")]);
        }
        // The program. Its path is never split at commas, unlike that of a `loader` device.
        push(&["-kernel"]);
        args.push(self.image.clone().into());
        args.extend(self.args.iter().cloned());
        args
    }

    /// Where the image starts, if it is not at the first byte of RAM. QEMU would refuse a missing
    /// image itself, but only in words.
    fn entry(&self) -> Result<Option<u64>, Error> {
        let open = || {
            let file = File::open(&self.image)?;
            match file.metadata()?.is_file() {
                true => entry::elsewhere(file),
                false => Err(io::Error::other("not a file")),
            }
        };
        open().map_err(|source| Error::Image {
            path: self.image.clone(),
            source,
        })
    }

    fn create_memory(&self) -> Result<SharedMemory, Error> {
        let bytes = self.ram_bytes_rounded();
        SharedMemory::create(bytes).map_err(|source| Error::Memory { bytes, source })
    }

    fn ram_bytes_rounded(&self) -> u64 {
        self.ram_bytes
            .div_ceil(RAM_STEP_BYTES)
            .saturating_mul(RAM_STEP_BYTES)
    }

    fn start_error(&self, source: io::Error) -> Error {
        let program = self.program.clone();
        match source.kind() {
            io::ErrorKind::NotFound => Error::QemuMissing { program },
            _ => Error::Start { program, source },
        }
    }

    fn sink(&self, stream: impl Write + Send + 'static) -> Option<Box<dyn Write + Send>> {
        self.tee.then(|| Box::new(stream) as Box<dyn Write + Send>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(machine: &Machine, descriptor: Option<i32>, entry: Option<u64>) -> String {
        let args = machine.arguments(descriptor, entry);
        let words: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        words.join(" ")
    }

    #[test]
    fn the_plain_command_line() {
        let expected = "-machine virt -bios none -smp 1 -m 134217728B -display none \
                        -monitor none -serial stdio -nic none -no-reboot -kernel a.bin";
        assert_eq!(line(&Machine::new("a.bin"), None, None), expected);
    }

    #[test]
    fn every_option_reaches_the_command_line() {
        let machine = Machine::new("a.bin")
            .harts(4)
            .ram_bytes(8 * 1024 * 1024 + 1)
            .cpu(Some("rv64,v=true".to_string()))
            .icount(Some(0))
            .arg("-d")
            .arg("int");
        let expected = "-object memory-backend-file,id=ram,size=8396800B,\
                        mem-path=/proc/self/fd/7,share=on -machine virt,memory-backend=ram \
                        -bios none -smp 4 -m 8396800B -display none -monitor none -serial stdio \
                        -nic none -no-reboot -cpu rv64,v=true -icount shift=0 \
                        -kernel a.bin -d int";
        assert_eq!(line(&machine, Some(7), None), expected);
    }

    #[test]
    fn a_firmware_finds_the_entry_and_without_one_qemu_is_told() {
        let machine = Machine::new("a.elf");
        let entry = Some(0x8020_0000);
        let without = line(&machine, None, entry);
        let expected = "-machine virt -bios none -device loader,addr=0x80200000,cpu-num=0 -smp 1 ";
        assert!(without.starts_with(expected), "{without}");
        let with = line(&machine.firmware(true), None, entry);
        assert!(
            with.starts_with("-machine virt -bios default -smp 1 "),
            "{with}"
        );
    }
}
