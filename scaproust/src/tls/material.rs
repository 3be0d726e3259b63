//! Certificates, keys and revocation lists, from PEM text and from files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::Failure;
use super::environment::Environment;
use crate::error::Error;

/// The most bytes of a file that are read. A system's file of trusted certificates has about 200 KiB.
const FILE_MAX: u64 = 4 << 20;

/// The files with the trusted certificates of the most common systems.
const SYSTEM_FILES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The content of a file.
///
/// # Errors
/// The operating system's, and [`Error::InvalidArgument`] for a file that is too long.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: io::Error| {
        let reason = format!("{}: {error}", path.display());
        Failure { error: Error::from(error), reason }
    };
    let mut content = Vec::new();
    let count =
        open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut content)).map_err(failure)?;
    if count as u64 > FILE_MAX {
        return Err(Failure::invalid(format_args!("{}: too long", path.display())));
    }
    Ok(content)
}

/// Opens a file. Opening a FIFO must not wait for its writer.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Opens a file.
#[cfg(windows)]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// The certificates in a PEM text, at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    all(pem, "certificate")
}

/// The revocation lists in a PEM text, at least one.
pub(super) fn revocation_lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, Failure> {
    let lists: Vec<CertificateRevocationListDer<'static>> = all(pem, "revocation list")?;
    for list in &lists {
        webpki::BorrowedCertRevocationList::from_der(list)
            .map_err(|error| Failure::invalid(format_args!("bad revocation list: {error}")))?;
    }
    Ok(lists)
}

/// The first private key in a PEM text.
pub(super) fn key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => Failure::invalid("no private key (an encrypted one cannot be used)"),
        error => Failure::invalid(format_args!("bad private key: {error}")),
    })
}

/// Checks that a key is one that can be used.
pub(super) fn check_key(pem: &[u8], provider: &CryptoProvider) -> Result<(), Failure> {
    let loaded = provider.key_provider.load_private_key(key(pem)?);
    loaded.map(drop).map_err(|error| Failure::invalid(format_args!("bad private key: {error}")))
}

fn all<T: PemObject + AsRef<[u8]>>(pem: &[u8], what: &str) -> Result<Vec<T>, Failure> {
    let found: Vec<T> = T::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::invalid(format_args!("bad {what}: {error}")))?;
    if found.is_empty() {
        return Err(Failure::invalid(format_args!("no {what} in PEM form")));
    }
    if found.iter().any(|item| item.as_ref().is_empty()) {
        return Err(Failure::invalid(format_args!("a {what} in PEM form is empty")));
    }
    Ok(found)
}

/// The certificates that the system trusts.
///
/// # Errors
/// The operating system's, `ENOENT` if there is no such file in the usual places.
pub(super) fn system_certificates() -> Result<Vec<CertificateDer<'static>>, Failure> {
    let usual = || SYSTEM_FILES.into_iter().map(PathBuf::from).find(|path| path.exists());
    let file = Environment::system_file().or_else(usual).ok_or_else(|| Failure {
        error: Error::Os(libc::ENOENT),
        reason: "no file with the system's trusted certificates".to_owned(),
    })?;
    certificates(&read(&file)?)
}
/// A text without its private keys: they are given once, and not read back.
pub(super) fn without_keys(text: &[u8]) -> Vec<u8> {
    let mut in_key = false;
    let kept = text.split_inclusive(|byte| *byte == b'\n').filter(|line| {
        in_key |= line.starts_with(b"-----BEGIN ") && line.trim_ascii_end().ends_with(b"PRIVATE KEY-----");
        let is_kept = !in_key;
        in_key &= !line.starts_with(b"-----END ");
        is_kept
    });
    kept.flatten().copied().collect()
}
