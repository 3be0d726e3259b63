//! Network addresses: hosts, interfaces, and the results of look-ups.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use super::platform::{self, interfaces};
use crate::address::{Family, Host};
use crate::error::Error;

/// The local address that a host part stands for: `*`, a numeric address, or the name of an interface.
///
/// # Errors
/// [`Error::NoSuchInterface`] for anything else, and for an address of another family.
pub(super) fn interface(host: &Host, port: u16, family: Family) -> Result<SocketAddr, Error> {
    match host {
        _ if host.ip().is_some_and(|ip| !family.has(ip)) => None,
        Host::Any if family == Family::V4 => Some((Ipv4Addr::UNSPECIFIED, port).into()),
        Host::Any => Some((Ipv6Addr::UNSPECIFIED, port).into()),
        Host::Literal(_) | Host::LinkLocal(..) => numeric(host, port).ok(),
        Host::Name(name) => interface_address(name, port, family),
    }
    .ok_or(Error::NoSuchInterface)
}

/// The socket address of a numeric host. The zone of a link-local address is resolved at each call: an interface
/// that was removed and added again has another number.
///
/// # Errors
/// When there is no such interface, or the host is a name.
pub(super) fn numeric(host: &Host, port: u16) -> io::Result<SocketAddr> {
    match host {
        Host::Literal(ip) => Ok(SocketAddr::new(*ip, port)),
        Host::LinkLocal(ip, zone) => {
            let scope = interface_number(zone).ok_or_else(unreachable)?;
            Ok(SocketAddrV6::new(*ip, port, 0, scope).into())
        }
        Host::Any | Host::Name(_) => Err(unreachable()),
    }
}

/// The index of an interface, given by its name or in digits; never zero, which means none.
fn interface_number(zone: &str) -> Option<u32> {
    let interfaces = interfaces();
    let named = interfaces.iter().find(|interface| interface.name == zone).and_then(|found| found.index);
    named.or_else(|| zone.parse().ok()).filter(|number| *number != 0)
}

/// An address of an interface: IPv4 before IPv6, and a link-local one only if there is no other.
fn interface_address(name: &str, port: u16, family: Family) -> Option<SocketAddr> {
    let interfaces = interfaces();
    let usable = interfaces.iter().filter(|interface| interface.name == name && family.has(interface.ip()));
    // Of equal keys `min_by_key` takes the first.
    let chosen = usable.min_by_key(|interface| (interface.is_link_local(), interface.ip().is_ipv6()))?;
    Some(match chosen.ip() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, port, 0, chosen.index.unwrap_or(0)).into()
        }
        ip => SocketAddr::new(ip, port),
    })
}

/// Those of a look-up's addresses that can be used, with the port.
pub(super) fn usable(
    addresses: &[SocketAddr],
    port: u16,
    family: Family,
) -> impl Iterator<Item = SocketAddr> {
    let usable = addresses.iter().filter(move |address| family.has(address.ip()));
    usable.map(move |address| {
        let mut address = *address;
        address.set_port(port);
        address
    })
}

/// The error for a host without a usable address.
pub(super) fn unreachable() -> io::Error {
    io::Error::from_raw_os_error(platform::UNREACHABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_to_bind_is_an_address_an_interface_or_everything() {
        use Family::{Any, V4, V6};
        let at = |host: Host, family| interface(&host, 5, family);
        assert_eq!(at(Host::Any, V4), Ok("0.0.0.0:5".parse().unwrap()));
        for family in [Any, V6] {
            assert_eq!(at(Host::Any, family), Ok("[::]:5".parse().unwrap()));
        }
        let interfaces = interfaces();
        let loopback = interfaces.iter().find(|interface| interface.ip() == Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(at(Host::Name(loopback.name.clone()), V4), Ok("127.0.0.1:5".parse().unwrap()));
        assert_eq!(at(Host::Literal(Ipv4Addr::LOCALHOST.into()), V6), Err(Error::NoSuchInterface));
        assert_eq!(at(Host::Name("localhost".into()), V4), Err(Error::NoSuchInterface));
        let loopback = Host::Literal(Ipv6Addr::LOCALHOST.into());
        assert_eq!(at(loopback.clone(), V4), Err(Error::NoSuchInterface));
        assert_eq!(at(loopback, Any), Ok("[::1]:5".parse().unwrap()));
        let link = |zone: &str| Host::LinkLocal("fe80::1".parse().unwrap(), zone.to_owned());
        assert_eq!(at(link("7"), V6), Ok(SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 0, 7).into()));
        for (zone, family) in [("7", V4), ("0", Any), ("no such interface", Any)] {
            assert_eq!(at(link(zone), family), Err(Error::NoSuchInterface));
        }
    }

    #[test]
    fn the_usable_addresses_of_a_look_up_have_the_port() {
        let four: SocketAddr = "1.2.3.4:0".parse().unwrap();
        let six: SocketAddr = "[fe80::1%2]:0".parse().unwrap();
        let with_port = |address: &SocketAddr| {
            let mut address = *address;
            address.set_port(5);
            address
        };
        let usable = |family| usable(&[six, four, six], 5, family).collect::<Vec<_>>();
        assert_eq!(usable(Family::Any), [six, four, six].each_ref().map(with_port));
        assert_eq!(usable(Family::V4), [with_port(&four)]);
        assert_eq!(usable(Family::V6), [six, six].each_ref().map(with_port));
    }
}
