//! The target `calls`: any program of calls of the C interface, made by three threads on the same
//! sockets.
//!
//! Nothing may end or hang the process, no call may give an answer that it cannot have, and
//! nothing may arrive that was not sent. When all sockets are closed there must be no thread, no
//! descriptor and no file left. Calls block for a few milliseconds at most, because the program is
//! not allowed to say otherwise; and a program that goes on for too long, as devices can, finds its
//! sockets closed.
//!
//! What is not arbitrary: pointers; host names, interfaces and paths, so that nobody outside is
//! talked to; and nn_term, which can only be called once in a process.

mod caller;
mod place;
mod program;
mod transfer;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nanomsg::capi::nn_close;

use crate::watchdog::watch;
use caller::{Caller, Shared};
use place::Place;
use program::Program;

/// A program that takes longer finds its sockets closed.
const TIME_FOR_CALLS: Duration = Duration::from_millis(300);
/// The kernel may list a thread for a moment after it has ended.
const TIME_TO_VANISH: Duration = Duration::from_secs(5);

/// Runs the program that the bytes stand for.
pub fn run(input: &[u8]) {
    let program = Program::read(input);
    watch(|| {
        let place = Place::get();
        carry_out(&program, place);
        let since = Instant::now();
        while let Some(left) = place.left_behind() {
            assert!(since.elapsed() < TIME_TO_VANISH, "{left}, after {program:#?}");
            thread::sleep(Duration::from_millis(1));
        }
    });
}

fn carry_out(program: &Program, place: &Place) {
    let shared = Shared::default();
    thread::scope(|scope| {
        let (end, ends) = mpsc::channel::<()>();
        for calls in &program.threads {
            let (end, shared) = (end.clone(), &shared);
            scope.spawn(move || {
                Caller::new(shared, place).carry_out(calls);
                drop(end);
            });
        }
        drop(end);
        // Nobody sends anything: it disconnects when all are done.
        _ = ends.recv_timeout(TIME_FOR_CALLS);
        shared.is_over.store(true, Ordering::SeqCst);
        close_all(&shared);
    });
    // A call that was under way may have opened one more.
    close_all(&shared);
}

fn close_all(shared: &Shared) {
    for socket in shared.sockets() {
        nn_close(socket);
    }
}
