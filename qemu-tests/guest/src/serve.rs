//! The requests of the host.

use harness::execute::{Plan, execute};
use harness::heap::{Meter, Strength};
use harness::mailbox::Request;
use harness::transcript::Recorder;
use subjects::ALL;

use crate::memory::{self, Buffers, mailbox};
use crate::user::in_user_mode;
use crate::{counter, idle, protection};

/// Tells the host which subjects there are, and that requests will be served.
pub fn introduce() {
    for (index, entry) in ALL.iter().enumerate() {
        mailbox().set_name(index, entry.name());
    }
    mailbox().set_ready();
}

/// Serves requests for ever. Entered at boot and after each failure, with an empty stack.
pub extern "C" fn serve() -> ! {
    // SAFETY: `main` has prepared the buffers; whoever used them before was on the stack that has
    // been emptied.
    let mut buffers = unsafe { memory::buffers() };
    loop {
        idle::wait_for_request();
        answer(mailbox().request(), &mut buffers);
        mailbox().set_replied();
    }
}

fn answer(request: Request, buffers: &mut Buffers) {
    let entry = ALL.get(request.subject as usize);
    let entry = entry.expect("a request for no subject");
    let heap_bytes = request.heap_bytes as usize;
    protection::open_heap(heap_bytes);
    let meter = request.metered.then(|| Meter::new(counter::instructions));
    let Buffers {
        ops,
        workspace,
        ground,
    } = buffers;
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
    // SAFETY: a heap of any geometry lies in the machine's RAM (asserted in `harness::mailbox`).
    unsafe { ground.set_bytes(heap_bytes) };
    let mut recorder = Recorder::new(&mailbox().transcript);
    // SAFETY: the host asks only for geometries that the subject accepts.
    let completion =
        in_user_mode(|| unsafe { execute(entry, plan, ground, workspace, &mut recorder) });
    recorder.finish(completion);
}
