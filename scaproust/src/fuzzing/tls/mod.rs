//! The targets `tls_handshake` and `tls_records`: a peer that may send anything, before the handshake of TLS is done and after.

mod handshake;
#[cfg(all(unix, not(any(loom, simulated))))]
mod records;

use std::rc::Rc;
use std::sync::Arc;

use crate::tls::TlsOption::{Auth, Ca, Cert, Key, MaxVersion};
use crate::tls::{Config, Settings};
pub use handshake::tls_handshake;
#[cfg(all(unix, not(any(loom, simulated))))]
pub use records::tls_records;

/// The certificates of the tests: a CA, and what it has issued.
const CA: &str = include_str!("../../tls/certificates/ca.pem");
const SERVER: &str = include_str!("../../tls/certificates/server.pem");
const CLIENT: &str = include_str!("../../tls/certificates/client.pem");

/// The numbers of the versions of TLS.
const VERSIONS: [i32; 2] = [0x303, 0x304];

thread_local! {
    /// The sides of each version, without and with the certificate of the client. They are made once.
    static SIDES: [[Rc<Sides>; 2]; 2] =
        VERSIONS.map(|version| [0, 2].map(|auth| Rc::new(Sides::new(version, auth))));
}

/// Both sides of an endpoint, which trust each other.
struct Sides {
    client: Config,
    server: Config,
}

impl Sides {
    /// The sides with this version, an index into [`VERSIONS`], as the newest; `is_mutual`: the client must show its
    /// certificate.
    fn of(version: usize, is_mutual: bool) -> Rc<Sides> {
        SIDES
            .try_with(|sides| sides[version][usize::from(is_mutual)].clone())
            .expect("the thread has not ended")
    }

    /// No session is resumed, so that an input always does the same.
    fn new(version: i32, auth: i32) -> Sides {
        let settings = |own, auth: &[_]| {
            let mut settings = Settings::new();
            for (option, text) in [(Ca, CA), (Cert, own), (Key, own)] {
                settings.set_text(option, text.as_bytes()).expect("the text is short");
            }
            for (option, value) in [(MaxVersion, version)].iter().chain(auth) {
                settings.set_int(*option, *value).expect("the number is in range");
            }
            settings
        };
        let mut client =
            Config::client(&settings(CLIENT, &[]), "localhost").expect("the certificates are valid");
        if let Config::Client { config, .. } = &mut client {
            Arc::make_mut(config).resumption = rustls::client::Resumption::disabled();
        }
        let server = Config::server(&settings(SERVER, &[(Auth, auth)])).expect("the certificates are valid");
        Sides { client, server }
    }

    /// The configuration of one side, and that of the other one.
    fn around(&self, is_client: bool) -> (&Config, &Config) {
        if is_client { (&self.client, &self.server) } else { (&self.server, &self.client) }
    }
}
