//! The requests of the host.

use harness::execute::{Plan, execute};
use harness::heap::Strength;
use harness::mailbox::Request;
use harness::transcript::Recorder;
use subjects::ALL;

use crate::memory::{self, Buffers, mailbox};
use crate::user::in_user_mode;
use crate::{idle, protection};

/// Tells the host which subjects there are, and that requests will be served.
pub fn introduce() {
    for (index, entry) in ALL.iter().enumerate() {
        mailbox().set_name(index, entry.name());
    }
    mailbox().set_ready();
}

/// Serves requests for ever. Entered at boot and after each failure, with an empty stack.
pub extern "C" fn serve() -> ! {
    // SAFETY: whoever used the buffers before was on the stack that has been emptied.
    let buffers = unsafe { memory::buffers() };
    loop {
        idle::wait_for_request();
        answer(mailbox().request(), buffers);
        mailbox().set_replied();
    }
}

fn answer(request: Request, buffers: &mut Buffers) {
    let entry = ALL.get(request.subject as usize);
    let entry = entry.expect("a request for no subject");
    let heap_bytes = request.heap_bytes as usize;
    protection::open_heap(heap_bytes);
    let plan = Plan {
        ops: mailbox().ops(&mut buffers.ops),
        strength: match request.strict {
            true => Strength::Strict,
            false => Strength::Fast,
        },
        tables: request.tables,
        fresh_capacity: request.fresh_capacity,
    };
    let (region, workspace) = (memory::heap(heap_bytes), &mut buffers.workspace);
    let mut recorder = Recorder::new(&mailbox().transcript);
    // SAFETY: nothing but the subject uses the heap's memory until the reply; the host asks only
    // for geometries that the subject accepts, and has prepared the heap before it posted.
    let completion =
        in_user_mode(|| unsafe { execute(entry, plan, region, workspace, &mut recorder) });
    recorder.finish(completion);
}
