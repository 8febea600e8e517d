//! What a trap is: the cause, the address as what it belongs to, the source line.

use harness::geometry::Geometry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS};

use crate::execute::source_lines::SourceLines;
use crate::run::fault::{Fault, Place};

/// The null page, which the guest closes.
const NULL_PAGE_BYTES: u64 = 4096;

/// The fault that the fault words of a run over `geometry` are: `mcause`, `mepc` and `mtval`, or in
/// supervisor mode their counterparts with the same numbers. `lines` are those of the guest that
/// wrote them.
pub fn of_trap([cause, pc, value]: [u64; 3], geometry: Geometry, lines: &mut SourceLines) -> Fault {
    Fault::Trap {
        cause,
        at: names_address(cause).then(|| place(value, geometry)),
        source: lines.at(pc),
    }
}

/// Whether mtval holds the address that was accessed.
fn names_address(mcause: u64) -> bool {
    matches!(mcause, 0 | 1 | 4..=7 | 12 | 13 | 15)
}

fn place(address: u64, geometry: Geometry) -> Place {
    let mailbox_end = MAILBOX_ADDRESS + size_of::<Mailbox>() as u64;
    match address {
        ..NULL_PAGE_BYTES => Place::Null(address),
        RAM_ADDRESS..MAILBOX_ADDRESS => Place::Guest,
        _ if (MAILBOX_ADDRESS..mailbox_end).contains(&address) => Place::Mailbox,
        _ => Place::from_heap(address.wrapping_sub(HEAP_ADDRESS) as i64, geometry),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn addresses_are_told_by_what_they_belong_to() {
        for (address, place) in [
            (HEAP_ADDRESS + 0x40000, Place::Heap(0x40000)),
            (HEAP_ADDRESS - 8, Place::Heap(-8)),
            (0, Place::Null(0)),
            (0x10, Place::Null(0x10)),
            (MAILBOX_ADDRESS, Place::Mailbox),
            (RAM_ADDRESS + 8, Place::Guest),
            (0x1000_0000, Place::Far),
            (u64::MAX, Place::Far),
        ] {
            let mut lines = SourceLines::of(Path::new("no/such/image"));
            let fault = of_trap([7, 0, address], Geometry::published(), &mut lines);
            let trap = Fault::Trap {
                cause: 7,
                at: Some(place),
                source: None,
            };
            assert_eq!(fault, trap, "{address:#x}");
        }
    }

    #[test]
    fn a_cause_without_an_address_is_told_without_one() {
        let mut lines = SourceLines::of(Path::new("no/such/image"));
        let fault = of_trap([2, 0, 0x1234], Geometry::published(), &mut lines);
        assert!(matches!(fault, Fault::Trap { at: None, .. }), "{fault:?}");
    }
}
