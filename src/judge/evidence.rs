//! Evidence in words: offsets for people, in the unit the subject's own table uses.

use harness::op::Handle;

/// An offset: `0x40`, or `page 3` where the unit is more than a byte (`page 3 + 0x10` inside one).
pub fn offset(unit: u64, bytes: i64) -> String {
    if unit == 1 {
        let sign = if bytes < 0 { "-" } else { "" };
        return format!("{sign}{:#x}", bytes.unsigned_abs());
    }
    let unit = unit.cast_signed();
    let rest = match bytes.rem_euclid(unit) {
        0 => String::new(),
        rest => format!(" + {rest:#x}"),
    };
    format!("page {}{rest}", bytes.div_euclid(unit))
}

/// A block: `a1 at 0x40`.
pub fn block(unit: u64, Handle(handle): Handle, at: i64) -> String {
    format!("a{handle} at {}", offset(unit, at))
}

/// A block with its size: `a1 at 0x40, 24 bytes`.
pub fn sized_block(unit: u64, handle: Handle, at: i64, size: u64) -> String {
    format!("{}, {size} bytes", block(unit, handle, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hex_bytes_or_pages() {
        assert_eq!(offset(1, 64), "0x40");
        assert_eq!(offset(1, -8), "-0x8");
        assert_eq!(offset(4096, 3 * 4096), "page 3");
        assert_eq!(offset(4096, 3 * 4096 + 16), "page 3 + 0x10");
        assert_eq!(offset(4096, -16), "page -1 + 0xff0");
        assert_eq!(sized_block(1, Handle(2), 8, 24), "a2 at 0x8, 24 bytes");
    }
}
