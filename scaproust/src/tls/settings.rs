//! What a program and its environment ask for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ProtocolVersion;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};

use super::environment::Environment;
use super::trust::anchors;
use super::{Failure, material};
use crate::error::Error;
use crate::option::{Value, text_without_zero};

/// An option of the level `NN_TLS`. The numbers are those of the C API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsOption {
    /// `NN_TLS_CA`: certificates that are trusted, added to those before. Empty: none.
    Ca = 1,
    /// `NN_TLS_CERT`: the own certificate, and those between it and its CA.
    Cert = 2,
    /// `NN_TLS_KEY`: the private key of the own certificate.
    Key = 3,
    /// `NN_TLS_CRL`: revocation lists, added to those before. Empty: none.
    Crl = 4,
    /// `NN_TLS_CA_FILE`: the file of certificates that are trusted.
    CaFile = 5,
    /// `NN_TLS_CERT_FILE`: the file of the own certificate.
    CertFile = 6,
    /// `NN_TLS_KEY_FILE`: the file of the private key.
    KeyFile = 7,
    /// `NN_TLS_CRL_FILE`: the file of revocation lists.
    CrlFile = 8,
    /// `NN_TLS_AUTH`: whether the peer must show a certificate.
    Auth = 9,
    /// `NN_TLS_SERVER_NAME`: the name that the certificate of a server must have.
    ServerName = 10,
    /// `NN_TLS_MIN_VERSION`.
    MinVersion = 11,
    /// `NN_TLS_MAX_VERSION`.
    MaxVersion = 12,
    /// `NN_TLS_SYSTEM_ROOTS`: whether the certificates that the system trusts are trusted.
    SystemRoots = 13,
    /// `NN_TLS_RELOAD`: the endpoint that is to read its files again.
    Reload = 14,
}

/// The type of an option's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsType {
    /// An integer.
    Int,
    /// A text without zero bytes.
    Text,
}

impl TlsOption {
    const ALL: [TlsOption; 14] = {
        use TlsOption::*;
        [
            Ca,
            Cert,
            Key,
            Crl,
            CaFile,
            CertFile,
            KeyFile,
            CrlFile,
            Auth,
            ServerName,
            MinVersion,
            MaxVersion,
            SystemRoots,
            Reload,
        ]
    };

    /// The option with this number.
    #[must_use]
    pub fn find(name: i32) -> Option<TlsOption> {
        TlsOption::ALL.into_iter().find(|option| *option as i32 == name)
    }

    /// The type of its values.
    #[must_use]
    pub fn tls_type(self) -> TlsType {
        use TlsOption::*;
        match self {
            Auth | MinVersion | MaxVersion | SystemRoots | Reload => TlsType::Int,
            Ca | Cert | Key | Crl | CaFile | CertFile | KeyFile | CrlFile | ServerName => TlsType::Text,
        }
    }
}

/// `NN_TLS_AUTH` while it is not set: the peer must show a certificate if it listens, and is not asked if it connects.
const AUTH_DEFAULT: i32 = -1;
/// The versions of TLS by their numbers on the wire.
const VERSIONS: [i32; 2] = [0x303, 0x304];

/// A PEM text, or the file that has it.
#[derive(Clone, Default)]
enum Source {
    #[default]
    None,
    Text(Vec<u8>),
    File(PathBuf),
}

impl fmt::Debug for Source {
    /// Does not print a text, which may be a key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::None => formatter.write_str("None"),
            Source::Text(_) => formatter.write_str("Text"),
            Source::File(path) => path.fmt(formatter),
        }
    }
}

impl Source {
    fn content(&self) -> Result<Option<Vec<u8>>, Failure> {
        match self {
            Source::None => Ok(None),
            Source::Text(text) => Ok(Some(text.clone())),
            Source::File(path) => material::read(path).map(Some),
        }
    }

    fn text(&self) -> Vec<u8> {
        if let Source::Text(text) = self { text.clone() } else { Vec::new() }
    }

    fn file(&self) -> Vec<u8> {
        if let Source::File(path) = self { bytes(path) } else { Vec::new() }
    }

    fn is_none(&self) -> bool {
        matches!(self, Source::None)
    }
}

/// The settings of a socket. An endpoint has a copy as they were when it was made, and reads the files then.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    ca: Vec<u8>,
    ca_file: Option<PathBuf>,
    cert: Source,
    key: Source,
    crl: Vec<u8>,
    crl_file: Option<PathBuf>,
    auth: i32,
    server_name: String,
    min_version: i32,
    max_version: i32,
    system_roots: bool,
    environment: Environment,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}

