//! TLS as one value that is given to a socket.

use std::path::Path;

use super::endpoint::Endpoint;
use super::pattern::Pattern;
use super::socket::Socket;
use crate::error::Error;
use crate::tls::{Failure, Settings, TlsOption};

/// Whether a peer must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsAuth {
    /// It is not asked for one. A server is not verified: messages are encrypted, but the peer may be any.
    None,
    /// If it shows one, that must be valid.
    Optional,
    /// It must show a valid one.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    fn number(self) -> i32 {
        match self {
            TlsVersion::V1_2 => 0x303,
            TlsVersion::V1_3 => 0x304,
        }
    }
}

/// Certificates, and how peers are verified, for the transports `tls+tcp` and `wss`.
///
/// It is given to a socket by [`Socket::set_tls`], and is read, with its files, for each endpoint that is added afterwards.
/// A bound endpoint needs a certificate; one that connects needs certificates to trust. Texts and files are in PEM form.
///
/// ```
/// use scaproust::{Pull, Push, TlsConfig};
///
/// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/certificates")).unwrap();
/// let server = Pull::new()?;
/// server.set_tls(&TlsConfig::new().cert_file("server-cert.pem").key_file("server-key.pem"))?;
/// # let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
/// # let bind = format!("tls+tcp://127.0.0.1:{port}");
/// # let connect = format!("tls+tcp://localhost:{port}");
/// server.bind(bind)?; // Such as tls+tcp://*:5555
///
/// let client = Push::new()?;
/// client.set_tls(&TlsConfig::new().ca_file("ca.pem"))?;
/// client.connect(connect)?; // Such as tls+tcp://server.example:5555
/// client.send(b"a secret")?;
/// assert_eq!(*server.recv()?, *b"a secret");
/// # Ok::<(), scaproust::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct TlsConfig {
    texts: Vec<(TlsOption, Vec<u8>)>,
    numbers: Vec<(TlsOption, i32)>,
}

opaque!([] TlsConfig);

impl TlsConfig {
    /// Nothing but the defaults, and what the environment says; see nn_env(7).
    #[must_use]
    pub fn new() -> TlsConfig {
        TlsConfig::default()
    }

    fn text(mut self, option: TlsOption, text: &[u8]) -> TlsConfig {
        self.texts.push((option, text.to_owned()));
        self
    }

    fn path(self, option: TlsOption, path: &Path) -> TlsConfig {
        self.text(option, path.as_os_str().as_encoded_bytes())
    }

    fn number(mut self, option: TlsOption, value: i32) -> TlsConfig {
        self.numbers.push((option, value));
        self
    }

    /// Adds certificates that are trusted: those of authorities, or those of single peers.
    #[must_use]
    pub fn ca(self, pem: impl AsRef<[u8]>) -> TlsConfig {
        self.text(TlsOption::Ca, pem.as_ref())
    }

    /// Sets the file of certificates that are trusted, besides those given as text.
    #[must_use]
    pub fn ca_file(self, path: impl AsRef<Path>) -> TlsConfig {
        self.path(TlsOption::CaFile, path.as_ref())
    }

    /// Sets whether the authorities that the system trusts are trusted: not so by default.
    #[must_use]
    pub fn system_roots(self, are_trusted: bool) -> TlsConfig {
        self.number(TlsOption::SystemRoots, are_trusted.into())
    }

    /// Adds certificate revocation lists.
    #[must_use]
    pub fn crl(self, pem: impl AsRef<[u8]>) -> TlsConfig {
        self.text(TlsOption::Crl, pem.as_ref())
    }

    /// Sets the file of certificate revocation lists, besides those given as text.
    #[must_use]
    pub fn crl_file(self, path: impl AsRef<Path>) -> TlsConfig {
        self.path(TlsOption::CrlFile, path.as_ref())
    }

    /// Sets the own certificate, followed by those between it and its authority. The key is in the same text, unless
    /// [`TlsConfig::key`] or [`TlsConfig::key_file`] gives it.
    #[must_use]
    pub fn cert(self, pem: impl AsRef<[u8]>) -> TlsConfig {
        self.text(TlsOption::Cert, pem.as_ref())
    }

