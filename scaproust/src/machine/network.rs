//! Streams between the sockets of one machine: tcp over loopback and Unix-domain sockets, and host names.
//!
//! A link is a stream and its two sides. Bytes travel in parcels, each with the moment of its arrival. Of the rules of real
//! kernels, those are kept that a program can notice: what is readable when, when a read or write fails, and what is lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::descriptors::Object;
use super::{Descriptor, Machine, point, sleep, with};

/// So many look-ups of moving names give different addresses.
const MOST_LOOK_UPS: u16 = 1 << 15;

/// The time after which a connect asks again that has found no place in a backlog.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

/// Where an acceptor listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Place {
    /// A port, at each local address.
    Port(u16),
    /// A Unix-domain socket.
    Path(PathBuf),
    /// No host is there.
    Nowhere,
    /// A Unix-domain socket without its file, which was removed: connects do not find it.
    Removed(usize),
}

/// All links, and the acceptors.
#[derive(Debug, Default)]
pub(super) struct Network {
    links: BTreeMap<usize, Link>,
    count: usize,
    listening: BTreeMap<Place, Listening>,
    /// How many acceptors have lost their files.
    count_removed: usize,
    /// The next arrival of each side that expects one.
    arrivals: BTreeSet<(Duration, usize, usize)>,
    /// Look-ups fail from now on.
    has_no_names: bool,
    /// The number of look-ups of moving names.
    look_ups: u16,
    /// The look-ups of moving names that have led to a connection.
    used: BTreeSet<u16>,
}

#[derive(Debug)]
struct Listening {
    descriptor: Descriptor,
    pending: VecDeque<usize>,
}

#[derive(Debug)]
struct Link {
    place: Place,
    /// The side that has connected, and the one that was accepted.
    sides: [Side; 2],
    /// The look-up of a moving name that the address came from.
    look_up: Option<u16>,
    /// Not among the [`streams`].
    is_hidden: bool,
}

#[derive(Debug, Default)]
struct Side {
    descriptor: Option<Descriptor>,
    /// Connected, as far as this side knows.
    is_connected: bool,
    /// Bytes to be read.
    came: VecDeque<u8>,
    /// What comes, with the moment of its arrival.
    coming: VecDeque<(Duration, Parcel)>,
    /// The other side sends nothing more.
    has_end: bool,
    /// This side sends nothing more.
    is_shut: bool,
    /// This side reads nothing more.
    is_deaf: bool,
    /// An error that the next call returns.
    error: Option<i32>,
    is_closed: bool,
    /// The close of this side discards what it has sent.
    is_abrupt: bool,
    /// A write found no room.
    wants_room: bool,
    /// Nothing arrives before this moment.
    stalled_until: Duration,
}

#[derive(Debug)]
enum Parcel {
    Bytes(Vec<u8>),
    End,
    /// The connect reaches the acceptor, or finds none.
    Request,
    /// The connect has succeeded.
    Accepted,
    Reset(i32),
}

/// What a side is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readiness {
    pub(super) read: bool,
    pub(super) write: bool,
    /// The other side sends nothing more.
    pub(super) end: bool,
    /// Both directions have ended.
    pub(super) hang_up: bool,
    pub(super) error: bool,
}

impl Side {
    fn bytes_coming(&self) -> usize {
        let size = |(_, parcel): &(Duration, Parcel)| match parcel {
            Parcel::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.coming.iter().map(size).sum()
    }
}

impl Link {
    fn is_local(&self) -> bool {
        matches!(self.place, Place::Path(_))
    }
}

impl Network {
    /// The moment of the next arrival.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        self.arrivals.first().map(|(moment, ..)| *moment)
    }

    pub(super) fn readiness(&self, link: usize, side: usize) -> Readiness {
        let Some(link) = self.links.get(&link) else { return Readiness::default() };
        let this = &link.sides[side];
        let error = this.error.is_some();
        let hang_up = this.has_end && this.is_shut;
        Readiness {
            read: !this.came.is_empty() || this.has_end || this.is_deaf || error,
            write: error || hang_up || this.is_connected && !this.wants_room,
            end: this.has_end,
            hang_up,
            error,
        }
    }

