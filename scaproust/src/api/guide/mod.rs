//! Pages about the library, without code of their own: how to do common things, [`tasks`], and [`migration`] from other libraries.
//!
//! # Wait for the peer
//!
//! Connections are made in the background, and what is sent before waits, or is dropped by the patterns that never block. A
//! publisher whose first message matters waits for its subscriber:
//!
//! ```
//! use scaproust::{Pub, Sub};
//! use std::time::{Duration, Instant};
//!
//! let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
//! subscriber.subscribe("weather/")?;
//! let listener = publisher.bind("tcp://127.0.0.1:0")?; // The system chooses the port.
//! subscriber.connect(listener.address()?)?;
//! listener.wait_connected(Instant::now() + Duration::from_secs(10))?;
//! publisher.send("weather/rain")?;
//! assert_eq!(subscriber.recv()?, "weather/rain");
//! # Ok::<(), scaproust::Error>(())
//! ```
//!
//! # Endpoints that differ
//!
//! Options that concern connections are those of the socket, unless an endpoint has its own:
//!
//! ```
//! use scaproust::Push;
//! use std::time::Duration;
//!
//! let source = Push::new()?;
//! source.dialer("tcp://127.0.0.1:5555").priority(1).start()?;
//! let waits = Duration::from_millis(20)..=Duration::from_secs(5);
//! let reserve = source.dialer("tcp://127.0.0.1:5556").priority(2).reconnect(waits).start()?;
//! reserve.close()?;
//! # Ok::<(), scaproust::Error>(())
//! ```
//!
//! # Stop a thread that waits
//!
//! A thread that serves several sockets has one of them for its orders, and waits with a [`Poller`](crate::Poller):
//!
//! ```
//! use scaproust::{Error, Pair, Poller, Pull};
//!
//! fn serve(jobs: &Pull, orders: &Pair) -> Result<usize, Error> {
//!     let (mut poller, mut done) = (Poller::new().readable(jobs).readable(orders), 0);
//!     loop {
//!         let ready = poller.wait(None)?;
//!         if ready.is_readable(orders) {
//!             return Ok(done);
//!         }
//!         done += usize::from(jobs.try_recv().is_ok());
//!     }
//! }
//!
//! let (jobs, orders, operator) = (Pull::new()?, Pair::new()?, Pair::new()?);
//! orders.bind("inproc://doc/guide/orders")?;
//! operator.connect("inproc://doc/guide/orders")?;
//! operator.send("stop")?;
//! assert_eq!(serve(&jobs, &orders), Ok(0));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Several requests at once
//!
//! A request and its reply are values, so threads and tasks share the sockets of both sides:
//!
//! ```
//! use scaproust::{Error, Rep, Req};
//!
//! let (client, server) = (Req::new()?, Rep::new()?);
//! server.bind("inproc://doc/guide/requests")?;
//! client.connect("inproc://doc/guide/requests")?;
//! std::thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             while let Ok((request, reply)) = server.accept() {
//!                 reply.send(request)?;
//!             }
//!             Ok::<(), Error>(())
//!         });
//!     }
//!     let pending = (0..4).map(|number| client.request([number])).collect::<Result<Vec<_>, Error>>()?;
//!     for (number, pending) in pending.into_iter().enumerate() {
//!         assert_eq!(pending.wait()?, [number as u8]);
//!     }
//!     server.close() // Ends the workers.
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! # Watch the connections
//!
//! ```
//! use scaproust::{EventKind, Pull, Push};
//!
//! let (worker, source) = (Pull::new()?, Push::new()?);
//! let mut events = worker.events()?;
//! let listener = worker.bind("tcp://127.0.0.1:0")?;
//! source.connect(listener.address()?)?;
//! let accepted = events.find(|event| event.kind == EventKind::Accepted).unwrap();
//! println!("{accepted}"); // accepted peer=tcp://127.0.0.1:41022 …
//! assert_eq!(accepted.endpoint, Some(listener.id()));
//! # Ok::<(), scaproust::Error>(())
//! ```
//!
//! From outside: a process that is started with `NN_MONITOR=ipc:///tmp/worker` in its environment reports its sockets, peers and
//! queues there. `nntop ipc:///tmp/worker` shows them; the manual page nn_monitor(7) has the form of the report, which is JSON.

pub mod migration;
pub mod tasks;
