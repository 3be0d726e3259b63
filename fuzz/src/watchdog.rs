//! Ends the process when a job exceeds the time limit, so that a hang becomes a finding.
//!
//! Before that, every thread prints its backtrace. The code for this is not safe in signal handlers, but
//! the process is about to end anyway.

use std::backtrace::Backtrace;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, Once};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

/// The time limit. No call blocks for longer than a few milliseconds, but the machine may be busy.
const LIMIT: Duration = Duration::from_secs(20);

static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The start of the current job, in milliseconds after `FIRST`; `NO_JOB` if there is none.
static BEGAN: AtomicU64 = AtomicU64::new(NO_JOB);
const NO_JOB: u64 = u64::MAX;
static TELL_ONE_BY_ONE: Mutex<()> = Mutex::new(());

/// Runs a job that must end within the time limit.
pub(crate) fn watch(job: impl FnOnce()) {
    static START: Once = Once::new();
    START.call_once(|| drop(thread::spawn(guard)));
    BEGAN.store(now(), Ordering::Relaxed);
    job();
    BEGAN.store(NO_JOB, Ordering::Relaxed);
}

fn now() -> u64 {
    FIRST.elapsed().as_millis() as u64
}

fn guard() {
    while now().saturating_sub(BEGAN.load(Ordering::Relaxed)) < LIMIT.as_millis() as u64 {
        thread::sleep(LIMIT / 20);
    }
    eprintln!("this takes longer than {LIMIT:?}; the threads, from the inside out:");
    let handler: extern "C" fn(c_int) = tell;
    let tasks = fs::read_dir("/proc/self/task").expect("this system has /proc");
    for task in tasks.flatten() {
        let about = |what| fs::read_to_string(task.path().join(what)).unwrap_or_default();
        eprintln!("--- {}sleeps in: {}", about("comm"), about("wchan"));
        let id = task.file_name().to_string_lossy().parse::<c_int>().expect("threads have numbers");
        // SAFETY: the handler takes one argument, and the process is ending.
        unsafe {
            libc::signal(libc::SIGUSR2, handler as *const () as libc::sighandler_t);
            libc::syscall(libc::SYS_tgkill, libc::getpid(), id, libc::SIGUSR2);
        }
        // A fixed time: the library's I/O thread blocks all signals, and so never reports.
        thread::sleep(LIMIT / 20);
    }
    process::abort();
}

extern "C" fn tell(_signal: c_int) {
    let _one = TELL_ONE_BY_ONE.lock();
    eprintln!("{}", Backtrace::force_capture());
}
