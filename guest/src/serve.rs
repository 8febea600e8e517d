//! The requests of the host.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use harness::entry::Entry;
use harness::execute::{Plan, execute};
use harness::geometry::PAGE_BYTES;
use harness::heap::{Meter, Strength};
use harness::mailbox::Request;
use harness::subject::Region;
use harness::transcript::Recorder;

use crate::memory::{self, Buffers, mailbox};
use crate::{bounds, counter, coverage, idle};

unsafe extern "Rust" {
    /// What `guest_main!` was given. It lies among the constants, where no subject can change it.
    #[link_name = "kmem_rig_guest_subjects"]
    safe static SUBJECTS: &'static [Entry];
}

/// Tells the host which subjects there are, and that requests will be served.
pub fn introduce() {
    for (index, entry) in SUBJECTS.iter().enumerate() {
        mailbox().set_name(index, entry.name());
    }
    let (start, bytes) = coverage::counters();
    mailbox().set_counters(start as u64, bytes as u64);
    mailbox().set_ready();
}

/// Serves requests for ever. Entered at boot and after each failure, with an empty stack.
pub extern "C" fn serve() -> ! {
    // SAFETY: whoever used the buffers before was on the stack that has been emptied.
    let mut buffers = unsafe { memory::buffers() };
    loop {
        idle::wait_for_request();
        answer(mailbox().request(), &mut buffers);
        // Once more from where no subject can have changed it: a fault from here on would be blamed
        // on the next request.
        let heap = heap(&mailbox().request());
        mailbox().set_replied();
        // The host is at work on the answer, and its next request is likely to be of the same heap.
        if !mailbox().waits() {
            // SAFETY: as in `answer`.
            unsafe { buffers.ground.set_region(heap) };
            buffers.ground.restore();
        }
    }
}

fn answer(request: Request, buffers: &mut Buffers) {
    let entry = SUBJECTS.get(request.subject as usize);
    let entry = entry.expect("a request for no subject");
    let meter = request.metered.then(|| Meter::new(counter::instructions));
    let Buffers {
        ops,
        workspace,
        ground,
    } = buffers;
    // SAFETY: a heap of any geometry lies in the machine's RAM (asserted in `harness::mailbox`), to
    // the end of its last page.
    unsafe { ground.set_region(heap(&request)) };
    bounds::open_heap(ground.region());
    let plan = Plan {
        ops: mailbox().ops(ops),
        strength: match request.strict {
            true => Strength::Strict,
            false => Strength::Fast,
        },
        tables: request.tables,
        fresh_capacity: request.fresh_capacity,
        meter: meter.as_ref(),
    };
    let mut recorder = Recorder::new(&mailbox().transcript);
    // SAFETY: the host asks only for geometries that the subject accepts.
    let completion =
        bounds::within(|| unsafe { execute(entry, plan, ground, workspace, &mut recorder) });
    recorder.finish(completion);
}

fn heap(request: &Request) -> Region {
    Region {
        bytes: request.heap.bytes() as usize,
        slack: slack(request),
        growth: request.heap.growth(),
        ..memory::NO_HEAP
    }
}

/// How much of the memory behind the heap's end is watched rather than closed. In a strict run none
/// is, where bounds may lie within a page. Else it is the rest of the last page, as on the host:
/// QEMU looks up who may touch a page with two rights anew at each access, so that a run over a
/// heap of a few hundred bytes would take six times as long.
fn slack(request: &Request) -> usize {
    let bytes = request.heap.bytes() as usize;
    match request.strict && bounds::end_anywhere() {
        true => 0,
        false => bytes.next_multiple_of(PAGE_BYTES as usize) - bytes,
    }
}
