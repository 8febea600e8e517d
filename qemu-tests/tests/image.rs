//! The guest's image, as the linker has laid it out.

use kmem_rig::guest::find_image;
use object::{Object, ObjectSymbol, SymbolKind};

const PAGE_BYTES: u64 = 4096;

/// QEMU is in it for most of the time, and looks up the target of each jump that leaves a page. The
/// linker's script names it by a part of its symbol, which nothing else would miss.
#[test]
fn the_loop_that_runs_ops_lies_in_one_page() {
    let image = std::fs::read(find_image(None).unwrap()).unwrap();
    let image = object::File::parse(&*image).unwrap();
    let of_the_loop = image.symbols().filter(|symbol| {
        let name = symbol.name().unwrap_or("");
        symbol.kind() == SymbolKind::Text && name.contains("7harness3run7execute7execute")
    });
    let mut found = 0;
    for symbol in of_the_loop {
        let (start, bytes) = (symbol.address(), symbol.size());
        let pages = start / PAGE_BYTES..=(start + bytes.max(1) - 1) / PAGE_BYTES;
        assert_eq!(pages.start(), pages.end(), "{start:#x}, {bytes} bytes");
        found += 1;
    }
    assert!(found > 0, "no such function in the image");
}
