//! Contexts: isolated names, threads of their own, and their end.

#![cfg(not(any(loom, simulated)))]

use std::time::Duration;

use scaproust::{Context, Error, Pair, Protocol, Pull, Push, Rep, Req};

fn context(threads: usize) -> Context {
    Context::builder().io_threads(threads).build().unwrap()
}

#[test]
fn a_name_of_inproc_belongs_to_its_context() {
    let (first, second) = (context(1), context(1));
    let pairs: [(Pair, Pair); 3] = [
        (Pair::new().unwrap(), Pair::new().unwrap()),
        (first.socket().unwrap(), first.socket().unwrap()),
        (second.socket().unwrap(), second.socket().unwrap()),
    ];
    for (bound, connected) in &pairs {
        connected.connect("inproc://io-context/name").unwrap();
        bound.bind("inproc://io-context/name").unwrap();
    }
    for (number, (bound, _)) in (0_u8..).zip(&pairs) {
        bound.send([number]).unwrap();
    }
    for (number, (_, connected)) in (0_u8..).zip(&pairs) {
        assert_eq!(connected.recv().unwrap(), [number]);
    }
    let again: Pair = first.socket().unwrap();
    assert_eq!(again.bind("inproc://io-context/name").err(), Some(Error::AddressInUse));
}

#[test]
fn other_transports_connect_contexts() {
    let (client, server): (Req, Rep) = (context(1).socket().unwrap(), context(2).socket().unwrap());
    client.connect(server.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    let pending = client.request("from one").unwrap();
    let (request, reply) = server.accept().unwrap();
    assert_eq!(request, "from one");
    reply.send("to the other").unwrap();
    assert_eq!(pending.wait().unwrap(), "to the other");
}

#[test]
fn a_context_that_was_dropped_lives_on_in_its_sockets() {
    let context = context(1);
    let (one, other): (Pair, Pair) = (context.socket().unwrap(), context.socket().unwrap());
    drop(context);
    other.connect(one.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    one.send("hello").unwrap();
    assert_eq!(other.recv().unwrap(), "hello");
}

#[test]
fn what_was_sent_before_the_last_close_arrives() {
    let worker = Pull::new().unwrap();
    let address = worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap();
    for _ in 0..20 {
        let source: Push = context(2).socket().unwrap();
        source.connect(&address).unwrap();
        (0..50_u8).for_each(|number| source.send(vec![number; 5000]).unwrap());
        source.close().unwrap();
        (0..50_u8).for_each(|number| assert!(worker.recv().unwrap() == [number; 5000]));
    }
}

#[test]
fn a_request_is_sent_again_at_its_time() {
    let context = context(1);
    let (client, silent, server): (Req, Rep, Rep) =
        (context.socket().unwrap(), context.socket().unwrap(), context.socket().unwrap());
    client.set_resend_interval(Some(Duration::from_millis(5))).unwrap();
    client.connect(silent.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    let pending = client.request("hello").unwrap();
    let (_, unanswered) = silent.accept().unwrap();
    client.connect(server.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    server.accept().unwrap().1.send("at last").unwrap();
    assert_eq!(pending.wait().unwrap(), "at last");
    drop(unanswered);
}

#[test]
fn tasks_wait_on_sockets_of_a_context() {
    let context = context(2);
    let (source, worker): (Push, Pull) = (context.socket().unwrap(), context.socket().unwrap());
    source.connect(worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    smol::block_on(async {
        for number in 0..100_u8 {
            source.send_async([number]).await.unwrap();
            assert_eq!(worker.recv_async().await.unwrap(), [number]);
        }
    });
}

#[test]
fn sockets_of_many_threads_are_opened_and_closed_at_once() {
    let context = context(2);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let (one, other): (Pair, Pair) = (context.socket().unwrap(), context.socket().unwrap());
                    other.connect(one.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
                    one.send("hello").unwrap();
                    assert_eq!(other.recv().unwrap(), "hello");
                }
            });
        }
    });
}

#[test]
fn a_context_has_threads_and_sockets_of_any_protocol() {
    for prefix in ["", "more than ten bytes", "a\0b"] {
        assert_eq!(Context::builder().thread_names(prefix).build().err(), Some(Error::InvalidArgument));
    }
    for count in [0, 1025, usize::MAX] {
        assert_eq!(Context::builder().io_threads(count).build().err(), Some(Error::InvalidArgument));
    }
    let context = context(1024);
    for protocol in Protocol::ALL {
        let socket = context.open(protocol).unwrap();
        assert_eq!(socket.protocol(), protocol);
        socket.bind("inproc://io-context/any").unwrap();
    }
}

/// Linux lists the threads of a process.
#[cfg(target_os = "linux")]
mod threads {
    use super::*;
    use std::process::Command;

    /// The argument of a process in which no other test runs.
    const ALONE: &str = "--exact";

