//! The target `tls_records`: what a peer sends after its handshake, through the layer of a stream into the decoder.
//!
//! The peer has valid keys, and makes records of any type and length, which its own session would never send.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

use rustls::crypto::cipher::{AeadKey, MessageEncrypter, OutboundPlainMessage};
use rustls::{Connection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, SupportedCipherSuite};

use super::Sides;
use crate::fuzzing::wire::{Decoded, Reading, decode};
use crate::message::Payload;
use crate::tls::Config;
use crate::transport::Secured;
use crate::wire::{Decoder, Mapping};

/// The most plaintext of a record.
const RECORD_MAX: usize = 16 * 1024;
/// The most bytes that are sent to a peer whose handshake is done: a ticket, an alert, and the answers to its requests for
/// other keys, one for each of the records of an input.
const ANSWER_MAX: usize = 64 * 1024;

/// The most segments of a stream, and about the most reads: the system's calls take most of the time of an input.
const STEPS_MAX: usize = 128;

/// The peer's stream after its records.
#[derive(Clone, Copy)]
enum Ending {
    /// It goes on.
    Open,
    /// It has ended.
    Ended,
    /// Bytes follow that are no record.
    Invalid,
}

/// A record before it is sealed.
struct Record<'a> {
    content: ContentType,
    plain: &'a [u8],
}

/// How an input is read. The first two bytes are those of [`Reading`], and the third one chooses the side, the mapping and the
/// end. Then come the length of a segment of the stream, the size of the memory for a read, the number of records, the
/// type and the length of each, and all that is in them. What is left is in records as long as possible.
struct Plan<'a> {
    reading: Reading,
    is_client: bool,
    mapping: Mapping,
    ending: Ending,
    /// The least length of a segment.
    segment: usize,
    /// The least size of the memory for a read.
    room: usize,
    records: Vec<Record<'a>>,
}

impl<'a> Plan<'a> {
    fn read(input: &'a [u8]) -> Option<Plan<'a>> {
        let (reading, rest) = Reading::split(input)?;
        let (&[flags, segment, room, count], rest) = rest.split_first_chunk()?;
        let (cuts, mut rest) = rest.split_at_checked(2 * usize::from(count))?;
        let mut records = Vec::new();
        for cut in cuts.chunks_exact(2) {
            let size = usize::from(cut[1]) * usize::from(cut[1]) / 4;
            let (plain, behind) = rest.split_at(rest.len().min(size));
            rest = behind;
            let content = match cut[0] {
                0..0x80 => ContentType::ApplicationData,
                0x80..0xc0 => ContentType::Handshake,
                0xc0..0xe0 => ContentType::Alert,
                0xe0..0xf0 => ContentType::ChangeCipherSpec,
                other => ContentType::Unknown(other),
            };
            records.push(Record { content, plain });
        }
        records.extend(
            rest.chunks(RECORD_MAX).map(|plain| Record { content: ContentType::ApplicationData, plain }),
        );
        let square = |number: u8| usize::from(number) * usize::from(number) + 1;
        Some(Plan {
            reading,
            is_client: flags & 1 != 0,
            mapping: if flags & 2 != 0 { Mapping::Ipc } else { Mapping::Tcp },
            ending: [Ending::Open, Ending::Ended, Ending::Invalid, Ending::Open][usize::from(flags >> 2 & 3)],
            segment: square(segment),
            room: square(room),
            records,
        })
    }
}

/// Any records after a valid handshake.
pub fn tls_records(input: &[u8]) {
    let Some(plan) = Plan::read(input) else { return };
    let sides = Sides::of(1, false);
    let (own, peer) = sides.around(plan.is_client);
    let (ours, theirs) = UnixStream::pair().expect("there are descriptors");
    for stream in [&ours, &theirs] {
        stream.set_nonblocking(true).expect("it is a stream");
    }
    let mut receiver = Receiver {
        stream: Secured::new(ours, own).expect("the system has random numbers"),
        decoder: plan.mapping.decoder(),
        max: plan.reading.max,
        room: vec![MaybeUninit::uninit(); plan.room.max(input.len() / STEPS_MAX)],
        came: Vec::new(),
        decoded: Decoded::default(),
        state: State::Open,
    };
    let mut sealer = shake_hands(&mut receiver, &theirs, peer);

    let mut stream = Vec::new();
    let mut plaintext = Vec::new();
    for record in &plan.records {
        stream.extend(sealer.seal(record));
        if record.content == ContentType::ApplicationData {
            plaintext.extend_from_slice(record.plain);
        }
    }
    if let Ending::Invalid = plan.ending {
        stream.extend([0xff; 100]);
    }
    let mut answered = 0;
    for segment in stream.chunks(plan.segment.max(stream.len() / STEPS_MAX)) {
        (&theirs).write_all(segment).expect("the segment before has been read");
        receiver.read();
        answered += read_all(&theirs).len();
        assert!(answered <= ANSWER_MAX);
    }
    if let Ending::Ended = plan.ending {
        theirs.shutdown(std::net::Shutdown::Write).expect("it is connected");
        receiver.read();
    }
    receiver.check(&plan, &plaintext);
    receiver.stream.shutdown();
}

/// Performs the handshake of a peer with the stream.
fn shake_hands(receiver: &mut Receiver, mut theirs: &UnixStream, peer: &Config) -> Sealer {
    let mut peer = connection(peer);
    receiver.stream.flush().expect("there is room");
    while peer.is_handshaking() || peer.wants_write() {
        while peer.wants_write() {
            peer.write_tls(&mut theirs).expect("there is room");
        }
        receiver.read();
        let answer = read_all(theirs);
        let mut rest = &answer[..];
        while !rest.is_empty() {
            peer.read_tls(&mut rest).expect("it is memory");
            peer.process_new_packets().expect("the sides trust each other");
        }
    }
    assert_eq!((&receiver.state, receiver.came.len()), (&State::Open, 0));
    Sealer::new(peer)
}

/// A session whose keys can be taken out.
fn connection(config: &Config) -> Connection {
    match config {
        Config::Client { config, name, .. } => {
            let mut config = (**config).clone();
            config.enable_secret_extraction = true;
            rustls::ClientConnection::new(config.into(), name.clone())
                .expect("the configuration is valid")
                .into()
        }
        Config::Server(config) => {
            let mut config = (**config).clone();
            config.enable_secret_extraction = true;
            rustls::ServerConnection::new(config.into()).expect("the configuration is valid").into()
        }
    }
}

/// All that a stream that does not block has.
fn read_all(mut stream: &UnixStream) -> Vec<u8> {
    let mut came = Vec::new();
    // Ends with `WouldBlock`, or, if the other side has failed, with its end.
    let _ = stream.read_to_end(&mut came);
    came
}

/// The keys of a peer, which seal any record.
struct Sealer {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Sealer {
    fn new(peer: Connection) -> Sealer {
        let Some(SupportedCipherSuite::Tls13(suite)) = peer.negotiated_cipher_suite() else {
            unreachable!("it is TLS 1.3")
        };
        let (sequence, secrets) =
            peer.dangerous_extract_secrets().expect("the handshake is done, and the keys are not kept").tx;
        let ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else {
            unreachable!("the cipher suite that both sides prefer")
        };
        let key = <[u8; 32]>::try_from(key.as_ref()).expect("it has 256 bits");
        Sealer { encrypter: suite.aead_alg.encrypter(AeadKey::from(key), iv), sequence }
    }