    pub(super) fn has_pending(&self, place: &Place) -> bool {
        self.listening.get(place).is_some_and(|listening| !listening.pending.is_empty())
    }
}

impl Machine {
    /// Sends a parcel to a side, after those that were sent before.
    fn send_parcel(&mut self, link: usize, to: usize, parcel: Parcel) {
        let longest = self.settings.longest_way;
        let mut arrival = self.now + self.time_up_to(longest);
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let side = &mut state.sides[to];
        arrival =
            arrival.max(side.stalled_until).max(side.coming.back().map_or(Duration::ZERO, |(last, _)| *last));
        if side.coming.is_empty() {
            self.network.arrivals.insert((arrival, link, to));
        }
        side.coming.push_back((arrival, parcel));
    }

    /// Removes what comes to a side.
    fn forget_coming(&mut self, link: usize, to: usize) {
        let Some(state) = self.network.links.get_mut(&link) else { return };
        if let Some((arrival, _)) = state.sides[to].coming.front() {
            self.network.arrivals.remove(&(*arrival, link, to));
        }
        state.sides[to].coming.clear();
    }

    /// Delivers what has arrived.
    pub(super) fn deliver_due(&mut self) {
        while let Some(&(arrival, link, to)) = self.network.arrivals.first().filter(|next| next.0 <= self.now)
        {
            self.network.arrivals.remove(&(arrival, link, to));
            let Some(state) = self.network.links.get_mut(&link) else { continue };
            let side = &mut state.sides[to];
            let Some((_, parcel)) = side.coming.pop_front() else { continue };
            if let Some((next, _)) = side.coming.front() {
                self.network.arrivals.insert((*next, link, to));
            }
            self.note(link as u64 * 2 + to as u64);
            self.deliver(link, to, parcel);
        }
    }

    fn deliver(&mut self, link: usize, to: usize, parcel: Parcel) {
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let place = state.place.clone();
        let is_local = state.is_local();
        let side = &mut state.sides[to];
        match parcel {
            Parcel::Bytes(_) if side.is_closed && !is_local => {
                return self.send_parcel(link, 1 - to, Parcel::Reset(libc::ECONNRESET));
            }
            // After a reset there is a gap before what comes.
            Parcel::Bytes(bytes) if !side.is_closed && !side.has_end => side.came.extend(bytes),
            Parcel::Bytes(_) => {}
            Parcel::End => side.has_end = true,
            Parcel::Accepted => side.is_connected = true,
            Parcel::Reset(error) => {
                side.error = Some(error);
                (side.has_end, side.is_shut) = (true, true);
                // Some systems drop what was not read.
                if self.random.one_in(2) && !is_local {
                    side.came.clear();
                }
            }
            Parcel::Request => {
                let Some(listening) = self.network.listening.get_mut(&place) else {
                    return self.send_parcel(link, 0, Parcel::Reset(libc::ECONNREFUSED));
                };
                if !is_local && listening.pending.len() >= self.settings.backlog {
                    return self.turn_away(link);
                }
                side.is_connected = true;
                listening.pending.push_back(link);
                let acceptor = listening.descriptor;
                self.send_parcel(link, 0, Parcel::Accepted);
                return self.raise(acceptor);
            }
        }
        if let Some(descriptor) = side.descriptor {
            self.raise(descriptor);
        }
        self.forget_if_over(link);
    }

    /// A connect finds too many others that wait to be accepted: it is refused, or asks again a second later.
    fn turn_away(&mut self, link: usize) {
        let again = self.now + CONNECT_AGAIN;
        let asks_again = self.random.one_in(2);
        match self.network.links.get_mut(&link) {
            // After nothing else: the side that connects has not left.
            Some(state) if asks_again && state.sides[1].coming.is_empty() => {
                state.sides[1].coming.push_back((again, Parcel::Request));
                self.network.arrivals.insert((again, link, 1));
            }
            _ => self.send_parcel(link, 0, Parcel::Reset(libc::ECONNREFUSED)),
        }
    }

