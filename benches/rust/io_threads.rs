//! What the I/O threads of a context do for many connections: with twice the threads each has half of the work.

use std::fs;
use std::time::{Duration, Instant};

use scaproust::pattern::Pull;
use scaproust::{Context, Push, Socket};

/// So many sockets receive, each from so many connections, so many messages.
const SOCKETS: usize = 4;
const CONNECTIONS: usize = 50;
const MESSAGES: usize = 500;
const ALL: usize = SOCKETS * CONNECTIONS * MESSAGES;
const ROUNDS: usize = 5;
/// The beginning of the threads' names.
const NAME: &str = "carrier";

/// Prints the processor time of the busiest of one, two and four I/O threads for the same messages, and the time of the whole.
pub(crate) fn compare() {
    let mut figures = [1, 2, 4].map(|threads| (threads, Vec::new()));
    for _ in 0..ROUNDS {
        figures.iter_mut().for_each(|(threads, found)| found.push(carry(*threads)));
    }
    for (threads, mut found) in figures {
        found.sort_unstable();
        let (busiest, all) = found[ROUNDS / 2];
        println!(
            "{ALL} messages from {} connections, {threads} I/O threads: the busiest runs for {} ms, of {} ms",
            SOCKETS * CONNECTIONS,
            busiest.as_millis(),
            all.as_millis()
        );
    }
}

/// The processor time of the busiest thread, and the time of the whole.
fn carry(threads: usize) -> (Duration, Duration) {
    let context = Context::builder().io_threads(threads).thread_names(NAME).build().expect("a context");
    let servers: Vec<Socket<Pull>> = (0..SOCKETS).map(|_| context.socket().expect("a socket")).collect();
    let sources: Vec<Vec<Push>> = servers.iter().map(connect_to).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (server, sources) in servers.iter().zip(&sources) {
            scope.spawn(move || {
                (0..CONNECTIONS * MESSAGES).for_each(|_| drop(server.recv().expect("received")));
            });
            scope.spawn(move || {
                for _ in 0..MESSAGES {
                    sources.iter().for_each(|source| source.send([0; 64]).expect("sent"));
                }
            });
        }
    });
    (processor_times().max().expect("I/O threads"), start.elapsed())
}

/// Sockets that are connected to this one.
fn connect_to(server: &Socket<Pull>) -> Vec<Push> {
    let address =
        server.bind("tcp://127.0.0.1:0").and_then(|endpoint| endpoint.address()).expect("an address");
    let connect = |_| {
        let source = Push::new().expect("a socket");
        let endpoint = source.connect(&address).expect("an address");
        endpoint.wait_connected(Instant::now() + Duration::from_secs(60)).expect("a connection");
        source
    };
    (0..CONNECTIONS).map(connect).collect()
}

/// The processor times of the threads with the name, as Linux has them.
fn processor_times() -> impl Iterator<Item = Duration> {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads of this process").flatten();
    let text = |task: &fs::DirEntry, file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
    tasks.filter(move |task| text(task, "comm").starts_with(NAME)).filter_map(move |task| {
        text(&task, "schedstat").split(' ').next()?.parse().ok().map(Duration::from_nanos)
    })
}
