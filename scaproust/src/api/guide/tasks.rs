//! Tasks: executors, `select!`, timeouts, cancelling and closing.
//!
//! Each call that blocks a thread has a counterpart that returns a future:
//!
//! | in a thread | in a task |
//! |---|---|
//! | [`recv`](crate::Socket::recv), [`iter`](crate::Socket::iter) | [`recv_async`](crate::Socket::recv_async); `stream` with the feature `futures` |
//! | [`send`](crate::Socket::send) | [`send_async`](crate::Socket::send_async); `sink` with the feature `futures` |
//! | [`accept`](crate::Socket::accept) | [`accept_async`](crate::Socket::accept_async) |
//! | [`Pending::wait`](crate::Pending::wait) | `.await` of the [`Pending`](crate::Pending) itself |
//! | [`Answers`](crate::Answers) as an iterator | [`Answers::next_async`](crate::Answers::next_async); `into_stream` with the feature `futures` |
//! | [`Endpoint::wait_connected`](crate::Endpoint::wait_connected) | [`Endpoint::wait_connected_async`](crate::Endpoint::wait_connected_async) |
//! | [`close`](crate::Socket::close), dropping the socket | [`close_async`](crate::Socket::close_async) |
//!
//! [`bind`](crate::Socket::bind), [`connect`](crate::Socket::connect), [`request`](crate::Socket::request),
//! [`survey`](crate::Socket::survey), [`Reply::send`](crate::Reply::send), options and the calls that begin with `try_` do not
//! wait, and are for threads and tasks alike. (`connect` waits only with
//! [`set_connect_timeout`](crate::Socket::set_connect_timeout); a name is resolved in the background.)
//!
//! # Executors
//!
//! The futures need no runtime: connections and timers are those of the library's I/O thread, so that any executor can poll
//! them, and no feature chooses one. (`docs/benchmarks.md` in the repository compares round trips with tokio's bare streams.) With
//! tokio neither `enable_io` nor `enable_time` is needed:
//!
//! ```
//! use scaproust::{Error, Rep, Req};
//! use std::sync::Arc;
//!
//! let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
//! runtime.block_on(async {
//!     let (server, client) = (Arc::new(Rep::new()?), Req::new()?);
//!     client.connect(server.bind("tcp://127.0.0.1:0")?.address()?)?;
//!     for _worker in 0..2 {
//!         let server = server.clone();
//!         tokio::spawn(async move {
//!             while let Ok((request, reply)) = server.accept_async().await {
//!                 reply.send(request)?;
//!             }
//!             Ok::<(), Error>(())
//!         });
//!     }
//!     assert_eq!(client.request("ping")?.await?, "ping");
//!     server.close_async().await // Ends the workers.
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! With smol, or any other one, it is the same code within `smol::block_on` and `smol::spawn`. An executor can also be a few
//! lines of the program:
//!
//! ```
//! use scaproust::{Error, Pull, Push};
//! use std::pin::pin;
//! use std::sync::Arc;
//! use std::task::{Context, Poll, Wake, Waker};
//! use std::thread::{self, Thread};
//!
//! struct Unpark(Thread);
//!
//! impl Wake for Unpark {
//!     fn wake(self: Arc<Self>) {
//!         self.0.unpark();
//!     }
//! }
//!
//! fn block_on<F: Future>(future: F) -> F::Output {
//!     let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
//!     loop {
//!         if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
//!             return output;
//!         }
//!         thread::park();
//!     }
//! }
//!
//! let (source, worker) = (Push::new()?, Pull::new()?);
//! worker.connect(source.bind("tcp://127.0.0.1:0")?.address()?)?;
//! block_on(async {
//!     source.send_async("a task").await?;
//!     assert_eq!(worker.recv_async().await?, "a task");
//!     Ok::<(), Error>(())
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! Wakers are called in the thread that sends or receives at the other end, or in the I/O thread, which serves all sockets of the
//! process. So a waker must not block; one that polls its task at once is allowed.
//!
//! # What dropping a future means
//!
//! Nothing is taken from a socket, and nothing is given to it, except by the poll that returns `Ready`. Tests drop each of these
//! futures before it is polled, after a poll, when it was woken, and at its deadline; none of the messages is lost or comes twice.
//!
//! | dropped before it is ready | means |
//! |---|---|
//! | [`RecvFuture`](crate::RecvFuture), [`AcceptFuture`](crate::AcceptFuture), a stream and its `next()` | nothing is taken: the message is for the next call |
//! | [`NextAnswer`](crate::NextAnswer) | nothing is lost: the answer is the next one of its [`Answers`](crate::Answers) |
//! | [`SendFuture`](crate::SendFuture) | nothing is sent, and the message is dropped with the future |
//! | `sink.flush()` | nothing is lost: the sink keeps the message. A sink that is dropped drops it |
//! | [`ConnectedFuture`](crate::ConnectedFuture) | nothing: the endpoint goes on connecting |
//! | [`Pending`](crate::Pending) | the request is given up: it is not sent again, and its reply is discarded |
//! | [`Answers`](crate::Answers) | the survey is over |
//! | [`CloseFuture`](crate::CloseFuture) | before its first poll, nothing; later the socket is closed in the background |
//!
//! To cancel a task, drop it, or abort it as the executor does: that drops its futures. To end all tasks at a socket, close the
//! socket: their futures return [`Error::Closed`](crate::Error::Closed), and their streams end.
//!
//! # `select!`
//!
//! `select!` drops the futures of the branches that were not taken. For receiving that is harmless, and each turn of a loop can
//! have new ones. A request must outlive the turns of its loop, so it is borrowed:
//!
//! ```
//! use scaproust::{Error, Pull, Push, Rep, Req};
//!
//! let (client, server) = (Req::new()?, Rep::new()?);
//! server.bind("inproc://doc/guide/select/server")?;
//! client.connect("inproc://doc/guide/select/server")?;
//! let (source, worker) = (Push::new()?, Pull::new()?);
//! source.bind("inproc://doc/guide/select/tasks")?;
//! worker.connect("inproc://doc/guide/select/tasks")?;
//! let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! runtime.block_on(async {
//!     let mut pending = client.request("which of the tasks is the last one?")?;
//!     source.send_async("task 1").await?;
//!     let mut received = Vec::new();
//!     let last = loop {
//!         tokio::select! {
//!             reply = &mut pending => break reply?,
//!             task = worker.recv_async() => {
//!                 received.push(task?);
//!                 server.try_accept()?.1.send("task 1")?;
//!             }
//!         }
//!     };
//!     assert_eq!(received, [last]);
//!     Ok::<(), Error>(())
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! A message whose loss matters is kept in the same way: the loop borrows its [`SendFuture`](crate::SendFuture), which it has made
//! before. A future that waits and is kept for long must be polled: it may be the one that was woken for a message, and only after ten
//! milliseconds another task or thread at the same socket is woken in its place. So a loop keeps what it must, and drops the rest.
//!
//! # Timeouts
//!
//! `timeout` and `deadline` of the futures need no timer of an executor, and in place of the options
//! [`recv_timeout`](crate::Socket::recv_timeout) and [`send_timeout`](crate::Socket::send_timeout), which hold for futures too, they
//! say how long one call waits. What they end fails with [`Error::TimedOut`](crate::Error::TimedOut), and a message that was not
//! sent is returned:
//!
//! ```
//! use scaproust::{Error, Push};
//! use std::time::Duration;
//!
//! let source = Push::new()?; // It has no peer.
//! smol::block_on(async {
//!     let unsent = source.send_async("a task").timeout(Duration::from_millis(5)).await.unwrap_err();
//!     assert_eq!((unsent.error, unsent.message), (Error::TimedOut, "a task".into()));
//! });
//! # Ok::<(), Error>(())
//! ```
//!
//! A timeout of the executor, such as `tokio::time::timeout`, drops the future: the same for receiving, but it drops the message of
//! a `SendFuture` and gives up a request, unless it gets `&mut pending`. [`Pending::timeout`](crate::Pending::timeout) ends waiting
//! only: the request stays pending as long as the value exists, and may be given another time.
//!
//! # Threads beside tasks
//!
//! Threads and tasks may use one socket at the same time, in both directions: a thread that blocks in `recv` and a task that awaits
//! `recv_async` get messages in turn. So nothing needs to be passed through channels, nor called by `spawn_blocking`:
//!
//! ```
//! use scaproust::{Error, Rep, Req};
//! use std::thread;
//!
//! let (client, server) = (Req::new()?, Rep::new()?);
//! server.bind("inproc://doc/guide/beside")?;
//! client.connect("inproc://doc/guide/beside")?;
//! thread::scope(|scope| {
//!     scope.spawn(|| {
//!         while let Ok((request, reply)) = server.accept() {
//!             reply.send(request)?;
//!         }
//!         Ok::<(), Error>(())
//!     });
//!     smol::block_on(async {
//!         for number in 0..10 {
//!             assert_eq!(client.request([number])?.await?, [number]);
//!         }
//!         server.close_async().await
//!     })
//! })?;
//! # Ok::<(), Error>(())
//! ```
//!
//! In a task, a call that blocks its thread blocks all tasks of that thread: `recv`, `accept`, `Pending::wait`, an iterator,
//! [`Poller::wait`](crate::Poller::wait), and `send` when no peer has room.
//!
//! # Closing
//!
//! Dropping the last reference to a socket closes it, and that blocks for up to [`linger`](crate::Socket::linger) if messages are
//! still to be delivered. A task awaits [`close_async`](crate::Socket::close_async) first, and then dropping the socket does nothing.
//! A socket in an `Arc` can be closed by any of the tasks that share it.
