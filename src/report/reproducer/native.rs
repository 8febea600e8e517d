
// The entries that take no layout: `kmalloc`, `kzmalloc`, `kfree`.
impl Client {
    fn kmalloc(&mut self, size: usize) -> usize {
        let at = self.heap.kmalloc(size);
        self.place(at, size, 8)
    }

    fn kzmalloc(&mut self, size: usize) -> usize {
        let at = self.heap.kzmalloc(size);
        self.place_zeroed(at, size, 8)
    }

    fn free_null(&mut self) {
        // SAFETY: null may be freed.
        unsafe { self.heap.kfree(std::ptr::null_mut()) };
        self.check();
    }
}

/// A block, or null, from an empty heap.
fn request(heap: &mut Heap, size: usize) -> *mut u8 {
    heap.kmalloc(size)
}