    /// Frees a link of which both sides are closed.
    fn forget_if_over(&mut self, link: usize) {
        let is_over = |link: &Link| link.sides.iter().all(|side| side.is_closed && side.coming.is_empty());
        if self.network.links.get(&link).is_some_and(is_over) {
            self.network.links.remove(&link);
        }
    }

    fn side(&mut self, descriptor: Descriptor) -> io::Result<(usize, usize, &mut Link)> {
        let Some(Object::Stream { link, side }) = self.descriptors.get(descriptor) else {
            self.failure.get_or_insert(format!("descriptor {descriptor} is not an open stream"));
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let (link, side) = (*link, *side);
        self.network
            .links
            .get_mut(&link)
            .map(|state| (link, side, state))
            .ok_or(io::ErrorKind::NotConnected.into())
    }

    fn read(&mut self, descriptor: Descriptor, most: usize) -> io::Result<Vec<u8>> {
        if self.random.one_in(self.settings.scarce_every) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        let (_, side, state) = self.side(descriptor)?;
        let is_local = state.is_local();
        let [first, second] = &mut state.sides;
        let (this, other) = if side == 0 { (first, second) } else { (second, first) };
        if !this.came.is_empty() {
            let count = most.min(this.came.len());
            let (first, second) = this.came.as_slices();
            let from_first = count.min(first.len());
            let bytes = [&first[..from_first], &second[..count - from_first]].concat();
            this.came.drain(..count);
            // A local socket reports room after each read, also if no write has failed.
            let is_reported = std::mem::take(&mut other.wants_room) || is_local;
            if let (true, Some(descriptor)) = (is_reported, other.descriptor) {
                self.raise(descriptor);
            }
            return Ok(bytes);
        }
        match this.error.take() {
            Some(error) => Err(io::Error::from_raw_os_error(error)),
            None if this.has_end || this.is_deaf => Ok(Vec::new()),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, descriptor: Descriptor, bytes: &[u8]) -> io::Result<usize> {
        if self.random.one_in(self.settings.scarce_every) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        let room = self.settings.room;
        let is_partial = self.random.one_in(4);
        let part = self.random.up_to(bytes.len() as u64) as usize;
        let (link, side, state) = self.side(descriptor)?;
        let is_local = state.is_local();
        let [first, second] = &mut state.sides;
        let (this, other) = if side == 0 { (first, second) } else { (second, first) };
        if let Some(error) = this.error.take() {
            return Err(io::Error::from_raw_os_error(error));
        }
        if this.is_shut || is_local && (other.is_closed || other.is_deaf) {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        let free = room.saturating_sub(other.came.len() + other.bytes_coming());
        if free == 0 || !this.is_connected {
            this.wants_room = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(free);
        let count = if is_partial { count.min(part.max(1)) } else { count };
        let mut left = &bytes[..count];
        while !left.is_empty() {
            let cut = self.random.one_in(3);
            let size = if cut { 1 + self.random.below(left.len() as u64) as usize } else { left.len() };
            let (parcel, rest) = left.split_at(size);
            self.send_parcel(link, 1 - side, Parcel::Bytes(parcel.to_vec()));
            left = rest;
        }
        Ok(count)
    }

    fn shut_down(&mut self, descriptor: Descriptor, how: Shutdown) {
        let Ok((link, side, state)) = self.side(descriptor) else { return };
        let this = &mut state.sides[side];
        this.is_deaf |= how != Shutdown::Write;
        let ends = how != Shutdown::Read && !std::mem::replace(&mut this.is_shut, true);
        if how != Shutdown::Write {
            this.has_end = true;
        }
        if ends {
            self.send_parcel(link, 1 - side, Parcel::End);
        }
        self.raise(descriptor);
    }

    fn close(&mut self, descriptor: Descriptor) {
        let Some(Object::Stream { link, side }) = self.descriptors.remove(descriptor) else { return };
        self.forget_in_pollers(descriptor);
        let Some(state) = self.network.links.get_mut(&link) else { return };
        let is_local = state.is_local();
        let this = &mut state.sides[side];
        (this.is_closed, this.descriptor) = (true, None);
        let loses = !this.came.is_empty() || this.is_abrupt;
        let was_shut = std::mem::replace(&mut this.is_shut, true);
        this.came.clear();
        if loses {
            if !is_local {
                // What was sent, and has not arrived, is lost.
                self.forget_coming(link, 1 - side);
            }
            self.send_parcel(link, 1 - side, Parcel::Reset(libc::ECONNRESET));
        } else if !was_shut {
            self.send_parcel(link, 1 - side, Parcel::End);
        }
        if let Some(other) = self.network.links.get(&link).and_then(|state| state.sides[1 - side].descriptor)
        {
            // A writer that waits for room finds the end.
            self.network.links.get_mut(&link).map(|state| state.sides[1 - side].wants_room = false);
            if is_local {
                self.raise(other);
            }
        }
        self.forget_if_over(link);
    }

    /// Ends a link that was not accepted.
    fn refuse(&mut self, link: usize) {
        if let Some(state) = self.network.links.get_mut(&link) {
            state.sides[1].is_closed = true;
        }
        self.send_parcel(link, 0, Parcel::Reset(libc::ECONNRESET));
    }

    /// Ends a link as by the network: both sides find an error.
    fn reset(&mut self, link: usize) {
        for side in 0..2 {
            self.forget_coming(link, side);
            self.deliver(link, side, Parcel::Reset(libc::ECONNRESET));
        }
    }
}

/// A side of a link.
#[derive(Debug)]
pub(crate) struct Stream(Descriptor);

impl Stream {
    /// Its descriptor.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0
    }

    /// Reads at most so many bytes.
    ///
    /// # Errors
    /// As recv(2).
    pub(crate) fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        point();
        with(|machine| machine.read(self.0, most))
    }

    /// Writes. Returns how many bytes were taken.
    ///
    /// # Errors
    /// As send(2).
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        point();
        with(|machine| machine.write(self.0, bytes))
    }

    /// As shutdown(2).
    pub(crate) fn shut_down(&self, how: Shutdown) {
        point();
        with(|machine| machine.shut_down(self.0, how));
    }

    /// Whether it is connected; `false` while it connects.
    ///
    /// # Errors
    /// Why the connect has failed.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        with(|machine| {
            let (_, side, link) = machine.side(self.0)?;
            let this = &mut link.sides[side];
            match this.error.take() {
                Some(error) => Err(io::Error::from_raw_os_error(error)),
                None => {
                    let is_connected = this.is_connected;
                    let look_up = link.look_up.filter(|_| is_connected);
                    machine.network.used.extend(look_up);
                    Ok(is_connected)
                }
            }
        })
    }

    /// Whether the other side may not have received everything.
    pub(crate) fn has_unacknowledged(&self) -> bool {
        with(|machine| {
            let Ok((_, side, link)) = machine.side(self.0) else { return false };
            let other = &link.sides[1 - side];
            other.bytes_coming() > 0 || link.is_local() && !other.came.is_empty()
        })
    }

    /// Leaves its link out of the [`streams`], so that no fault concerns it.
    pub(crate) fn hide(&self) {
        with(|machine| {
            if let Ok((_, _, link)) = machine.side(self.0) {
                link.is_hidden = true;
            }
        });
    }

    /// Makes the close discard what has not arrived.
    pub(crate) fn abandon_unsent(&self) {
        with(|machine| {
            if let Ok((_, side, link)) = machine.side(self.0) {
                link.sides[side].is_abrupt = true;
            }
        });
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        with(|machine| machine.close(self.0));
    }
}

