//! Test: a protocol with the machine of another one needs only a `ProtocolInfo`, which no table has to list.

use super::{close, enter, open_protocol, recv, send};
use crate::message::{Outgoing, Payload};
use crate::protocol::{BUS, PAIR, ProtocolInfo};

/// Like PAIR, but with peers of its own kind only.
static LINK: ProtocolInfo = ProtocolInfo { number: 0x7f0, name: "link", peer: &LINK, ..PAIR };

#[test]
fn a_protocol_needs_only_its_info() {
    let folder = std::env::temp_dir().join(format!("nanomsg-link-{}", std::process::id()));
    let file = format!("ipc://{}", folder.display());
    for address in ["inproc://a-row-of-a-test", &file] {
        let sockets = [&LINK, &LINK, &BUS].map(|info| open_protocol(Some(info), false).unwrap());
        let [bound, connected, stranger] = sockets;
        enter(bound).unwrap().bind(address.as_bytes()).unwrap();
        enter(stranger).unwrap().connect(address.as_bytes()).unwrap();
        enter(connected).unwrap().connect(address.as_bytes()).unwrap();
        // If the bound socket had accepted the BUS socket, it would have no place for this one.
        assert_eq!(send(connected, &mut Outgoing::new(Payload::Borrowed(b"x")), false), Ok(()));
        assert_eq!(recv(bound, false, |received| received.length()), Ok(1));
        for socket in sockets {
            close(socket).unwrap();
        }
    }
}
