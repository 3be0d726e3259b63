//! The options of tls+tcp and wss: which of them can have an effect, what is missing, and how a socket gets them.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::error::ErrorKind;
use scaproust::Socket;
use scaproust::pattern::Pattern;
#[cfg(feature = "tls")]
use scaproust::{TlsAuth, TlsConfig};

use super::definition::id;
use super::failure::Failure;

/// The variables of the environment that the library reads if the program sets no file.
const CERT_VARIABLE: &str = "NN_TLS_CERT_FILE";
const CA_VARIABLE: &str = "NN_TLS_CA_FILE";

/// The options of tls+tcp and wss.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TlsOptions {
    pub ca_cert: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub is_insecure: bool,
    pub requires_cert: bool,
    pub server_name: Option<Vec<u8>>,
}

impl TlsOptions {
    /// The options among the arguments.
    pub(crate) fn new(matches: &ArgMatches) -> TlsOptions {
        let path = |name| matches.get_one::<PathBuf>(name).cloned();
        TlsOptions {
            ca_cert: path(id::CA_CERT),
            cert: path(id::CERT),
            key: path(id::KEY),
            is_insecure: matches.get_flag(id::INSECURE),
            requires_cert: matches.get_flag(id::REQUIRE_CERT),
            server_name: matches.get_one::<Vec<u8>>(id::SERVER_NAME).cloned(),
        }
    }

    /// Checks the options against the addresses to bind and to connect to.
    ///
    /// # Errors
    /// The kind and the text of what is wrong: an option that has no effect, or one that is missing.
    pub(crate) fn check(&self, bind: &[Vec<u8>], connect: &[Vec<u8>]) -> Result<(), (ErrorKind, String)> {
        self.check_effects(bind, connect)?;
        // Without the feature the library refuses the addresses, whatever the options are.
        if cfg!(feature = "tls") { self.check_needs(bind, connect) } else { Ok(()) }
    }

    /// Finds an option that has no effect.
    fn check_effects(&self, bind: &[Vec<u8>], connect: &[Vec<u8>]) -> Result<(), (ErrorKind, String)> {
        const SECURE: &str = "an address of tls+tcp or wss";
        let binds = secure(bind).is_some();
        let connects = secure(connect).is_some();
        let to_any = SECURE.to_owned();
        let to_bind = format!("--{} and {SECURE}", id::BIND);
        let to_connect = format!("--{} and {SECURE}", id::CONNECT);
        let to_verify =
            if binds { format!("--{}, or {to_connect}", id::REQUIRE_CERT) } else { to_any.clone() };
        for (option, is_given, has_effect, condition) in [
            (id::CERT, self.cert.is_some(), binds || connects, &to_any),
            (id::KEY, self.key.is_some(), binds || connects, &to_any),
            (id::CA_CERT, self.ca_cert.is_some(), connects || binds && self.requires_cert, &to_verify),
            (id::REQUIRE_CERT, self.requires_cert, binds, &to_bind),
            (id::INSECURE, self.is_insecure, connects, &to_connect),
            (id::SERVER_NAME, self.server_name.is_some(), connects, &to_connect),
        ] {
            if is_given && !has_effect {
                let text = format!("--{option} has no effect without {condition}");
                return Err((ErrorKind::ArgumentConflict, text));
            }
        }
        Ok(())
    }

    /// Finds an address or an option for which something is missing.
    fn check_needs(&self, bind: &[Vec<u8>], connect: &[Vec<u8>]) -> Result<(), (ErrorKind, String)> {
        let own = format!("a certificate: --{}, or {CERT_VARIABLE} in the environment", id::CERT);
        let trusted =
            format!("certificates to trust: --{}, or {CA_VARIABLE} in the environment", id::CA_CERT);
        let trusts = self.ca_cert.is_some() || is_set(CA_VARIABLE);
        let missing = |what: String| Err((ErrorKind::MissingRequiredArgument, what));
        if let Some(address) = secure(bind)
            && self.cert.is_none()
            && !is_set(CERT_VARIABLE)
        {
            return missing(format!("--{} {} needs {own}", id::BIND, address.escape_ascii()));
        }
        if self.requires_cert && !trusts {
            return missing(format!("--{} needs {trusted}", id::REQUIRE_CERT));
        }
        if let Some(address) = secure(connect)
            && !self.is_insecure
            && !trusts
        {
            let address = address.escape_ascii();
            return missing(format!("--{} {address} needs {trusted}; or --{}", id::CONNECT, id::INSECURE));
        }
        Ok(())
    }

