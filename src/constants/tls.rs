//! `<nanomsg/tls.h>`: TLS, for the transports tls+tcp and wss.

use libc::c_int;

/// Option level of TLS.
pub const NN_TLS: c_int = -6;

/// Certificates that are trusted, in PEM form, added to those before; empty: none.
pub const NN_TLS_CA: c_int = 1;
/// The own certificate, and those between it and its CA, in PEM form.
pub const NN_TLS_CERT: c_int = 2;
/// The private key of the own certificate, in PEM form. It cannot be read.
pub const NN_TLS_KEY: c_int = 3;
/// Certificate revocation lists in PEM form, added to those before; empty: none.
pub const NN_TLS_CRL: c_int = 4;
/// The path of a file of certificates that are trusted.
pub const NN_TLS_CA_FILE: c_int = 5;
/// The path of a file with the own certificate.
pub const NN_TLS_CERT_FILE: c_int = 6;
/// The path of a file with the private key; unset: it is in the file of the certificate.
pub const NN_TLS_KEY_FILE: c_int = 7;
/// The path of a file of certificate revocation lists.
pub const NN_TLS_CRL_FILE: c_int = 8;
/// Whether the peer must show a certificate: one of the values below. -1, or never set:
/// required of a peer that this socket connects to, and none of one that connects to it.
pub const NN_TLS_AUTH: c_int = 9;
/// The name that the certificate of a server must have; unset: that in the address.
pub const NN_TLS_SERVER_NAME: c_int = 10;
/// The least version of TLS.
pub const NN_TLS_MIN_VERSION: c_int = 11;
/// The greatest version of TLS.
pub const NN_TLS_MAX_VERSION: c_int = 12;
/// 1: the certificates that the system trusts are trusted.
pub const NN_TLS_SYSTEM_ROOTS: c_int = 13;
/// To be set to an endpoint: it reads its files again, for new connections.
pub const NN_TLS_RELOAD: c_int = 14;

/// The peer's certificate is not verified, or not asked for.
pub const NN_TLS_AUTH_NONE: c_int = 0;
/// A peer without a certificate is accepted, one with an invalid one is not.
pub const NN_TLS_AUTH_OPTIONAL: c_int = 1;
/// The peer must show a valid certificate.
pub const NN_TLS_AUTH_REQUIRED: c_int = 2;

/// TLS 1.2.
pub const NN_TLS_1_2: c_int = 0x303;
/// TLS 1.3.
pub const NN_TLS_1_3: c_int = 0x304;
