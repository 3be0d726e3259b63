//! For programs that use the crates `nanomsg`, `nng` or `zmq`.
//!
//! This crate needs no C library. It talks to programs that use nanomsg and nng, on the same addresses and in both
//! directions, so that the programs of a system can be changed one after another. It does not talk to ZeroMQ.
//!
//! # What all three have in common
//!
//! * The protocol is the type of a socket: [`Req`](crate::Req) in place of a constant. [`AnySocket`](crate::AnySocket) is for
//!   protocols that are known only at run time.
//! * Threads and tasks share a socket through references. No method needs `&mut`.
//! * Times are [`Duration`](std::time::Duration)s and deadlines, and `None` means without limit.
//! * A signal handler does not end a blocked call, unless [`Socket::set_interruptible`](crate::Socket::set_interruptible) asks
//!   for that.
//! * Closing delivers what was sent, within [`Socket::linger`](crate::Socket::linger).
//!
//! # From `nanomsg`
//!
//! | `nanomsg` | here |
//! |---|---|
//! | `Socket::new(Protocol::Req)` | `Req::new()`, [`AnySocket::open`](crate::AnySocket::open) |
//! | `Socket::new_for_device(…)`, `Socket::device` | sockets of [`raw`](crate::raw), [`device::join`](crate::device::join) |
//! | `write_all` and `read_to_end` of a REQ or REP socket | [`request`](crate::Socket::request) and [`accept`](crate::Socket::accept), whose replies are values |
//! | `write_all`, `read_to_end`, `read_to_string` | `send`, `recv`; [`Socket::writer`](crate::Socket::writer) and [`Socket::reader`](crate::Socket::reader) for code that wants `io::Write` and `io::Read` |
//! | `nb_write`, `nb_read` | `try_send`, `try_recv` |
//! | `zc_write` with `allocate_msg` | `send` of a [`Message`](crate::Message) |
//! | `set_receive_timeout(milliseconds)` | [`set_recv_timeout`](crate::Socket::set_recv_timeout), [`recv_deadline`](crate::Socket::recv_deadline) |
//! | `Socket::poll` with `PollRequest` | [`Poller`](crate::Poller) |
//! | `Endpoint::shutdown` | [`Endpoint::close`](crate::Endpoint::close) |
//!
//! ```
//! use scaproust::{Rep, Req};
//!
//! let (server, client) = (Rep::new()?, Req::new()?);
//! client.connect(server.bind("tcp://127.0.0.1:0")?.address()?)?;
//! let pending = client.request("question")?;
//! let (question, reply) = server.accept()?;
//! assert_eq!(std::str::from_utf8(&question)?, "question");
//! reply.send("answer")?;
//! assert_eq!(pending.wait()?, "answer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From `nng`
//!
//! | `nng` | here |
//! |---|---|
//! | `Socket::new(Protocol::Req0)` | `Req::new()`; `Protocol::Pair1` is [`PairV1`](crate::PairV1) |
//! | `listen`, `dial_async` | [`bind`](crate::Socket::bind), [`connect`](crate::Socket::connect): it connects in the background |
//! | `dial` | `connect`, and [`Endpoint::wait_connected`](crate::Endpoint::wait_connected) |
//! | `ListenerBuilder`, `DialerBuilder` | [`Socket::listener`](crate::Socket::listener), [`Socket::dialer`](crate::Socket::dialer) |
//! | `Context::new(&socket)` | not needed: [`request`](crate::Socket::request), [`accept`](crate::Socket::accept) and [`survey`](crate::Socket::survey) return values, any number at once |
//! | `Aio`, `recv_async(&aio)` | `recv_async().await`, on any executor |
//! | `Err((message, error))` of `send` | [`send_message`](crate::Socket::send_message) and its [`Unsent`](crate::Unsent) |
//! | `set_opt::<RecvTimeout>(…)` | a method for each option: [`set_recv_timeout`](crate::Socket::set_recv_timeout) |
//! | `set_opt::<Subscribe>(…)` | `Sub::subscribe` |
//! | `pipe_notify` | [`Socket::events`](crate::Socket::events) |
//! | `RawSocket`, `forwarder` | sockets of [`raw`](crate::raw), [`device::join`](crate::device::join) |
//! | `Message::push_back`, `Message::as_slice` | `io::Write` for [`Message`](crate::Message), which dereferences to its bytes |
//!
//! ```
//! use scaproust::{Message, Pull, Push};
//! use std::io::Write;
//! use std::time::{Duration, Instant};
//!
//! let (worker, source) = (Pull::new()?, Push::new()?);
//! let listener = worker.listener("tcp://127.0.0.1:0").start()?;
//! let dialer = source.dialer(listener.address()?).start()?;
//! dialer.wait_connected(Instant::now() + Duration::from_secs(10))?;
//! let mut message = Message::new();
//! write!(message, "task {}", 1)?;
//! if let Err(unsent) = source.send_message(message) {
//!     println!("{} bytes are left: {}", unsent.message.len(), unsent.error);
//! }
//! assert_eq!(worker.recv()?, "task 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From `zmq`
//!
//! | `zmq` | here |
//! |---|---|
//! | `Context::new()`, `context.socket(zmq::REQ)` | `Req::new()`: there is no context of the whole library |
//! | `REQ`, `REP`, `PUB`, `SUB`, `PUSH`, `PULL`, `PAIR` | the types of these names |
//! | `DEALER`, `ROUTER` with identities | [`request`](crate::Socket::request) and [`accept`](crate::Socket::accept), any number at once; [`raw`](crate::raw) sockets, whose [`Message::header`](crate::Message::header) is the route |
//! | `send("text", 0)`, `recv_bytes(0)`, `recv_string(0)` | `send("text")`, `recv` |
//! | `zmq::DONTWAIT` | `try_send`, `try_recv` |
//! | `send_multipart` | a message has one part: join the parts, or send a value with `Typed` (feature `serde`) |
//! | `set_subscribe(b"topic")` | `Sub::subscribe("topic")` |
//! | `zmq::poll(&mut [item], milliseconds)` | [`Poller`](crate::Poller) |
//! | `zmq::proxy(&one, &other)` | [`device::join`](crate::device::join), of two raw sockets |
//! | `get_last_endpoint` | [`Endpoint::address`](crate::Endpoint::address) |
//! | `monitor` | [`Socket::events`](crate::Socket::events) |
//! | a high-water mark in messages | [`set_send_buffer`](crate::Socket::set_send_buffer) and [`set_recv_buffer`](crate::Socket::set_recv_buffer), in bytes |
//!
//! A REQ socket may send another request before it has an answer, and each gets its own. A request whose connection is lost
//! is sent again. A PUB drops for a slow subscriber what does not fit into its buffer, as in ZeroMQ.
//!
//! ```
//! use scaproust::{Error, Poller, Pub, Sub};
//! use std::time::{Duration, Instant};
//!
//! let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
//! let listener = publisher.bind("tcp://127.0.0.1:0")?;
//! subscriber.subscribe("weather/")?;
//! subscriber.connect(listener.address()?)?;
//! listener.wait_connected(Instant::now() + Duration::from_secs(10))?;
//! publisher.send("weather/rain")?;
//! let ready = Poller::new().readable(&subscriber).wait(Duration::from_secs(10))?;
//! assert!(ready.is_readable(&subscriber));
//! assert_eq!(subscriber.try_recv()?, "weather/rain");
//! # Ok::<(), Error>(())
//! ```