/// Starts connecting to a place.
///
/// # Errors
/// When there are too many descriptors; for a local place also when no acceptor is there, or it has a full backlog.
pub(crate) fn connect(place: &Place) -> io::Result<Stream> {
    point();
    with(|machine| {
        if machine.random.one_in(machine.settings.scarce_every) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        let is_local = matches!(place, Place::Path(_));
        if is_local {
            let backlog = machine.settings.backlog;
            match machine.network.listening.get(place) {
                None => return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
                Some(listening) if listening.pending.len() >= backlog => {
                    return Err(io::Error::from_raw_os_error(libc::EAGAIN));
                }
                Some(_) => {}
            }
        }
        let link = machine.network.count;
        let descriptor = machine.open(Object::Stream { link, side: 0 })?;
        machine.network.count += 1;
        let mut sides = [Side::default(), Side::default()];
        sides[0].descriptor = Some(descriptor);
        machine
            .network
            .links
            .insert(link, Link { place: place.clone(), sides, look_up: None, is_hidden: false });
        if is_local {
            machine.deliver(link, 1, Parcel::Request);
            machine.forget_coming(link, 0);
            machine.deliver(link, 0, Parcel::Accepted);
        } else if *place == Place::Nowhere {
            machine.send_parcel(link, 0, Parcel::Reset(libc::EHOSTUNREACH));
        } else {
            machine.send_parcel(link, 1, Parcel::Request);
        }
        Ok(Stream(descriptor))
    })
}

