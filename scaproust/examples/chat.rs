//! A chat over wss, for browsers and Rust programs. What a member says goes to the room, and from there to all members.
//!
//!     chat serve wss://*:5555 certificate.pem key.pem
//!     chat join wss://localhost:5555 ca.pem anna
//!
//! A browser joins with the page `chat.html#wss://localhost:5555,anna`. It must trust the certificate, which OpenSSL makes, signed
//! by itself and so its own `ca.pem`:
//!
//!     openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost
//!         -keyout key.pem -out certificate.pem
//!
//! Without a command, two members talk in a room of this process.

use std::error::Error;
use std::io::{self, BufRead};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use scaproust::{Bus, EventKind, Events, MessageType, Poller, TlsConfig};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, certificate, key] => {
            let room = open(&TlsConfig::new().cert_file(certificate).key_file(key))?;
            let events = room.events()?;
            println!("open at {}", room.bind(address)?.address()?);
            serve(&room, events)
        }
        ["join", address, ca, name] => join(address, ca, name),
        _ => talk(),
    }
}

/// A socket whose messages are texts over ws, as a browser shows them.
fn open(tls: &TlsConfig) -> Result<Bus, scaproust::Error> {
    let socket = Bus::new()?;
    socket.set_tls(tls)?;
    socket.set_ws_message_type(MessageType::Text)?;
    Ok(socket)
}

/// Sends what each member says to all, and how many they are, until the room is closed. A BUS socket never blocks: a member that
/// reads too slowly misses what is said. The events are those from before the room had an address.
fn serve(room: &Bus, events: Events) -> Outcome {
    match forward(room, events) {
        Err(scaproust::Error::Closed) => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn forward(room: &Bus, mut events: Events) -> Result<(), scaproust::Error> {
    let mut poller = Poller::new().readable(room).readable(&events);
    let mut members = 0;
    loop {
        poller.wait(None)?;
        while let Some(event) = events.try_next() {
            match event.kind {
                EventKind::Accepted => members += 1,
                EventKind::Disconnected => members -= 1,
                _ => continue,
            }
            room.send(format!("* {members} here"))?;
        }
        while let Ok(said) = room.try_recv() {
            room.send(said)?;
        }
    }
}

/// Says what is typed, and prints what is said.
fn join(address: &str, ca: impl AsRef<Path>, name: &str) -> Outcome {
    let member = open(&TlsConfig::new().ca_file(ca))?;
    let link = member.connect(address)?;
    link.wait_connected(Instant::now() + Duration::from_secs(10))?;
    thread::scope(|scope| {
        scope.spawn(|| {
            for said in member.iter().map_while(Result::ok) {
                println!("{}", String::from_utf8_lossy(&said));
            }
        });
        let said =
            io::stdin().lock().lines().try_for_each(|line| Ok(member.send(format!("{name}: {}", line?))?));
        member.close()?;
        said
    })
}

/// Two members that talk in a room of this process, with certificates for tests.
fn talk() -> Outcome {
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/certificates");
    let file = |name| certificates.join(name);
    let room = open(&TlsConfig::new().cert_file(file("server-cert.pem")).key_file(file("server-key.pem")))?;
    let events = room.events()?;
    let address = room.bind("wss://127.0.0.1:0")?.address()?.replace("127.0.0.1", "localhost");
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve(&room, events));
        let talked = hear_each_other(&address, &TlsConfig::new().ca_file(file("ca.pem")));
        room.close()?;
        talked.and(serving.join().unwrap_or(Ok(())))
    })
}

fn hear_each_other(address: &str, tls: &TlsConfig) -> Outcome {
    let (anna, ben) = (open(tls)?, open(tls)?);
    // Waits until a member hears this: the numbers of members may come in between.
    let hears = |member: &Bus, expected: &str| {
        loop {
            let said = member.recv_deadline(Instant::now() + Duration::from_secs(30))?;
            println!("{}", String::from_utf8_lossy(&said));
            if said == expected {
                return Ok::<(), scaproust::Error>(());
            }
        }
    };
    anna.connect(address)?;
    hears(&anna, "* 1 here")?;
    ben.connect(address)?;
    hears(&anna, "* 2 here")?;
    anna.send("anna: hello")?;
    hears(&anna, "anna: hello")?;
    hears(&ben, "anna: hello")?;
    ben.send("ben: good morning")?;
    hears(&anna, "ben: good morning")?;
    Ok(())
}
