//! Runs worlds of the simulation. `simulation/run` builds and starts it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use scaproust::simulation::{self, Report};

/// The commands, for a call without one.
const USAGE: &str = "\
nanomsg-simulation many FIRST SECONDS    worlds of the seeds from FIRST on, for so long
nanomsg-simulation range FIRST COUNT     so many worlds of the seeds from FIRST on
nanomsg-simulation until FIRST COUNT     the same, and succeeds if one fails
nanomsg-simulation seed SEED             the world of a seed
nanomsg-simulation plan FILE...          the worlds of plans
nanomsg-simulation shrink FILE           a plan that fails, without the lines that do not matter";

/// The allocator of the system, and how many bytes it has given and not taken back.
struct Counting(AtomicIsize);

#[global_allocator]
static HEAP: Counting = Counting(AtomicIsize::new(0));

// SAFETY: the allocator of the system does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.0.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The bytes in use on the heap.
fn heap_bytes() -> isize {
    HEAP.0.load(Ordering::Relaxed)
}

/// In place of the C library's: the random bytes of the operating system are the same in each thread. So hash tables have the same
/// order in each, and a seed has one world.
///
/// # Safety
/// As getrandom(2).
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: as the caller promises.
    unsafe { std::ptr::write_bytes(buffer, 0x5c, length) };
    length.cast_signed()
}

/// The beginning of the line that says why a world has failed.
const FAILED: &str = "# FAILED: ";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("not a number: {text}"));
    let is_clean = match words[..] {
        ["many", first, seconds] => many(number(first), u64::MAX, Duration::from_secs(number(seconds))),
        ["range", first, count] => many(number(first), number(count), Duration::MAX),
        ["until", first, count] => until_failure(number(first), number(count)),
        ["seed", seed] => {
            let seed = number(seed);
            show(&in_thread(move || simulation::run(seed)))
        }
        ["plan", ref files @ ..] => files.iter().all(|file| show(&replay(file))),
        ["shrink", file] => {
            let plan = read(file);
            print!("{}", shrink(&plan));
            true
        }
        _ => panic!("{USAGE}"),
    };
    // SAFETY: a plain call. Exit handlers of the library would look for a machine.
    unsafe { libc::_exit(i32::from(!is_clean)) };
}

/// Runs a world in a thread of its own: a thread makes the keys of its hash tables once.
fn in_thread(run: impl FnOnce() -> Report + Send + 'static) -> Report {
    std::thread::spawn(run).join().expect("the machine contains panics")
}

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn replay(file: &str) -> Report {
    let (name, text) = (file.to_owned(), read(file));
    in_thread(move || {
        simulation::replay(&text).unwrap_or_else(|line| panic!("{name}: not a line of a plan: {line}"))
    })
}

/// Prints a world and what became of it. Returns whether that is good.
fn show(report: &Report) -> bool {
    print!("{}", report.plan);
    let outcome =
        report.failure.as_deref().map_or("passed".to_owned(), |failure| format!("FAILED: {failure}"));
    println!(
        "# {outcome} ({:.1} s of simulated time, trace {:016x})",
        report.time.as_secs_f64(),
        report.trace
    );
    report.failure.is_none()
}

/// Runs the worlds of the seeds from `first` on, at most `count` and for at most `time`. Returns whether none has failed.
fn many(first: u64, count: u64, time: Duration) -> bool {
    let began = Instant::now();
    let mut simulated = Duration::ZERO;
    let mut seed = first;
    let mut trace = 0_u64;
    // What is made once is made in the first world.
    let mut heap = None;
    let mut failure = None;
    while seed - first < count && began.elapsed() < time && failure.is_none() {
        let Report { plan, failure: what, time, trace: its_trace } = in_thread(move || simulation::run(seed));
        simulated += time;
        trace = trace.rotate_left(1) ^ its_trace;
        failure = what.map(|what| (seed, what, plan));
        let left = heap_bytes();
        let grown = left - *heap.get_or_insert(left);
        if grown != 0 && failure.is_none() {
            println!("FAILED: {grown} bytes are left on the heap after seed {seed}");
            return false;
        }
        seed += 1;
    }
    let hours = simulated.as_secs_f64() / 3600.0;
    println!("{} worlds, {hours:.2} hours simulated, trace {trace:016x}", seed - first);
    let Some((seed, failure, plan)) = failure else { return true };
    println!("FAILED: {failure}\nreplay: simulation/run seed {seed}");
    println!("shrunk (save it as FILE; replay: simulation/run plan FILE):");
    print!("{}", shrink(&plan));
    false
}

/// Runs worlds until one has failed, at most `count`. Returns whether one has.
fn until_failure(first: u64, count: u64) -> bool {
    for seed in first..first.saturating_add(count) {
        if let Some(failure) = in_thread(move || simulation::run(seed)).failure {
            println!("{} worlds: {failure}", seed - first + 1);
            return true;
        }
    }
    println!("{count} worlds: none has failed");
    false
}

/// The lines of a failing plan without which it does not fail in the same way.
fn shrink(plan: &str) -> String {
    let failure = failure_in_child(plan);
    if failure.is_none() {
        println!("# the plan does not fail in a process of its own");
        return plan.to_owned();
    }
    simulation::shrink(plan, |rest| failure_in_child(rest) == failure)
}

/// The failure of a plan without its numbers, if it fails. A world that fails leaves its threads in the middle of something, so
/// a child runs it.
fn failure_in_child(plan: &str) -> Option<String> {
    let file = std::env::temp_dir().join(format!("nanomsg-simulation-{}.plan", std::process::id()));
    fs::write(&file, plan).expect("a file in the folder for temporary files");
    let child =
        Command::new(std::env::current_exe().expect("Linux knows it")).arg("plan").arg(&file).output();
    _ = fs::remove_file(&file);
    let output = child.expect("a child process");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let failure =
        text.lines().find_map(|line| line.strip_prefix(FAILED)).unwrap_or("the process ended").to_owned();
    let words = failure.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    (!output.status.success()).then(|| words.take(8).collect::<Vec<_>>().join(" "))
}
