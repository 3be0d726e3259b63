//! What is known of a peer by its certificate.

use std::fmt::{self, Write};
use std::net::IpAddr;

use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;

/// A peer of a connection with TLS that has shown a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerIdentity {
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// The subject, such as `CN=server,O=Example`, in the order of the certificate.
    pub subject: String,
    /// The alternative names, such as `DNS:server.example` or `IP:10.0.0.1`.
    pub names: Vec<String>,
    /// The certificate was verified.
    pub is_verified: bool,
    /// The version of TLS, by its number on the wire: 0x303 for 1.2, 0x304 for 1.3.
    pub version: u16,
}

impl PeerIdentity {
    /// The identity of a peer with this certificate.
    pub(super) fn new(certificate: &[u8], is_verified: bool, version: u16) -> PeerIdentity {
        let (subject, names) = described(certificate).unwrap_or_default();
        PeerIdentity { fingerprint: sha256(certificate), subject, names, is_verified, version }
    }
}

/// One line for each fact, such as `subject=CN=server`; as `NN_CMSG_TLS_PEER` has it.
impl fmt::Display for PeerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verified={}", u8::from(self.is_verified))?;
        writeln!(f, "version=1.{}", self.version.saturating_sub(0x301))?;
        writeln!(f, "subject={}", self.subject)?;
        self.names.iter().try_for_each(|name| writeln!(f, "name={name}"))?;
        f.write_str("sha256=")?;
        self.fingerprint.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// SHA-256, by ring.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider.hash(bytes));
    let mut digest = [0; 32];
    if let Some(hash) = hash {
        digest.copy_from_slice(hash.as_ref());
    }
    digest
}

// The tags of DER (X.690, 8.1) that are looked for.
const SEQUENCE: u8 = 0x30;
const EXTENSIONS: u8 = 0xa3;
const EXPLICIT_VERSION: u8 = 0xa0;
/// The identifier of the extension with alternative names, 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// The identifiers of the attributes that have short names (RFC 4514, 3), all below 2.5.4.
const ATTRIBUTES: [(u8, &str); 6] = [(3, "CN"), (6, "C"), (7, "L"), (8, "ST"), (10, "O"), (11, "OU")];

/// Elements of DER, each with its tag and its content. A malformed one is the last.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk()?;
        let mut length = usize::from(first);
        if first & 0x80 != 0 {
            let digits;
            (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            length = digits.iter().try_fold(0_usize, |length, digit| {
                length.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
        }
        let content;
        (content, self.0) = rest.split_at_checked(length)?;
        Some((tag, content))
    }
}

/// The subject and the alternative names of a certificate (RFC 5280, 4.1); `None` if it is malformed.
fn described(certificate: &[u8]) -> Option<(String, Vec<String>)> {
    let (_, signed) = Elements(certificate).next()?;
    let (_, body) = Elements(signed).next()?;
    // Serial number, algorithm, issuer, validity, subject.
    let mut parts = Elements(body).filter(|(tag, _)| *tag != EXPLICIT_VERSION);
    let (_, subject) = parts.nth(4)?;
    let extensions = parts.find(|(tag, _)| *tag == EXTENSIONS);
    let names = extensions.and_then(|(_, list)| alternative_names(list)).unwrap_or_default();
    Some((distinguished_name(subject), names))
}

fn distinguished_name(name: &[u8]) -> String {
    let mut text = String::new();
    for (_, attributes) in Elements(name) {
        for (_, attribute) in Elements(attributes) {
            let mut parts = Elements(attribute);
            let (Some((_, identifier)), Some((_, value))) = (parts.next(), parts.next()) else { continue };
            let known = |&(number, _): &(u8, _)| identifier == [0x55, 4, number];
            let Some((_, short)) = ATTRIBUTES.into_iter().find(known) else { continue };
            let separator = if text.is_empty() { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{short}=");
            escape(&mut text, value);
        }
    }
    text
}

/// Appends a text of a peer, so that it cannot be taken for several parts, or for a control character.
fn escape(text: &mut String, value: &[u8]) {
    for letter in String::from_utf8_lossy(value).chars() {
        match letter {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => text.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(text, "\\{:02X}", u32::from(letter));
            }
            letter => text.push(letter),
        }
    }
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let (_, list) = Elements(extensions).next()?;
    let is_wanted = |content: &&[u8]| {
        Elements(content).next().is_some_and(|(_, identifier)| identifier == ALTERNATIVE_NAMES)
    };
    let extension = Elements(list).map(|(_, content)| content).find(is_wanted)?;
    let (_, value) = Elements(extension).last()?;
    let (tag, names) = Elements(value).next()?;
    (tag == SEQUENCE).then(|| Elements(names).filter_map(|(tag, name)| alternative_name(tag, name)).collect())
}

/// A name with its kind; `None` for a kind that is not known.
fn alternative_name(tag: u8, name: &[u8]) -> Option<String> {
    let mut text = match tag & 0x1f {
        1 => "email:",
        2 => "DNS:",
        6 => "URI:",
        7 => {
            let address = <[u8; 4]>::try_from(name).map(IpAddr::from);
            let address = address.or_else(|_| <[u8; 16]>::try_from(name).map(IpAddr::from)).ok()?;
            return Some(format!("IP:{address}"));
        }
        _ => return None,
    }
    .to_owned();
    escape(&mut text, name);
    Some(text)
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    fn certificate(pem: &[u8]) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem).unwrap()
    }

    #[test]
    fn a_certificate_tells_its_subject_and_its_names() {
        let server = certificate(include_bytes!("certificates/server.pem"));
        let identity = PeerIdentity::new(&server, true, 0x304);
        assert_eq!((&*identity.subject, identity.is_verified, identity.version), ("CN=server", true, 0x304));
        assert_eq!(identity.names, ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]);
        let client = certificate(include_bytes!("certificates/client.pem"));
        assert_eq!(described(&client).unwrap().1, ["DNS:client", "URI:spiffe://test/client"]);
        let old = certificate(include_bytes!("certificates/version-1.pem"));
        assert_eq!(described(&old), Some(("CN=localhost".to_owned(), Vec::new())));
    }

    #[test]
    fn the_fingerprint_is_sha_256() {
        let digest = sha256(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }

    /// A certificate that is cut or changed anywhere is described somehow, or not.
    #[test]
    fn malformed_certificates_are_survived() {
        let server = certificate(include_bytes!("certificates/server.pem"));
        for at in 0..server.len() {
            assert_ne!(described(&server[..at]), described(&server));
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = server.to_vec();
                changed[at] = byte;
                described(&changed);
            }
        }
    }

    #[test]
    fn texts_of_peers_are_escaped() {
        let mut text = String::new();
        escape(&mut text, b"a,CN=b\n\xff");
        assert_eq!(text, "a\\,CN\\=b\\0A\u{fffd}");
    }
}