    /// Gives the options to a socket.
    ///
    /// # Errors
    /// The option that is wrong, and why.
    #[cfg(feature = "tls")]
    pub(crate) fn apply<P: Pattern>(&self, socket: &Socket<P>) -> Result<(), Failure> {
        type With<T> = fn(TlsConfig, &T) -> TlsConfig;
        let files: [(_, _, With<PathBuf>); 3] = [
            (id::CA_CERT, &self.ca_cert, |config, path| config.ca_file(path)),
            (id::CERT, &self.cert, |config, path| config.cert_file(path)),
            (id::KEY, &self.key, |config, path| config.key_file(path)),
        ];
        let mut config = TlsConfig::new();
        // Set one after the other, so that a failure is that of the option that was added last.
        let set = |config: &TlsConfig, option: &str, value: &str| {
            socket.set_tls(config).map_err(Failure::socket(&format!("Can't use --{option} {value}")))
        };
        for (option, path, with) in files {
            if let Some(path) = path {
                config = with(config, path);
                set(&config, option, &path.display().to_string())?;
            }
        }
        if let Some(path) = self.cert.as_ref().filter(|_| self.key.is_none()) {
            // The library would look for the key there only when an endpoint is added, and not say so.
            let value = format!("{} without --{}", path.display(), id::KEY);
            set(&config.clone().key_file(path), id::CERT, &value)?;
        }
        if let Some(name) = &self.server_name {
            let name = String::from_utf8_lossy(name);
            config = config.server_name(&name);
            set(&config, id::SERVER_NAME, &name)?;
        }
        if self.is_insecure {
            config = config.auth(TlsAuth::None);
        }
        if self.requires_cert {
            config = config.auth(TlsAuth::Required);
        }
        socket.set_tls(&config).map_err(Failure::socket("Can't set TLS options"))
    }

    /// There are no such transports: the addresses are refused.
    #[cfg(not(feature = "tls"))]
    pub(crate) fn apply<P: Pattern>(&self, _socket: &Socket<P>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The first of some addresses that uses TLS.
fn secure(addresses: &[Vec<u8>]) -> Option<&[u8]> {
    addresses.iter().map(Vec::as_slice).find(|address| {
        let scheme = address.split(|byte| *byte == b':').next().unwrap_or_default();
        // The version of IP.
        let name = scheme.strip_suffix(b"4").or_else(|| scheme.strip_suffix(b"6")).unwrap_or(scheme);
        name == b"tls+tcp" || name == b"wss"
    })
}

/// Whether a variable of the environment has a value.
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The options that are given, each with any value.
    fn given(names: &[&str]) -> TlsOptions {
        let path = |name| names.contains(&name).then(|| PathBuf::from("file.pem"));
        TlsOptions {
            ca_cert: path(id::CA_CERT),
            cert: path(id::CERT),
            key: path(id::KEY),
            is_insecure: names.contains(&id::INSECURE),
            requires_cert: names.contains(&id::REQUIRE_CERT),
            server_name: names.contains(&id::SERVER_NAME).then(|| b"name".to_vec()),
        }
    }

    fn addresses(text: &str) -> Vec<Vec<u8>> {
        text.split_whitespace().map(|address| address.as_bytes().to_vec()).collect()
    }

    #[test]
    fn each_option_has_an_effect_on_some_endpoints() {
        let [secure, plain] = ["tls+tcp://a:1", "tcp://a:1 ipc://tls+tcp inproc://wss"].map(addresses);
        // Whether an option has one on endpoints that are bound, and on those that connect.
        for (names, on_bound, on_connected) in [
            (&[id::CERT][..], true, true),
            (&[id::KEY], true, true),
            (&[id::CA_CERT], false, true),
            (&[id::REQUIRE_CERT], true, false),
            (&[id::REQUIRE_CERT, id::CA_CERT], true, false),
            (&[id::INSECURE], false, true),
            (&[id::SERVER_NAME], false, true),
        ] {
            let options = given(names);
            let has_effect = |bind, connect| options.check_effects(bind, connect).is_ok();
            assert!(!has_effect(&plain, &plain), "{names:?}");
            assert_eq!(has_effect(&secure, &plain), on_bound, "{names:?}");
            assert_eq!(has_effect(&plain, &secure), on_connected, "{names:?}");
            assert!(has_effect(&secure, &secure), "{names:?}");
        }
        assert_eq!(TlsOptions::default().check_effects(&plain, &plain), Ok(()));
    }

    #[test]
    fn addresses_with_tls_are_known_by_their_schemes() {
        for address in
            ["tls+tcp://a:1", "tls+tcp4://a:1", "tls+tcp6://a:1", "wss://a:1/x", "wss4://a", "wss6://a"]
        {
            assert_eq!(secure(&addresses(&format!("tcp://b:1 {address}"))), Some(address.as_bytes()));
        }
        for address in ["tcp://a:1", "ws://a:1", "ipc://wss:", "inproc://tls+tcp", "wss5://a", "tls://a", ""]
        {
            assert_eq!(secure(&addresses(address)), None, "{address}");
        }
    }
}
