//! Networks of IPv4 and IPv6, as `NN_TCP_ACCEPT` lists them.

use std::net::IpAddr;

use crate::error::Error;

/// Networks of IPv4 and IPv6. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Networks {
    /// Every address is in one of them.
    #[default]
    All,
    /// These.
    Listed(Vec<Network>),
}

/// An address, of which the first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Networks {
    /// No network: no address is in one.
    pub(crate) const NONE: Networks = Networks::Listed(Vec::new());

    /// Parses networks as in `10.0.0.0/8, 192.168.1.5, fd00::/8`. They are separated by commas or spaces; one without a
    /// number of bits is a single address. An empty text is all networks.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one of them is no network, or a text of commas and spaces has none.
    pub(crate) fn parse(text: &[u8]) -> Result<Networks, Error> {
        if text.is_empty() {
            return Ok(Networks::All);
        }
        let text = std::str::from_utf8(text).map_err(|_| Error::InvalidArgument)?;
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let networks: Option<Vec<Network>> = parts.map(Network::parse).collect();
        networks.filter(|all| !all.is_empty()).map(Networks::Listed).ok_or(Error::InvalidArgument)
    }

    /// Whether they are all networks, so that an address need not be looked at.
    pub(crate) fn are_all(&self) -> bool {
        *self == Networks::All
    }

    /// Whether an address is in one of the networks. An IPv4 address that is written as IPv6 is an IPv4 address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Networks::All => true,
            Networks::Listed(all) => all.iter().any(|network| network.contains(address)),
        }
    }
}

/// The bits in front of an IPv4 address that is written as IPv6: `::ffff:10.0.0.1`.
const MAPPED_BITS: u32 = 96;

impl Network {
    /// Parses a network. One of IPv4 addresses that are written as IPv6 is a network of IPv4.
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most: u32 = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|count| is_number(bits) && *count <= most)?,
        };
        let canonical = address.to_canonical();
        let is_mapped = canonical != address;
        // One with fewer bits would be partly of IPv4.
        let bits = if is_mapped { bits.checked_sub(MAPPED_BITS)? } else { bits };
        Some(Network { address: canonical, bits })
    }

    /// Whether an address is in the network.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_the_number_of_bits_that_count() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "255.1.1.1", "::1"),
            ("::/0", "fe80::1", "1.2.3.4"),
            ("1.1.1.1,2.2.2.2 3.3.3.0/24", "3.3.3.9", "3.3.4.0"),
            ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.0"),
            ("::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "::a00:1"),
            ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("::ffff:0:0/96", "255.1.1.1", "::1"),
        ] {
            let networks = Networks::parse(text.as_bytes()).unwrap();
            assert!(!networks.are_all(), "{text}");
            assert!(networks.contain(inside.parse().unwrap()), "{text} {inside}");
            assert!(!networks.contain(outside.parse().unwrap()), "{text} {outside}");
        }
    }

    #[test]
    fn only_an_empty_text_is_all_networks() {
        let all = Networks::parse(b"").unwrap();
        assert!(all.are_all() && all == Networks::default());
        let address = "1.2.3.4".parse().unwrap();
        assert!(all.contain(address) && !Networks::NONE.contain(address) && !Networks::NONE.are_all());
        for text in [
            &b","[..],
            b" ",
            b" , ",
            b"\0",
            b"\x0010.0.0.0/8",
            b"10.0.0.0/8\0",
            b"10.0.0.0/33",
            b"::/129",
            b"10.0.0.0/",
            b"10.0.0.0/+8",
            b"10.0.0/8",
            b"localhost",
            b"10.0.0.0/8;",
            b"::ffff:10.0.0.0/95",
            b"\xc3\xa9",
            b"\xff",
        ] {
            assert_eq!(Networks::parse(text), Err(Error::InvalidArgument), "{}", text.escape_ascii());
        }
    }
}
