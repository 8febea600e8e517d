//! The requests of the host.

use harness::execute::Plan;
use harness::heap::Strength;
use harness::mailbox::{Command, Request};
use harness::subjects;
use harness::transcript::Recorder;

use crate::memory::{self, Buffers, mailbox};
use crate::user::in_user_mode;
use crate::{idle, protection};

/// Tells the host which subjects there are, and that requests will be served.
pub fn introduce() {
    for (index, entry) in subjects::all().enumerate() {
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
        if let Some(request) = mailbox().request() {
            answer(request, buffers);
        }
        mailbox().set_replied();
    }
}

fn answer(request: Request, buffers: &mut Buffers) {
    let subject = subjects::all().nth(request.subject as usize);
    let entry = subject.expect("a request for no subject");
    let heap_bytes = request.heap_bytes as usize;
    protection::open_heap(heap_bytes);
    let region = memory::heap(heap_bytes);
    let workspace = &mut buffers.workspace;
    match request.command {
        Command::FreshCapacity => {
            // SAFETY: nothing but the subject uses the heap's memory until the reply, and the host
            // asks only for geometries that the subject accepts.
            let bytes = in_user_mode(|| unsafe { (entry.fresh_capacity)(region, workspace) });
            mailbox().set_answer(bytes);
        }
        Command::Execute => {
            let plan = Plan {
                ops: mailbox().ops(&mut buffers.ops),
                strength: if request.strict {
                    Strength::Strict
                } else {
                    Strength::Fast
                },
                tables: request.tables,
                undefined: request.undefined,
                fresh_capacity: request.fresh_capacity,
            };
            let mut recorder = Recorder::new(&mailbox().transcript);
            // SAFETY: as above, and the host has prepared the heap before it posted the request.
            let completion =
                in_user_mode(|| unsafe { (entry.execute)(plan, region, workspace, &mut recorder) });
            recorder.finish(completion);
        }
    }
}
