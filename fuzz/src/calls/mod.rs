//! The target `calls`: any program of calls of the C interface, made by three threads on the same
//! sockets.
//!
//! No call may end or hang the process or return an impossible result, and only messages that were
//! sent may be received. When all sockets are closed, no thread, descriptor or file may be left. Calls
//! block for a few milliseconds at most, because the options of programs are limited; the sockets of a
//! program that runs for too long, as devices do, are closed.
//!
//! In some programs the threads are interrupted by signals. Programs that call nn_term, which affects
//! the whole process, run in a child.
//!
//! Not arbitrary are pointers; and host names, interfaces and paths, so that a program reaches nothing
//! outside the process.

mod caller;
mod place;
mod program;
mod signals;
mod transfer;

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{io, thread};

use nanomsg::nn_close;

use crate::watchdog::watch;
use caller::{Caller, Shared};
use place::Place;
use program::Program;
use signals::Targets;

/// A program that takes longer finds its sockets closed.
const TIME_FOR_CALLS: Duration = Duration::from_millis(300);
/// The kernel may list a thread for a moment after it has ended.
const TIME_TO_VANISH: Duration = Duration::from_secs(5);

/// Runs the program that the bytes stand for.
pub fn run(input: &[u8]) {
    let program = Program::read(input);
    watch(|| {
        let place = Place::get();
        if program.has_end {
            in_child(|| run_in(&program, place));
        } else {
            run_in(&program, place);
        }
    });
}

fn run_in(program: &Program, place: &Place) {
    carry_out(program, place);
    let since = Instant::now();
    while let Some(left) = place.left_behind() {
        assert!(since.elapsed() < TIME_TO_VANISH, "{left}, after {program:#?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a job in a child process. A panic ends the child, since panics abort under the fuzzer.
fn in_child(job: impl FnOnce()) {
    // SAFETY: the other threads of this process are the fuzzer's and the watchdog's, none of which the child needs.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain calls; the child ends without the exit handlers of its parent.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            job();
            libc::_exit(0);
        }
    }
    let mut status = -1;
    // The fuzzer's own timer interrupts it. SAFETY: the status is there.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
    }
    assert_eq!(status, 0, "the status of the child");
}

fn carry_out(program: &Program, place: &Place) {
    let (shared, targets) = (Shared::default(), Targets::default());
    thread::scope(|scope| {
        let (end, ends) = mpsc::channel::<()>();
        for calls in &program.threads {
            let (end, shared, targets) = (end.clone(), &shared, &targets);
            scope.spawn(move || {
                targets.add_this_thread();
                Caller::new(shared, place).carry_out(calls);
                drop(end);
            });
        }
        drop(end);
        if let Some(signals) = program.signals {
            let (shared, targets) = (&shared, &targets);
            scope.spawn(move || targets.interrupt(signals, || shared.has_ended.load(Ordering::SeqCst)));
        }
        // Nothing is sent: the channel disconnects when all threads are done.
        _ = ends.recv_timeout(TIME_FOR_CALLS);
        shared.is_over.store(true, Ordering::SeqCst);
        close_all(&shared);
        // Wait until the last thread has dropped its end.
        _ = ends.recv();
        shared.has_ended.store(true, Ordering::SeqCst);
    });
    // A call that was running may have opened another socket.
    close_all(&shared);
}

fn close_all(shared: &Shared) {
    for socket in shared.sockets() {
        nn_close(socket);
    }
}