impl Settings {
    /// The defaults, and the environment's settings.
    pub(crate) fn new() -> Settings {
        Settings {
            ca: Vec::new(),
            ca_file: None,
            cert: Source::None,
            key: Source::None,
            crl: Vec::new(),
            crl_file: None,
            auth: AUTH_DEFAULT,
            server_name: String::new(),
            min_version: VERSIONS[0],
            max_version: VERSIONS[1],
            system_roots: false,
            environment: Environment::read(),
        }
    }

    /// Sets an integer option. [`TlsOption::Reload`] is not one of the settings.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value out of range.
    pub(crate) fn set_int(&mut self, option: TlsOption, value: i32) -> Result<(), Error> {
        match (option, value) {
            (TlsOption::Auth, AUTH_DEFAULT..=2) => self.auth = value,
            (TlsOption::MinVersion, _) if VERSIONS.contains(&value) => self.min_version = value,
            (TlsOption::MaxVersion, _) if VERSIONS.contains(&value) => self.max_version = value,
            (TlsOption::SystemRoots, 0 | 1) => self.system_roots = value == 1,
            _ => return Err(Error::InvalidArgument),
        }
        Ok(())
    }

    /// Sets a text option to a text that was [checked](TlsOption::text). An empty text removes the value.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an integer option.
    pub(crate) fn set_text(&mut self, option: TlsOption, text: &[u8]) -> Result<(), Error> {
        let path = || (!text.is_empty()).then(|| path(text)).transpose();
        let file_source = || path().map(|path| path.map_or(Source::None, Source::File));
        let text_source = || if text.is_empty() { Source::None } else { Source::Text(text.to_owned()) };
        match option {
            TlsOption::Ca if text.is_empty() => self.ca.clear(),
            TlsOption::Ca => add(&mut self.ca, text),
            TlsOption::Crl if text.is_empty() => self.crl.clear(),
            TlsOption::Crl => add(&mut self.crl, text),
            TlsOption::Cert => self.cert = text_source(),
            TlsOption::Key => self.key = text_source(),
            TlsOption::CaFile => self.ca_file = path()?,
            TlsOption::CrlFile => self.crl_file = path()?,
            TlsOption::CertFile => self.cert = file_source()?,
            TlsOption::KeyFile => self.key = file_source()?,
            TlsOption::ServerName => self.server_name = String::from_utf8_lossy(text).into_owned(),
            _ => return Err(Error::InvalidArgument),
        }
        Ok(())
    }

    /// The value of an option, as the program has set it, but for keys; `None` for one that cannot be read.
    pub(crate) fn get(&self, option: TlsOption) -> Option<Value> {
        let file = |path: &Option<PathBuf>| path.as_deref().map(bytes).unwrap_or_default();
        Some(match option {
            TlsOption::Ca => Value::Bytes(material::without_keys(&self.ca)),
            TlsOption::Cert => Value::Bytes(material::without_keys(&self.cert.text())),
            TlsOption::Crl => Value::Bytes(self.crl.clone()),
            TlsOption::CaFile => Value::Bytes(file(&self.ca_file)),
            TlsOption::CertFile => Value::Bytes(self.cert.file()),
            TlsOption::KeyFile => Value::Bytes(self.key.file()),
            TlsOption::CrlFile => Value::Bytes(file(&self.crl_file)),
            TlsOption::ServerName => Value::Bytes(self.server_name.clone().into_bytes()),
            TlsOption::Auth => Value::Int(self.auth),
            TlsOption::MinVersion => Value::Int(self.min_version),
            TlsOption::MaxVersion => Value::Int(self.max_version),
            TlsOption::SystemRoots => Value::Int(self.system_roots.into()),
            TlsOption::Key | TlsOption::Reload => return None,
        })
    }