    fn seal(&mut self, record: &Record<'_>) -> Vec<u8> {
        let plain = OutboundPlainMessage {
            typ: record.content,
            version: ProtocolVersion::TLSv1_2,
            payload: record.plain.into(),
        };
        let sealed = self.encrypter.encrypt(plain, self.sequence).expect("the record is not too long");
        self.sequence += 1;
        sealed.encode()
    }
}

/// How a stream has ended.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The peer has announced the end.
    Ended,
    /// Not announced.
    Cut,
    /// What the peer has sent was refused.
    Failed,
}

/// The side under test: what a connection does with its stream.
struct Receiver {
    stream: Secured,
    decoder: Decoder,
    max: Option<usize>,
    room: Vec<MaybeUninit<u8>>,
    came: Vec<u8>,
    decoded: Decoded,
    state: State,
}

impl Receiver {
    /// Reads until there is no more.
    fn read(&mut self) {
        loop {
            match self.stream.read(&mut self.room) {
                Ok(0) => {
                    self.state = State::Ended;
                    return;
                }
                Ok(count) => {
                    assert_eq!(self.state, State::Open, "nothing comes after the end");
                    // SAFETY: so many bytes were written.
                    let bytes: Vec<u8> =
                        self.room[..count].iter().map(|byte| unsafe { byte.assume_init() }).collect();
                    self.came.extend_from_slice(&bytes);
                    self.decode(&bytes);
                    if count < self.room.len() && self.stream.short_read_is_all() {
                        let again = self.stream.read(&mut self.room).map_err(|error| error.kind());
                        assert_eq!(again, Err(io::ErrorKind::WouldBlock), "no event would report it");
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(!self.stream.holds_input(), "no event would report it");
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.state = State::Cut;
                    return;
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    assert_eq!(self.state, State::Open, "a failure is told once");
                    assert!(self.stream.has_failed());
                    self.state = State::Failed;
                }
            }
        }
    }

    fn decode(&mut self, bytes: &[u8]) {
        if self.decoded.end.is_ok() {
            let decoded = &mut self.decoded.payloads;
            let keep = |payload: Payload<'_>, kind| decoded.push((payload.bytes().to_vec(), kind));
            self.decoded.end = self.decoder.feed(bytes, self.max, keep);
        }
    }

    /// Checks what has come of the application data that the peer has sent.
    fn check(&self, plan: &Plan<'_>, plaintext: &[u8]) {
        let is_data =
            |record: &Record<'_>| record.content == ContentType::ApplicationData && !record.plain.is_empty();
        assert!(plaintext.starts_with(&self.came), "only what was sent has come");
        if plan.records.iter().all(is_data) {
            assert!(self.came == plaintext, "all that was sent has come");
            match plan.ending {
                Ending::Open => assert_eq!(self.state, State::Open),
                Ending::Ended => assert_eq!(self.state, State::Cut),
                Ending::Invalid => assert_eq!(self.state, State::Failed),
            }
        }
        let whole = Reading { part: usize::MAX, is_direct: false, ..plan.reading };
        assert_eq!(self.decoded, decode(&plan.mapping, &self.came, &whole));
    }
}
