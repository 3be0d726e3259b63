//! The environment's settings, for programs that set none.

use std::path::PathBuf;

use crate::sync::trusted;

/// What the environment says, where the program says nothing. Nothing in it can switch verification off.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    /// `NN_TLS_CA_FILE`.
    pub(super) ca_file: Option<PathBuf>,
    /// `NN_TLS_CERT_FILE`.
    pub(super) cert_file: Option<PathBuf>,
    /// `NN_TLS_KEY_FILE`.
    pub(super) key_file: Option<PathBuf>,
    /// `NN_TLS_SERVER_NAME`.
    pub(super) server_name: Option<String>,
}

impl Environment {
    /// Reads the variables; none if the process has more rights than its caller. To be called by a thread of the program: no
    /// other may read variables while it sets some.
    pub(super) fn read() -> Environment {
        Environment {
            ca_file: trusted(std::env::var_os("NN_TLS_CA_FILE")).map(PathBuf::from),
            cert_file: trusted(std::env::var_os("NN_TLS_CERT_FILE")).map(PathBuf::from),
            key_file: trusted(std::env::var_os("NN_TLS_KEY_FILE")).map(PathBuf::from),
            // A name that is not text cannot be valid, and must not be ignored.
            server_name: trusted(std::env::var_os("NN_TLS_SERVER_NAME"))
                .map(|name| name.to_string_lossy().into_owned()),
        }
    }

    /// The file of the system's trusted certificates that `SSL_CERT_FILE` names.
    pub(super) fn system_file() -> Option<PathBuf> {
        trusted(std::env::var_os("SSL_CERT_FILE")).map(PathBuf::from)
    }
}