    /// The trusted certificates.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Failure> {
        let mut all = if self.ca.is_empty() { Vec::new() } else { material::certificates(&self.ca)? };
        let is_set = !self.ca.is_empty() || self.ca_file.is_some() || self.system_roots;
        let file = if is_set { &self.ca_file } else { &self.environment.ca_file };
        if let Some(file) = file {
            all.extend(material::certificates(&material::read(file)?)?);
        }
        Ok(all)
    }

    /// Whether the certificates that the system trusts are trusted.
    pub(super) fn trusts_system(&self) -> bool {
        self.system_roots
    }

    /// The own certificates and their key, if there are any. A key that is not set is beside the certificate.
    pub(super) fn own(&self) -> Result<Option<OwnCertificate>, Failure> {
        let (cert, key) = if self.cert.is_none() && self.key.is_none() {
            let source = |path: &Option<PathBuf>| path.clone().map_or(Source::None, Source::File);
            (&source(&self.environment.cert_file), &source(&self.environment.key_file))
        } else {
            (&self.cert, &self.key)
        };
        let Some(content) = cert.content()? else {
            return if key.is_none() { Ok(None) } else { Err(Failure::invalid("a key, and no certificate")) };
        };
        let key = material::key(&key.content()?.unwrap_or_else(|| content.clone()))?;
        Ok(Some((material::certificates(&content)?, key)))
    }

    /// The revocation lists.
    pub(super) fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, Failure> {
        let mut all = if self.crl.is_empty() { Vec::new() } else { material::revocation_lists(&self.crl)? };
        if let Some(file) = &self.crl_file {
            all.extend(material::revocation_lists(&material::read(file)?)?);
        }
        Ok(all)
    }

    /// Whether a peer must show a certificate; `default` if the program has not set that.
    pub(super) fn auth(&self, default: Auth) -> Auth {
        match self.auth {
            0 => Auth::None,
            1 => Auth::Optional,
            2 => Auth::Required,
            _ => default,
        }
    }

    /// The name that a server's certificate must have, if it is not that of the address.
    pub(super) fn server_name(&self) -> Option<&str> {
        let own = Some(self.server_name.as_str()).filter(|name| !name.is_empty());
        own.or(self.environment.server_name.as_deref())
    }

    /// The versions of TLS that are allowed, at least one.
    pub(super) fn versions(&self) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, Failure> {
        let number = |version: &rustls::SupportedProtocolVersion| match version.version {
            ProtocolVersion::TLSv1_2 => VERSIONS[0],
            _ => VERSIONS[1],
        };
        let range = self.min_version..=self.max_version;
        let allowed: Vec<_> =
            rustls::ALL_VERSIONS.iter().copied().filter(|version| range.contains(&number(version))).collect();
        if allowed.is_empty() {
            return Err(Failure::invalid("the least version is above the greatest"));
        }
        Ok(allowed)
    }
}

/// The own certificate with those between it and its CA, and the key.
pub(super) type OwnCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Whether a peer must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    /// It is not asked for one, or not verified.
    None,
    /// If it shows one, that must be valid.
    Optional,
    /// It must show a valid one.
    Required,
}

/// Appends a PEM text.
fn add(all: &mut Vec<u8>, text: &[u8]) {
    all.extend_from_slice(text);
    all.push(b'\n');
}

impl TlsOption {
    /// The text of an option that is given as these bytes, of which one zero at the end is not part. It is checked, or the
    /// content of the file that it names. An empty one is valid.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], or the operating system's for a file.
    pub(crate) fn text(self, bytes: &[u8]) -> Result<&[u8], Failure> {
        let text = text_without_zero(bytes).map_err(|_| Failure::invalid("a zero byte within the text"))?;
        self.check(text).map(|()| text)
    }

    fn check(self, text: &[u8]) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let content = match self {
            TlsOption::CaFile | TlsOption::CertFile | TlsOption::KeyFile | TlsOption::CrlFile => {
                &material::read(&path(text).map_err(|_| Failure::invalid("a path that is not UTF-8"))?)?
            }
            _ => text,
        };
        match self {
            TlsOption::Ca | TlsOption::CaFile => anchors(&material::certificates(content)?).map(drop),
            TlsOption::Cert | TlsOption::CertFile => material::certificates(content).map(drop),
            TlsOption::Key | TlsOption::KeyFile => material::check_key(content, &provider()),
            TlsOption::Crl | TlsOption::CrlFile => material::revocation_lists(content).map(drop),
            TlsOption::ServerName => server_name(&String::from_utf8_lossy(text)).map(drop),
            _ => Ok(()),
        }
    }
}

/// The name or the IP address to verify, from its text.
///
/// # Errors
/// [`Error::InvalidArgument`].
pub(super) fn server_name(text: &str) -> Result<ServerName<'static>, Failure> {
    let text = text.strip_suffix('.').unwrap_or(text);
    ServerName::try_from(text.to_owned())
        .map_err(|_| Failure::invalid(format_args!("{text}: not the name of a server")))
}

/// The bytes of a path.
fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_owned()
}

/// ring.
pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The path with these bytes.
///
/// # Errors
/// None on Unix.
#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStrExt;

    Ok(Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned())
}

/// The path with these bytes, which must be text.
///
/// # Errors
/// [`Error::InvalidArgument`].
#[cfg(windows)]
fn path(bytes: &[u8]) -> Result<PathBuf, Error> {
    std::str::from_utf8(bytes).map(PathBuf::from).map_err(|_| Error::InvalidArgument)
}
