//! Where a hart must start that no firmware starts.
//!
//! Without firmware QEMU starts a hart at the first byte of RAM, whatever the program says; an ELF
//! that was linked elsewhere, to leave room for a firmware, says in its header where it starts.

use std::io::{self, Read};

use crate::RAM_BASE;

/// Of a header: the entry's offset.
const ENTRY: usize = 24;
const HEADER_BYTES: usize = ENTRY + size_of::<u64>();
/// A 64-bit little-endian ELF.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";

/// Where `image` starts, unless it is at [`RAM_BASE`], as of all that is not an ELF.
pub(crate) fn elsewhere(image: impl Read) -> io::Result<Option<u64>> {
    let mut header = Vec::new();
    image.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(entry(&header).filter(|&entry| entry != RAM_BASE))
}

fn entry(header: &[u8]) -> Option<u64> {
    let bytes = header.starts_with(MAGIC).then(|| header.get(ENTRY..))??;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(entry: u64) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.resize(ENTRY, 0);
        header.extend(entry.to_le_bytes());
        header.resize(1000, 0xff);
        header
    }

    #[test]
    fn an_elf_that_starts_elsewhere_says_where() {
        assert_eq!(elsewhere(&elf(0x8020_0004)[..]).unwrap(), Some(0x8020_0004));
        assert_eq!(elsewhere(&elf(RAM_BASE)[..]).unwrap(), None);
    }

    #[test]
    fn all_else_starts_where_ram_does() {
        let cut = &elf(0x8020_0004)[..HEADER_BYTES - 1];
        for image in [cut, &[0x13; 100], &[]] {
            assert_eq!(elsewhere(image).unwrap(), None);
        }
    }
}
