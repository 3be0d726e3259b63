//! How the tests run on machines that shuttle schedules.

use std::env;
use std::sync::Mutex;
use std::time::Duration;

use shuttle::rand::{RngCore, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::{Settings, run};
use crate::sync::forget_world;

/// The static state of the library belongs to one test at a time.
static TESTING: Mutex<()> = Mutex::new(());

/// How often PCT changes the priorities in a schedule.
const DEPTH: usize = 5;

/// A random number below `bound`, which is not 0. The schedule determines it.
pub(crate) fn choose(bound: u64) -> u64 {
    thread_rng().next_u64() % bound
}

/// One of the values.
pub(crate) fn choose_from<T: Copy>(values: &[T]) -> T {
    values[choose(values.len() as u64) as usize]
}

/// A quick machine, or one on which time-outs end in the middle of other things.
pub(crate) fn quick_or_slow() -> Settings {
    Settings { longest_step: Duration::from_micros(choose_from(&[1, 1, 100, 1000])), ..quick() }
}

/// A machine on which hardly any time passes while a thread can run.
pub(crate) fn quick() -> Settings {
    Settings { seed: thread_rng().next_u64(), ..Settings::default() }
}

/// Runs `test` on a new machine in each of `schedules` schedules. Half of them choose each step at random; the others
/// run the thread of the highest priority, and change priorities at a few steps (PCT). In the environment, `ITERATIONS`
/// is another number of schedules, and `SCHEDULE` the file of one to replay.
pub(crate) fn explore(schedules: usize, settings: fn() -> Settings, test: fn()) {
    let _testing = TESTING.lock().expect("no test has failed before");
    if let Ok(file) = env::var("SCHEDULE") {
        return check(ReplayScheduler::new_from_file(&file).expect(&file), settings, test);
    }
    let schedules = env::var("ITERATIONS").map_or(schedules, |count| count.parse().expect("a number"));
    check(RandomScheduler::new(schedules.div_ceil(2)), settings, test);
    check(PctScheduler::new(DEPTH, schedules.div_ceil(2)), settings, test);
}

fn check(scheduler: impl Scheduler + 'static, settings: fn() -> Settings, test: fn()) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(1_000_000);
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::File(Some(env::temp_dir()));
    Runner::new(scheduler, config).run(move || _ = run(settings(), test, forget_world));
}
