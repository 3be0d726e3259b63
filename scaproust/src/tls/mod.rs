//! TLS without input and output: settings, certificates, and sessions that turn plaintext into records and back.
//!
//! Owns what rustls needs: [`Settings`] are what a program and its environment ask for, a [`Config`] is made from them for one
//! side of an endpoint, and a [`Session`] is one connection's. Reads files, and nothing else of the operating system; must not
//! know sockets, streams or messages. ring does the arithmetic.

mod config;
mod environment;
mod identity;
mod material;
mod session;
mod settings;
mod trust;

use std::fmt;

use crate::error::Error;
pub(crate) use config::Config;
pub use identity::PeerIdentity;
pub(crate) use session::{Fault, Plaintext, RECORD, Session};
pub(crate) use settings::Settings;
pub use settings::{TlsOption, TlsType};

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error that a program sees.
    pub(crate) error: Error,
    /// The reason in words, for `NN_PRINT_ERRORS`.
    pub(crate) reason: String,
}

impl Failure {
    /// Invalid settings.
    fn invalid(reason: impl fmt::Display) -> Failure {
        Failure { error: Error::InvalidArgument, reason: reason.to_string() }
    }
}

/// The advice for a refused certificate of version 1, which `openssl x509 -req` makes without extensions.
const VERSION_1: &str = "the certificate has no extensions; make one of version 3: openssl x509 -req -extfile FILE, \
                         where FILE has the line subjectAltName=DNS:NAME";
/// The advice for a refused certificate of a CA.
const AUTHORITY: &str =
    "the certificate is a CA's, which is accepted only if it is itself among the trusted ones";

/// An error of rustls in words, with advice where its own words do not help.
fn words(error: &rustls::Error) -> String {
    let webpki = match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            other.0.downcast_ref::<webpki::Error>()
        }
        _ => None,
    };
    match webpki {
        Some(webpki::Error::UnsupportedCertVersion) => VERSION_1.to_owned(),
        Some(webpki::Error::CaUsedAsEndEntity) => AUTHORITY.to_owned(),
        _ => error.to_string(),
    }
}

/// Whether an error is about the certificate of the peer.
fn is_of_certificate(error: &rustls::Error) -> bool {
    use rustls::Error::{InvalidCertRevocationList, InvalidCertificate, NoCertificatesPresented};

    matches!(error, InvalidCertificate(_) | InvalidCertRevocationList(_) | NoCertificatesPresented)
}

impl From<rustls::Error> for Failure {
    /// The failure of a handshake or of a record.
    fn from(error: rustls::Error) -> Failure {
        let errno = if is_of_certificate(&error) { libc::EACCES } else { libc::EPROTO };
        Failure { error: Error::Os(errno), reason: words(&error) }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
pub(crate) mod tests;
