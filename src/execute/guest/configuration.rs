//! What machine a guest is: the mode that it and its subjects run in, and the processor.

use std::path::Path;

use anyhow::{Error, anyhow};
use harness::mailbox::RAM_BYTES;
use qemu_exec::Machine;

/// How QEMU names a processor that it does not have, on its standard error.
const NO_SUCH_CPU: &str = "unable to find CPU model";
/// How it says that OpenSBI is not where it looks for firmware.
const NO_FIRMWARE: &str = "Unable to load the RISC-V firmware";

/// The guest's mode, which is also the way its memory is guarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Machine mode without firmware: heaps are guarded to the byte by physical memory protection.
    #[default]
    Machine,
    /// Supervisor mode under OpenSBI: heaps are guarded to the page by Sv39 page tables.
    Supervisor,
}

/// A configuration that an image can be booted in. Every image boots in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The mode.
    pub mode: Mode,
    /// The processor, as QEMU's `-cpu` takes it; QEMU's own choice if there is none.
    pub cpu: Option<String>,
}

impl Configuration {
    /// The machine that boots an image so. Its memory is shared with this process.
    pub(super) fn machine(&self, image: &Path) -> Machine {
        Machine::new(image)
            .shared(true)
            .ram_bytes(RAM_BYTES)
            .firmware(self.mode == Mode::Supervisor)
            .cpu(self.cpu.clone())
    }

    /// What `errors`, printed by a QEMU that ended at once, say about the configuration, and what
    /// to do about it; `None` if nothing.
    pub(super) fn refusal(&self, errors: &str) -> Option<Error> {
        if errors.contains(NO_FIRMWARE) {
            return Some(anyhow!(
                "QEMU finds no OpenSBI, under which supervisor mode runs: install it with `apt-get \
                 install qemu-system-data opensbi`, or run in machine mode"
            ));
        }
        let cpu = self.cpu.as_deref()?;
        errors.contains(NO_SUCH_CPU).then(|| {
            anyhow!("QEMU has no processor `{cpu}`: `qemu-system-riscv64 -cpu help` lists them")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_refuses_is_told_with_what_to_do() {
        let configuration = Configuration {
            mode: Mode::Supervisor,
            cpu: Some("z80".to_owned()),
        };
        let told = |errors| {
            let refusal = configuration.refusal(errors);
            refusal.map(|error| error.to_string())
        };
        let no_cpu = told("qemu-system-riscv64: unable to find CPU model 'z80'\n").unwrap();
        assert!(
            no_cpu.starts_with("QEMU has no processor `z80`"),
            "{no_cpu}"
        );
        let no_firmware = "qemu-system-riscv64: Unable to load the RISC-V firmware \"opensbi.bin\"";
        let no_firmware = told(no_firmware).unwrap();
        assert!(
            no_firmware.starts_with("QEMU finds no OpenSBI"),
            "{no_firmware}"
        );
        assert_eq!(told("qemu-system-riscv64: cannot allocate memory\n"), None);
    }
}
