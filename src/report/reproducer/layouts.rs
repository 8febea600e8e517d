
/// A block, or null, from an empty heap.
fn request(heap: &mut Heap, size: usize) -> *mut u8 {
    let layout = Layout::from_size_align(size, 8).unwrap();
    // SAFETY: nobody asks an empty heap for 0 bytes.
    unsafe { heap.alloc(layout) }
}
