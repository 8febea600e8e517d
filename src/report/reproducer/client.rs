/// A client of one heap: makes calls, and checks after each what any client relies on.
struct Client {
    heap: Heap,
    start: *mut u8,
    /// By handle: the n-th alloc of the trace is `a<n>`. `None`: no block was granted, or it was
    /// freed.
    blocks: Vec<Option<(*mut u8, Layout)>>,
    /// Whether the latest request was answered with a block.
    granted: bool,
}

impl Client {
    fn new() -> Self {
        let start = memory();
        Self {
            heap: fresh_heap(start),
            start,
            blocks: Vec::new(),
            granted: false,
        }
    }

    fn alloc(&mut self, size: usize, align: usize) -> usize {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: no layout of a trace has size 0.
        let at = unsafe { self.heap.alloc(layout) };
        self.place(at, size, align)
    }

    fn alloc_zeroed(&mut self, size: usize, align: usize) -> usize {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: no layout of a trace has size 0.
        let at = unsafe { self.heap.alloc_zeroed(layout) };
        self.place_zeroed(at, size, align)
    }

    fn realloc(&mut self, handle: usize, size: usize) {
        let Some((old, layout)) = self.blocks[handle] else {
            return;
        };
        self.check();
        // SAFETY: the block is live and was granted for this layout; the new size is not 0.
        let at = unsafe { self.heap.realloc(old, layout, size) };
        self.granted = !at.is_null();
        if self.granted {
            self.blocks[handle] = None;
            self.accept(handle, at, size, layout.align());
            for byte in 0..size.min(layout.size()) {
                // SAFETY: `accept` saw that the block lies inside the heap.
                let found = unsafe { *at.add(byte) };
                let carried = found == pattern(handle, byte);
                assert!(
                    carried,
                    "realloc-lost-contents: byte {byte} of a{handle} was not carried over"
                );
            }
            self.fill(handle);
        }
        self.check();
    }

    fn free(&mut self, handle: usize) {
        let Some((at, layout)) = self.blocks[handle] else {
            return;
        };
        self.check();
        self.blocks[handle] = None;
        // SAFETY: the block was live until now and was granted for this layout.
        unsafe { self.heap.dealloc(at, layout) };
        self.check();
    }

    fn free_all(&mut self) {
        for handle in 0..self.blocks.len() {
            self.free(handle);
        }
    }

    /// The latest request must have been answered with a block.
    fn assert_granted(&self, why: &str) {
        assert!(self.granted, "spurious-oom: null, and expected was {why}");
    }

    /// The heap, which is empty, must grant the largest request that a fresh one does.
    fn assert_whole(&mut self) {
        let other = memory();
        let (mut largest, mut refused) = (0, HEAP_BYTES + 1);
        while largest + 1 < refused {
            let size = largest + (refused - largest) / 2;
            if request(&mut fresh_heap(other), size).is_null() {
                refused = size;
            } else {
                largest = size;
            }
        }
        let again = request(&mut self.heap, largest);
        assert!(
            !again.is_null(),
            "leak: the empty heap refuses {largest} bytes, which a fresh one grants"
        );
    }

    /// Takes note of the answer to an alloc.
    fn place(&mut self, at: *mut u8, size: usize, align: usize) -> usize {
        let handle = self.blocks.len();
        self.blocks.push(None);
        self.granted = !at.is_null();
        if self.granted {
            self.accept(handle, at, size, align);
            self.fill(handle);
        }
        self.check();
        handle
    }

    /// Takes note of the answer to an alloc that asked for zeroes.
    fn place_zeroed(&mut self, at: *mut u8, size: usize, align: usize) -> usize {
        if !at.is_null() && self.holds(at, size) {
            for byte in 0..size {
                // SAFETY: the block lies inside the heap.
                let found = unsafe { *at.add(byte) };
                assert!(
                    found == 0,
                    "not-zeroed: byte {byte} of a{} is {found:#x}",
                    self.blocks.len()
                );
            }
        }
        self.place(at, size, align)
    }

