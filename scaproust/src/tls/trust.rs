//! Which certificates of a peer are accepted.
//!
//! webpki verifies chains. It refuses a certificate that is itself trusted but was issued by an authority that is not, or that
//! is marked as an authority: users of OpenSSL, mbedTLS and Go mean such a one by "self-signed certificate". Here a
//! certificate that is equal to a trusted one is accepted, after the same checks of its dates, its purpose and its name.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::Failure;
use super::settings::Auth;

/// The certificates that are trusted.
pub(super) struct Trust {
    /// Given by the program.
    pub(super) own: Vec<CertificateDer<'static>>,
    /// The system's.
    pub(super) system: Vec<CertificateDer<'static>>,
    pub(super) revocation_lists: Vec<CertificateRevocationListDer<'static>>,
}

/// The trust anchors of these certificates.
///
/// # Errors
/// [`InvalidArgument`](crate::Error::InvalidArgument) if one is malformed.
pub(super) fn anchors(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, Failure> {
    let mut anchors = RootCertStore::empty();
    for certificate in certificates {
        anchors
            .add(certificate.clone())
            .map_err(|error| Failure::invalid(format_args!("bad CA: {}", super::words(&error))))?;
    }
    Ok(anchors)
}

impl Trust {
    fn anchors(&self) -> Result<Arc<RootCertStore>, Failure> {
        let mut anchors = anchors(&self.own)?;
        // Of the system's, some may be older than the rules.
        anchors.add_parsable_certificates(self.system.iter().cloned());
        if anchors.is_empty() {
            return Err(Failure::invalid("the peer is to be verified, and there is no CA"));
        }
        Ok(Arc::new(anchors))
    }

    /// The verifier of servers.
    pub(super) fn of_servers(
        self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
        let anchors = self.anchors()?;
        let webpki = WebPkiServerVerifier::builder_with_provider(anchors, provider)
            .with_crls(self.revocation_lists)
            .allow_unknown_revocation_status()
            .build()
            .map_err(Failure::invalid)?;
        Ok(Arc::new(Servers { webpki, trusted: self.own }))
    }

    /// The verifier of clients.
    pub(super) fn of_clients(
        self,
        auth: Auth,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Failure> {
        if auth == Auth::None {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let anchors = self.anchors()?;
        let builder = WebPkiClientVerifier::builder_with_provider(anchors, provider)
            .with_crls(self.revocation_lists)
            .allow_unknown_revocation_status();
        let builder = if auth == Auth::Optional { builder.allow_unauthenticated() } else { builder };
        let webpki = builder.build().map_err(Failure::invalid)?;
        Ok(Arc::new(Clients { webpki, trusted: self.own }))
    }
}

/// Whether webpki has refused a certificate only for the place where it ends: its dates and its purpose are checked before.
fn is_about_the_issuer(error: &Error) -> bool {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => true,
        Error::InvalidCertificate(CertificateError::Other(other)) => {
            matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
        }
        _ => false,
    }
}

/// The verifier of servers.
#[derive(Debug)]
struct Servers {
    webpki: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(error) if is_about_the_issuer(&error) && self.trusted.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// The verifier of clients.
#[derive(Debug)]
struct Clients {
    webpki: Arc<dyn ClientCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.webpki.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.webpki.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if is_about_the_issuer(&error) && self.trusted.contains(end_entity) => {
                Ok(ClientCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Accepts each server that has the key of its certificate, for `NN_TLS_AUTH` 0.
#[derive(Debug)]
pub(super) struct Anything(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