/// An acceptor. Dropping it ends the pending connections.
#[derive(Debug)]
pub(crate) struct Acceptor(Descriptor);

/// Listens at a place.
///
/// # Errors
/// When an acceptor is there, or there are too many descriptors.
pub(crate) fn listen(place: Place) -> io::Result<Acceptor> {
    point();
    with(|machine| {
        if machine.network.listening.contains_key(&place) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let descriptor = machine.open(Object::Acceptor(place.clone()))?;
        machine.network.listening.insert(place, Listening { descriptor, pending: VecDeque::new() });
        Ok(Acceptor(descriptor))
    })
}

impl Acceptor {
    /// Its descriptor.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.0
    }

    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// As accept(2).
    pub(crate) fn accept(&self) -> io::Result<Stream> {
        point();
        with(|machine| {
            let Some(Object::Acceptor(place)) = machine.descriptors.get(self.0) else {
                return Err(io::Error::from_raw_os_error(libc::EBADF));
            };
            let place = place.clone();
            let listening = machine.network.listening.get(&place);
            let Some(link) = listening.and_then(|listening| listening.pending.front().copied()) else {
                return Err(io::ErrorKind::WouldBlock.into());
            };
            let is_scarce = machine.random.one_in(machine.settings.scarce_every);
            let is_aborted = is_scarce && machine.random.one_in(2);
            if is_scarce && !is_aborted {
                return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
            }
            let descriptor =
                (!is_aborted).then(|| machine.open(Object::Stream { link, side: 1 })).transpose()?;
            machine.network.listening.get_mut(&place).map(|listening| listening.pending.pop_front());
            let Some(descriptor) = descriptor else {
                machine.refuse(link);
                return Err(io::ErrorKind::ConnectionAborted.into());
            };
            if let Some(state) = machine.network.links.get_mut(&link) {
                state.sides[1].descriptor = Some(descriptor);
            }
            Ok(Stream(descriptor))
        })
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        with(|machine| {
            let Some(Object::Acceptor(place)) = machine.descriptors.remove(self.0) else { return };
            machine.forget_in_pollers(self.0);
            let pending = machine.network.listening.remove(&place).map(|listening| listening.pending);
            for link in pending.into_iter().flatten() {
                machine.refuse(link);
            }
        });
    }
}

/// Removes the file of a Unix-domain socket. The acceptor goes on, but connects do not find it, and another one can listen at the
/// path. Returns whether there was one.
pub(crate) fn remove_file(path: &Path) -> bool {
    with(|machine| {
        let Some(listening) = machine.network.listening.remove(&Place::Path(path.to_owned())) else {
            return false;
        };
        let removed = Place::Removed(machine.network.count_removed);
        machine.network.count_removed += 1;
        machine.descriptors.replace(listening.descriptor, Object::Acceptor(removed.clone()));
        machine.network.listening.insert(removed, listening);
        true
    })
}

/// Starts connecting to a port of this machine, or to a host that cannot be reached. A connect to an address of a look-up that
/// has led to a connection before is a failure of the world: the moving name has other addresses by now.
///
/// # Errors
/// As [`connect`].
pub(crate) fn connect_to(address: SocketAddr) -> io::Result<Stream> {
    let look_up = look_up_of(address.ip());
    if look_up.is_some_and(|look_up| with(|machine| machine.network.used.contains(&look_up))) {
        super::fail(format!(
            "a connect to {address}, an address that the name had before the last connection"
        ));
    }
    let is_here = address.ip().is_loopback() || address.ip().is_unspecified();
    let is_up = look_up.is_none() || !is_down(address.ip());
    let place = if is_here && is_up { Place::Port(address.port()) } else { Place::Nowhere };
    let stream = connect(&place)?;
    with(|machine| machine.side(stream.0).map(|(.., link)| link.look_up = look_up))?;
    Ok(stream)
}