    /// Sets the file of the own certificate, as [`TlsConfig::cert`].
    #[must_use]
    pub fn cert_file(self, path: impl AsRef<Path>) -> TlsConfig {
        self.path(TlsOption::CertFile, path.as_ref())
    }

    /// Sets the private key of the own certificate, which must not be encrypted.
    #[must_use]
    pub fn key(self, pem: impl AsRef<[u8]>) -> TlsConfig {
        self.text(TlsOption::Key, pem.as_ref())
    }

    /// Sets the file of the private key.
    #[must_use]
    pub fn key_file(self, path: impl AsRef<Path>) -> TlsConfig {
        self.path(TlsOption::KeyFile, path.as_ref())
    }

    /// Sets whether peers must show a certificate. By default a server must, and a client is not asked.
    #[must_use]
    pub fn auth(self, auth: TlsAuth) -> TlsConfig {
        let number = match auth {
            TlsAuth::None => 0,
            TlsAuth::Optional => 1,
            TlsAuth::Required => 2,
        };
        self.number(TlsOption::Auth, number)
    }

    /// Sets the name or the IP address that the certificate of a server must have. The default is the host in the address.
    #[must_use]
    pub fn server_name(self, name: impl AsRef<str>) -> TlsConfig {
        self.text(TlsOption::ServerName, name.as_ref().as_bytes())
    }

    /// Sets the least version: TLS 1.2 by default.
    #[must_use]
    pub fn min_version(self, version: TlsVersion) -> TlsConfig {
        self.number(TlsOption::MinVersion, version.number())
    }

    /// Sets the greatest version: TLS 1.3 by default.
    #[must_use]
    pub fn max_version(self, version: TlsVersion) -> TlsConfig {
        self.number(TlsOption::MaxVersion, version.number())
    }

    /// The settings that it stands for.
    ///
    /// # Errors
    /// Those of [`Socket::set_tls`].
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        let mut settings = Settings::new();
        for (option, text) in &self.texts {
            let text = option.text(text).map_err(|Failure { error, .. }| error)?;
            settings.set_text(*option, text)?;
        }
        for (option, number) in &self.numbers {
            settings.set_int(*option, *number)?;
        }
        Ok(settings)
    }
}

impl<P: Pattern> Socket<P> {
    /// Sets the certificates and the verification of peers, for endpoints added afterwards. The files are read once to check
    /// them, and again for each endpoint. What was set before is replaced.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a text or a file that is malformed, the operating system's for a file,
    /// [`Error::Closed`]; nothing has changed then. Errors that need a whole configuration, such as a key of another
    /// certificate, are those of [`Socket::bind`] and [`Socket::connect`].
    ///
    /// ```
    /// # use scaproust::{Error, Pair, TlsConfig};
    /// let socket = Pair::new()?;
    /// assert_eq!(socket.set_tls(&TlsConfig::new().ca("no certificate")), Err(Error::InvalidArgument));
    /// assert_eq!(socket.bind("tls+tcp://127.0.0.1:5555").err(), Some(Error::InvalidArgument)); // It has no certificate.
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_tls(&self, config: &TlsConfig) -> Result<(), Error> {
        let settings = config.settings()?;
        self.enter()?.set_tls(settings);
        Ok(())
    }
}

impl Endpoint {
    /// Reads the files of certificates, keys and revocation lists again, for the connections that are made from now on. Those
    /// that exist go on.
    ///
    /// # Errors
    /// Those of [`Socket::bind`] for TLS, [`Error::InvalidArgument`] for an endpoint without TLS, [`Error::Closed`]; the endpoint
    /// goes on with what it has.
    ///
    /// ```
    /// # use scaproust::{Error, Pair};
    /// let socket = Pair::new()?;
    /// let endpoint = socket.bind("inproc://doc/endpoint/reload")?;
    /// assert_eq!(endpoint.reload_tls(), Err(Error::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn reload_tls(&self) -> Result<(), Error> {
        self.enter()?.set_tls_int(TlsOption::Reload, self.id().get())
    }
}
