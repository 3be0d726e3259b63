//! Where a peer is, as far as its address tells: peers of one site share what a listener has for all.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the first 64 bits of one of IPv6, which is the least that a customer of a provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site(Option<IpAddr>);

impl Site {
    /// The site of an address. Peers whose address is not known are of one site.
    pub(crate) fn of(address: Option<IpAddr>) -> Site {
        Site(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => {
                let site = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(site))
            }
            address => address,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_address_or_its_first_64_bits() {
        let site = |text: &str| Site::of(Some(text.parse().unwrap()));
        assert_ne!(site("192.0.2.1"), site("192.0.2.2"));
        assert_eq!(site("192.0.2.1"), site("::ffff:192.0.2.1"));
        assert_eq!(site("2001:db8:0:1::1"), site("2001:db8:0:1:ffff::2"));
        assert_ne!(site("2001:db8:0:1::1"), site("2001:db8:0:2::1"));
    }
}