/// The look-up of a moving name that the address came from: 127.128.0.0/9 has those addresses.
fn look_up_of(address: IpAddr) -> Option<u16> {
    let IpAddr::V4(address) = address else { return None };
    let [127, high @ 128..=255, low, _] = address.octets() else { return None };
    Some(u16::from_be_bytes([high - 128, low]))
}

/// Whether no host has this address of a moving name.
fn is_down(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.octets()[3].is_multiple_of(2))
}

/// New addresses of a moving name, up to three. Some lead to no host.
fn move_name(machine: &mut Machine) -> Vec<SocketAddr> {
    let look_up = (machine.network.look_ups + 1) % MOST_LOOK_UPS;
    machine.network.look_ups = look_up;
    machine.network.used.remove(&look_up);
    let [high, low] = look_up.to_be_bytes();
    let count = 1 + machine.random.below(3);
    (0..count).map(|_| ([127, 128 + high, low, machine.random.below(4) as u8], 0).into()).collect()
}

/// The addresses of a name. Takes some time. Names that begin with "slow" take minutes, and those that begin with "none" have no
/// address. "moving" and a number is a name that has other addresses at each look-up; only one dialer may use it.
pub(crate) fn look_up(name: &str) -> Vec<SocketAddr> {
    let longest = if name.starts_with("slow") { 90_000 } else { 20 };
    sleep(Duration::from_millis(super::below(longest)));
    let fails = with(|machine| machine.network.has_no_names) || name.starts_with("none");
    let moves = name.strip_prefix("moving").is_some_and(|number| number.parse::<usize>().is_ok());
    match (fails, moves) {
        (true, _) => Vec::new(),
        (false, true) => with(move_name),
        (false, false) => vec![([127, 0, 0, 1], 0).into()],
    }
}

/// Lets look-ups fail, or not.
pub(crate) fn damage_names(has_no_names: bool) {
    with(|machine| machine.network.has_no_names = has_no_names);
}

/// The links that are not over.
pub(crate) fn streams() -> Vec<usize> {
    with(|machine| {
        let links = machine.network.links.iter().filter(|(_, link)| !link.is_hidden);
        links.map(|(number, _)| *number).collect()
    })
}

/// Where a link was accepted.
pub(crate) fn place(link: usize) -> Option<Place> {
    with(|machine| machine.network.links.get(&link).map(|state| state.place.clone()))
}

/// Ends a link as by the network: both sides find an error, and what has not arrived is lost.
pub(crate) fn reset(link: usize) {
    with(|machine| machine.reset(link));
}

/// Lets nothing arrive at a side of a link for a time.
pub(crate) fn stall(link: usize, side: usize, time: Duration) {
    with(|machine| {
        let until = machine.now + time;
        if let Some(state) = machine.network.links.get_mut(&link) {
            state.sides[side].stalled_until = until;
        }
    });
}

/// Lets nothing arrive any more, in either direction, until both sides give up much later.
pub(crate) fn cut(link: usize) {
    with(|machine| {
        for side in 0..2 {
            machine.forget_coming(link, side);
            let until = machine.now + Duration::from_secs(60);
            if let Some(state) = machine.network.links.get_mut(&link) {
                state.sides[side].stalled_until = until;
            }
            machine.send_parcel(link, side, Parcel::Reset(libc::ETIMEDOUT));
        }
    });
}

/// Lets a side find the end of the stream, while it can still send.
pub(crate) fn half_close(link: usize, side: usize) {
    with(|machine| {
        if let Some(state) = machine.network.links.get_mut(&link) {
            state.sides[1 - side].is_shut = true;
        }
        machine.send_parcel(link, side, Parcel::End);
    });
}
