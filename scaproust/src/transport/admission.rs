//! Which peers a bound endpoint accepts, before anything is said to them.

use std::net::{IpAddr, SocketAddr};

use crate::error::Error;
use crate::pipe::Credentials;

/// Networks of IPv4 and IPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks(Vec<Network>);

/// An address, of which the first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Networks {
    /// Parses networks as in `10.0.0.0/8, 192.168.1.5, fd00::/8`. They are separated by commas or spaces; one without a
    /// number of bits is a single address.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one of them is no network.
    pub(crate) fn parse(text: &[u8]) -> Result<Networks, Error> {
        let text = std::str::from_utf8(text).map_err(|_| Error::InvalidArgument)?;
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts
            .map(|part| Network::parse(part).ok_or(Error::InvalidArgument))
            .collect::<Result<_, _>>()
            .map(Networks)
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is in one of the networks. An IPv4 address that is written as IPv6 is an IPv4 address.
    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|count| is_number(bits) && *count <= most)?,
        };
        Some(Network { address, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The rules of a bound endpoint. Each holds for the transports that know what it asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// `NN_TCP_ACCEPT`: the networks from which peers may connect; empty: all.
    pub(crate) networks: Networks,
    /// `NN_IPC_PEER_UID`: the user id that a local peer must have.
    pub(crate) user: Option<u32>,
    /// `NN_IPC_PEER_GID`: the group id that a local peer must have.
    pub(crate) group: Option<u32>,
}

impl Admission {
    /// Whether a peer is accepted. It is looked at only if there are rules. A local peer without credentials has no
    /// user; a peer without a network address is in no network.
    pub(crate) fn admits(
        &self,
        is_local: bool,
        address: impl FnOnce() -> Option<SocketAddr>,
        credentials: impl FnOnce() -> Option<Credentials>,
    ) -> bool {
        if !is_local {
            return self.networks.is_empty()
                || address().is_some_and(|address| self.networks.contains(address.ip()));
        }
        if self.user.is_none() && self.group.is_none() {
            return true;
        }
        credentials().is_some_and(|peer| {
            self.user.is_none_or(|user| user == peer.uid) && self.group.is_none_or(|group| group == peer.gid)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_peer_needs_both_the_user_and_the_group() {
        let rules = |user, group| Admission { user, group, ..Admission::default() };
        let peer = |uid, gid| Some(Credentials { pid: 1, uid, gid });
        for (admission, credentials, is_admitted) in [
            (rules(None, None), None, true),
            (rules(Some(5), None), peer(5, 1), true),
            (rules(Some(5), None), peer(6, 1), false),
            (rules(None, Some(1)), peer(6, 1), true),
            (rules(Some(5), Some(1)), peer(5, 2), false),
            (rules(Some(5), Some(1)), None, false),
        ] {
            assert_eq!(admission.admits(true, || None, || credentials), is_admitted, "{admission:?}");
        }
    }

    #[test]
    fn a_network_is_an_address_and_the_number_of_bits_that_count() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "255.1.1.1", "::1"),
            ("::/0", "fe80::1", "1.2.3.4"),
            ("1.1.1.1,2.2.2.2 3.3.3.0/24", "3.3.3.9", "3.3.4.0"),
        ] {
            let networks = Networks::parse(text.as_bytes()).unwrap();
            assert!(networks.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(!networks.contains(outside.parse().unwrap()), "{text} {outside}");
        }
        assert_eq!(Networks::parse(b" , "), Ok(Networks::default()));
        for text in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/8;",
            "\u{e9}",
        ] {
            assert_eq!(Networks::parse(text.as_bytes()), Err(Error::InvalidArgument), "{text}");
        }
        assert_eq!(Networks::parse(b"\xff"), Err(Error::InvalidArgument));
    }

    #[test]
    fn a_network_peer_must_be_in_one_of_the_networks() {
        let networks = Networks::parse(b"10.0.0.0/8, ::1").unwrap();
        let admission = Admission { networks, user: Some(5), group: None };
        for (address, is_admitted) in
            [("10.1.2.3:5", true), ("11.1.2.3:5", false), ("[::1]:5", true), ("[::ffff:10.0.0.1]:5", true)]
        {
            let address = address.parse().unwrap();
            assert_eq!(admission.admits(false, || Some(address), || None), is_admitted, "{address}");
        }
        assert!(!admission.admits(false, || None, || None));
    }
}