    /// Checks where a block lies; from here on it is live.
    fn accept(&mut self, handle: usize, at: *mut u8, size: usize, align: usize) {
        let offset = (at as usize as i128) - (self.start as usize as i128);
        let block = format!("a{handle} at heap + {offset}, {size} bytes");
        assert!(
            size <= HEAP_BYTES,
            "impossible-success: {block}, in a heap of {HEAP_BYTES}"
        );
        assert!(
            self.holds(at, size),
            "out-of-bounds: {block}, in a heap of {HEAP_BYTES}"
        );
        for (other, live) in self.blocks.iter().enumerate() {
            if let Some((from, layout)) = *live {
                let shared = (at as usize).max(from as usize)
                    < (at as usize + size).min(from as usize + layout.size());
                assert!(!shared, "overlap: {block}, shares bytes with a{other}");
            }
        }
        assert!(
            at as usize % align == 0,
            "misaligned: {block}, is no multiple of {align}"
        );
        self.blocks[handle] = Some((at, Layout::from_size_align(size, align).unwrap()));
    }

    fn holds(&self, at: *mut u8, size: usize) -> bool {
        let offset = (at as usize).wrapping_sub(self.start as usize);
        offset <= HEAP_BYTES && size <= HEAP_BYTES - offset
    }

    fn fill(&self, handle: usize) {
        if let Some((at, layout)) = self.blocks[handle] {
            for byte in 0..layout.size() {
                // SAFETY: the block is live and lies inside the heap.
                unsafe { at.add(byte).write(pattern(handle, byte)) };
            }
        }
    }

    /// Every live block must be as it was left, and nothing be stored behind the heap.
    fn check(&self) {
        for (handle, live) in self.blocks.iter().enumerate() {
            if let Some((at, layout)) = *live {
                for byte in 0..layout.size() {
                    // SAFETY: the block is live and lies inside the heap.
                    let kept = unsafe { *at.add(byte) } == pattern(handle, byte);
                    assert!(kept, "corrupted: byte {byte} of a{handle} changed");
                }
            }
        }
        for byte in HEAP_BYTES..HEAP_BYTES.next_multiple_of(page_bytes()) {
            // SAFETY: these bytes lie between the heap and the page behind it that nobody may
            // touch.
            let kept = unsafe { *self.start.add(byte) } == DIRT;
            assert!(
                kept,
                "fault: a store at heap + {byte}, behind the heap's end"
            );
        }
    }
}

/// What a client stores in a byte of its block.
fn pattern(handle: usize, byte: usize) -> u8 {
    (byte * 7 + handle * 31 + 1) as u8
}

/// A new allocator over memory of [`memory`]'s.
fn fresh_heap(start: *mut u8) -> Heap {
    // SAFETY: `memory` made the heap's bytes from there, and what used them before is gone.
    unsafe { start.write_bytes(FILL, HEAP_BYTES) };
    // SAFETY: as above; they are never given back.
    unsafe { NEW_HEAP(start, HEAP_BYTES) }
}

/// Memory for a heap, at a multiple of `HEAP_ALIGN`, between two pages that end whoever touches
/// them. It is never given back.
fn memory() -> *mut u8 {
    unsafe extern "C" {
        fn mprotect(start: *mut u8, bytes: usize, rights: i32) -> i32;
    }
    let (page, end) = (page_bytes(), HEAP_BYTES.next_multiple_of(page_bytes()));
    let layout = Layout::from_size_align(HEAP_ALIGN + end + page, HEAP_ALIGN).unwrap();
    // SAFETY: the size is not 0; `start` and what is protected lie inside what was granted.
    unsafe {
        let all = std::alloc::alloc(layout);
        assert!(!all.is_null(), "no memory for a heap");
        let start = all.add(HEAP_ALIGN);
        start.add(HEAP_BYTES).write_bytes(DIRT, end - HEAP_BYTES);
        for guard in [start.sub(page), start.add(end)] {
            assert!(mprotect(guard, page, 0) == 0, "a page cannot be protected");
        }
        start
    }
}

fn page_bytes() -> usize {
    unsafe extern "C" {
        safe fn getpagesize() -> i32;
    }
    getpagesize() as usize
}
