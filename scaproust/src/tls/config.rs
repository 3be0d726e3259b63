//! The configuration of one side of an endpoint, from which its sessions are made.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::session::Session;
use super::settings::{Auth, OwnCertificate, provider, server_name};
use super::trust::{Anything, Trust};
use super::{Failure, Settings, words};

/// The most sessions that a dialer can resume: those with the servers that its address names.
const RESUMABLE: usize = 16;

/// The configuration of one side. Sessions can be resumed only with the same configuration.
#[derive(Clone)]
pub(crate) enum Config {
    /// Of an endpoint that connects.
    Client {
        /// The configuration for rustls.
        config: Arc<ClientConfig>,
        /// The name to verify.
        name: ServerName<'static>,
        /// Servers are verified.
        verifies: bool,
    },
    /// Of a bound endpoint. Certificates of clients are verified if they are asked for.
    Server(Arc<ServerConfig>),
}

impl Config {
    /// A configuration for connecting to `host`, a name or an IP address.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::Error::InvalidArgument), or the operating system's for a file.
    pub(crate) fn client(settings: &Settings, host: &str) -> Result<Config, Failure> {
        let provider = provider();
        let name = server_name(settings.server_name().unwrap_or(host))?;
        let auth = settings.auth(Auth::Required);
        let verifier = match auth {
            Auth::None => Arc::new(Anything(provider.signature_verification_algorithms)),
            // A server always shows a certificate.
            Auth::Optional | Auth::Required => trust(settings)?.of_servers(provider.clone())?,
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&settings.versions()?)
            .map_err(Failure::invalid)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match settings.own()? {
            Some(own) => builder.with_client_cert_resolver(Arc::new(resolver(own)?)),
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(RESUMABLE);
        Ok(Config::Client { config: Arc::new(config), name, verifies: auth != Auth::None })
    }

    /// A configuration for listening.
    ///
    /// # Errors
    /// As [`Config::client`]; also without a certificate.
    pub(crate) fn server(settings: &Settings) -> Result<Config, Failure> {
        let provider = provider();
        let own = settings.own()?.ok_or_else(|| Failure::invalid("a bound endpoint needs a certificate"))?;
        let verifier = match settings.auth(Auth::None) {
            Auth::None => rustls::server::WebPkiClientVerifier::no_client_auth(),
            auth => trust(settings)?.of_clients(auth, provider.clone())?,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&settings.versions()?)
            .map_err(Failure::invalid)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(resolver(own)?));
        // The tickets hold all state, so clients that do not return cost no memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new().map_err(Failure::from)?;
        config.send_tls13_tickets = 1;
        Ok(Config::Server(Arc::new(config)))
    }

    /// A new session.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        Ok(match self {
            Config::Client { config, name, verifies } => {
                Session::new(ClientConnection::new(config.clone(), name.clone())?.into(), *verifies)
            }
            Config::Server(config) => Session::new(ServerConnection::new(config.clone())?.into(), true),
        })
    }
}

fn trust(settings: &Settings) -> Result<Trust, Failure> {
    let system = if settings.trusts_system() { super::material::system_certificates()? } else { Vec::new() };
    Ok(Trust { own: settings.authorities()?, system, revocation_lists: settings.revocation_lists()? })
}

/// The own certificate and its key, checked against each other.
fn resolver((certificates, key): OwnCertificate) -> Result<SingleCertAndKey, Failure> {
    let invalid = |error: rustls::Error| Failure::invalid(format_args!("own certificate: {}", words(&error)));
    // rustls would find out only when a peer comes.
    ParsedCertificate::try_from(&certificates[0]).map_err(invalid)?;
    let own = CertifiedKey::from_der(certificates, key, &provider()).map_err(invalid)?;
    Ok(SingleCertAndKey::from(own))
}