    /// Runs a test again in a process of its own. Returns whether this is that process.
    fn is_alone(name: &str) -> bool {
        if std::env::var_os("IO_CONTEXT_ALONE").is_some() {
            return true;
        }
        let mut test = Command::new(std::env::current_exe().unwrap());
        let output = test.args([ALONE, name, "--nocapture"]).env("IO_CONTEXT_ALONE", "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        false
    }

    /// The ids of the I/O threads of this process.
    fn io_threads() -> Vec<String> {
        threads_named(|name| name == "nanomsg")
    }

    /// The ids of the threads whose names are these.
    fn threads_named(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        let is_io = |task: &std::path::PathBuf| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| is_wanted(name.trim()))
        };
        tasks.filter(is_io).map(|task| task.display().to_string()).collect()
    }

    /// The processors that a thread may run on, as the system lists them.
    fn processors(task: &str) -> String {
        let status = std::fs::read_to_string(format!("{task}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
        line.trim().to_owned()
    }

    /// The first processor that this process has.
    fn first_processor() -> usize {
        let allowed = processors("/proc/self");
        let number = allowed.split(|letter: char| !letter.is_ascii_digit()).next().unwrap();
        number.parse().unwrap()
    }

    #[test]
    fn threads_start_at_once_with_their_names_on_their_processors() {
        let processor = first_processor();
        let context = Context::builder()
            .io_threads(2)
            .thread_names("processor")
            .processors([processor])
            .spin(Duration::from_micros(20))
            .start_at_once()
            .build()
            .unwrap();
        let named = || threads_named(|name| ["processor-0", "processor-1"].contains(&name));
        // A thread gives itself its name, and then its processors, when it runs.
        while named().len() < 2 || named().iter().any(|task| processors(task) != processor.to_string()) {
            std::thread::yield_now();
        }
        let (source, worker): (Push, Pull) = (context.socket().unwrap(), context.socket().unwrap());
        source.connect(worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
        source.send("hello").unwrap();
        assert_eq!(worker.recv().unwrap(), "hello");
        drop((source, worker));
        assert_eq!(named().len(), 2, "they run without a socket");
        let other = context.clone();
        drop(context);
        assert_eq!(named().len(), 2);
        drop(other);
        // The system lists a thread for a moment longer than others wait for its end.
        while !named().is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_processor_that_is_not_there_is_refused() {
        for processors in [vec![1024], vec![first_processor(), usize::MAX], vec![]] {
            let built = Context::builder().processors(processors).build();
            assert_eq!(built.err(), Some(Error::InvalidArgument));
        }
    }

    /// How often a thread has waited: each event that it handles adds to that.
    fn waits(task: &str) -> u64 {
        let status = std::fs::read_to_string(format!("{task}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().last().unwrap().parse().unwrap()
    }

    /// The thread that has worked most while `work` ran.
    fn busiest(tasks: &[String], work: impl FnOnce()) -> &String {
        let before: Vec<_> = tasks.iter().map(|task| waits(task)).collect();
        work();
        let added = tasks.iter().zip(before).map(|(task, before)| waits(task) - before);
        added.zip(tasks).max().unwrap().1
    }

    #[test]
    fn the_threads_have_the_sockets_in_turn_and_end_with_the_last() {
        if !is_alone("threads::the_threads_have_the_sockets_in_turn_and_end_with_the_last") {
            return;
        }
        let context = context(2);
        let servers: [Pull; 2] = [context.socket().unwrap(), context.socket().unwrap()];
        assert_eq!(io_threads().len(), 0);
        let addresses =
            servers.each_ref().map(|server| server.bind("tcp://127.0.0.1:0").unwrap().address().unwrap());
        // A thread gives itself its name, when it runs.
        while io_threads().len() < 2 {
            std::thread::yield_now();
        }
        let own = io_threads();
        assert_eq!(own.len(), 2);

        // Each thread accepts the connections of its own socket.
        let [first, second] = [0, 1].map(|number| {
            busiest(&own, || {
                for _ in 0..50 {
                    let source = Push::new().unwrap();
                    source.connect(&addresses[number]).unwrap();
                    source.send("hello").unwrap();
                    assert_eq!(servers[number].recv().unwrap(), "hello");
                }
            })
        });
        assert_ne!(first, second);

        let remaining = || io_threads().into_iter().filter(|thread| own.contains(thread)).count();
        let [first, second] = servers;
        first.close().unwrap();
        assert_eq!(remaining(), 2);
        second.close().unwrap();
        // The system lists a thread for a moment longer than others wait for its end.
        while remaining() > 0 {
            std::thread::yield_now();
        }

        let again: Pull = context.socket().unwrap();
        again.bind("tcp://127.0.0.1:0").unwrap();
        drop((again, context));
    }
}
